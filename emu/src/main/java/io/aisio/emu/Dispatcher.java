package io.aisio.emu;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import org.jspecify.annotations.Nullable;

/**
 * The path of every command: fetched from its queue, executed, completed. Nothing on it allocates, and what only some
 * controllers do, faults and delays, costs the others one comparison.
 */
final class Dispatcher {
    /** {@link #serve} has come upon a fault that ends the controller. */
    enum End {
        /** CSTS.CFS. */
        FATAL,
        /** The function leaves the bus. */
        VANISH
    }

    /**
     * What I/O commands may cost between two looks at the rest, the admin queue and CC among it ({@link Command#cost}): so
     * many short ones that the looks cost nothing in comparison, or a single one that may be long.
     */
    static final int STEP = 256;

    private static final int MORE = 1 << 13;
    /** Bits of an opcode that say which way data goes, and what they are where it goes to the driver. */
    private static final int TRANSFERS = 3;

    private static final int TO_HOST = 2;
    private static final int TO_CONTROLLER = 1;
    /** An SQ head that no queue has: they have at most 65536 entries, of which the last is 65535. */
    private static final int BEYOND = 0xFFFF;

    private final AdminCommands admin;
    private final NvmCommands nvm;
    private final QueueTable queues;
    private final PrpWalk prps;
    private final Logs logs;
    private final AsyncEvents events;
    private final @Nullable Pace pace;
    private final @Nullable FaultInjector faults;
    private final Command command;
    /** Whether SGLs may describe an I/O command's data. */
    private final boolean sgls;

    /** What is left of {@link #STEP}. */
    private int left;

    private @Nullable End end;
    /** A second completion that its queue had no room for yet. */
    private @Nullable Duplicate duplicate;

    private record Duplicate(SubmissionQueue queue, int cid, int status) {}

    Dispatcher(
            AdminCommands admin,
            NvmCommands nvm,
            QueueTable queues,
            PrpWalk prps,
            Logs logs,
            AsyncEvents events,
            @Nullable Pace pace,
            boolean sgls,
            @Nullable FaultInjector faults) {
        this.admin = admin;
        this.nvm = nvm;
        this.queues = queues;
        this.prps = prps;
        this.logs = logs;
        this.events = events;
        this.pace = pace;
        this.sgls = sgls;
        command = new Command(sgls);
        this.faults = faults;
    }

    /** Why the controller must end, or null; asked for once. */
    @Nullable
    End takeEnd() {
        End taken = end;
        end = null;
        return taken;
    }

    /** Forgets what is held back: the controller is reset. */
    void reset() {
        duplicate = null;
        end = null;
        if (faults != null) {
            faults.reset();
        }
    }

    /** When the next command that is held back is due, or {@code otherwise} if none is before. */
    long nextDue(long otherwise) {
        return faults == null ? otherwise : faults.nextDue(otherwise);
    }

    /** Serves the admin queue: its commands, as far as completions have room. */
    int serveAdmin(SubmissionQueue queue) {
        int done = faults == null ? 0 : release(queue, faults);
        int tail = queue.tail();
        while (queue.head != tail && end == null && queue.completions.hasRoom() && mayHoldMore(queue)) {
            fetch(queue);
            run(queue);
            done++;
        }
        return done;
    }

    /** Whether a queue has fewer commands that are held back than entries: a driver may go on, but not without end. */
    private boolean mayHoldMore(SubmissionQueue queue) {
        return faults == null || faults.held(queue.id) < queue.entries;
    }

    /** A step begins. */
    void beginStep() {
        left = STEP;
    }

    /** Whether I/O commands may be executed in this step. */
    boolean mayGoOn() {
        return left > 0;
    }

    /** Serves an I/O queue: everything that is in it, or that is due, as far as the step goes. */
    int serve(SubmissionQueue queue) {
        if (queue.broken) {
            return 0;
        }
        int done = faults == null ? 0 : release(queue, faults);
        DelayLine delayed = queue.delayed;
        if (delayed != null && pace != null) {
            return done + serveDelayed(queue, delayed, pace);
        }
        int tail = queue.tail();
        int rest = left;
        while (queue.head != tail && rest > 0 && end == null && queue.completions.hasRoom() && mayHoldMore(queue)) {
            fetch(queue);
            rest -= command.cost();
            run(queue);
            done++;
        }
        left = rest;
        return done;
    }

