package io.aisio.fil.spi;

import io.aisio.cuda.GpuMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Reads whole files into its memory, several batches at once, each in a slot of its own. A slot is free, or under way from
 * {@link #begin} until {@link #drive} tells it. One thread uses it, from the first {@link #begin} on.
 */
public interface BatchReads extends AutoCloseable {
    /** All slots, one behind the other. Of a GPU's memory it has the address and no bytes: nothing reads it from here. */
    MemorySegment memory();

    /** The GPU's memory that all slots are in; null if they are in the host's. */
    default @Nullable GpuMemory gpuMemory() {
        return null;
    }

    /**
     * Begins a batch. Returns without waiting for a device; the first commands may be under way then.
     *
     * @param slot a free one
     * @param rows of the table, a file each
     * @param at where each goes, in bytes from the slot's beginning, multiples of {@link FileSource#unit()}
     * @param n how many of both; the arrays stay as they are until the slot is told
     */
    void begin(int slot, int[] rows, long[] at, int n);

    /**
     * Does what can be done next: makes commands, takes what is complete.
     *
     * @param done receives slots that are done: each file's bytes are in place and zeros behind them up to its room's end, or
     *     it has failed; long enough for all slots
     * @param wait whether it may wait for a completion if nothing else can be done; not for longer than that
     * @return how many slots are done; negative if nothing moved at all, so that the caller may pause
     */
    int drive(int[] done, boolean wait);

    /** Why the i-th file of a slot that is done could not be read, naming file, place and source; null if it was. */
    @Nullable
    IOException failure(int slot, int i);

    /** Bytes of the i-th file of a slot that is done: its size in the table, unless it was found changed and read anew. */
    long length(int slot, int i);

    /** Commands or calls so far. */
    long commands();

    /**
     * Files so far that were found to have changed since they were listed ({@link FileTable#stamp}), and were read as they are
     * now. One that is read again counts again; one that outgrew its room is a failure, and not among them. 0 where a change
     * is not noticed, or is a failure.
     */
    default long changed() {
        return 0;
    }

    /** What looking extents up and making commands took so far, in nanoseconds; 0 where that is not told from reading. */
    long prepareNanos();

    /** Ends what is under way and frees the memory. Closing again does nothing. */
    @Override
    void close() throws IOException;
}
