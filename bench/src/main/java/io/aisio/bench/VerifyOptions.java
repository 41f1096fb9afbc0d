package io.aisio.bench;

import io.aisio.xnvme.DeviceUri;
import java.util.List;

/**
 * What {@code xnvmeperf verify} is asked to do. Checked as far as that is possible before a device is opened;
 * {@link Verify} checks the rest against each device.
 *
 * @param devices the devices' names, at least one
 * @param ioBytes size of an I/O in bytes, at least 1
 * @param count I/Os to write and read back, from the first block of the device on, at least 1
 * @param queueDepth I/Os in flight on each queue, at least 1
 * @param queuesPerDevice at least 1
 * @param generations how often everything is written and read back, at least 1: from the second time on, a write that
 *     was dropped shows as older data
 * @param seed where the pattern and the order of the reads start
 * @param destroyData whether the devices' contents may be destroyed
 */
public record VerifyOptions(
        List<String> devices,
        long ioBytes,
        long count,
        int queueDepth,
        int queuesPerDevice,
        int generations,
        long seed,
        boolean destroyData) {
    /** The queue depth unless one is given. */
    public static final int DEFAULT_QUEUE_DEPTH = 32;

    /** The number of generations unless one is given: the least that shows a dropped write. */
    public static final int DEFAULT_GENERATIONS = 2;

    /** More would take longer than anyone waits. */
    private static final int MAX_GENERATIONS = 1_000_000;

    /**
     * Checks the options.
     *
     * @throws IllegalArgumentException one sentence that names the option, its value and what to do
     */
    public VerifyOptions {
        devices = List.copyOf(devices);
        Fit.checkDevices(devices);
        devices.forEach(DeviceUri::parse);
        Fit.checkShape(queueDepth, ioBytes, queuesPerDevice);
        if (count < 1) {
            throw new IllegalArgumentException("--count " + count + ": how many I/Os, at least 1; try --count 4096");
        }
        checkGenerations(generations);
    }

    static void checkGenerations(int generations) {
        if (generations < 1 || generations > MAX_GENERATIONS) {
            throw new IllegalArgumentException(
                    "--generations " + generations + ": how often to write and read back, 1 to " + MAX_GENERATIONS
                            + "; " + DEFAULT_GENERATIONS + " shows dropped writes");
        }
    }

    /** Verifies with the usual depth and generations, on one queue. */
    public static VerifyOptions of(List<String> devices, long ioBytes, long count) {
        return new VerifyOptions(
                devices, ioBytes, count, DEFAULT_QUEUE_DEPTH, 1, DEFAULT_GENERATIONS, RunOptions.DEFAULT_SEED, false);
    }
}
