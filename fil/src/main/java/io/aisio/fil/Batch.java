package io.aisio.fil;

import io.aisio.fil.spi.BatchReads;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Whole files in memory, with their labels. It is the caller's until it is closed; then its memory is filled with another
 * batch, and nothing of it may be used any more. Any thread may read it, and one closes it.
 *
 * <p>Files of several places lie in several segments: {@link #memory(int)} has one for each place, in which a file begins at
 * its {@link #offset}. Behind a file are zeros up to where the next one may begin.
 */
public final class Batch implements AutoCloseable {
    private final BatchExchange exchange;
    private final Dataset data;
    private final int slot;
    private final MemorySegment[] memory;

    private long epoch;
    private long number;
    private int size;
    private long bytes;
    private boolean held;

    final int[] files;
    final int[] sources;
    /** Of each file, which of its source's files in this batch it is. */
    final int[] indexes;

    final long[] offsets;
    private final long[] lengths;
    private final @Nullable IOException[] problems;

    // What each source is told to read.
    final int[][] rows;
    final long[][] at;
    final int[] counts;

    /** Sources that still read for it; the mover's. */
    int sourcesLeft;
    /** Whether it can be handed out; guarded by the exchange. */
    boolean ready;

    private long begunNanos;
    private long readNanos;

    Batch(BatchExchange exchange, Dataset data, int slot, int files, List<BatchReads> reads, long[] slotBytes) {
        this.exchange = exchange;
        this.data = data;
        this.slot = slot;
        this.files = new int[files];
        sources = new int[files];
        indexes = new int[files];
        offsets = new long[files];
        lengths = new long[files];
        problems = new IOException[files];
        int places = reads.size();
        rows = new int[places][files];
        at = new long[places][files];
        counts = new int[places];
        memory = new MemorySegment[places];
        for (int source = 0; source < places; source++) {
            memory[source] = reads.get(source).memory().asSlice(slot * slotBytes[source], slotBytes[source]);
        }
    }

    int slot() {
        return slot;
    }

    /** Begins another batch, without files. */
    void begin(long itsEpoch, long itsNumber) {
        epoch = itsEpoch;
        number = itsNumber;
        size = 0;
        bytes = 0;
        ready = false;
        Arrays.fill(counts, 0);
        begunNanos = System.nanoTime();
    }

    /** Adds a file that goes to an offset of its source's part. */
    void add(int file, int source, int row, long offset) {
        files[size] = file;
        sources[size] = source;
        int index = counts[source]++;
        indexes[size] = index;
        offsets[size] = offset;
        rows[source][index] = row;
        at[source][index] = offset;
        size++;
    }

    /** Takes what became of each file. */
    void settle(List<BatchReads> reads) {
        readNanos = System.nanoTime() - begunNanos;
        for (int i = 0; i < size; i++) {
            BatchReads source = reads.get(sources[i]);
            IOException why = source.failure(slot, indexes[i]);
            problems[i] = why;
            lengths[i] = why == null ? source.length(slot, indexes[i]) : 0;
            bytes += lengths[i];
        }
    }

    void hold() {
        held = true;
    }

    /** The first problem, with how many there are; null if all files were read. */
    @Nullable
    IOException problem() {
        IOException first = null;
        int count = 0;
        for (int i = 0; i < size; i++) {
            IOException why = problems[i];
            if (why != null) {
                count++;
                first = first == null ? why : first;
            }
        }
        return first == null
                ? null
                : new IOException(
                        "%d of the %d files of batch %d in epoch %d could not be read: %s"
                                .formatted(count, size, number, epoch, first.getMessage()),
                        first);
    }

    /** Which epoch it belongs to, from 0. */
    public long epoch() {
        return epoch;
    }

    /** Which batch of its epoch it is, from 0. */
    public long number() {
        return number;
    }

    /** How many files are in it. */
    public int size() {
        return size;
    }

    /** Bytes of all its files. */
    public long bytes() {
        return bytes;
    }

    /** How long reading it took, from its first command on until all of it was there, in nanoseconds. */
    public long readNanos() {
        return readNanos;
    }

    private int check(int i) {
        if (!held) {
            throw new IllegalStateException("the batch was closed: its memory is another's by now");
        }
        return Objects.checkIndex(i, size);
    }

    /** The number of a file in the data set. */
    public int file(int i) {
        return files[check(i)];
    }

    /** A file's path, from the root of its place. */
    public String path(int i) {
        return data.path(file(i));
    }

    /** A file's label. */
    public int label(int i) {
        return data.label(file(i));
    }

    /** The place that a file is from, as {@link Dataset#source}; its data is in that one's {@link #memory(int)}. */
    public int source(int i) {
        return sources[check(i)];
    }

    /** Where a file begins in the memory of its place, in bytes, a multiple of 4096. */
    public long offset(int i) {
        return offsets[check(i)];
    }

    /** Bytes of a file, exactly; 0 if it was not read. */
    public long length(int i) {
        return lengths[check(i)];
    }

    /** The memory for the files of a place. */
    public MemorySegment memory(int source) {
        return memory[source];
    }

    /** A file's bytes, exactly. */
    public MemorySegment content(int i) {
        return memory[source(i)].asSlice(offsets[i], lengths[i]);
    }

    /** Why a file was not read; null if it was. Never anything else without {@link BatchReader.Builder#keepFailures}. */
    public @Nullable IOException problem(int i) {
        return problems[check(i)];
    }

    /** Gives the memory back, to be filled with another batch. Closing again does nothing. */
    @Override
    public void close() {
        if (held) {
            held = false;
            exchange.giveBack(this);
        }
    }
}
