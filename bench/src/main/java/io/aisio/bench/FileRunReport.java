package io.aisio.bench;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code filperf run} saw.
 *
 * @param options what was asked for
 * @param batchFiles files of a batch, the last of an epoch aside
 * @param ways which way the data took, one for each place
 * @param set what there was to read
 * @param times what it took
 * @param read what was read in the measured time
 * @param batchLatency how long batches took, from their first command on until all of them was there
 * @param verification what was compared; null if that was not asked for
 * @param failedFiles files that could not be read, warming up included
 * @param failures the first of them in words
 * @param intervals what was told while it ran
 * @param stopped whether it was ended early
 */
public record FileRunReport(
        FileRunOptions options,
        int batchFiles,
        List<String> ways,
        Set set,
        Times times,
        Read read,
        RunReport.LatencySummary batchLatency,
        @Nullable Verification verification,
        long failedFiles,
        List<String> failures,
        List<Interval> intervals,
        boolean stopped) {
    /** Copies the lists. */
    public FileRunReport {
        ways = List.copyOf(ways);
        failures = List.copyOf(failures);
        intervals = List.copyOf(intervals);
    }

    /** Whether every file was read, and whatever was compared is the same. */
    public boolean ok() {
        return failedFiles == 0 && failures.isEmpty() && (verification == null || verification.ok());
    }

    /** Files a second. */
    public double filesPerSecond() {
        return perSecond(read.files);
    }

    /** Bytes of content a second. */
    public double bytesPerSecond() {
        return perSecond(read.bytes);
    }

    /** Commands, or calls, a second. */
    public double iops() {
        return perSecond(read.commands);
    }

    private double perSecond(long count) {
        return times.totalNanos == 0 ? 0 : count / (times.totalNanos / 1e9);
    }

    /**
     * The data set.
     *
     * @param files how many there are
     * @param bytes of all of them
     * @param largest bytes of the largest
     * @param classes folders that hold files
     * @param footprint bytes of memory in which is kept where they lie
     */
    public record Set(int files, long bytes, long largest, int classes, long footprint) {
        /** Bytes of a file on average. */
        public double average() {
            return (double) bytes / files;
        }
    }

    /**
     * Where time went, in nanoseconds. The first three come before measuring; the others are of the measured time, and
     * overlap: the next batches are read while one is held.
     *
     * @param indexNanos finding the files
     * @param extentsNanos finding where they lie
     * @param setupNanos getting memory and queues
     * @param totalNanos the measured time
     * @param prepareNanos looking extents up and making commands; 0 where that is not told from reading
     * @param readingNanos in which batches were under way
     * @param waitNanos in which the caller waited for a batch
     * @param verifyNanos comparing content
     */
    public record Times(
            long indexNanos,
            long extentsNanos,
            long setupNanos,
            long totalNanos,
            long prepareNanos,
            long readingNanos,
            long waitNanos,
            long verifyNanos) {}

    /**
     * What was read.
     *
     * @param batches how many
     * @param files in them, without those that failed
     * @param bytes of their content
     * @param commands to devices, or calls
     * @param changed files that had changed since they were listed, and were read as they are now
     */
    public record Read(long batches, long files, long bytes, long commands, long changed) {}

    /**
     * What was compared, warming up included.
     *
     * @param against with what
     * @param files compared
     * @param bytes compared
     * @param mismatches files whose content differs
     * @param first the first of them in words: path, and the offset of the first byte that differs
     * @param misplaced files that an epoch did not have exactly once
     */
    public record Verification(
            String against, long files, long bytes, long mismatches, List<String> first, long misplaced) {
        /** Copies the list. */
        public Verification {
            first = List.copyOf(first);
        }

        /** Whether all was the same. */
        public boolean ok() {
            return mismatches == 0 && misplaced == 0;
        }
    }

    /**
     * How it went since the interval before.
     *
     * @param seconds since measuring began
     * @param batches in the interval
     * @param iops commands a second
     * @param bytesPerSecond bytes of content a second
     */
    public record Interval(double seconds, long batches, double iops, double bytesPerSecond) {}
}
