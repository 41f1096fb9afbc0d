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
     * @param target native memory, its size a multiple of {@link #alignment()}
     * @throws IOException if not all of it could be read
     */
    void read(long position, MemorySegment target) throws IOException;
}