    private int serveDelayed(SubmissionQueue queue, DelayLine delayed, Pace due) {
        int tail = queue.tail();
        if (queue.head == tail && delayed.isEmpty()) {
            return 0;
        }
        int done = 0;
        long now = System.nanoTime();
        while (queue.head != tail && !delayed.isFull() && queue.completions.hasRoom()) {
            fetch(queue);
            done++;
            if (!delayed.contains(command.cid())) {
                boolean write = (command.opcode() & TRANSFERS) == TO_CONTROLLER;
                delayed.add(command, due.due(now, write, nvm.bytesMoved(command, queue.domain)));
            } else {
                complete(queue, command.cid(), Status.CID_CONFLICT | Status.DNR_BIT);
            }
        }
        while (!delayed.isEmpty()
                && delayed.due() - now <= 0
                && left > 0
                && end == null
                && queue.completions.hasRoom()
                && mayHoldMore(queue)) {
            if (delayed.take(queue.id, command)) {
                left -= command.cost();
                run(queue);
            }
            done++;
        }
        return done;
    }

    private void fetch(SubmissionQueue queue) {
        int head = queue.head;
        command.load(queue.id, queue.ring, (long) head << Sqe.SHIFT);
        queue.head = head + 1 == queue.entries ? 0 : head + 1;
    }

    private void run(SubmissionQueue queue) {
        prps.within(queue.domain);
        if (faults != null) {
            runWithFaults(queue, faults);
            return;
        }
        int status = execute();
        if (status != AdminCommands.NO_COMPLETION) {
            complete(queue, command.cid(), status);
        }
    }

    private int execute() {
        // What a command has delivered, faults may change: not what the one before it has.
        prps.forget();
        if (sgls) {
            prps.describedBy(command.queue == 0 ? 0 : command.psdt());
        }
        if (command.queue != 0) {
            return executeNvm();
        }
        return events.contains(command.cid()) ? Status.CID_CONFLICT | Status.DNR_BIT : executeAdmin();
    }

    private void complete(SubmissionQueue queue, int cid, int status) {
        int bits = status;
        if (status != Status.SUCCESS) {
            logs.error(command, status);
            bits |= MORE;
        }
        queue.completions.post(command.completion(), queue.head, queue.id, cid, bits);
    }

    /** Memory that is freed under a command is a transfer that failed; anything else is a fault of ours. */
    private int executeNvm() {
        try {
            return nvm.execute(command);
        } catch (IllegalStateException e) {
            return transferError(e);
        } catch (InternalError | OutOfMemoryError e) {
            // A page that the domain's user has taken away, and that is not to be had again. The JVM may tell it late,
            // when
            // another user's command runs, so that the status lets the command be tried again.
            if (prps.domain() == null) {
                throw e;
            }
            return Status.DATA_TRANSFER_ERROR;
        }
    }

    private int executeAdmin() {
        try {
            return admin.execute(command);
        } catch (IllegalStateException e) {
            return transferError(e);
        }
    }

    private int transferError(IllegalStateException e) {
        if (e instanceof TransferFailure || prps.lostMemory()) {
            return Status.DATA_TRANSFER_ERROR | Status.DNR_BIT;
        }
        throw e;
    }

    private void runWithFaults(SubmissionQueue queue, FaultInjector injector) {
        long hits = injector.next(command);
        if (hits == 0) {
            finish(queue, injector, 0);
        } else if (injector.has(hits, Fault.Kind.VANISH)) {
            end = End.VANISH;
        } else if (injector.has(hits, Fault.Kind.FATAL)) {
            end = End.FATAL;
        } else if (injector.has(hits, Fault.Kind.STALL) || injector.has(hits, Fault.Kind.STALE)) {
            injector.hold(command, hits, AdminCommands.NO_COMPLETION);
        } else if (injector.has(hits, Fault.Kind.DELAY)) {
            injector.hold(command, hits, AdminCommands.NO_COMPLETION, injector.number(hits, Fault.Kind.DELAY));
        } else {
            finish(queue, injector, hits);
        }
    }

    /** Executes a command, unless it is to fail, and completes it, unless its completion is held back. */
    private void finish(SubmissionQueue queue, FaultInjector injector, long hits) {
        changeController(injector, hits);
        int status = injector.has(hits, Fault.Kind.ERROR)
                ? (int) injector.number(hits, Fault.Kind.ERROR)
                : executeSpoilt(injector, hits);
        if (status == AdminCommands.NO_COMPLETION) {
            return;
        }
        if (injector.has(hits, Fault.Kind.DROP) || injector.has(hits, Fault.Kind.LATE)) {
            injector.hold(command, hits, status);
        } else {
            complete(queue, injector, hits, status);
        }
    }

    private void changeController(FaultInjector injector, long hits) {
        Namespace namespace = hits == 0 ? null : nvm.namespace(command);
        if (namespace != null && injector.has(hits, Fault.Kind.RESIZE)) {
            admin.resize(namespace, injector.number(hits, Fault.Kind.RESIZE));
        }
        if (namespace != null && injector.has(hits, Fault.Kind.REMOVE)) {
            admin.remove(namespace);
        }
        events.flood(injector.number(hits, Fault.Kind.EVENTS));
    }

