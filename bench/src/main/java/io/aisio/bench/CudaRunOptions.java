package io.aisio.bench;

import io.aisio.xnvme.DeviceUri;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * What {@code xnvmeperf cuda-run} is asked to do. Checked as far as that is possible before a device is opened;
 * {@link CudaRun} checks the rest against each device and the GPU.
 *
 * @param devices the devices' names, at least one
 * @param pattern order and direction of the I/Os; not a mixed one
 * @param queueDepth I/Os in flight on each queue, 1 to what the role has threads
 * @param ioBytes size of an I/O in bytes, at least 1
 * @param runtime how long each run takes, more than nothing
 * @param queuesPerDevice at least 1
 * @param queues how the GPU drives them
 * @param data where the data goes
 * @param latency whether to take the time of each I/O, on the GPU
 * @param repeat how many runs, of which the medians are told, at least 1
 * @param seed where the random numbers start
 * @param destroyData whether the devices' contents may be destroyed
 */
public record CudaRunOptions(
        List<String> devices,
        IoPattern pattern,
        int queueDepth,
        long ioBytes,
        Duration runtime,
        int queuesPerDevice,
        CudaQueues queues,
        Data data,
        boolean latency,
        int repeat,
        long seed,
        boolean destroyData) {
    /** The longest run. */
    private static final Duration LONGEST = Duration.ofDays(1);

    private static final int MOST_RUNS = 1000;

    /** Where the data goes. */
    public enum Data {
        /** Nowhere, and from nowhere: null media move none, and each command names the same few bytes. */
        NONE,
        /** To a buffer on the GPU for each command. */
        DEVICE;

        /** The option's value. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * Checks the options.
     *
     * @throws IllegalArgumentException one sentence that names the option, its value and what to do
     */
    public CudaRunOptions {
        devices = List.copyOf(devices);
        queues.check(devices, queueDepth, ioBytes, queuesPerDevice);
        if (pattern.mixed()) {
            throw new IllegalArgumentException(
                    "--iopattern " + pattern + ": a kernel reads or writes; use read, write, randread or randwrite");
        }
        if (runtime.isNegative() || runtime.isZero() || runtime.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException("--runtime " + RunOptions.seconds(runtime)
                    + ": seconds, more than 0 and at most a day; try --runtime 3");
        }
        for (String device : devices) {
            if (data == Data.NONE && !DeviceUri.parse(device).target().startsWith("null,")) {
                throw new IllegalArgumentException(
                        device + ": --data none: it moves data; leave the option out, or try gpu:null,1TiB");
            }
        }
        if (repeat < 1 || repeat > MOST_RUNS) {
            throw new IllegalArgumentException(
                    "--repeat " + repeat + ": how many runs, 1 to " + MOST_RUNS + "; try --repeat 5");
        }
    }

    /** One run with one queue a device, with data on the GPU, without latency. */
    public static CudaRunOptions of(
            List<String> devices, IoPattern pattern, int queueDepth, long ioBytes, Duration runtime) {
        return new CudaRunOptions(
                devices,
                pattern,
                queueDepth,
                ioBytes,
                runtime,
                1,
                CudaQueues.USUAL,
                Data.DEVICE,
                false,
                1,
                RunOptions.DEFAULT_SEED,
                false);
    }

    /** Whether the I/Os write. */
    public boolean writes() {
        return pattern.readPercent() == 0;
    }
}
