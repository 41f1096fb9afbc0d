package io.aisio.cuda;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Whether this machine has a GPU that CUDA can use, and how many. Nothing is started until the first question. */
public final class Cuda {
    private Cuda() {}

    /**
     * Why no GPU can be used: one sentence with the next step; null if one can. The answer stays for the life of the
     * process.
     */
    public static @Nullable String missing() {
        try {
            return CudaDriver.get().deviceCount() > 0
                    ? null
                    : "CUDA's driver finds no GPU: nvidia-smi tells which there are, CUDA_VISIBLE_DEVICES may hide them";
        } catch (CudaException e) {
            return e.getMessage();
        }
    }

    /** How many GPUs there are: {@link Gpu#open} takes 0 to one less. 0 if none can be used. */
    public static int gpus() {
        try {
            return CudaDriver.get().deviceCount();
        } catch (CudaException _) {
            return 0;
        }
    }

    /**
     * All GPUs, by number; none if none can be used. Nothing is started on them.
     *
     * @throws CudaException if one does not answer
     */
    public static List<GpuDescription> list() throws CudaException {
        List<GpuDescription> all = new ArrayList<>();
        for (int id = 0; id < gpus(); id++) {
            all.add(GpuDescription.of(CudaDriver.get(), id));
        }
        return List.copyOf(all);
    }

    /** The newest version of CUDA that the driver serves, such as {@code 13.0}; empty if there is none. */
    public static String driverVersion() {
        try {
            return CudaDriver.version(CudaDriver.get().version());
        } catch (CudaException _) {
            return "";
        }
    }

    /** The version of NVRTC, which compiles kernels, such as {@code 13.0}; empty if it is not there. */
    public static String compilerVersion() {
        try {
            return Nvrtc.get().version();
        } catch (CudaException _) {
            return "";
        }
    }
}
