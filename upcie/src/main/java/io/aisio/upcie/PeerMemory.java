package io.aisio.upcie;

import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Memory of another device that is not the host's, such as a GPU's: the CPU cannot access it, but asks its device to copy
 * from and to it; a device that is given its addresses reaches it without the CPU.
 *
 * <p>It must not be freed while a device may still access it.
 */
public interface PeerMemory {
    /** Where it begins, as its own device sees it. */
    long address();

    /** Size in bytes. */
    long size();

    /** Lives as long as the memory. */
    MemorySegment.Scope scope();

    /**
     * Copies from it, by its device; what was copied is there when this returns.
     *
     * @param offset from its start, in bytes
     * @param into filled wholly
     * @throws IndexOutOfBoundsException if the range is not within the memory
     * @throws IllegalStateException if the memory is freed
     * @throws IOException if the device fails
     */
    void read(long offset, MemorySegment into) throws IOException;

    /**
     * Copies to it, by its device; it is there for every device when this returns.
     *
     * @param offset from its start, in bytes
     * @param from copied wholly
     * @throws IndexOutOfBoundsException if the range is not within the memory
     * @throws IllegalStateException if the memory is freed
     * @throws IOException if the device fails
     */
    void write(long offset, MemorySegment from) throws IOException;

    /**
     * The memory as a dma-buf, by which the kernel's drivers share it (Documentation/driver-api/dma-buf.rst): a descriptor
     * that the caller closes.
     *
     * @throws UnsupportedOperationException if it cannot be shared so, with the reason
     * @throws IOException if the device or the kernel fails
     */
    OpenFile exportDmaBuf() throws IOException;
}
