package io.aisio.nvme;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The admin queue pair, for any thread: each submits its command and waits for it, and whoever waits takes completions for
 * all. Asynchronous Event Requests are outstanding beside them.
 *
 * <p>A command that is overdue is aborted; where nothing comes of that, the controller is reset ({@link Recovery}).
 */
final class AdminQueue {
    /** Commands in flight at most: a page holds 64 entries. */
    static final int DEPTH = 63;
    /** How long a wait sleeps between two looks, once it takes longer than a few of them. */
    private static final long POLL_NANOS = 20_000;
    /** Looks at the completion queue before the wait sleeps. */
    private static final int SPINS = 100;
    /** How long the controller has to abort a command, at most: that is done at once or not at all. */
    private static final Duration LONGEST_GRACE = Duration.ofSeconds(5);

    /** A command in flight, or one that was. */
    static final class Pending implements QueueHost.Abort {
        final Command command;
        final int epoch;
        private final long started = System.nanoTime();
        private int cid;
        private boolean overdue;
        private long resetAt;
        private @Nullable Pending abort;

        private volatile boolean done;
        private @Nullable NvmeException failure;
        private long result;

        Pending(Command command, int epoch) {
            this.command = command;
            this.epoch = epoch;
        }

        /** Whether it has been completed or given up. */
        @Override
        public boolean isDone() {
            return done;
        }

        /** Of an Abort that is done: whether the command was aborted (dword 0, bit 0 clear). */
        @Override
        public boolean hasAborted() {
            return done && failure == null && (result & 1) == 0;
        }
    }

    /** Binds a command to a slot of the queue. */
    private interface Binding {
        void bind(QueuePair pair, int slot);
    }

    private final String name;
    private final Recovery recovery;
    private final Timeouts timeouts;
    private final DmaMemory rings;
    private final QueuePair pair;

    /** Held while the rings are touched, never while something is waited for. */
    private final ReentrantLock lock = new ReentrantLock();

    private final @Nullable Pending[] pending = new Pending[DEPTH];
    private final int[] completed = new int[1];
    private final List<Pending> eventRequests = new ArrayList<>();
    private final ArrayDeque<Integer> events = new ArrayDeque<>();
    private @Nullable Pending abort;
    /** What the controller did wrong while it was being brought up. */
    private @Nullable NvmeException broken;

    AdminQueue(
            NvmeController controller,
            Recovery recovery,
            Timeouts timeouts,
            DmaMemory rings,
            ControllerRegisters registers) {
        this.name = controller.name();
        this.recovery = recovery;
        this.timeouts = timeouts;
        this.rings = rings;
        int stride = registers.doorbellStride();
        pair = new QueuePair(
                new OwnQueues(controller, recovery, 0, DEPTH + 1, rings, null),
                recovery.epoch(),
                0,
                DEPTH,
                rings,
                registers.bar(),
                Registers.sqTailDoorbell(0, stride),
                Registers.cqHeadDoorbell(0, stride),
                null,
                0);
    }

    /** Where the device finds the submission queue. */
    long submissionQueue() {
        return rings.iova(0);
    }

    /** Where the device finds the completion queue. */
    long completionQueue() {
        return rings.iova(QueuePair.completionRing(DEPTH + 1));
    }

    /** Executes a command without data, and waits. */
    Completion execute(Command command) throws NvmeException {
        return await(start(command, (pair, slot) -> pair.bind(slot, command)));
    }

    /** Executes a command with data from the start of {@code data}, and waits. */
    Completion execute(Command command, DmaMemory data, int bytes) throws NvmeException {
        return await(start(command, (pair, slot) -> pair.bind(slot, command, data, 0, bytes)));
    }

    /**
     * Executes a command whose PRP entries are addresses of their own, and waits.
     *
     * @param epoch the only one in which it is sent: what it is about ends with it
     */
    Completion execute(int epoch, Command command, long prp1, long prp2) throws NvmeException {
        return await(start(epoch, command, (pair, slot) -> pair.bindAddresses(slot, command, prp1, prp2)));
    }

