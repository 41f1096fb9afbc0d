package io.aisio.upcie;

import java.io.IOException;

/**
 * One PCI function, held by this process: its registers, and memory that it may access.
 *
 * <p>Who opened the function closes it, after every {@link DmaMemory} that came from it.
 */
public interface PciFunction extends AutoCloseable {
    /** How messages name it: a bus address such as {@code 0000:82:00.0}, or what stands for one. */
    String name();

    /**
     * The registers behind a base address register.
     *
     * @param index 0 to 5
     * @throws IllegalArgumentException if the function has no memory BAR of that index
     */
    Bar bar(int index);

    /**
     * Allocates zeroed memory that the function can read and write, aligned to the page size (4096 bytes).
     *
     * @param bytes at least 1; rounded up to whole pages
     * @throws IOException if the memory or the device's address space for it is exhausted
     */
    DmaMemory allocate(long bytes) throws IOException;

    /** Gives the function back. Closing again does nothing. */
    @Override
    void close();
}
