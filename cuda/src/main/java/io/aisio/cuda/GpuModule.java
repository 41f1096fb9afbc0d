package io.aisio.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;

/** Kernels that are loaded on a GPU together, from one source. Any thread may call. */
public final class GpuModule implements AutoCloseable {
    private final Gpu gpu;
    private final CudaContext context;
    private final int maxSharedBytes;
    private final long handle;
    private final String origin;
    private final Liveness liveness;
    /** Guarded by itself. */
    private final Map<String, Kernel> kernels = new LinkedHashMap<>();

    private GpuModule(Gpu gpu, CudaContext context, String name, long handle, String origin) {
        this.gpu = gpu;
        this.context = context;
        maxSharedBytes = gpu.maxSharedBytes();
        this.handle = handle;
        this.origin = origin;
        liveness = new Liveness(name + ", loaded on GPU " + gpu.id());
    }

    /** Compiles a user's own kernels, or finds them in the cache, and loads them. */
    static GpuModule compile(Gpu gpu, String name, String source) throws CudaException {
        return load(
                gpu,
                name,
                Code.compile(
                        Nvrtc.get(),
                        CodeCache.ofUser(),
                        gpu.computeCapability(),
                        name,
                        source,
                        KernelSources.ours().headers()));
    }

    /**
     * Loads code, and all of its kernels at once: what the driver left for the first launch it would do while others run.
     *
     * @throws CudaException if the driver refuses: with where the code is from
     */
    static GpuModule load(Gpu gpu, String name, Code code) throws CudaException {
        CudaContext context = gpu.context();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment image = code.toNative(arena);
            return context.ask(driver -> {
                GpuModule module =
                        new GpuModule(gpu, context, name, driver.moduleLoad(image, code.origin()), code.origin());
                for (long function : driver.moduleFunctions(module.handle)) {
                    String kernel = driver.functionName(function);
                    module.kernels.put(kernel, Kernel.of(module, driver, kernel, function));
                }
                return module;
            });
        }
    }

    /**
     * A kernel of the module.
     *
     * @param name as it is declared, {@code extern "C"}
     * @throws IllegalArgumentException if there is none of this name; the message has those that there are
     */
    public Kernel kernel(String name) throws CudaException {
        synchronized (kernels) {
            Kernel known = kernels.get(name);
            if (known == null) {
                long function = ask(driver -> driver.moduleFunction(handle, name));
                if (function == 0) {
                    throw new IllegalArgumentException(liveness + " has no kernel " + name + "; it has "
                            + String.join(", ", new TreeSet<>(kernels.keySet())));
                }
                known = ask(driver -> Kernel.of(this, driver, name, function));
                kernels.put(name, known);
            }
            return known;
        }
    }

    /** Where its code is from, in words: compiled by which NVRTC for which architecture, or found in the cache. */
    public String origin() {
        return origin;
    }

    CudaContext context() {
        return context;
    }

    int maxSharedBytes() {
        return maxSharedBytes;
    }

    <T> T ask(CudaContext.Call<T> call) throws CudaException {
        liveness.enter();
        try {
            return context.ask(call);
        } finally {
            liveness.leave();
        }
    }

    /**
     * Unloads it; later, if a kernel runs without end ({@link Gpu#resident}). Its kernels are of no use then. Closing again
     * does nothing.
     */
    @Override
    public void close() {
        liveness.close(() -> {
            context.free(driver -> driver.moduleUnload(handle));
            gpu.forget(this);
        });
    }

    @Override
    public String toString() {
        return liveness.toString();
    }
}
