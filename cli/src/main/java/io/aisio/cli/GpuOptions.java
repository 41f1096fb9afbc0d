package io.aisio.cli;

import io.aisio.bench.FileRunOptions;
import io.aisio.cuda.Cuda;
import io.aisio.cuda.Gpu;
import io.aisio.fil.spi.Backend.CuFileCalls;
import io.aisio.fil.spi.Backend.Target;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Into which GPU files are read, and how. */
final class GpuOptions {
    @Option(
            names = "--gpu-id",
            converter = XnvmeperfOptions.Whole.class,
            paramLabel = "N",
            description = "Read into the memory of this GPU, as a GPU's backends do (0).")
    private @Nullable Integer id;

    @Option(
            names = "--gpu-nqueues",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "" + FileRunOptions.DEFAULT_GPU_QUEUES,
            paramLabel = "N",
            description = "Queues of each place that aisio-gpu drives (" + FileRunOptions.DEFAULT_GPU_QUEUES + ").")
    private int queues;

    @Option(names = "--async", description = "cufile reads in the order of a stream (one call a read).")
    private boolean async;

    @Option(names = "--batch-io", description = "cufile makes many reads in one call (one call a read).")
    private boolean batches;

    @Option(
            names = "--register_bufs",
            description = "cufile is told of the memory before it reads (always with --async).")
    private boolean registered;

    /** Queues that a GPU drives. */
    int queues() {
        if (queues < 1) {
            throw new IllegalArgumentException("--gpu-nqueues " + queues + ": at least 1");
        }
        return queues;
    }

    /** Checks what can be without a GPU. */
    void check() {
        if (async && batches) {
            throw new IllegalArgumentException("--async and --batch-io: cufile is called in one way; give either");
        }
    }

    /**
     * Opens the GPU, if one is wanted: by its number, or because a backend reads into nothing else.
     *
     * @return null if files go into the host's memory
     * @throws IOException if there is none
     */
    @Nullable
    Gpu open(List<String> backends) throws IOException {
        if (id == null && backends.stream().noneMatch(FileRunOptions.INTO_GPU::contains)) {
            return null;
        }
        String missing = Cuda.missing();
        if (missing != null) {
            throw new IOException(missing);
        }
        return Gpu.open(id == null ? 0 : id);
    }

    /** What a backend is told of it. */
    @Nullable
    Target target(@Nullable Gpu gpu) {
        CuFileCalls calls = async ? CuFileCalls.STREAM : batches ? CuFileCalls.BATCHES : CuFileCalls.ONE_BY_ONE;
        return gpu == null ? null : new Target(gpu, calls, registered);
    }
}
