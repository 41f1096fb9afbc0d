package io.aisio.xal;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** The slots of {@link BlockReads} and their buffers: what each reads, and which are in flight. One thread owns it. */
final class ReadSlots implements AutoCloseable {
    private final BlockSource source;
    private final Mapping memory;
    private final int bytes;
    private final long stride;
    private final long[] positions;
    private final int[] lengths;
    private final boolean[] busy;
    private int inFlight;
    private int ended = -1;

    ReadSlots(BlockSource source, int slots, int bytes) throws LinuxException {
        if (slots < 1 || bytes < 1 || bytes % source.alignment() != 0) {
            throw new IllegalArgumentException("%s: %d slots of %d bytes; at least 1, of multiples of %d"
                    .formatted(source.name(), slots, bytes, source.alignment()));
        }
        this.source = source;
        this.bytes = bytes;
        stride = ((long) bytes + Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE;
        memory = Mapping.anonymous(stride * slots);
        positions = new long[slots];
        lengths = new int[slots];
        busy = new boolean[slots];
    }

    int count() {
        return busy.length;
    }

    MemorySegment buffer(int slot) {
        return memory.segment().asSlice(Objects.checkIndex(slot, busy.length) * stride, bytes);
    }

    long position(int slot) {
        return positions[slot];
    }

    /** What a slot's read is to fill. */
    MemorySegment target(int slot) {
        return buffer(slot).asSlice(0, lengths[slot]);
    }

    int length(int slot) {
        return lengths[slot];
    }

    int inFlight() {
        return inFlight;
    }

    int ended() {
        return ended;
    }

    void begin(int slot, long position, int length) {
        requireOpen();
        int unit = source.alignment();
        if (position < 0 || position % unit != 0 || length < unit || length % unit != 0 || length > bytes) {
            throw new IllegalArgumentException("%s: %d bytes at byte %d; multiples of %d are read, at most %d"
                    .formatted(source.name(), length, position, unit, bytes));
        }
        if (busy[Objects.checkIndex(slot, busy.length)]) {
            throw new IllegalStateException(source.name() + ": slot " + slot + " is in flight");
        }
        positions[slot] = position;
        lengths[slot] = length;
        busy[slot] = true;
        inFlight++;
    }

    void end(int slot) {
        busy[slot] = false;
        inFlight--;
        ended = slot;
    }

    void requireInFlight() {
        requireOpen();
        if (inFlight == 0) {
            throw new IllegalStateException(source.name() + ": no read is in flight");
        }
    }

    boolean isOpen() {
        return memory.segment().scope().isAlive();
    }

    private void requireOpen() {
        if (!isOpen()) {
            throw new IllegalStateException("the reads of " + source.name() + " are closed");
        }
    }

    /** Frees the buffers, into which nothing may be in flight. */
    @Override
    public void close() {
        memory.close();
    }
}
