package io.aisio.emu;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What a controller does wrong, on demand. Commands are counted from 1, over the controller's life; I/O commands over
 * all queues.
 *
 * @param faults in the order given; each happens when its command comes
 */
public record FaultPlan(List<Fault> faults) {
    /** No fault: the controller does what the specification says. */
    public static final FaultPlan NONE = new FaultPlan(List.of());

    /** Copies the list. */
    public FaultPlan {
        faults = List.copyOf(faults);
    }

    /** One fault. {@code toString} gives what {@link FaultPlan#parse} takes. */
    public sealed interface Fault {}

    /** Every read of this LBA, of any namespace, delivers one bit flipped; the medium keeps what it has. */
    public record Corrupt(long lba) implements Fault {
        @Override
        public String toString() {
            return "corrupt:" + lba;
        }
    }

    /** What happens to one command. */
    public enum Kind {
        /** The nth I/O command is executed, and its completion is never posted. */
        DROP,
        /** The nth I/O command's completion is posted twice. */
        DUPLICATE,
        /** The nth I/O command completes with a CID that is not its own. */
        WRONGCID,
        /** The nth I/O command is not executed, and completes with Unrecovered Read Error. */
        ERROR,
        /** At the nth I/O command the controller stops with CSTS.CFS. */
        FATAL,
        /** At the nth I/O command the function leaves the bus: its registers read as all ones from then on. */
        VANISH,
        /** The nth admin command is never completed. */
        STALLADMIN
    }

    /** A fault at the nth command, counted from 1. */
    public record At(Kind kind, long n) implements Fault {
        @Override
        public String toString() {
            return kind.name().toLowerCase(Locale.ROOT) + ":" + n;
        }
    }

    /** CSTS.RDY is never set. */
    public record NeverReady() implements Fault {
        @Override
        public String toString() {
            return "neverready";
        }
    }

    /** The same and one fault more. */
    public FaultPlan and(Fault fault) {
        List<Fault> all = new ArrayList<>(faults);
        all.add(fault);
        return new FaultPlan(all);
    }

    /** Whether there are none. */
    public boolean isEmpty() {
        return faults.isEmpty();
    }

    /**
     * Parses faults with commas between, such as {@code corrupt:77,drop:3}.
     *
     * @throws IllegalArgumentException naming what it cannot read and what there is
     */
    public static FaultPlan parse(String text) {
        FaultPlan plan = NONE;
        for (String part : text.split(",", -1)) {
            plan = plan.and(fault(part));
        }
        return plan;
    }

    private static Fault fault(String text) {
        if (text.equals("neverready")) {
            return new NeverReady();
        }
        int colon = text.indexOf(':');
        if (colon > 0) {
            String word = text.substring(0, colon);
            try {
                long number = Long.parseLong(text.substring(colon + 1));
                if (word.equals("corrupt") && number >= 0) {
                    return new Corrupt(number);
                }
                for (Kind kind : Kind.values()) {
                    if (kind.name().equalsIgnoreCase(word) && number >= 1) {
                        return new At(kind, number);
                    }
                }
            } catch (NumberFormatException e) {
                // The message below says what is expected.
            }
        }
        throw new IllegalArgumentException("no fault '" + text
                + "'; there is corrupt:LBA, drop:N, duplicate:N, wrongcid:N, error:N, fatal:N, vanish:N,"
                + " stalladmin:N (N counts commands from 1) and neverready");
    }

    /** What {@link #parse} takes. */
    @Override
    public String toString() {
        return faults.stream().map(Object::toString).collect(Collectors.joining(","));
    }
}
