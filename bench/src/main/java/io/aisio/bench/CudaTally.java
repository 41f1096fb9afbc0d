package io.aisio.bench;

import io.aisio.cuda.QueueRun;
import io.aisio.nvme.NvmeException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One device's part of the runs that a GPU made, added up. */
final class CudaTally {
    private final Failures failures;
    private final List<Double> iops = new ArrayList<>();
    private final LatencyCounts latencies = new LatencyCounts();
    private long completed;
    private long failed;
    private double seconds;

    /** @param failures where failures are told */
    CudaTally(Failures failures) {
        this.failures = failures;
    }

    /** Adds a run. */
    void add(QueueRun.Results results) {
        for (QueueRun.Result queue : results.queues()) {
            NvmeException failure = queue.failure();
            if (failure != null) {
                failures.add(Failures.text(failure));
            }
        }
        completed += results.completed();
        failed += results.failed();
        seconds = Math.max(0, results.nanos() / 1e9);
        iops.add(seconds > 0 ? results.completed() / seconds : 0);
        latencies.add(results.latencies());
    }

    /** I/Os a second of the last run. */
    double lastIops() {
        return iops.getLast();
    }

    /** How long the last run took, by the GPU's clock. */
    double lastSeconds() {
        return seconds;
    }

    /** I/Os that succeeded, over all runs. */
    long completed() {
        return completed;
    }

    /** I/Os that failed, over all runs. */
    long failed() {
        return failed;
    }

    /** I/Os a second, the median over the runs; 0 if there was none. */
    double medianIops() {
        double median = CudaRunReport.median(
                iops.stream().mapToDouble(Double::doubleValue).toArray());
        return Double.isFinite(median) ? median : 0;
    }

    /** How long they took; {@code null} if none was counted. */
    RunReport.@Nullable LatencySummary latency() {
        return latencies.summary();
    }
}
