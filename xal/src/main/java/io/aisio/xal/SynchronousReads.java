package io.aisio.xal;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;

/** Reads of a source that can only read while its caller waits: each is made when it is waited for, in order. */
final class SynchronousReads implements BlockReads {
    private final BlockSource source;
    private final ReadSlots slots;
    private final Deque<Integer> started = new ArrayDeque<>();

    SynchronousReads(BlockSource source, int slots, int bytes) throws IOException {
        this.source = source;
        this.slots = new ReadSlots(source, slots, bytes);
    }

    @Override
    public int slots() {
        return slots.count();
    }

    @Override
    public MemorySegment buffer(int slot) {
        return slots.buffer(slot);
    }

    @Override
    public void start(int slot, long position, int length) {
        slots.begin(slot, position, length);
        started.addLast(slot);
    }

    @Override
    public int await() throws IOException {
        slots.requireInFlight();
        int slot = started.removeFirst();
        slots.end(slot);
        try {
            source.read(slots.position(slot), slots.target(slot));
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            throw new IOException(
                    "%s: %d bytes at byte %d could not be read: %s"
                            .formatted(source.name(), slots.length(slot), slots.position(slot), e.getMessage()),
                    e);
        }
        return slot;
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
    public void close() {
        slots.close();
    }
}
