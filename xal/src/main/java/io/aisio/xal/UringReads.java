package io.aisio.xal;

import io.aisio.linux.Errno;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Reads of a file that the kernel carries out meanwhile. What it reads only in part is read on. */
final class UringReads implements BlockReads {
    private final BlockSource source;
    private final ReadSlots slots;
    private final IoUring ring;
    /** What of each slot was read so far, in bytes. */
    private final int[] done;

    private UringReads(BlockSource source, ReadSlots slots, IoUring ring) {
        this.source = source;
        this.slots = slots;
        this.ring = ring;
        done = new int[slots.count()];
    }

    static UringReads open(BlockSource source, OpenFile file, int slots, int bytes) throws LinuxException {
        ReadSlots opened = new ReadSlots(source, slots, bytes);
        try {
            return new UringReads(source, opened, IoUring.open(file, slots));
        } catch (LinuxException e) {
            opened.close();
            throw e;
        }
    }

    @Override
    public int slots() {
        return slots.count();
    }

    @Override
    public MemorySegment buffer(int slot) {
        return slots.buffer(slot);
    }

    /** {@inheritDoc} The kernel is told of it in {@link #await()}, of all that were started in one call. */
    @Override
    public void start(int slot, long position, int length) {
        slots.begin(slot, position, length);
        done[slot] = 0;
        readOn(slot);
    }

    private void readOn(int slot) {
        ring.read(slot, slots.position(slot) + done[slot], slots.target(slot).asSlice(done[slot]));
    }

    @Override
    public int await() throws IOException {
        slots.requireInFlight();
        while (true) {
            while (!ring.next()) {
                ring.await(1);
            }
            int slot = ring.slot();
            int result = ring.result();
            if (result > 0 && done[slot] + result < slots.length(slot)) {
                done[slot] += result;
                readOn(slot);
            } else if (result == -Errno.EINTR || result == -Errno.EAGAIN) {
                readOn(slot);
            } else {
                slots.end(slot);
                requireWhole(slot, result);
                return slot;
            }
        }
    }

    private void requireWhole(int slot, int result) throws IOException {
        long at = slots.position(slot) + done[slot];
        long end = slots.position(slot) + slots.length(slot);
        if (result == 0) {
            throw new EOFException("%s ends at byte %d, wanted up to byte %d from byte %d"
                    .formatted(source.name(), at, end, slots.position(slot)));
        }
        if (result < 0) {
            throw new LinuxException("io_uring read", "%s, byte %d to %d".formatted(source.name(), at, end), -result);
        }
    }

    @Override
    public int ended() {
        return slots.ended();
    }

    @Override
    public int inFlight() {
        return slots.inFlight();
    }

    @Override
    public void close() throws IOException {
        ring.close();
        slots.close();
    }
}