    private int executeSpoilt(FaultInjector injector, long hits) {
        int status = command.queue == 0 ? executeWithHeld(injector, hits) : execute();
        if (hits != 0 && status == Status.SUCCESS && (command.opcode() & TRANSFERS) == TO_HOST) {
            Namespace namespace = command.queue == 0 ? null : nvm.namespace(command);
            try {
                injector.spoil(hits, command, namespace == null ? 0 : namespace.shift, new Delivered(prps));
            } catch (IllegalStateException e) {
                status = transferError(e);
            }
        }
        if (status == Status.SUCCESS && injector.has(hits, Fault.Kind.QUEUES)) {
            long granted = injector.number(hits, Fault.Kind.QUEUES);
            if (granted == 0) {
                return Status.INTERNAL_ERROR | Status.DNR_BIT;
            }
            int last = (int) (granted - 1) & 0xFFFF;
            command.result = (last << 16) | last;
        }
        return status;
    }

    /** An admin command that may be about commands that are held back. */
    private int executeWithHeld(FaultInjector injector, long hits) {
        int id = command.dword10() & 0xFFFF;
        SubmissionQueue target = queues.submission(id);
        if (command.opcode() == Opcode.ABORT && target != null) {
            int cid = command.dword10() >>> 16;
            if (injector.has(hits, Fault.Kind.ABORTREFUSED)) {
                command.result = 1;
                return Status.SUCCESS;
            }
            // In the admin queue, the Abort command itself needs an entry too.
            boolean room = id == 0 ? target.completions.hasRoomForTwo() : target.completions.hasRoom();
            FaultInjector.Held held = room ? injector.abort(id, cid) : null;
            if (held != null) {
                target.completions.post(0, target.head, id, cid, Status.ABORT_REQUESTED);
                if (injector.has(held.faults, Fault.Kind.STALE)) {
                    Command stale = new Command();
                    held.restore(stale);
                    long after = injector.number(held.faults, Fault.Kind.STALE);
                    injector.hold(stale, 0, Status.SUCCESS, after);
                }
                return Status.SUCCESS;
            }
        } else if (command.opcode() == Opcode.DELETE_IO_SQ && target != null && id != 0) {
            FaultInjector.Held held = injector.take(id);
            while (held != null) {
                if (target.completions.hasRoom()) {
                    target.completions.post(0, target.head, id, held.cid, Status.ABORTED_SQ_DELETION);
                }
                held = injector.take(id);
            }
        }
        return execute();
    }

    /** Completes a command, with what is wrong with its completion. */
    private void complete(SubmissionQueue queue, FaultInjector injector, long hits, int status) {
        int cid = command.cid();
        boolean wrong = injector.has(hits, Fault.Kind.WRONGCID)
                || injector.has(hits, Fault.Kind.WRONGPHASE)
                || injector.has(hits, Fault.Kind.WRONGSQHD)
                || injector.has(hits, Fault.Kind.WRONGSQID);
        if (wrong) {
            queue.completions.postWrong(
                    command.completion(),
                    injector.has(hits, Fault.Kind.WRONGSQHD) ? BEYOND : queue.head,
                    injector.has(hits, Fault.Kind.WRONGSQID) ? queue.id + 1 : queue.id,
                    injector.has(hits, Fault.Kind.WRONGCID) ? cid ^ 0x8000 : cid,
                    status,
                    injector.has(hits, Fault.Kind.WRONGPHASE));
        } else {
            complete(queue, cid, status);
        }
        if (injector.has(hits, Fault.Kind.DUPLICATE)) {
            duplicate = new Duplicate(queue, cid, status);
            postDuplicate(queue);
        }
    }

    /** Completes what was held back and is due. */
    private int release(SubmissionQueue queue, FaultInjector injector) {
        postDuplicate(queue);
        int done = 0;
        while (end == null && queue.completions.hasRoom()) {
            FaultInjector.Held held = injector.takeDue(queue.id);
            if (held == null) {
                break;
            }
            held.restore(command);
            prps.within(queue.domain);
            if (held.status == AdminCommands.NO_COMPLETION) {
                finish(queue, injector, held.faults);
            } else {
                complete(queue, injector, held.faults, held.status);
            }
            done++;
        }
        return done;
    }

    private void postDuplicate(SubmissionQueue queue) {
        Duplicate owed = duplicate;
        if (owed != null && owed.queue == queue && queue.completions.hasRoom()) {
            duplicate = null;
            complete(queue, owed.cid, owed.status);
        }
    }
}
