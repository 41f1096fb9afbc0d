package io.aisio.bench;

import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import java.io.IOException;
import java.util.BitSet;

/** Compares every file of a run with what it should hold, and that an epoch has each exactly once. One thread's. */
final class FileVerification {
    private final FileContent expected;
    private final Dataset data;
    private final int places;
    private final BatchReader reader;
    private final Failures first = new Failures();

    private final BitSet seen = new BitSet();
    private long epoch;
    private int inEpoch;

    private long files;
    private long bytes;
    private long mismatches;
    private long misplaced;
    private long nanos;

    FileVerification(FileContent expected, Dataset data, int places, BatchReader reader) {
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
            if (batch.problem(i) == null) {
                check(batch, i, file);
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
        long at = expected.mismatch(batch, i);
        if (at >= 0) {
            mismatches++;
            first.add("%s differs from byte %d on; %d bytes were read".formatted(name(file), at, batch.length(i)));
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
                expected.description(), files, bytes, mismatches, first.first(), misplaced);
    }
}
