package io.aisio.fil.kernel;

import io.aisio.fil.kernel.FileRead.Opening;
import io.aisio.linux.Errno;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.ReadableFiles;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One io_uring with files that are read through it: each open file has a command in flight at least, a large one as many as
 * it is cut into.
 *
 * <pre>
 *   next file ─► open ─► commands ─► kernel ─► short? the rest again
 *                  ▲                       └─► last one? look again ─► changed? ─► commands
 *                  └──────── FileRead ◄─────────────────────────────────┘
 * </pre>
 */
final class FileRing implements AutoCloseable {
    /** Bytes of one registered buffer at most, a limit of the kernel's. */
    private static final int BUFFER_SHIFT = 30;

    /** How long a command is tried again that the kernel did not carry out for want of something. */
    private static final long PATIENCE_NANOS = 10_000_000_000L;
    /** How long the kernel is left alone before that: chosen short. */
    private static final long PAUSE_NANOS = 50_000;

    private final BatchSlots batches;
    private final IoUring ring;
    private final ReadableFiles files;
    private final MemorySegment memory;
    private final boolean registered;
    private final int block;
    private final int most;

    private final FileRead[] all;

    /** Those that no file has taken, and those that are to be read anew: stacks. */
    private final FileRead[] idle;

    private int idleCount;
    private final FileRead[] again;
    private int againCount;

    /** The file of which commands are made just now, if {@link #anyCurrent}. */
    private FileRead current;

    private boolean anyCurrent;
    /** Whether the batches' next file waits for a descriptor. */
    private boolean held;

    private int heldSlot;
    private int heldIndex;

    // Of each of the ring's slots.
    private final int[] freeSlots;
    private int freeCount;
    private final FileRead[] fileOf;
    private final long[] positions;
    private final int[] bytes;
    /** When a command was first not carried out, by nanoTime; 0 if it was not tried again. */
    private final long[] delayed;

    /** Whether it reads no more. */
    private boolean lost;

    private long commands;
    private long prepareNanos;

    private FileRing(Folder folder, BatchSlots batches, IoUring ring, boolean registered) {
        this.batches = batches;
        this.ring = ring;
        this.registered = registered;
        memory = batches.memory();
        block = folder.block();
        most = folder.commandBytes();
        int depth = ring.slots();
        files = new ReadableFiles(depth);
        all = new FileRead[depth];
        idle = new FileRead[depth];
        again = new FileRead[depth];
        freeSlots = new int[depth];
        fileOf = new FileRead[depth];
        positions = new long[depth];
        bytes = new int[depth];
        delayed = new long[depth];
        for (int i = 0; i < depth; i++) {
            all[i] = new FileRead(folder, batches, files, i);
            idle[idleCount++] = all[i];
            freeSlots[freeCount++] = depth - 1 - i;
        }
        current = idle[0];
    }

