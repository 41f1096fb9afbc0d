package io.aisio.xal;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Where a file system's blocks are read from: an image, a block device, a queue of a user-space driver. */
public interface BlockSource {
    /** How messages name it. */
    String name();

    /** Size in bytes. */
    long size();

    /** Positions and lengths of {@link #read} are multiples of this: the logical block size in bytes. */
    int alignment();

    /**
     * Fills {@code target}.
     *
     * @param position in bytes from the start, a multiple of {@link #alignment()}
     * @param target native memory that begins on a page (4096 bytes), its size a multiple of {@link #alignment()}
     * @throws IOException if not all of it could be read
     */
    void read(long position, MemorySegment target) throws IOException;

    /**
     * Opens reads that run while their caller does other things. Threads that read at once open reads of their own.
     *
     * <p>This one reads in {@link BlockReads#await()}, by {@link #read}; sources that can do better do.
     *
     * @param slots how many reads are in flight at most
     * @param bytes the most that one of them reads, a multiple of {@link #alignment()}
     * @throws IOException if there is no memory for the buffers, or the source has no way left to read by
     */
    default BlockReads reads(int slots, int bytes) throws IOException {
        return new SynchronousReads(this, slots, bytes);
    }
}