    private Pending start(Command command, Binding binding) throws NvmeException {
        return start(Recovery.ANY, command, binding);
    }

    private Pending start(int epoch, Command command, Binding binding) throws NvmeException {
        long deadline = System.nanoTime() + timeouts.of(command).toNanos();
        while (true) {
            recovery.awaitSettled();
            recovery.requireWorking();
            Pending started = tryStart(epoch, command, binding);
            if (started != null) {
                return started;
            }
            if (System.nanoTime() - deadline > 0) {
                throw new NvmeException("%s: %s: no room in the admin queue within %d ms"
                        .formatted(
                                name,
                                Opcode.adminName(command.opcode()),
                                timeouts.of(command).toMillis()));
            }
            poll();
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    /** Submits a command; null if another thread is resetting the controller, or the queue is full. */
    private @Nullable Pending tryStart(int epoch, Command command, Binding binding) throws NvmeException {
        lock.lock();
        try {
            int slot = freeSlot();
            // Asked under the lock: a reset gives up what is in flight under it, once it is known to be under way.
            if (slot < 0 || recovery.isAnothers()) {
                return null;
            }
            if (epoch != Recovery.ANY && epoch != recovery.epoch()) {
                throw givenUp(name + ": " + Opcode.adminName(command.opcode()), recovery.lastReset());
            }
            binding.bind(pair, slot);
            Pending started = new Pending(command, recovery.epoch());
            pair.submit(new int[] {slot}, new long[] {command.cdw10()}, 1);
            started.cid = pair.cid(slot);
            pending[slot] = started;
            return started;
        } finally {
            pair.handOver();
            lock.unlock();
        }
    }

    private int freeSlot() {
        for (int slot = 0; slot < DEPTH; slot++) {
            if (pending[slot] == null) {
                return slot;
            }
        }
        return -1;
    }

    /** Takes what is complete, for whoever waits for it. Does nothing while another thread does so. */
    void poll() {
        if (!lock.tryLock()) {
            return;
        }
        NvmeException trouble;
        int epoch = pair.epoch();
        try {
            // One at a time, as each one's result is asked for.
            while (recovery.epoch() == pair.epoch() && pair.poll(completed) == 1) {
                int slot = completed[0] < 0 ? ~completed[0] : completed[0];
                complete(slot, completed[0] < 0 ? pair.failure(slot) : null);
            }
            trouble = pair.takeTrouble();
        } finally {
            pair.handOver();
            lock.unlock();
        }
        if (trouble != null) {
            if (recovery.isMine()) {
                broken = trouble;
            } else {
                recovery.reset(epoch, trouble);
            }
        }
    }

    private void complete(int slot, @Nullable NvmeException failure) {
        Pending command = pending[slot];
        pending[slot] = null;
        if (command == null) {
            return;
        }
        command.failure = failure;
        command.result = failure == null ? pair.lastResult() : 0;
        command.done = true;
        if (eventRequests.remove(command) && failure == null) {
            events.add((int) command.result);
        }
    }

    private Completion await(Pending command) throws NvmeException {
        long limit = timeouts.of(command.command).toNanos();
        int spins = 0;
        while (true) {
            poll();
            if (command.done) {
                break;
            }
            long now = System.nanoTime();
            if (recovery.isMine()) {
                recovery.requireAlive();
                NvmeException wrong = broken;
                broken = null;
                if (wrong != null) {
                    throw wrong;
                }
                if (now - command.started > limit) {
                    throw noAnswer(command);
                }
            } else {
                recovery.look(command.epoch);
                if (!command.done && now - command.started > limit) {
                    overdue(command, now);
                }
            }
            if (++spins > SPINS) {
                LockSupport.parkNanos(POLL_NANOS);
            }
        }
        // If a reset gave it up: does the controller work again?
        recovery.awaitSettled();
        NvmeException why = command.failure;
        if (why != null) {
            recovery.requireWorking();
            throw why;
        }
        return new Completion(new Status(Status.SUCCESS), (int) command.result, (int) (command.result >>> 32));
    }

    private static NvmeException givenUp(String what, @Nullable NvmeException why) {
        var e = new NvmeException(what, new Status(Status.ABORTED_BY_HOST), true, Duration.ZERO);
        e.initCause(why);
        return e;
    }

    private NvmeException noAnswer(Pending command) {
        return new NvmeException("%s: %s: no answer within %d ms"
                .formatted(
                        name,
                        Opcode.adminName(command.command.opcode()),
                        timeouts.of(command.command).toMillis()));
    }

    /** Aborts the command; if that has been tried, and there was time for it, resets the controller. */
    private void overdue(Pending command, long now) throws NvmeException {
        if (!command.overdue) {
            command.overdue = true;
            command.resetAt = now
                    + Math.min(
                            LONGEST_GRACE.toNanos(),
                            timeouts.of(command.command).toNanos());
            command.abort = abort(0, command.cid);
            return;
        }
        Pending tried = command.abort;
        if (now - command.resetAt > 0 || tried == null || (tried.done && !tried.hasAborted())) {
            recovery.reset(command.epoch, noAnswer(command));
            if (!command.done) {
                // The controller is being closed, and not reset any more.
                throw noAnswer(command);
            }
        }
    }

    /**
     * Asks the controller to abort a command, without waiting for it. One such request goes at a time, as the least that
     * controllers take (ACL).
     *
     * @return the request, or null if it cannot be made now
     */
    @Nullable
    Pending abort(int sqid, int cid) {
        lock.lock();
        try {
            Pending last = abort;
            if (last != null && !last.done) {
                return null;
            }
            Command command = Command.of(Opcode.ABORT, 0, cid << 16 | sqid);
            abort = tryStart(Recovery.ANY, command, (pair, slot) -> pair.bind(slot, command));
            return abort;
        } catch (NvmeException e) {
            // The controller has failed meanwhile, which whoever asked learns from the epoch.
            return null;
        } finally {
            lock.unlock();
        }
    }

    /** Has so many event requests outstanding, as far as there is room and nobody resets the controller. */
    void requestEvents(int count) {
        lock.lock();
        try {
            Command command = Command.of(Opcode.ASYNC_EVENT_REQUEST, 0, 0);
            while (eventRequests.size() < count) {
                Pending request = tryStart(Recovery.ANY, command, (pair, slot) -> pair.bind(slot, command));
                if (request == null) {
                    return;
                }
                eventRequests.add(request);
            }
        } catch (NvmeException e) {
            // The controller has failed meanwhile, which is told by an event of its own.
            events.clear();
        } finally {
            lock.unlock();
        }
    }

    /** Dword 0 of an event that was delivered and not asked for yet, or null. */
    @Nullable
    Integer takeEvent() {
        lock.lock();
        try {
            return events.poll();
        } finally {
            lock.unlock();
        }
    }

    /** Everything in flight is over: the controller is disabled. The rings are as new. */
    void giveUp(NvmeException why) {
        lock.lock();
        try {
            for (int slot = 0; slot < DEPTH; slot++) {
                Pending command = pending[slot];
                pending[slot] = null;
                if (command != null) {
                    String what = name + ": " + Opcode.adminName(command.command.opcode());
                    command.failure = givenUp(
                            command.overdue ? String.valueOf(noAnswer(command).getMessage()) : what, why);
                    command.done = true;
                }
            }
            eventRequests.clear();
            broken = null;
            pair.startAnew(recovery.epoch());
        } finally {
            lock.unlock();
        }
    }

    /** Frees the rings, unless the controller may still write to them. */
    void free() {
        pair.free();
    }
}
