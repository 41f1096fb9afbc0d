package io.aisio.bench;

import io.aisio.xnvme.DeviceUri;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How a GPU drives its queue pairs: what {@code xnvmeperf cuda-run} and {@code cuda-verify} have in common.
 *
 * @param gpu which GPU, from 0
 * @param mode when a slot is used again
 * @param role what drives one queue pair
 * @param memory where the rings are; {@code null} for where the device can have them, on the GPU if there is a choice
 */
public record CudaQueues(
        int gpu, Mode mode, Role role, @Nullable Memory memory) {
    /** The first GPU, a sliding window, a block a queue pair, rings where the device can have them. */
    public static final CudaQueues USUAL = new CudaQueues(0, Mode.SLIDING, Role.BLOCK, null);

    /** Threads of a warp: a block is whole ones. */
    static final int WARP_THREADS = 32;

    /** When a slot is used again. */
    public enum Mode {
        /** As soon as its own command is done. */
        SLIDING,
        /** Once the commands of all slots are done: rounds, as the existing tool has them. */
        LOCKSTEP;

        /** The option's value. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What drives one queue pair: each of its threads has one command in flight. */
    public enum Role {
        /** A block of threads. */
        BLOCK(1024),
        /** One warp. */
        WARP(32);

        private final int threads;

        Role(int threads) {
            this.threads = threads;
        }

        /** The most commands that it has in flight, a multiple of a warp's. */
        public int mostDepth() {
            return threads;
        }

        /** The option's value. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Where the rings of a queue pair are. */
    public enum Memory {
        /** On the GPU. */
        DEVICE,
        /** In the host's memory, pinned. */
        HOST;

        /** The option's value. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * Checks the number of the GPU.
     *
     * @throws IllegalArgumentException one sentence that names the option, its value and what to do
     */
    public CudaQueues {
        if (gpu < 0) {
            throw new IllegalArgumentException("--gpu-id " + gpu + ": GPUs are counted from 0; try --gpu-id 0");
        }
    }

    /** Checks what is asked for beside it, as far as that is possible before a device is opened. */
    void check(List<String> devices, int queueDepth, long ioBytes, int queues) {
        Fit.checkDevices(devices);
        devices.forEach(CudaQueues::checkDevice);
        Fit.checkShape(queueDepth, ioBytes, queues);
        if (queueDepth > role.mostDepth()) {
            throw new IllegalArgumentException("--qdepth " + queueDepth + ": a " + role
                    + " has one command in flight for each of its threads, at most " + role.mostDepth()
                    + "; use --qdepth "
                    + role.mostDepth() + " or less"
                    + (role == Role.WARP && queueDepth <= Role.BLOCK.mostDepth() ? ", or --role block" : "")
                    + ", and more of --nqueues");
        }
        if (queueDepth % WARP_THREADS != 0) {
            throw new IllegalArgumentException(
                    "--qdepth " + queueDepth + ": one command for each thread, of whole warps of " + WARP_THREADS
                            + "; use --qdepth " + Math.ceilDiv(queueDepth, WARP_THREADS) * WARP_THREADS);
        }
        for (String device : devices) {
            if (memory == Memory.DEVICE && DeviceUri.parse(device).scheme().equals("emu")) {
                throw new IllegalArgumentException(device
                        + ": --queue-memory device: its threads reach no memory of the GPU; leave the option out, or try gpu:"
                        + " instead of emu:");
            }
        }
    }

    /** Only a controller's queue pairs can be lent to a GPU; the kernel keeps its own to itself. */
    private static void checkDevice(String device) {
        String scheme = DeviceUri.parse(device).scheme();
        if (scheme.equals("file") || scheme.equals("vfu")) {
            throw new IllegalArgumentException(device
                    + ": a GPU drives queue pairs of a controller on PCI (0000:82:00.0), of gpu: and of emu:; try"
                    + " gpu:null,1TiB");
        }
    }
}
