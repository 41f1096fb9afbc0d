package io.aisio.bench;

import io.aisio.cuda.QueueRun;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Latencies that kernels have counted, each within 6 %; of several runs. */
final class LatencyCounts {
    private final TreeMap<Long, Long> counts = new TreeMap<>();

    void add(List<QueueRun.Latency> latencies) {
        latencies.forEach(latency -> counts.merge(latency.nanos(), latency.count(), Long::sum));
    }

    /** {@code null} if none was counted. */
    RunReport.@Nullable LatencySummary summary() {
        if (counts.isEmpty()) {
            return null;
        }
        long count = 0;
        double sum = 0;
        double squares = 0;
        for (var entry : counts.entrySet()) {
            double nanos = entry.getKey();
            count += entry.getValue();
            sum += entry.getValue() * nanos;
            squares += entry.getValue() * nanos * nanos;
        }
        Map<Double, Long> percentiles = new LinkedHashMap<>();
        for (double percentile : Latency.PERCENTILES) {
            percentiles.put(percentile, atPercentile(percentile, count));
        }
        double mean = sum / count;
        return new RunReport.LatencySummary(
                count,
                counts.firstKey(),
                counts.lastKey(),
                mean,
                Math.sqrt(Math.max(0, squares / count - mean * mean)),
                percentiles);
    }

    private long atPercentile(double percentile, long count) {
        double wanted = Math.max(1, percentile / 100 * count);
        long seen = 0;
        for (var entry : counts.entrySet()) {
            seen += entry.getValue();
            if (seen >= wanted) {
                return entry.getKey();
            }
        }
        return counts.lastKey();
    }
}
