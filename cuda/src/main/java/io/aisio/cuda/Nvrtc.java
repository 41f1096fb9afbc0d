package io.aisio.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.linux.AddressSpace;
import io.aisio.linux.SharedLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * NVRTC, the compiler of CUDA C++ as a library (nvrtc.h of CUDA 13.0). It needs no GPU. Any thread may call.
 */
final class Nvrtc {
    /** nvrtc.h: a program that does not compile. */
    static final String ERROR_COMPILATION = "NVRTC_ERROR_COMPILATION";

    /** What is tried: as the loader finds it, and where the toolkit puts it. */
    private static final List<String> NAMES = List.of(
            "libnvrtc.so.13",
            "libnvrtc.so.12",
            "/usr/local/cuda/lib64/libnvrtc.so.13",
            "/usr/local/cuda/lib64/libnvrtc.so.12");

    /** Chosen: what is read at most of a text that the library gives. */
    private static final long TEXT_BYTES = 1 << 20;

    /** Guarded by the class. */
    private static @Nullable Nvrtc loaded;

    private static @Nullable String missing;

    private final SharedLibrary library;
    private final MethodHandle version;
    private final MethodHandle getErrorString;
    private final MethodHandle createProgram;
    private final MethodHandle destroyProgram;
    private final MethodHandle compileProgram;
    private final MethodHandle getCubinSize;
    private final MethodHandle getCubin;
    private final MethodHandle getPtxSize;
    private final MethodHandle getPtx;
    private final MethodHandle getProgramLogSize;
    private final MethodHandle getProgramLog;
    private final MethodHandle getNumSupportedArchs;
    private final MethodHandle getSupportedArchs;

    private final String number;
    private final int[] architectures;

