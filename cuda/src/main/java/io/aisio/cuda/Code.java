package io.aisio.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Code for a GPU: compiled by NVRTC for exactly that one, found in the cache, or PTX, which the driver translates. */
final class Code {
    private final byte[] image;
    private final String origin;

    private Code(byte[] image, String origin) {
        this.image = image;
        this.origin = origin;
    }

    /**
     * Compiles a program for a GPU, or finds it in the cache.
     *
     * @param computeCapability of the GPU, such as 90
     * @throws CudaException if it does not compile: with what the compiler says
     */
    static Code compile(
            Nvrtc nvrtc,
            CodeCache cache,
            int computeCapability,
            String name,
            String source,
            Map<String, String> headers)
            throws CudaException {
        boolean known = nvrtc.compilesFor(computeCapability);
        int architecture = known ? computeCapability : nvrtc.newestBefore(computeCapability);
        if (architecture == 0) {
            throw CudaException.absent("NVRTC " + nvrtc.version() + " compiles for no GPU as old as sm_"
                    + computeCapability + ": install that of an older CUDA toolkit");
        }
        // A GPU that is newer than the compiler gets PTX of the newest that it knows.
        String target = (known ? "sm_" : "compute_") + architecture;
        List<String> options = List.of(
                "--gpu-architecture=" + target,
                "--std=c++17",
                "--device-as-default-execution-space",
                "--generate-line-info");
        String key = CodeCache.key(name, source, headers, options, "NVRTC " + nvrtc.version());
        byte[] kept = cache.find(key);
        if (kept != null) {
            return new Code(kept, "NVRTC " + nvrtc.version() + " for " + target + ", from " + cache.folder());
        }
        byte[] image = nvrtc.compile(name, source, headers, options, !known);
        cache.keep(key, image);
        return new Code(image, "NVRTC " + nvrtc.version() + " for " + target);
    }

    /** The project's kernels as they are shipped. */
    static Code shipped(String why) {
        byte[] text = KernelSources.shipped().getBytes(StandardCharsets.UTF_8);
        return new Code(Arrays.copyOf(text, text.length + 1), "the PTX that is shipped, as " + why);
    }

    /** Where it is from, in words. */
    String origin() {
        return origin;
    }

    /** In native memory, as the driver takes it: a cubin, or PTX with a zero byte at its end. */
    MemorySegment toNative(Arena arena) {
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, image);
    }
}
