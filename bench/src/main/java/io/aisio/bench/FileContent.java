package io.aisio.bench;

import io.aisio.fil.Batch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** What files should hold, to compare with what was read. One thread asks. */
interface FileContent {
    /** What it is, for people. */
    String description();

    /**
     * Compares a file of a batch.
     *
     * @param i of the batch's files
     * @param content its bytes
     * @return the offset of the first byte that differs, or where the shorter ends; -1 if they are the same
     * @throws IOException if what it should be cannot be read
     */
    long mismatch(Batch batch, int i, MemorySegment content) throws IOException;

    /**
     * The CRC-32C of what a file of a batch should be.
     *
     * @throws IOException if that cannot be read
     */
    int crc32c(Batch batch, int i) throws IOException;
}
