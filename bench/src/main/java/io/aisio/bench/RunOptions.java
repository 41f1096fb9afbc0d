package io.aisio.bench;

import io.aisio.linux.CpuSet;
import io.aisio.xnvme.DeviceUri;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code xnvmeperf run} is asked to do. Checked as far as that is possible before a device is opened; {@link Run}
 * checks the rest against each device.
 *
 * @param devices the devices' names, at least one
 * @param pattern order and direction of the I/Os
 * @param readPercent how many of a hundred I/Os read; anything but the pattern's own number needs a mixed pattern
 * @param queueDepth I/Os in flight on each queue, at least 1
 * @param ioBytes size of an I/O in bytes, at least 1
 * @param runtime how long to measure, more than nothing
 * @param warmup how long to run before measuring, or zero
 * @param queuesPerDevice at least 1
 * @param cpus the processors to run on, one thread each; {@code null} for those of the process, as many as there are
 *     queues
 * @param latency whether to take the time of each I/O
 * @param interval how often to tell how it goes, or zero for never
 * @param seed where the random numbers start
 * @param destroyData whether the devices' contents may be destroyed
 * @param batch I/Os whose completion is waited for at a time, where a device can wait for several; 1 to the queue depth
 */
public record RunOptions(
        List<String> devices,
        IoPattern pattern,
        int readPercent,
        int queueDepth,
        long ioBytes,
        Duration runtime,
        Duration warmup,
        int queuesPerDevice,
        @Nullable CpuSet cpus,
        boolean latency,
        Duration interval,
        long seed,
        boolean destroyData,
        int batch) {
    /** The seed unless one is given: two runs then ask for the same blocks. */
    public static final long DEFAULT_SEED = 42;

    /** The longest run. */
    private static final Duration LONGEST = Duration.ofDays(365);

    /**
     * Checks the options.
     *
     * @throws IllegalArgumentException one sentence that names the option, its value and what to do
     */
    public RunOptions {
        devices = List.copyOf(devices);
        Fit.checkDevices(devices);
        devices.forEach(DeviceUri::parse);
        Fit.checkShape(queueDepth, ioBytes, queuesPerDevice);
        if (batch < 1 || batch > queueDepth) {
            throw new IllegalArgumentException(
                    "--batch " + batch + ": 1 or more I/Os are waited for at a time, and no more" + " than the "
                            + queueDepth + " of --qdepth");
        }
        if (readPercent < 0 || readPercent > 100) {
            throw new IllegalArgumentException(
                    "--rwmix " + readPercent + ": how many of a hundred I/Os read, 0 to 100");
        }
        if (readPercent != pattern.readPercent() && !pattern.mixed()) {
            throw new IllegalArgumentException("--rwmix " + readPercent + ": --iopattern " + pattern
                    + " does not mix; use --iopattern " + (pattern.random() ? "randrw" : "rw"));
        }
        if (runtime.isNegative() || runtime.isZero() || runtime.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException(
                    "--runtime " + seconds(runtime) + ": seconds, more than 0 and at most a year; try --runtime 3");
        }
        if (warmup.isNegative() || warmup.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException("--warmup " + seconds(warmup) + ": seconds, 0 or more; try --warmup 1");
        }
        if (interval.isNegative() || interval.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException(
                    "--interval " + seconds(interval) + ": seconds, more than 0; try --interval 1");
        }
    }

    /** A run that goes on with whatever completes. */
    public RunOptions(
            List<String> devices,
            IoPattern pattern,
            int readPercent,
            int queueDepth,
            long ioBytes,
            Duration runtime,
            Duration warmup,
            int queuesPerDevice,
            @Nullable CpuSet cpus,
            boolean latency,
            Duration interval,
            long seed,
            boolean destroyData) {
        this(
                devices,
                pattern,
                readPercent,
                queueDepth,
                ioBytes,
                runtime,
                warmup,
                queuesPerDevice,
                cpus,
                latency,
                interval,
                seed,
                destroyData,
                1);
    }

    /** A run with one queue a device, on the processors of this process, without warm-up, latency or intervals. */
    public static RunOptions of(
            List<String> devices, IoPattern pattern, int queueDepth, long ioBytes, Duration runtime) {
        return new RunOptions(
                devices,
                pattern,
                pattern.readPercent(),
                queueDepth,
                ioBytes,
                runtime,
                Duration.ZERO,
                1,
                null,
                false,
                Duration.ZERO,
                DEFAULT_SEED,
                false);
    }

    /** Whether some of the I/Os read. */
    public boolean reads() {
        return readPercent > 0;
    }

    /** Whether some of the I/Os write. */
    public boolean writes() {
        return readPercent < 100;
    }

    static String seconds(Duration duration) {
        double seconds = duration.toNanos() / 1e9;
        return seconds == Math.rint(seconds) ? Long.toString((long) seconds) : Double.toString(seconds);
    }
}
