package io.aisio.fil.spi;

import java.io.IOException;

/** One place that holds files, open: a device with a file system, or a folder. One thread at a time calls it. */
public interface FileSource extends AutoCloseable {
    /** Its name as it was opened. */
    String place();

    /** Which way the data takes, for people. */
    String path();

    /**
     * Adds the files that are wanted to a table: those of a folder in the order of {@link io.aisio.xal.Xal#walk}, those of
     * a list in its order.
     *
     * @throws java.nio.file.NoSuchFileException if the folder or a listed file does not exist
     * @throws IOException if something cannot be read, naming it
     */
    void list(Selection selection, FileTable files) throws IOException;

    /** How much of {@link #list} went into finding the files, rather than where they lie, in nanoseconds. */
    long indexNanos();

    /** Each file begins in memory at a multiple of this, and takes whole multiples; in bytes, a power of two. */
    int unit();

    /** Bytes that a file takes in memory. */
    default long room(long size) {
        return (size + unit() - 1) & -(long) unit();
    }

    /**
     * Opens what reads files of the table. Closed before the source.
     *
     * @param files what {@link #list} filled
     * @param slots batches under way at once
     * @param slotBytes bytes of one batch at most, a multiple of {@link #unit()}, at least one
     * @param batchFiles files of one batch at most
     * @throws IOException if there is not that much memory, or no queue
     */
    BatchReads openReads(FileTable files, int slots, long slotBytes, int batchFiles) throws IOException;

    @Override
    void close() throws IOException;
}
