package io.aisio.emu;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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

    private static final int MORE = 1 << 13;

    private final AdminCommands admin;
    private final NvmCommands nvm;
    private final PrpWalk prps;
    private final Logs logs;
    private final AsyncEvents events;
    private final @Nullable Pace pace;
    private final @Nullable FaultInjector faults;
    private final Command command = new Command();
    private @Nullable End end;
    /** A second completion that its queue had no room for yet. */
    private @Nullable Duplicate duplicate;

    private record Duplicate(SubmissionQueue queue, int cid, int status) {}

    Dispatcher(
            AdminCommands admin,
            NvmCommands nvm,
            PrpWalk prps,
            Logs logs,
            AsyncEvents events,
            @Nullable Pace pace,
            @Nullable FaultInjector faults) {
        this.admin = admin;
        this.nvm = nvm;
        this.prps = prps;
        this.logs = logs;
        this.events = events;
        this.pace = pace;
        this.faults = faults;
    }

    /** Why the controller must end, or null; asked for once. */
    @Nullable
    End takeEnd() {
        End taken = end;
        end = null;
        return taken;
    }

    /** Serves the admin queue: its commands, as far as completions have room. */
    int serveAdmin(SubmissionQueue queue) {
        int done = 0;
        int tail = queue.tail();
        while (queue.head != tail && queue.completions.hasRoom()) {
            fetch(queue);
            done++;
            if (faults != null && faults.stallsNextAdmin()) {
                continue;
            }
            int status = events.contains(command.cid()) ? Status.CID_CONFLICT | Status.DNR_BIT : executeAdmin();
            if (status != AdminCommands.NO_COMPLETION) {
                complete(queue, command.cid(), status);
            }
        }
        return done;
    }

    /** Serves an I/O queue: everything that is in it, or that is due. */
    int serve(SubmissionQueue queue) {
        if (faults != null) {
            postDuplicate(queue);
        }
        DelayLine delayed = queue.delayed;
        if (delayed != null && pace != null) {
            return serveDelayed(queue, delayed, pace);
        }
        int tail = queue.tail();
        int done = 0;
        while (queue.head != tail && end == null && queue.completions.hasRoom()) {
            fetch(queue);
            run(queue);
            done++;
        }
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
                delayed.add(command, due.due(now, nvm.bytesMoved(command)));
            } else {
                complete(queue, command.cid(), Status.CID_CONFLICT | Status.DNR_BIT);
            }
        }
        while (!delayed.isEmpty() && delayed.due() - now <= 0 && end == null && queue.completions.hasRoom()) {
            if (delayed.take(queue.id, command)) {
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
        if (faults != null) {
            runWithFaults(queue, faults);
        } else {
            complete(queue, command.cid(), executeNvm());
        }
    }

    private void complete(SubmissionQueue queue, int cid, int status) {
        int bits = status;
        if (status != Status.SUCCESS) {
            logs.error(command, status);
            bits |= MORE;
        }
        queue.completions.post(command.result, queue.head, queue.id, cid, bits);
    }

    /** Memory that is freed under a command is a transfer that failed; anything else is a fault of ours. */
    private int executeNvm() {
        try {
            return nvm.execute(command);
        } catch (IllegalStateException e) {
            return transferError(e);
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
        if (prps.lostMemory()) {
            return Status.DATA_TRANSFER_ERROR | Status.DNR_BIT;
        }
        throw e;
    }

    private void runWithFaults(SubmissionQueue queue, FaultInjector injector) {
        FaultPlan.Kind kind = injector.nextIo();
        int cid = command.cid();
        if (kind == null) {
            complete(queue, cid, executeCorrupting(injector));
            return;
        }
        switch (kind) {
            case DROP -> {
                int ignored = executeNvm();
            }
            case DUPLICATE -> {
                int status = executeNvm();
                complete(queue, cid, status);
                duplicate = new Duplicate(queue, cid, status);
                postDuplicate(queue);
            }
            case WRONGCID -> complete(queue, cid ^ 0x8000, executeNvm());
            case ERROR -> complete(queue, cid, Status.UNRECOVERED_READ_ERROR);
            case FATAL -> end = End.FATAL;
            case VANISH -> end = End.VANISH;
            case STALLADMIN -> throw new AssertionError("an admin fault on an I/O command");
        }
    }

    private void postDuplicate(SubmissionQueue queue) {
        Duplicate owed = duplicate;
        if (owed != null && owed.queue == queue && queue.completions.hasRoom()) {
            duplicate = null;
            complete(queue, owed.cid, owed.status);
        }
    }

    /** Executes, then flips a bit in each block delivered that the plan names. */
    private int executeCorrupting(FaultInjector injector) {
        int status = executeNvm();
        Namespace namespace = nvm.namespace(command);
        if (status != Status.SUCCESS || command.opcode() != Opcode.READ || namespace == null) {
            return status;
        }
        long count = (command.cdw12 & 0xFFFF) + 1;
        long index = injector.corrupts(command.cdw10, count, -1);
        while (index >= 0) {
            flip(index << namespace.shift);
            index = injector.corrupts(command.cdw10, count, index);
        }
        return status;
    }

    private void flip(long position) {
        long at = position;
        for (int i = 0; i < prps.runs(); i++) {
            if (at < prps.length(i)) {
                MemorySegment memory = prps.memory(i);
                long offset = prps.offset(i) + at;
                byte value = memory.get(ValueLayout.JAVA_BYTE, offset);
                memory.set(ValueLayout.JAVA_BYTE, offset, (byte) (value ^ 1));
                return;
            }
            at -= prps.length(i);
        }
    }
}
