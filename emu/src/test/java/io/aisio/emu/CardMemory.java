package io.aisio.emu;

import io.aisio.linux.OpenFile;
import io.aisio.upcie.PeerMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Another device's memory: at an address that is not this process's, and reached by copies alone. */
final class CardMemory implements PeerMemory, AutoCloseable {
    private static final AtomicLong NEXT = new AtomicLong(0x7e00_0000_0000L);

    private final Arena arena = Arena.ofShared();
    private final MemorySegment bytes;
    private final long address;
    /** How many of the next copies fail. */
    final AtomicInteger failures = new AtomicInteger();

    CardMemory(long size) {
        bytes = arena.allocate(size, 4096);
        address = NEXT.getAndAdd(size + 0x10_0000 & -0x1_0000);
    }

    /** What is in it, which no processor sees: for tests. */
    MemorySegment inside() {
        return bytes;
    }

    @Override
    public long address() {
        return address;
    }

    @Override
    public long size() {
        return bytes.byteSize();
    }

    @Override
    public MemorySegment.Scope scope() {
        return arena.scope();
    }

    @Override
    public void read(long offset, MemorySegment into) throws IOException {
        requireWorking();
        into.copyFrom(bytes.asSlice(offset, into.byteSize()));
    }

    @Override
    public void write(long offset, MemorySegment from) throws IOException {
        requireWorking();
        bytes.asSlice(offset, from.byteSize()).copyFrom(from);
    }

    private void requireWorking() throws IOException {
        if (failures.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
            throw new IOException("the card's copy engine failed");
        }
    }

    @Override
    public OpenFile exportDmaBuf() {
        throw new UnsupportedOperationException("the card's memory cannot be exported");
    }

    /** Frees the memory. */
    @Override
    public void close() {
        arena.close();
    }
}
