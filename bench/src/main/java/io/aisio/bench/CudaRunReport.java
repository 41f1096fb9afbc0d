package io.aisio.bench;

import io.aisio.xnvme.Capabilities;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a run of queue pairs that a GPU drives saw. Figures are medians over its runs.
 *
 * @param options what was asked for
 * @param gpu which GPU, in words
 * @param kernels where its kernels' code is from, in words
 * @param devices one result a device, in the order asked for
 * @param runs one for each time, in order
 * @param failures the first failures in words; more may have happened
 * @param notes what else a person should know
 */
public record CudaRunReport(
        CudaRunOptions options,
        String gpu,
        String kernels,
        List<DeviceResult> devices,
        List<OneRun> runs,
        List<String> failures,
        List<String> notes) {
    /** Copies the lists. */
    public CudaRunReport {
        devices = List.copyOf(devices);
        runs = List.copyOf(runs);
        failures = List.copyOf(failures);
        notes = List.copyOf(notes);
    }

    /** Whether nothing failed: no I/O, no queue, no launch; and something ran. */
    public boolean ok() {
        return failed() == 0 && failures.isEmpty() && !runs.isEmpty();
    }

    /** I/Os a second over all devices, failed ones not counted. */
    public double iops() {
        return median(runs.stream().mapToDouble(OneRun::iops).toArray());
    }

    /** Bytes a second over all devices. */
    public double bytesPerSecond() {
        return iops() * options.ioBytes();
    }

    /** How long a run took on the GPU. */
    public double seconds() {
        return median(runs.stream().mapToDouble(OneRun::seconds).toArray());
    }

    /** The process's processor time in the steady state, in percent of a core; {@code NaN} if no run was long enough. */
    public double cpuPercent() {
        return median(runs.stream()
                .mapToDouble(OneRun::cpuPercent)
                .filter(Double::isFinite)
                .toArray());
    }

    /** I/Os that failed, over all runs. */
    public long failed() {
        return devices.stream().mapToLong(DeviceResult::failed).sum();
    }

    /** The middle one, or the mean of the two in the middle; {@code NaN} of none. */
    static double median(double[] values) {
        if (values.length == 0) {
            return Double.NaN;
        }
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /**
     * One run, over all devices.
     *
     * @param seconds how long, by the GPU's clock: from when its first thread began until its last ended
     * @param iops I/Os a second, failed ones not counted
     * @param cpuPercent the process's processor time in the steady state, in percent of a core; {@code NaN} if the run was
     *     too short to tell
     */
    public record OneRun(double seconds, double iops, double cpuPercent) {}

    /**
     * One device's part.
     *
     * @param name as it was given
     * @param path which way the data took
     * @param capabilities what that way can
     * @param queueMemory where its rings were
     * @param ios I/Os that succeeded, over all runs
     * @param iops I/Os a second, failed ones not counted; the median over the runs
     * @param failed I/Os that failed or never came back, over all runs
     * @param latency how long they took on the GPU; {@code null} if that was not asked for, or none succeeded
     */
    public record DeviceResult(
            String name,
            String path,
            Capabilities capabilities,
            CudaQueues.Memory queueMemory,
            long ios,
            double iops,
            long failed,
            RunReport.@Nullable LatencySummary latency) {}
}
