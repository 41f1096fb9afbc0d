package io.aisio.bench;

import java.util.LinkedHashMap;
import java.util.Map;
import org.HdrHistogram.Histogram;

/**
 * How long I/Os of one direction took, within 0.1 %. One thread records; what was recorded may be added up when it is
 * done. About 230 KiB.
 */
final class Latency {
    /** The longest time of an I/O told apart, a minute; what takes longer counts as that. */
    private static final long LONGEST_NANOS = 60_000_000_000L;

    /** Two would be as fine as fio's; three cost nothing that matters here. */
    private static final int DIGITS = 3;

    /** The percentiles that fio reports. */
    static final double[] PERCENTILES = {1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99};

    private final long longest;
    private final Histogram histogram;

    Latency() {
        this(LONGEST_NANOS);
    }

    /** @param longestNanos the longest time told apart */
    Latency(long longestNanos) {
        longest = longestNanos;
        histogram = new Histogram(1, longest, DIGITS);
    }

    void record(long nanos) {
        histogram.recordValue(Math.clamp(nanos, 1, longest));
    }

    void reset() {
        histogram.reset();
    }

    void add(Latency other) {
        histogram.add(other.histogram);
    }

    RunReport.LatencySummary summary() {
        Map<Double, Long> percentiles = new LinkedHashMap<>();
        for (double percentile : PERCENTILES) {
            percentiles.put(percentile, histogram.getValueAtPercentile(percentile));
        }
        long count = histogram.getTotalCount();
        return new RunReport.LatencySummary(
                count,
                count == 0 ? 0 : histogram.getMinValue(),
                histogram.getMaxValue(),
                count == 0 ? 0 : histogram.getMean(),
                count == 0 ? 0 : histogram.getStdDeviation(),
                percentiles);
    }
}
