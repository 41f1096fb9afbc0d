package io.aisio.bench;

import io.aisio.cuda.Checksums;
import io.aisio.cuda.GpuMemory;
import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Compares every file of a run with what it should hold, and that an epoch has each exactly once. Of files in a GPU's memory
 * the GPU computes checksums, which are compared with those of what they should hold. One thread's.
 */
final class FileVerification {
    private final FileContent expected;
    private final Dataset data;
    private final int places;
    private final BatchReader reader;
    private final Failures first = new Failures();

    /** The GPU's; null if files are in the host's memory. */
    private final @Nullable Checksums checksums;

    private int[] sums = {};
    private long[] offsets = {};
    private long[] lengths = {};
    private int[] indexes = {};

    private final BitSet seen = new BitSet();
    private long epoch;
    private int inEpoch;

    private long files;
    private long bytes;
    private long mismatches;
    private long misplaced;
    private long nanos;

    FileVerification(
            FileContent expected, Dataset data, int places, BatchReader reader, @Nullable Checksums checksums) {
        this.checksums = checksums;
        this.expected = expected;
        this.data = data;
        this.places = places;
        this.reader = reader;
    }

    /**
     * Compares a batch; files that were not read are not compared.
     *
     * @throws IOException if what a file should hold cannot be read
     */
    void check(Batch batch) throws IOException {
        long begun = System.nanoTime();
        if (batch.epoch() != epoch) {
            seen.clear();
            inEpoch = 0;
            epoch = batch.epoch();
        }
        for (int i = 0; i < batch.size(); i++) {
            int file = batch.file(i);
            if (seen.get(file)) {
                misplaced++;
                first.add(name(file) + " is in epoch " + epoch + " twice");
            }
            seen.set(file);
            if (batch.problem(i) == null && batch.gpuMemory(batch.source(i)) == null) {
                check(batch, i, file);
            }
        }
        for (int source = 0; source < places; source++) {
            GpuMemory memory = batch.gpuMemory(source);
            if (memory != null) {
                check(batch, source, memory);
            }
        }
        inEpoch += batch.size();
        if (batch.number() == reader.batchesPerEpoch() - 1 && inEpoch != reader.filesPerEpoch()) {
            misplaced += Math.abs(inEpoch - reader.filesPerEpoch());
            first.add("epoch %d has %d files, not %d".formatted(epoch, inEpoch, reader.filesPerEpoch()));
        }
        nanos += System.nanoTime() - begun;
    }

    private void check(Batch batch, int i, int file) throws IOException {
        files++;
        bytes += batch.length(i);
        differs(batch, i, file, expected.mismatch(batch, i, batch.content(i)));
    }

    private void differs(Batch batch, int i, int file, long at) {
        if (at >= 0) {
            mismatches++;
            first.add("%s differs from byte %d on; %d bytes were read".formatted(name(file), at, batch.length(i)));
        }
    }

    /** Compares the files of a place by checksums that the GPU computes; one that differs is copied, to see where. */
    private void check(Batch batch, int source, GpuMemory memory) throws IOException {
        if (sums.length < batch.size()) {
            sums = new int[batch.size()];
            offsets = new long[batch.size()];
            lengths = new long[batch.size()];
            indexes = new int[batch.size()];
        }
        int n = 0;
        for (int i = 0; i < batch.size(); i++) {
            if (batch.source(i) == source && batch.problem(i) == null) {
                indexes[n] = i;
                offsets[n] = batch.address(i) - memory.address();
                lengths[n++] = batch.length(i);
            }
        }
        if (n == 0) {
            return;
        }
        Objects.requireNonNull(checksums, "the GPU's").crc32c(memory, offsets, lengths, n, sums);
        for (int k = 0; k < n; k++) {
            int i = indexes[k];
            int file = batch.file(i);
            files++;
            bytes += lengths[k];
            if (sums[k] != expected.crc32c(batch, i)) {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment copy = arena.allocate(Math.max(1, lengths[k])).asSlice(0, lengths[k]);
                    batch.copy(i, copy);
                    // Its copy may be right, and what the GPU saw not: that is no less wrong.
                    differs(batch, i, file, Math.max(0, expected.mismatch(batch, i, copy)));
                }
            }
        }
    }

    private String name(int file) {
        return places > 1 ? "place " + data.source(file) + ": " + data.path(file) : data.path(file);
    }

    long nanos() {
        return nanos;
    }

    FileRunReport.Verification report() {
        return new FileRunReport.Verification(
                expected.description() + (checksums == null ? "" : ", by checksums that the GPU computes"),
                files,
                bytes,
                mismatches,
                first.first(),
                misplaced);
    }
}
