package io.aisio.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/** A kernel that is loaded on a GPU. It lives as long as its module. */
public final class Kernel {
    /** What a block may have without asking for more (CUDA Programming Guide, Compute Capabilities). */
    private static final int SHARED_BYTES = 48 << 10;

    private final GpuModule module;
    private final String name;
    private final long function;
    private final int registers;
    private final int maxThreads;
    private final int staticSharedBytes;
    private final int @Nullable [] parameterSizes;

    private Kernel(
            GpuModule module,
            String name,
            long function,
            int registers,
            int maxThreads,
            int staticSharedBytes,
            int @Nullable [] parameterSizes) {
        this.module = module;
        this.name = name;
        this.function = function;
        this.registers = registers;
        this.maxThreads = maxThreads;
        this.staticSharedBytes = staticSharedBytes;
        this.parameterSizes = parameterSizes;
    }

    static Kernel of(GpuModule module, CudaDriver driver, String name, long function) throws CudaException {
        driver.functionLoad(function);
        return new Kernel(
                module,
                name,
                function,
                driver.functionAttribute(CudaDriver.FUNC_NUM_REGS, function),
                driver.functionAttribute(CudaDriver.FUNC_MAX_THREADS_PER_BLOCK, function),
                driver.functionAttribute(CudaDriver.FUNC_SHARED_SIZE_BYTES, function),
                driver.parameterSizes(function));
    }

    /** As it is declared. */
    public String name() {
        return name;
    }

    /** Registers that each thread takes. */
    public int registers() {
        return registers;
    }

    /** The most threads that a block of it may have. */
    public int maxThreads() {
        return maxThreads;
    }

    /**
     * How many blocks run at once on one multiprocessor, if nothing else does.
     *
     * @param threads of each block, 1 to {@link #maxThreads()}
     * @param sharedBytes dynamic shared memory of each block
     */
    public int maxBlocksPerMultiprocessor(int threads, int sharedBytes) throws CudaException {
        require(threads, sharedBytes);
        return module.ask(driver -> {
            allow(driver, sharedBytes);
            return driver.maxActiveBlocks(function, threads, sharedBytes);
        });
    }

    /** Checks a launch, so that the driver reads no arguments that are not there. */
    void require(Gpu gpu, int blocks, int threads, int sharedBytes, Object[] arguments) {
        if (gpu.context() != module.context()) {
            throw new IllegalArgumentException(
                    name + " is loaded on GPU " + module.context().id + ", and the stream is of GPU " + gpu.id());
        }
        if (blocks < 1) {
            throw new IllegalArgumentException(name + ": " + blocks + " blocks");
        }
        require(threads, sharedBytes);
        if (parameterSizes == null) {
            return;
        }
        if (arguments.length != parameterSizes.length) {
            throw new IllegalArgumentException(
                    name + " has " + parameterSizes.length + " parameters, and got " + arguments.length + " arguments");
        }
        for (int i = 0; i < arguments.length; i++) {
            if (size(arguments[i]) != parameterSizes[i]) {
                throw new IllegalArgumentException(name + ": parameter " + i + " has " + parameterSizes[i]
                        + " bytes, and got " + arguments[i].getClass().getSimpleName() + ", of " + size(arguments[i]));
            }
        }
    }

    private void require(int threads, int sharedBytes) {
        if (threads < 1 || threads > maxThreads) {
            throw new IllegalArgumentException(
                    name + ": " + threads + " threads a block, and it may have 1 to " + maxThreads);
        }
        int most = module.maxSharedBytes() - staticSharedBytes;
        if (sharedBytes < 0 || sharedBytes > most) {
            throw new IllegalArgumentException(
                    name + ": " + sharedBytes + " bytes of shared memory a block, and it may have at most " + most);
        }
    }

    private static int size(Object argument) {
        return switch (argument) {
            case Integer _, Float _ -> Integer.BYTES;
            case Long _, Double _, GpuMemory _, PinnedMemory _ -> Long.BYTES;
            default ->
                throw new IllegalArgumentException(
                        "a kernel takes Integer, Long, Float, Double, GpuMemory and PinnedMemory, no "
                                + argument.getClass().getSimpleName());
        };
    }

    static MemorySegment value(Arena arena, Object argument) {
        return switch (argument) {
            case Integer number -> arena.allocateFrom(ValueLayout.JAVA_INT, number);
            case Float number -> arena.allocateFrom(ValueLayout.JAVA_FLOAT, number);
            case Long number -> arena.allocateFrom(ValueLayout.JAVA_LONG, number);
            case Double number -> arena.allocateFrom(ValueLayout.JAVA_DOUBLE, number);
            case GpuMemory memory -> arena.allocateFrom(ValueLayout.JAVA_LONG, memory.openAddress());
            case PinnedMemory memory -> arena.allocateFrom(ValueLayout.JAVA_LONG, memory.openAddress());
            default -> throw new IllegalArgumentException("no argument of a kernel: " + argument);
        };
    }

    void launch(int blocks, int threads, int sharedBytes, long stream, MemorySegment parameters) throws CudaException {
        Boolean _ = module.ask(driver -> {
            allow(driver, sharedBytes);
            driver.launch(function, blocks, threads, sharedBytes, stream, parameters);
            return Boolean.TRUE;
        });
    }

    private void allow(CudaDriver driver, int sharedBytes) throws CudaException {
        if (staticSharedBytes + sharedBytes > SHARED_BYTES) {
            driver.setFunctionAttribute(function, CudaDriver.FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES, sharedBytes);
        }
    }

    @Override
    public String toString() {
        return name + " (" + registers + " registers)";
    }
}