    /** Sets a ring up. Where the kernel cannot have the memory at hand, it looks it up for each command. */
    static FileRing open(Folder folder, BatchSlots batches, int depth) throws IOException {
        int slots = Math.min(depth, IoUring.MAX_SLOTS);
        IoUring ring;
        try {
            ring = IoUring.open(folder.place(), new IoUring.Options(slots, true, false, false, false));
        } catch (LinuxException e) {
            throw new IOException(
                    "%s: no io_uring of %d commands: %s".formatted(folder.place(), slots, IoUring.refusal(e.errno())),
                    e);
        }
        try {
            return new FileRing(folder, batches, ring, registers(folder, ring, batches.memory()));
        } catch (RuntimeException | Error e) {
            try {
                ring.close();
            } catch (LinuxException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    private static boolean registers(Folder folder, IoUring ring, MemorySegment memory) {
        try {
            int pieces = (int) Math.ceilDiv(memory.byteSize(), 1L << BUFFER_SHIFT);
            ring.reserveBuffers(pieces);
            for (int i = 0; i < pieces; i++) {
                long begin = (long) i << BUFFER_SHIFT;
                ring.registerBuffer(i, memory.asSlice(begin, Math.min(1L << BUFFER_SHIFT, memory.byteSize() - begin)));
            }
            return true;
        } catch (LinuxException e) {
            folder.notRegistered(e);
            return false;
        }
    }

    /**
     * Takes what is complete, and starts as many commands as there is room for.
     *
     * @param wait whether to wait for one to end then, if no batch is done
     * @return whether anything moved
     * @throws LinuxException if the kernel takes no commands or tells of none: {@link #lose} is to be called
     */
    boolean advance(boolean wait) throws LinuxException {
        if (lost) {
            return false;
        }
        boolean moved = takesAny();
        long begun = System.nanoTime();
        moved |= fills();
        prepareNanos += System.nanoTime() - begun;
        if (wait && !batches.anyEnded() && ring.outstanding() > 0) {
            // One call submits and waits.
            ring.await(1);
            return takesAny() || moved;
        }
        ring.submit();
        return moved;
    }

    /** Waits for a command to end; false if none is in flight. Throws as {@link #advance} does. */
    boolean awaits() throws LinuxException {
        if (lost || ring.outstanding() == 0) {
            return false;
        }
        ring.await(1);
        return takesAny();
    }

    private boolean fills() {
        boolean any = false;
        while (freeCount > 0) {
            if (!anyCurrent) {
                if (againCount > 0) {
                    current = again[--againCount];
                } else {
                    Opening opening = opens();
                    if (opening == Opening.LATER) {
                        return any;
                    }
                    any = true;
                    if (opening == Opening.SETTLED) {
                        continue;
                    }
                }
                anyCurrent = true;
            }
            any = true;
            if (current.next < current.size()) {
                start(current);
            }
            if (current.next >= current.size()) {
                anyCurrent = false;
                if (current.commands == 0) {
                    finish(current);
                }
            }
        }
        return any;
    }

    /** Opens the batches' next file; later, also if there is none. */
    private Opening opens() {
        if (!held) {
            if (!batches.next()) {
                return Opening.LATER;
            }
            heldSlot = batches.slot();
            heldIndex = batches.index();
        }
        FileRead file = idle[idleCount - 1];
        Opening opening = file.open(heldSlot, heldIndex);
        held = opening == Opening.LATER;
        if (opening == Opening.OPEN) {
            idleCount--;
            current = file;
        }
        return opening;
    }

    private void start(FileRead file) {
        int slot = freeSlots[--freeCount];
        fileOf[slot] = file;
        positions[slot] = file.next;
        bytes[slot] = file.bytes(file.next, most);
        delayed[slot] = 0;
        file.next += bytes[slot];
        file.commands++;
        start(slot);
    }

    private void start(int slot) {
        FileRead file = fileOf[slot];
        long offset = file.offset(positions[slot]);
        long buffer = offset >>> BUFFER_SHIFT;
        boolean within = registered && (offset + bytes[slot] - 1) >>> BUFFER_SHIFT == buffer;
        ring.bindRead(
                slot, files, file.number(), memory, offset, bytes[slot], within ? (int) buffer : IoUring.NO_BUFFER);
        ring.start(slot, positions[slot]);
        commands++;
    }

    private boolean takesAny() throws LinuxException {
        boolean any = false;
        boolean pause = false;
        while (ring.next()) {
            any = true;
            int slot = ring.slot();
            if (isLater(ring.result()) && isPatient(slot)) {
                ring.start(slot, positions[slot]);
                pause = true;
            } else if (!goesOn(slot, ring.result())) {
                end(slot);
            }
        }
        if (pause) {
            LockSupport.parkNanos(PAUSE_NANOS);
        }
        return any;
    }

    private static boolean isLater(int result) {
        return result == -Errno.EAGAIN || result == -Errno.EINTR || result == -Errno.ECANCELED;
    }

    private boolean isPatient(int slot) {
        long now = System.nanoTime();
        if (delayed[slot] == 0) {
            delayed[slot] = now | 1;
        }
        return now - delayed[slot] < PATIENCE_NANOS;
    }

    /** Whether a command read only a part, and the rest, from where a block begins, was started. */
    private boolean goesOn(int slot, int result) {
        FileRead file = fileOf[slot];
        if (result < 0) {
            file.failLater("io_uring read", positions[slot], -result);
            return false;
        }
        if (result >= Math.min(bytes[slot], file.size() - positions[slot])) {
            return false;
        }
        int step = result - result % block;
        if (step == 0) {
            file.endsEarly();
            return false;
        }
        positions[slot] += step;
        bytes[slot] -= step;
        delayed[slot] = 0;
        start(slot);
        return true;
    }

    private void end(int slot) {
        FileRead file = fileOf[slot];
        freeSlots[freeCount++] = slot;
        boolean more = file.next < file.size() || (anyCurrent && file == current);
        if (--file.commands == 0 && !more) {
            finish(file);
        }
    }

    private void finish(FileRead file) {
        if (file.settles()) {
            idle[idleCount++] = file;
        } else {
            again[againCount++] = file;
        }
    }

    /**
     * Ends it: the files that it has, have failed.
     *
     * @return why the kernel may still write to their memory; null if it does not
     */
    @Nullable
    LinuxException lose(LinuxException why) {
        lost = true;
        LinuxException unclosed = null;
        try {
            // Waits for what the kernel has.
            ring.close();
        } catch (LinuxException e) {
            unclosed = e;
        }
        for (FileRead file : all) {
            file.abandon(why);
        }
        if (held) {
            held = false;
            batches.fail(heldSlot, heldIndex, why);
        }
        return unclosed;
    }

    /** Whether it reads no more. */
    boolean isLost() {
        return lost;
    }

    long commands() {
        return commands;
    }

    long prepareNanos() {
        return prepareNanos;
    }

    /** Waits for what is in flight, and closes all files. Closing again does nothing. */
    @Override
    public void close() throws LinuxException {
        ring.close();
        files.close();
    }
}
