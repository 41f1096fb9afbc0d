package io.aisio.cli;

import io.aisio.bench.CudaQueues;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What {@code xnvmeperf cuda-run} and {@code cuda-verify} have in common: which GPU, and how it drives its queue pairs. */
final class CudaOptions {
    @Option(
            names = "--qdepth",
            converter = XnvmeperfOptions.Whole.class,
            required = true,
            paramLabel = "N",
            description = "I/Os in flight on each queue, one for each thread: 32 to 1024, of a warp 32.")
    int queueDepth;

    @Option(
            names = "--iosize",
            required = true,
            paramLabel = "SIZE",
            converter = XnvmeperfOptions.Bytes.class,
            description = "Size of an I/O, such as 4096 or 4KiB.")
    long ioBytes;

    @Option(
            names = "--nqueues",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Queues of each device (1).")
    int queues;

    @Option(
            names = {"--gpu-id", "--gpu_id"},
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "Which GPU (0).")
    private int gpu;

    @Option(
            names = "--mode",
            defaultValue = "sliding",
            paramLabel = "MODE",
            description =
                    "sliding: a slot is used again when its own command is done; lockstep: when all are (sliding).")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CudaQueues.Mode mode;

    @Option(
            names = "--role",
            defaultValue = "block",
            paramLabel = "ROLE",
            description = "What drives a queue: block or warp (block).")
    @SuppressWarnings("NullAway.Init")
    private CudaQueues.Role role;

    @Option(
            names = "--queue-memory",
            paramLabel = "WHERE",
            description = "Where the rings are: device, the GPU's, or host (device; of emu: host).")
    private CudaQueues.@Nullable Memory memory;

    /** Which GPU, and how it drives the queues. */
    CudaQueues driving() {
        return new CudaQueues(gpu, mode, role, memory);
    }
}
