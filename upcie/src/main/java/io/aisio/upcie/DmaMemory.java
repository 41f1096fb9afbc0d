package io.aisio.upcie;

import java.lang.foreign.MemorySegment;

/**
 * Memory that a device can access directly: the CPU reaches it through {@link #segment()}, the device at
 * {@link #iova(long)}.
 *
 * <p>It must not be closed while the device may still access it. After closing, an access through the segment throws
 * {@link IllegalStateException}.
 */
public interface DmaMemory extends AutoCloseable {
    /**
     * All of the memory, page-aligned, its size a multiple of the page size. Of memory that no processor reaches, such as
     * another device's, a segment without any bytes.
     */
    MemorySegment segment();

    /**
     * The I/O virtual address (or bus address) at which the device finds a byte of this memory. Consecutive within a
     * page; what follows a page in the segment need not follow it for the device.
     *
     * @param offset from the start of the segment, in bytes, less than its size
     */
    long iova(long offset);

    /** Size in bytes, also where the segment has none. */
    default long size() {
        return segment().byteSize();
    }

    /** Takes the memory away from the device, then frees it. Closing again does nothing. */
    @Override
    void close();
}
