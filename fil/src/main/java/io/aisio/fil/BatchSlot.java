package io.aisio.fil;

import io.aisio.cuda.GpuMemory;
import io.aisio.fil.spi.BatchReads;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A piece of memory of each place, for one batch after another, and what is in it now. Whoever has it alone uses it. */
final class BatchSlot {
    final int number;
    final MemorySegment[] memory;
    /** Of each place, the GPU's memory that its part is in; null if that is the host's. */
    final @Nullable GpuMemory[] gpuMemory;

    /** Where in the memory of its place a slot's part begins, in bytes. */
    final long[] begins;

    // What is in it, or being read into it.
    long epoch;
    long batch;
    int size;
    long bytes;
    final int[] files;
    final int[] sources;
    final long[] offsets;
    final long[] lengths;
    final @Nullable IOException[] problems;
    /** From when it was begun until all of it was there. */
    long readNanos;

    private long begunNanos;

    // What each source is told to read, and of each file, which of its source's it is.
    final int[][] rows;
    final long[][] at;
    final int[] counts;
    private final int[] indexes;

    /** Sources that still read for it; the mover's. */
    int sourcesLeft;
    /** Whether it can be handed out; guarded by the exchange. */
    boolean ready;

    BatchSlot(int number, int files, List<BatchReads> reads, long[] slotBytes) {
        this.number = number;
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
        gpuMemory = new GpuMemory[places];
        begins = new long[places];
        for (int source = 0; source < places; source++) {
            MemorySegment all = reads.get(source).memory();
            GpuMemory gpu = reads.get(source).gpuMemory();
            begins[source] = number * slotBytes[source];
            gpuMemory[source] = gpu;
            memory[source] = gpu == null
                    ? all.asSlice(begins[source], slotBytes[source])
                    : MemorySegment.ofAddress(gpu.address() + begins[source]);
        }
    }

    /** Begins another batch, without files. */
    void begin(long itsEpoch, long itsNumber) {
        epoch = itsEpoch;
        batch = itsNumber;
        size = 0;
        bytes = 0;
        Arrays.fill(counts, 0);
        begunNanos = System.nanoTime();
    }

    /** Adds a file that goes to an offset of its source's memory. */
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
            IOException why = source.failure(number, indexes[i]);
            problems[i] = why;
            lengths[i] = why == null ? source.length(number, indexes[i]) : 0;
            bytes += lengths[i];
        }
    }
}
