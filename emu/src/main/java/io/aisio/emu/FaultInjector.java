package io.aisio.emu;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A {@link FaultPlan} under way: counts commands, tells what happens to each, and keeps those that are held back. What
 * happens to one command is a set of the plan's faults, a bit each.
 */
final class FaultInjector {
    /** What stands for being due at no time. */
    private static final long NEVER = Long.MAX_VALUE;

    private final Rule[] rules;
    /** By queue. */
    private final Map<Integer, List<Held>> held = new HashMap<>();

    /** A fault and how often what it counts has come. */
    private static final class Rule {
        final Fault.Kind kind;
        final Selector selector;
        final long number;
        final int offset;
        final byte[] bytes;
        long count;

        Rule(Fault fault) {
            kind = fault.kind();
            selector = fault.selector();
            number = fault.number();
            offset = fault.offset();
            bytes = fault.bytes();
        }
    }

    /** A command that was fetched and not completed. */
    static final class Held {
        final int queue;
        final int cid;
        /** What happens to it. */
        final long faults;
        /** The status that it completes with, or {@link AdminCommands#NO_COMPLETION} if it is still to be executed. */
        final int status;

        private final int result;
        private final long[] words = new long[Command.WORDS];
        private long due;

        private Held(Command command, long faults, int status, long due) {
            queue = command.queue;
            cid = command.cid();
            this.faults = faults;
            this.status = status;
            this.due = due;
            result = command.result;
            command.save(words, 0);
        }

        /** Puts it back into {@code command}. */
        void restore(Command command) {
            command.restore(queue, words, 0);
            command.result = result;
        }
    }

    FaultInjector(FaultPlan plan) {
        rules = plan.faults().stream().map(Rule::new).toArray(Rule[]::new);
    }

    /** What happens as the driver sets CC.EN to 1 or 0; 0 if nothing. */
    long next(Selector.Scope scope) {
        long hits = 0;
        for (int i = 0; i < rules.length; i++) {
            Rule rule = rules[i];
            if (rule.selector.scope() == scope && rule.selector.meansNth(++rule.count)) {
                hits |= 1L << i;
            }
        }
        return hits;
    }

    /** What happens to a command that was fetched; 0 if nothing. */
    long next(Command command) {
        long hits = 0;
        for (int i = 0; i < rules.length; i++) {
            Rule rule = rules[i];
            if (means(rule.selector, command) && rule.selector.meansNth(++rule.count)) {
                hits |= 1L << i;
            }
        }
        return hits;
    }

    private static boolean means(Selector selector, Command command) {
        Selector.Scope scope = command.queue == 0 ? Selector.Scope.ADMIN : Selector.Scope.IO;
        return selector.scope() == scope
                && fits(selector.opcode(), command.opcode())
                && fits(selector.sub(), command.dword10() & 0xFF)
                && fits(selector.queue(), command.queue)
                && fits(selector.nsid(), command.nsid())
                && (selector.lba() == Selector.ANY || covers(command, selector.lba()));
    }

    private static boolean fits(int wanted, int is) {
        return wanted == Selector.ANY || wanted == is;
    }

    /** Whether the blocks of a command include this one. */
    private static boolean covers(Command command, long lba) {
        return lba >= command.cdw10 && lba - command.cdw10 <= (command.cdw12 & 0xFFFF);
    }

    /** Whether a fault of this kind is among them. */
    boolean has(long hits, Fault.Kind kind) {
        return find(hits, kind) != null;
    }

    /** The number of the first fault of this kind among them; 0 if there is none. */
    long number(long hits, Fault.Kind kind) {
        Rule rule = find(hits, kind);
        return rule == null ? 0 : rule.number;
    }

    private @Nullable Rule find(long hits, Fault.Kind kind) {
        for (long rest = hits; rest != 0; rest &= rest - 1) {
            Rule rule = rules[Long.numberOfTrailingZeros(rest)];
            if (rule.kind == kind) {
                return rule;
            }
        }
        return null;
    }

    /** Changes what a command has delivered: each of its faults that changes data, in the plan's order. */
    void spoil(long hits, Command command, int blockShift, Delivered data) {
        for (long rest = hits; rest != 0; rest &= rest - 1) {
            Rule rule = rules[Long.numberOfTrailingZeros(rest)];
            switch (rule.kind) {
                case CORRUPT -> {
                    long lba = rule.selector.lba();
                    data.flip(lba == Selector.ANY ? 0 : (lba - command.cdw10) << blockShift);
                }
                case TORN -> data.zero(data.bytes() / 2);
                case GARBAGE -> data.noise(rule.number + rule.count);
                case PUT -> data.put(rule.offset, rule.bytes);
                default -> {}
            }
        }
    }

    /** Holds a command back until it is aborted. */
    void hold(Command command, long hits, int status) {
        of(command.queue).add(new Held(command, hits, status, NEVER));
    }

    /** Holds a command back for a while, or until it is aborted. */
    void hold(Command command, long hits, int status, long nanos) {
        of(command.queue).add(new Held(command, hits, status, System.nanoTime() + nanos));
    }

    private List<Held> of(int queue) {
        return held.computeIfAbsent(queue, q -> new ArrayList<>());
    }

    /** How many commands of a queue are held back. */
    int held(int queue) {
        return of(queue).size();
    }

    /** Takes out a command of a queue that is due, or null. */
    @Nullable
    Held takeDue(int queue) {
        List<Held> ofQueue = of(queue);
        if (ofQueue.isEmpty()) {
            return null;
        }
        long now = System.nanoTime();
        for (Held one : ofQueue) {
            if (one.due != NEVER && one.due - now <= 0) {
                ofQueue.remove(one);
                return one;
            }
        }
        return null;
    }

    /**
     * An Abort has come. A command that completes late becomes due by it.
     *
     * @return the command that is to complete as aborted, or null
     */
    @Nullable
    Held abort(int queue, int cid) {
        List<Held> ofQueue = of(queue);
        for (Held one : ofQueue) {
            if (one.cid != cid) {
                continue;
            }
            if (!has(one.faults, Fault.Kind.LATE) || one.status == AdminCommands.NO_COMPLETION) {
                ofQueue.remove(one);
                return one;
            }
            if (one.due == NEVER) {
                one.due = System.nanoTime() + number(one.faults, Fault.Kind.LATE);
            }
            return null;
        }
        return null;
    }

    /** Takes out any command of a queue, or null. */
    @Nullable
    Held take(int queue) {
        List<Held> ofQueue = of(queue);
        return ofQueue.isEmpty() ? null : ofQueue.removeFirst();
    }

    /** Forgets what is held back: the controller is reset. */
    void reset() {
        held.clear();
    }

    /** When the next command that is held back is due, by {@link System#nanoTime}, or {@code otherwise} if none is before. */
    long nextDue(long otherwise) {
        long next = otherwise;
        for (List<Held> ofQueue : held.values()) {
            for (Held one : ofQueue) {
                if (one.due != NEVER && one.due - next < 0) {
                    next = one.due;
                }
            }
        }
        return next;
    }
}
