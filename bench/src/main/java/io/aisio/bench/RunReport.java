package io.aisio.bench;

import io.aisio.xnvme.Capabilities;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a run saw.
 *
 * @param options what was asked for
 * @param seconds how long was measured
 * @param cpu what the processors did for it
 * @param devices one result a device, in the order asked for
 * @param intervals what was told while it ran
 * @param failures the first failures in words; more may have happened
 * @param notes what else a person should know
 */
public record RunReport(
        RunOptions options,
        double seconds,
        CpuUse cpu,
        List<DeviceResult> devices,
        List<Interval> intervals,
        List<String> failures,
        List<String> notes) {
    /** Copies the lists. */
    public RunReport {
        devices = List.copyOf(devices);
        intervals = List.copyOf(intervals);
        failures = List.copyOf(failures);
        notes = List.copyOf(notes);
    }

    /** Whether nothing failed: no I/O, no queue, no thread. */
    public boolean ok() {
        return failed() == 0 && failures.isEmpty();
    }

    /** I/Os a second over all devices, failed ones not counted. */
    public double iops() {
        return devices.stream().mapToDouble(DeviceResult::iops).sum();
    }

    /** Bytes a second over all devices. */
    public double bytesPerSecond() {
        return iops() * options.ioBytes();
    }

    /** I/Os that failed, warming up and draining included. */
    public long failed() {
        return devices.stream().mapToLong(DeviceResult::failed).sum();
    }

    /**
     * One device's part.
     *
     * @param name as it was given
     * @param path which way the data took
     * @param capabilities what that way can
     * @param cpus the processors that drove its queues, such as {@code 0-3,8}
     * @param read what was read in the measured time
     * @param write what was written in the measured time
     * @param failed I/Os that failed, warming up and draining included
     */
    public record DeviceResult(
            String name,
            String path,
            Capabilities capabilities,
            String cpus,
            DirectionResult read,
            DirectionResult write,
            long failed) {
        /** I/Os a second in both directions. */
        public double iops() {
            return read.iops + write.iops;
        }
    }

    /**
     * What went in one direction.
     *
     * @param ios how many I/Os succeeded
     * @param iops how many a second
     * @param latency how long they took; {@code null} if that was not asked for, or nothing went in this direction
     */
    public record DirectionResult(
            long ios, double iops, @Nullable LatencySummary latency) {}

    /**
     * How long I/Os took in nanoseconds, from just before the batch that they went with was submitted until they were
     * seen to be done.
     *
     * @param count how many
     * @param min the fastest
     * @param max the slowest
     * @param mean their mean
     * @param deviation their standard deviation
     * @param percentiles from percent to nanoseconds, ascending
     */
    public record LatencySummary(
            long count, long min, long max, double mean, double deviation, Map<Double, Long> percentiles) {
        /** Copies the percentiles. */
        public LatencySummary {
            percentiles = Collections.unmodifiableMap(new LinkedHashMap<>(percentiles));
        }
    }

    /**
     * How it went since the interval before.
     *
     * @param seconds since measuring began
     * @param iops I/Os a second, failed ones not counted
     * @param bytesPerSecond bytes a second
     * @param failed I/Os that failed since the run began
     */
    public record Interval(double seconds, double iops, double bytesPerSecond, long failed) {}
}
