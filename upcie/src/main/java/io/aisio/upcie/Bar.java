package io.aisio.upcie;

/**
 * The registers behind one base address register: little-endian, naturally aligned, each access one load or store of
 * exactly its width.
 *
 * <p>A store is a release: what this thread stored to memory before is visible to an observer that sees the register's
 * new value. A load is an acquire.
 *
 * <p>Where the processor reaches the registers itself, this is a {@link MappedBar}.
 */
public interface Bar {
    /** Size in bytes. */
    long size();

    /**
     * Loads the 32-bit register at {@code offset}.
     *
     * @param offset in bytes, a multiple of 4, less than {@link #size()}
     */
    int read32(long offset);

    /**
     * Loads the 64-bit register at {@code offset}.
     *
     * @param offset in bytes, a multiple of 8, less than {@link #size()}
     */
    long read64(long offset);

    /**
     * Stores to the 32-bit register at {@code offset}.
     *
     * @param offset in bytes, a multiple of 4, less than {@link #size()}
     */
    void write32(long offset, int value);

    /**
     * Stores to the 64-bit register at {@code offset}.
     *
     * @param offset in bytes, a multiple of 8, less than {@link #size()}
     */
    void write64(long offset, long value);
}
