package io.aisio.bench;

import java.util.List;

/**
 * What {@code xnvmeperf cuda-verify} is asked to do. Checked as far as that is possible before a device is opened;
 * {@link CudaVerify} checks the rest against each device and the GPU.
 *
 * @param devices the devices' names, at least one
 * @param ioBytes size of an I/O in bytes, at least 1
 * @param count I/Os to write and read back, from the first block of the device on; 0 for {@value #ROUNDS} for each slot, or
 *     as many as the device holds
 * @param queueDepth I/Os in flight on each queue, 1 to what the role has threads
 * @param queuesPerDevice at least 1
 * @param generations how often everything is written and read back, at least 1: from the second time on, a write that
 *     was dropped shows as older data
 * @param seed where the pattern starts
 * @param destroyData whether the devices' contents may be destroyed
 * @param queues how the GPU drives the queues
 */
public record CudaVerifyOptions(
        List<String> devices,
        long ioBytes,
        long count,
        int queueDepth,
        int queuesPerDevice,
        int generations,
        long seed,
        boolean destroyData,
        CudaQueues queues) {
    /** Chosen: enough that every slot and every place of the rings is used several times. */
    public static final int ROUNDS = 16;

    /**
     * Checks the options.
     *
     * @throws IllegalArgumentException one sentence that names the option, its value and what to do
     */
    public CudaVerifyOptions {
        devices = List.copyOf(devices);
        queues.check(devices, queueDepth, ioBytes, queuesPerDevice);
        if (queues.mode() != CudaQueues.Mode.SLIDING) {
            throw new IllegalArgumentException(
                    "--mode " + queues.mode() + ": verifying slides; leave the option out, or use cuda-run");
        }
        if (count < 0) {
            throw new IllegalArgumentException("--count " + count + ": how many I/Os, at least 1; try --count 4096");
        }
        VerifyOptions.checkGenerations(generations);
    }

    /** How many I/Os a device gets that holds so many. */
    long countOn(long holds) {
        return count > 0 ? count : Math.min(holds, (long) ROUNDS * queueDepth * queuesPerDevice);
    }
}
