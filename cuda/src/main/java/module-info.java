import io.aisio.cuda.GpuBackend;
import io.aisio.xnvme.spi.Backend;

/** GPUs of NVIDIA: their memory, kernels that run there, and queue pairs that kernels drive. */
module io.aisio.cuda {
    requires static org.jspecify;
    requires transitive io.aisio.xnvme;

    exports io.aisio.cuda;

    provides Backend with
            GpuBackend;
}
