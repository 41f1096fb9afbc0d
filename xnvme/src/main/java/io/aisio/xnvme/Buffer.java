package io.aisio.xnvme;

import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;

/** Page-aligned memory for data, as {@link Device#allocate} gives it. Valid for queues of the device that it came from. */
public final class Buffer implements AutoCloseable {
    private final DmaMemory memory;

    /** @param memory what the buffer holds, and closes with itself */
    public Buffer(DmaMemory memory) {
        this.memory = memory;
    }

    /** The bytes. */
    public MemorySegment segment() {
        return memory.segment();
    }

    /** How the device sees them. */
    public DmaMemory memory() {
        return memory;
    }

    /** Size in bytes, a multiple of 4096. */
    public long size() {
        return memory.size();
    }

    /** Frees the memory. No queue may have it bound to a command under way. Closing again does nothing. */
    @Override
    public void close() {
        memory.close();
    }
}
