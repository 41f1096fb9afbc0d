package io.aisio.xal.xfs;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Where the structures of a file system are read from. What it returns must not be written. */
interface Blocks {
    /**
     * Reads bytes.
     *
     * @param position in bytes from the start, with {@code position + length} inside the source
     * @return them, until the next are read
     * @throws IOException if the source cannot be read
     */
    MemorySegment read(long position, int length) throws IOException;
}
