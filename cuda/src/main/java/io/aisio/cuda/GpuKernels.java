package io.aisio.cuda;

/** The project's own kernels, loaded on a GPU: all of {@code kernels/}, as one module. Any thread may call. */
public final class GpuKernels {
    private static final String NAME = "the kernels of AiSIO";

    private final GpuModule module;

    private GpuKernels(GpuModule module) {
        this.module = module;
    }

    static GpuKernels load(Gpu gpu) throws CudaException {
        KernelSources sources = KernelSources.ours();
        try {
            Code code = Code.compile(
                    Nvrtc.get(),
                    CodeCache.ofUser(),
                    gpu.computeCapability(),
                    "aisio",
                    sources.program(),
                    sources.headers());
            return new GpuKernels(GpuModule.load(gpu, NAME, code));
        } catch (CudaException e) {
            // No compiler, one that does not know this GPU, or one that is newer than the driver: the driver has its
            // own. That
            // our own source does not compile is another matter.
            if (CudaDriver.breaksContext(e.code()) || e.name().equals(Nvrtc.ERROR_COMPILATION)) {
                throw e;
            }
            return shipped(gpu, String.valueOf(e.getMessage()));
        }
    }

    /** Those that are shipped as PTX, which the driver translates. */
    static GpuKernels shipped(Gpu gpu, String why) throws CudaException {
        return new GpuKernels(GpuModule.load(gpu, NAME, Code.shipped(why)));
    }

    /**
     * One of them.
     *
     * @param name as it is declared
     * @throws IllegalArgumentException if there is none of this name; the message has those that there are
     */
    public Kernel kernel(String name) throws CudaException {
        return module.kernel(name);
    }

    /**
     * Where their code is from, in words: compiled by which NVRTC for which architecture, found in the cache, or shipped,
     * and why.
     */
    public String origin() {
        return module.origin();
    }
}