    private Nvrtc(SharedLibrary library) throws CudaException {
        this.library = library;
        version = bind("nvrtcVersion", ADDRESS, ADDRESS);
        getErrorString = bind(FunctionDescriptor.of(ADDRESS, JAVA_INT), "nvrtcGetErrorString");
        createProgram = bind("nvrtcCreateProgram", ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS, ADDRESS);
        destroyProgram = bind("nvrtcDestroyProgram", ADDRESS);
        compileProgram = bind("nvrtcCompileProgram", ADDRESS, JAVA_INT, ADDRESS);
        getCubinSize = bind("nvrtcGetCUBINSize", ADDRESS, ADDRESS);
        getCubin = bind("nvrtcGetCUBIN", ADDRESS, ADDRESS);
        getPtxSize = bind("nvrtcGetPTXSize", ADDRESS, ADDRESS);
        getPtx = bind("nvrtcGetPTX", ADDRESS, ADDRESS);
        getProgramLogSize = bind("nvrtcGetProgramLogSize", ADDRESS, ADDRESS);
        getProgramLog = bind("nvrtcGetProgramLog", ADDRESS, ADDRESS);
        getNumSupportedArchs = bind("nvrtcGetNumSupportedArchs", ADDRESS);
        getSupportedArchs = bind("nvrtcGetSupportedArchs", ADDRESS);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment two = arena.allocate(JAVA_INT, 2);
            done("nvrtcVersion", call(version, two, two.asSlice(4)));
            number = two.getAtIndex(JAVA_INT, 0) + "." + two.getAtIndex(JAVA_INT, 1);
            done("nvrtcGetNumSupportedArchs", call(getNumSupportedArchs, two));
            int count = two.get(JAVA_INT, 0);
            MemorySegment all = arena.allocate(JAVA_INT, Math.max(1, count));
            done("nvrtcGetSupportedArchs", call(getSupportedArchs, all));
            architectures = Arrays.copyOf(all.toArray(JAVA_INT), count);
        }
    }

    private MethodHandle bind(String symbol, MemoryLayout... arguments) throws CudaException {
        return bind(FunctionDescriptor.of(JAVA_INT, arguments), symbol);
    }

    private MethodHandle bind(FunctionDescriptor descriptor, String symbol) throws CudaException {
        MethodHandle handle = library.function(symbol, descriptor);
        if (handle == null) {
            throw CudaException.absent(
                    library.name() + " has no " + symbol + ", it is too old: install one of CUDA 12 or 13");
        }
        return handle;
    }

    /**
     * The library, opened at the first call.
     *
     * @throws CudaException if it is not there: with the next step
     */
    static synchronized Nvrtc get() throws CudaException {
        if (missing != null) {
            throw CudaException.absent(missing);
        }
        Nvrtc nvrtc = loaded;
        if (nvrtc == null) {
            try {
                nvrtc = new Nvrtc(SharedLibrary.open(NAMES));
            } catch (CudaException e) {
                missing = String.valueOf(e.getMessage());
                throw e;
            } catch (IOException e) {
                missing = "no NVRTC (" + e.getMessage() + "): install the CUDA toolkit's, libnvrtc.so.13 or .12";
                throw CudaException.absent(missing);
            }
            loaded = nvrtc;
        }
        return nvrtc;
    }

    /** Its version, such as {@code 13.0}. */
    String version() {
        return number;
    }

    /** Whether it compiles for an architecture, such as 90. */
    boolean compilesFor(int computeCapability) {
        return Arrays.binarySearch(architectures, computeCapability) >= 0;
    }

    /** The newest architecture that it compiles for and that is no newer than one; 0 if there is none. */
    int newestBefore(int computeCapability) {
        return Arrays.stream(architectures)
                .filter(one -> one <= computeCapability)
                .max()
                .orElse(0);
    }

    /**
     * Compiles a program.
     *
     * @param headers by the names that it includes them by
     * @param options {@code --gpu-architecture=sm_90} or {@code compute_90} among them
     * @param ptx whether for PTX, with a zero byte at its end; else a cubin
     * @throws CudaException if it does not compile: with what the compiler says
     */
    byte[] compile(String name, String source, Map<String, String> headers, List<String> options, boolean ptx)
            throws CudaException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            done("nvrtcCreateProgram", create(arena, out, name, source, headers));
            MemorySegment program = out.get(ADDRESS, 0);
            try {
                MemorySegment texts = texts(arena, options);
                int code;
                try {
                    code = (int) compileProgram.invokeExact(program, options.size(), texts);
                } catch (Throwable t) {
                    throw unexpected(t);
                }
                if (code != 0) {
                    throw CudaException.failed(
                            "nvrtcCompileProgram", errorName(code), code, name + " does not compile\n" + log(program));
                }
                done(
                        ptx ? "nvrtcGetPTXSize" : "nvrtcGetCUBINSize",
                        call(ptx ? getPtxSize : getCubinSize, program, out));
                MemorySegment image = arena.allocate(Math.max(1, out.get(JAVA_LONG, 0)));
                done(ptx ? "nvrtcGetPTX" : "nvrtcGetCUBIN", call(ptx ? getPtx : getCubin, program, image));
                return image.toArray(JAVA_BYTE);
            } finally {
                out.set(ADDRESS, 0, program);
                int _ = call(destroyProgram, out);
            }
        }
    }

    private int create(Arena arena, MemorySegment out, String name, String source, Map<String, String> headers) {
        List<String> names = List.copyOf(headers.keySet());
        List<String> contents = new ArrayList<>();
        names.forEach(one -> contents.add(headers.get(one)));
        MemorySegment text = arena.allocateFrom(source);
        MemorySegment title = arena.allocateFrom(name);
        MemorySegment includeNames = texts(arena, names);
        MemorySegment includes = texts(arena, contents);
        try {
            return (int) createProgram.invokeExact(out, text, title, names.size(), includes, includeNames);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private static MemorySegment texts(Arena arena, List<String> texts) {
        MemorySegment array = arena.allocate(ADDRESS, Math.max(1, texts.size()));
        for (int i = 0; i < texts.size(); i++) {
            array.setAtIndex(ADDRESS, i, arena.allocateFrom(texts.get(i)));
        }
        return array;
    }

    private String log(MemorySegment program) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment size = arena.allocate(JAVA_LONG);
            if (call(getProgramLogSize, program, size) != 0 || size.get(JAVA_LONG, 0) <= 0) {
                return "";
            }
            MemorySegment log = arena.allocate(size.get(JAVA_LONG, 0) + 1);
            return call(getProgramLog, program, log) == 0 ? log.getString(0).strip() : "";
        }
    }

    private void done(String call, int code) throws CudaException {
        if (code != 0) {
            throw CudaException.failed(call, errorName(code), code, "");
        }
    }

    private String errorName(int code) {
        try {
            MemorySegment text = (MemorySegment) getErrorString.invokeExact(code);
            return text.address() == 0
                    ? "NVRTC_ERROR " + code
                    : AddressSpace.ALL.asSlice(text.address(), TEXT_BYTES).getString(0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private static int call(MethodHandle handle, MemorySegment a) {
        try {
            return (int) handle.invokeExact(a);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private static int call(MethodHandle handle, MemorySegment a, MemorySegment b) {
        try {
            return (int) handle.invokeExact(a, b);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** A downcall itself throws only what Java throws: a closed segment, a wrong thread, no native access. */
    private static RuntimeException unexpected(@Nullable Throwable t) {
        if (t instanceof RuntimeException e) {
            throw e;
        }
        if (t instanceof Error e) {
            throw e;
        }
        throw new AssertionError(t);
    }
}
