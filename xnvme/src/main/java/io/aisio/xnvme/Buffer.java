package io.aisio.xnvme;

import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Page-aligned memory for data, as {@link Device#allocate} and {@link Device#map} give it. Valid for queues of the device that it came from, and
 * for what the kernel reads and writes.
 */
public final class Buffer implements AutoCloseable {
    private final DmaMemory memory;

    /** @param memory what the buffer holds, and closes with itself */
    public Buffer(DmaMemory memory) {
        this.memory = memory;
    }

    /**
     * Allocates zeroed memory of this process's own, for what the kernel reads and writes: no controller may be told of it.
     *
     * @param bytes at least 1; rounded up to whole pages of 4096 bytes
     * @throws IOException if there is not that much
     */
    public static Buffer ofProcess(long bytes) throws IOException {
        return HostMemory.buffer(bytes);
    }

    /** The bytes; none of them if they are another device's ({@link Device#map}). */
    public MemorySegment segment() {
        return memory.segment();
    }

    /** How the device sees them. */
    public DmaMemory memory() {
        return memory;
    }

    /** Size in bytes, a multiple of 4096 unless it is another device's memory. */
    public long size() {
        return memory.size();
    }

    /** Frees the memory. No queue may have it bound to a command under way. Closing again does nothing. */
    @Override
    public void close() {
        memory.close();
    }
}
