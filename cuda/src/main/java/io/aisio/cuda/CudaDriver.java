package io.aisio.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
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
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The functions of CUDA's driver API that we call, each bound once ({@code cuda.h} of CUDA 13.0, which maps some names to
 * symbols with a version). A handle or an address on the GPU is a {@code long}; a function that gives something returns
 * it. Every thread may call, once its context is current ({@link CudaContext}).
 *
 * <p>The library is opened and initialised by the first {@link #get()}; a failure stays, as it does for CUDA.
 */
final class CudaDriver {
    // cuda.h: enum CUresult, those that we act upon.
    static final int INVALID_VALUE = 1;
    static final int OUT_OF_MEMORY = 2;
    static final int STUB_LIBRARY = 34;
    static final int DEVICE_UNAVAILABLE = 46;
    static final int NO_DEVICE = 100;
    static final int INVALID_DEVICE = 101;
    static final int NO_BINARY_FOR_GPU = 209;
    static final int ECC_UNCORRECTABLE = 214;
    static final int NVLINK_UNCORRECTABLE = 220;
    static final int JIT_COMPILER_NOT_FOUND = 221;
    static final int UNSUPPORTED_PTX_VERSION = 222;
    static final int CONTAINED = 226;
    static final int OPERATING_SYSTEM = 304;
    static final int NOT_FOUND = 500;
    static final int NOT_READY = 600;
    static final int ILLEGAL_ADDRESS = 700;
    static final int LAUNCH_OUT_OF_RESOURCES = 701;
    static final int LAUNCH_TIMEOUT = 702;
    static final int ASSERT = 710;
    static final int HARDWARE_STACK_ERROR = 714;
    static final int ILLEGAL_INSTRUCTION = 715;
    static final int MISALIGNED_ADDRESS = 716;
    static final int INVALID_ADDRESS_SPACE = 717;
    static final int INVALID_PC = 718;
    static final int LAUNCH_FAILED = 719;
    static final int TENSOR_MEMORY_LEAK = 721;
    static final int NOT_PERMITTED = 800;
    static final int NOT_SUPPORTED = 801;
    static final int SYSTEM_NOT_READY = 802;
    static final int SYSTEM_DRIVER_MISMATCH = 803;
    static final int COMPAT_NOT_SUPPORTED = 804;
    static final int EXTERNAL_DEVICE = 911;

    // cuda.h: enum CUdevice_attribute.
    static final int MAX_THREADS_PER_BLOCK = 1;
    static final int MAX_GRID_DIM_X = 5;
    static final int MULTIPROCESSOR_COUNT = 16;
    static final int COMPUTE_CAPABILITY_MAJOR = 75;
    static final int COMPUTE_CAPABILITY_MINOR = 76;
    static final int MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97;
    static final int HOST_REGISTER_SUPPORTED = 99;
    static final int DMA_BUF_SUPPORTED = 124;

    // cuda.h: enum CUfunction_attribute.
    static final int FUNC_MAX_THREADS_PER_BLOCK = 0;
    static final int FUNC_SHARED_SIZE_BYTES = 1;
    static final int FUNC_NUM_REGS = 4;
    static final int FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;

    // cuda.h: flags of cuMemHostAlloc and cuMemHostRegister.
    static final int MEMHOSTALLOC_PORTABLE = 1;
    static final int MEMHOSTALLOC_DEVICEMAP = 2;
    static final int MEMHOSTREGISTER_PORTABLE = 1;
    static final int MEMHOSTREGISTER_DEVICEMAP = 2;
    static final int MEMHOSTREGISTER_IOMEMORY = 4;

    // cuda.h: CUstream_flags, CUevent_flags, CUmemRangeHandleType.
    static final int STREAM_NON_BLOCKING = 1;
    static final int EVENT_DEFAULT = 0;
    static final int EVENT_BLOCKING_SYNC = 1;
    static final int EVENT_DISABLE_TIMING = 2;
    static final int MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD = 1;

    // cuda.h: enum CUjit_option.
    static final int JIT_INFO_LOG_BUFFER = 3;
    static final int JIT_INFO_LOG_BUFFER_SIZE_BYTES = 4;
    static final int JIT_ERROR_LOG_BUFFER = 5;
    static final int JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6;

    /** Chosen: what ptxas says of a few dozen mistakes. */
    private static final int LOG_BYTES = 16 << 10;

    /** Chosen: more than any kernel of ours or a user's has. */
    static final int MAX_PARAMETERS = 128;

    /** {@code CUDA_VERSION} is 1000 times the major version and 10 times the minor one. */
    private static final int MAJOR = 1000;

    /** What one call gives back at most: a name of 256 bytes. One for each thread, so that no call allocates. */
    private static final ThreadLocal<MemorySegment> SCRATCH =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(256, 16));

    /** Whether loading was tried, and what came of it; guarded by the class. */
    private static @Nullable CudaDriver loaded;

    private static @Nullable Missing missing;

    /** Why it cannot be used, to be told to everybody who asks. */
    private record Missing(String message, String name, int code) {}

    /** A function, or that the library has none of its name. */
    private record Function(String name, @Nullable MethodHandle handle) {}

    private final SharedLibrary library;

    private final Function init;
    private final Function driverGetVersion;
    private final Function getErrorName;
    private final Function getErrorString;
    private final Function deviceGetCount;
    private final Function deviceGet;
    private final Function deviceGetName;
    private final Function deviceGetAttribute;
    private final Function deviceGetPciBusId;
    private final Function deviceTotalMem;
    private final Function devicePrimaryCtxRetain;
    private final Function devicePrimaryCtxRelease;
    private final Function ctxSetCurrent;
    private final Function ctxPushCurrent;
    private final Function ctxPopCurrent;
    private final Function memAlloc;
    private final Function memFree;
    private final Function memGetInfo;
    private final Function memHostAlloc;
    private final Function memFreeHost;
    private final Function memHostRegister;
    private final Function memHostUnregister;
    private final Function memHostGetDevicePointer;
    private final Function memcpyHtoD;
    private final Function memcpyDtoH;
    private final Function memcpyHtoDAsync;
    private final Function memcpyDtoHAsync;
    private final Function memsetD8Async;
    private final Function memGetHandleForAddressRange;
    private final Function moduleLoadDataEx;
    private final Function moduleUnload;
    private final Function moduleGetFunction;
    private final Function moduleGetFunctionCount;
    private final Function moduleEnumerateFunctions;
    private final Function funcGetName;
    private final Function funcLoad;
    private final Function funcGetAttribute;
    private final Function funcSetAttribute;
    private final Function funcGetParamInfo;
    private final Function launchKernel;
    private final Function occupancyMaxActiveBlocks;
    private final Function streamCreate;
    private final Function streamDestroy;
    private final Function streamQuery;
    private final Function streamSynchronize;
    private final Function streamWaitEvent;
    private final Function eventCreate;
    private final Function eventDestroy;
    private final Function eventRecord;
    private final Function eventQuery;
    private final Function eventSynchronize;
    private final Function eventElapsedTime;

    private CudaDriver(SharedLibrary library) {
        this.library = library;
        init = bind("cuInit", JAVA_INT);
        driverGetVersion = bind("cuDriverGetVersion", ADDRESS);
        getErrorName = bind("cuGetErrorName", JAVA_INT, ADDRESS);
        getErrorString = bind("cuGetErrorString", JAVA_INT, ADDRESS);
        deviceGetCount = bind("cuDeviceGetCount", ADDRESS);
        deviceGet = bind("cuDeviceGet", ADDRESS, JAVA_INT);
        deviceGetName = bind("cuDeviceGetName", ADDRESS, JAVA_INT, JAVA_INT);
        deviceGetAttribute = bind("cuDeviceGetAttribute", ADDRESS, JAVA_INT, JAVA_INT);
        deviceGetPciBusId = bind("cuDeviceGetPCIBusId", ADDRESS, JAVA_INT, JAVA_INT);
        deviceTotalMem = bind("cuDeviceTotalMem_v2", ADDRESS, JAVA_INT);
        devicePrimaryCtxRetain = bind("cuDevicePrimaryCtxRetain", ADDRESS, JAVA_INT);
        devicePrimaryCtxRelease = bind("cuDevicePrimaryCtxRelease_v2", JAVA_INT);
        ctxSetCurrent = bind("cuCtxSetCurrent", JAVA_LONG);
        ctxPushCurrent = bind("cuCtxPushCurrent_v2", JAVA_LONG);
        ctxPopCurrent = bind("cuCtxPopCurrent_v2", ADDRESS);
        memAlloc = bind("cuMemAlloc_v2", ADDRESS, JAVA_LONG);
        memFree = bind("cuMemFree_v2", JAVA_LONG);
        memGetInfo = bind("cuMemGetInfo_v2", ADDRESS, ADDRESS);
        memHostAlloc = bind("cuMemHostAlloc", ADDRESS, JAVA_LONG, JAVA_INT);
        memFreeHost = bind("cuMemFreeHost", JAVA_LONG);
        memHostRegister = bind("cuMemHostRegister_v2", ADDRESS, JAVA_LONG, JAVA_INT);
        memHostUnregister = bind("cuMemHostUnregister", JAVA_LONG);
        memHostGetDevicePointer = bind("cuMemHostGetDevicePointer_v2", ADDRESS, JAVA_LONG, JAVA_INT);
        memcpyHtoD = bind("cuMemcpyHtoD_v2", JAVA_LONG, ADDRESS, JAVA_LONG);
        memcpyDtoH = bind("cuMemcpyDtoH_v2", ADDRESS, JAVA_LONG, JAVA_LONG);
        memcpyHtoDAsync = bind("cuMemcpyHtoDAsync_v2", JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG);
        memcpyDtoHAsync = bind("cuMemcpyDtoHAsync_v2", ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        memsetD8Async = bind("cuMemsetD8Async", JAVA_LONG, JAVA_BYTE, JAVA_LONG, JAVA_LONG);
        memGetHandleForAddressRange =
                bind("cuMemGetHandleForAddressRange", ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG);
        moduleLoadDataEx = bind("cuModuleLoadDataEx", ADDRESS, ADDRESS, JAVA_INT, ADDRESS, ADDRESS);
        moduleUnload = bind("cuModuleUnload", JAVA_LONG);
        moduleGetFunction = bind("cuModuleGetFunction", ADDRESS, JAVA_LONG, ADDRESS);
        moduleGetFunctionCount = bind("cuModuleGetFunctionCount", ADDRESS, JAVA_LONG);
        moduleEnumerateFunctions = bind("cuModuleEnumerateFunctions", ADDRESS, JAVA_INT, JAVA_LONG);
        funcGetName = bind("cuFuncGetName", ADDRESS, JAVA_LONG);
        funcLoad = bind("cuFuncLoad", JAVA_LONG);
        funcGetAttribute = bind("cuFuncGetAttribute", ADDRESS, JAVA_INT, JAVA_LONG);
        funcSetAttribute = bind("cuFuncSetAttribute", JAVA_LONG, JAVA_INT, JAVA_INT);
        funcGetParamInfo = bind("cuFuncGetParamInfo", JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS);
        launchKernel = bind(
                "cuLaunchKernel",
                JAVA_LONG,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_LONG,
                ADDRESS,
                ADDRESS);
        occupancyMaxActiveBlocks =
                bind("cuOccupancyMaxActiveBlocksPerMultiprocessor", ADDRESS, JAVA_LONG, JAVA_INT, JAVA_LONG);
        streamCreate = bind("cuStreamCreate", ADDRESS, JAVA_INT);
        streamDestroy = bind("cuStreamDestroy_v2", JAVA_LONG);
        streamQuery = bind("cuStreamQuery", JAVA_LONG);
        streamSynchronize = bind("cuStreamSynchronize", JAVA_LONG);
        streamWaitEvent = bind("cuStreamWaitEvent", JAVA_LONG, JAVA_LONG, JAVA_INT);
        eventCreate = bind("cuEventCreate", ADDRESS, JAVA_INT);
        eventDestroy = bind("cuEventDestroy_v2", JAVA_LONG);
        eventRecord = bind("cuEventRecord", JAVA_LONG, JAVA_LONG);
        eventQuery = bind("cuEventQuery", JAVA_LONG);
        eventSynchronize = bind("cuEventSynchronize", JAVA_LONG);
        // cuda.h 13.0 maps the name to _v2, which drivers before 12.8 do not have; both measure the same.
        eventElapsedTime = bind("cuEventElapsedTime", ADDRESS, JAVA_LONG, JAVA_LONG);
    }

    private Function bind(String symbol, MemoryLayout... arguments) {
        return new Function(symbol, library.function(symbol, FunctionDescriptor.of(JAVA_INT, arguments)));
    }

    /**
     * The driver, initialised.
     *
     * @throws CudaException if there is none, or it finds no GPU
     */
    static synchronized CudaDriver get() throws CudaException {
        Missing known = missing;
        if (known != null) {
            throw new CudaException(known.message, known.name, known.code);
        }
        CudaDriver driver = loaded;
        if (driver == null) {
            try {
                driver = load();
                loaded = driver;
            } catch (CudaException e) {
                missing = new Missing(String.valueOf(e.getMessage()), e.name(), e.code());
                throw e;
            }
        }
        return driver;
    }

    private static CudaDriver load() throws CudaException {
        SharedLibrary library;
        try {
            // A kernel whose code is not on the GPU yet is loaded at its first launch otherwise, which may wait for all
            // that runs there: for ever, while one runs without end (CUDA Programming Guide, Lazy Loading).
            SharedLibrary.setVariableIfAbsent("CUDA_MODULE_LOADING", "EAGER");
            library = SharedLibrary.open(List.of("libcuda.so.1"));
        } catch (IOException e) {
            throw CudaException.absent("no CUDA driver (" + e.getMessage()
                    + "): install NVIDIA's driver on a machine that has a GPU of theirs");
        }
        CudaDriver driver = new CudaDriver(library);
        driver.call(driver.init, 0);
        return driver;
    }

    /** As cuda.h counts: 13000 is 13.0. */
    int version() throws CudaException {
        return giveInt(driverGetVersion);
    }

    static String version(int number) {
        return number / MAJOR + "." + number % MAJOR / 10;
    }

    int deviceCount() throws CudaException {
        return giveInt(deviceGetCount);
    }

    int device(int id) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(deviceGet, out, id);
        return out.get(JAVA_INT, 0);
    }

    String deviceName(int device) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(deviceGetName, out, (int) out.byteSize(), device);
        return text(out);
    }

    String devicePciBusId(int device) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(deviceGetPciBusId, out, (int) out.byteSize(), device);
        return text(out);
    }

    int deviceAttribute(int attribute, int device) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(deviceGetAttribute, out, attribute, device);
        return out.get(JAVA_INT, 0);
    }

    long deviceTotalMem(int device) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(deviceTotalMem, out, device);
        return out.get(JAVA_LONG, 0);
    }

    long retainPrimaryContext(int device) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(devicePrimaryCtxRetain, out, device);
        return out.get(JAVA_LONG, 0);
    }

    void releasePrimaryContext(int device) throws CudaException {
        call(devicePrimaryCtxRelease, device);
    }

    void setCurrent(long context) throws CudaException {
        call(ctxSetCurrent, context);
    }

    void pushCurrent(long context) throws CudaException {
        call(ctxPushCurrent, context);
    }

    void popCurrent() throws CudaException {
        giveLong(ctxPopCurrent);
    }

    long memAlloc(long bytes) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(memAlloc, out, bytes);
        return out.get(JAVA_LONG, 0);
    }

    void memFree(long address) throws CudaException {
        call(memFree, address);
    }

    long memFreeBytes() throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(memGetInfo, out, out.asSlice(8));
        return out.get(JAVA_LONG, 0);
    }

    long memHostAlloc(long bytes, int flags) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(memHostAlloc, out, bytes, flags);
        return out.get(JAVA_LONG, 0);
    }

    void memFreeHost(long address) throws CudaException {
        call(memFreeHost, address);
    }

    void memHostRegister(MemorySegment host, int flags) throws CudaException {
        call(memHostRegister, host, host.byteSize(), flags);
    }

    void memHostUnregister(long address) throws CudaException {
        call(memHostUnregister, address);
    }

    /** Where the GPU sees host memory that is registered or allocated for it. */
    long memHostGetDevicePointer(long host) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(memHostGetDevicePointer, out, host, 0);
        return out.get(JAVA_LONG, 0);
    }

    /** Waits for the null stream; our own streams do not ({@link #STREAM_NON_BLOCKING}). */
    void memcpyHtoD(long to, MemorySegment from) throws CudaException {
        done(memcpyHtoD, code(memcpyHtoD, to, from, from.byteSize()));
    }

    /** Waits for the null stream, as above. */
    void memcpyDtoH(MemorySegment to, long from) throws CudaException {
        done(memcpyDtoH, code(memcpyDtoH, to, from, to.byteSize()));
    }

    void memcpyHtoDAsync(long to, MemorySegment from, long stream) throws CudaException {
        Function function = memcpyHtoDAsync;
        MethodHandle handle = handle(function);
        int code;
        try {
            code = (int) handle.invokeExact(to, from, from.byteSize(), stream);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(function, code);
    }

    void memcpyDtoHAsync(MemorySegment to, long from, long stream) throws CudaException {
        Function function = memcpyDtoHAsync;
        MethodHandle handle = handle(function);
        int code;
        try {
            code = (int) handle.invokeExact(to, from, to.byteSize(), stream);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(function, code);
    }

    void memsetAsync(long address, byte value, long bytes, long stream) throws CudaException {
        MethodHandle handle = handle(memsetD8Async);
        int code;
        try {
            code = (int) handle.invokeExact(address, value, bytes, stream);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(memsetD8Async, code);
    }

    /** A dma-buf of device memory: a descriptor, the caller's to close. Address and size are multiples of the host's page. */
    int memExportDmaBuf(long address, long bytes) throws CudaException {
        MemorySegment out = SCRATCH.get();
        MethodHandle handle = handle(memGetHandleForAddressRange);
        int code;
        try {
            code = (int) handle.invokeExact(out, address, bytes, MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0L);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(memGetHandleForAddressRange, code);
        return out.get(JAVA_INT, 0);
    }

    /**
     * Loads a cubin, or PTX with a zero byte at its end, which the driver compiles.
     *
     * @param origin where it is from, in words
     * @throws CudaException with that, and what the compiler said
     */
    long moduleLoad(MemorySegment image, String origin) throws CudaException {
        MethodHandle handle = handle(moduleLoadDataEx);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment log = arena.allocate(LOG_BYTES);
            MemorySegment notes = arena.allocate(LOG_BYTES);
            MemorySegment options = arena.allocateFrom(
                    JAVA_INT,
                    JIT_ERROR_LOG_BUFFER,
                    JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                    JIT_INFO_LOG_BUFFER,
                    JIT_INFO_LOG_BUFFER_SIZE_BYTES);
            // A size stands where others have a pointer.
            MemorySegment values = arena.allocateFrom(JAVA_LONG, log.address(), LOG_BYTES, notes.address(), LOG_BYTES);
            MemorySegment out = SCRATCH.get();
            int code;
            try {
                code = (int) handle.invokeExact(out, image, 4, options, values);
            } catch (Throwable t) {
                throw unexpected(t);
            }
            if (code != 0) {
                String said = text(log).strip();
                throw CudaException.failed(
                        moduleLoadDataEx.name,
                        errorName(code),
                        code,
                        "the code is of " + origin + "; "
                                + (said.isEmpty() ? advice(code) : "the driver's compiler says: " + said));
            }
            return out.get(JAVA_LONG, 0);
        }
    }

    void moduleUnload(long module) throws CudaException {
        call(moduleUnload, module);
    }

    /** A kernel of a module; 0 if it has none of this name. */
    long moduleFunction(long module, String name) throws CudaException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = SCRATCH.get();
            int code = code(moduleGetFunction, out, module, arena.allocateFrom(name));
            if (code == NOT_FOUND) {
                return 0;
            }
            done(moduleGetFunction, code);
            return out.get(JAVA_LONG, 0);
        }
    }

    /** All kernels of a module; none where the driver cannot list them (before 12.4). */
    long[] moduleFunctions(long module) throws CudaException {
        if (moduleGetFunctionCount.handle == null || moduleEnumerateFunctions.handle == null) {
            return new long[0];
        }
        MemorySegment out = SCRATCH.get();
        call(moduleGetFunctionCount, out, module);
        int count = out.get(JAVA_INT, 0);
        if (count == 0) {
            return new long[0];
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment functions = arena.allocate(JAVA_LONG, count);
            call(moduleEnumerateFunctions, functions, count, module);
            return functions.toArray(JAVA_LONG);
        }
    }

    String functionName(long function) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(funcGetName, out, function);
        return text(AddressSpace.ALL.asSlice(out.get(ADDRESS, 0).address(), LOG_BYTES));
    }

    /** Brings a kernel's code to the GPU, where the driver would else do that at its first launch. */
    void functionLoad(long function) throws CudaException {
        if (funcLoad.handle != null) {
            call(funcLoad, function);
        }
    }

    int functionAttribute(int attribute, long function) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(funcGetAttribute, out, attribute, function);
        return out.get(JAVA_INT, 0);
    }

    void setFunctionAttribute(long function, int attribute, int value) throws CudaException {
        call(funcSetAttribute, function, attribute, value);
    }

    /**
     * The sizes of a kernel's parameters, in bytes.
     *
     * @return null where the driver does not tell (before 12.4)
     */
    int @Nullable [] parameterSizes(long function) throws CudaException {
        if (funcGetParamInfo.handle == null) {
            return null;
        }
        int[] sizes = new int[MAX_PARAMETERS];
        MemorySegment out = SCRATCH.get();
        MemorySegment size = out.asSlice(8);
        for (int i = 0; i < sizes.length; i++) {
            MethodHandle handle = handle(funcGetParamInfo);
            int code;
            try {
                code = (int) handle.invokeExact(function, (long) i, out, size);
            } catch (Throwable t) {
                throw unexpected(t);
            }
            if (code == INVALID_VALUE) {
                return Arrays.copyOf(sizes, i);
            }
            done(funcGetParamInfo, code);
            sizes[i] = (int) size.get(JAVA_LONG, 0);
        }
        return sizes;
    }

    void launch(long function, int blocks, int threads, int sharedBytes, long stream, MemorySegment parameters)
            throws CudaException {
        MethodHandle handle = handle(launchKernel);
        int code;
        try {
            code = (int) handle.invokeExact(
                    function, blocks, 1, 1, threads, 1, 1, sharedBytes, stream, parameters, MemorySegment.NULL);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(launchKernel, code);
    }

    int maxActiveBlocks(long function, int threads, int sharedBytes) throws CudaException {
        MemorySegment out = SCRATCH.get();
        MethodHandle handle = handle(occupancyMaxActiveBlocks);
        int code;
        try {
            code = (int) handle.invokeExact(out, function, threads, (long) sharedBytes);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(occupancyMaxActiveBlocks, code);
        return out.get(JAVA_INT, 0);
    }

    /** A stream that does not wait for the null stream, nor that for it. */
    long streamCreate() throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(streamCreate, out, STREAM_NON_BLOCKING);
        return out.get(JAVA_LONG, 0);
    }

    void streamDestroy(long stream) throws CudaException {
        call(streamDestroy, stream);
    }

    boolean streamIsDone(long stream) throws CudaException {
        int code = code(streamQuery, stream);
        if (code == NOT_READY) {
            return false;
        }
        done(streamQuery, code);
        return true;
    }

    void streamSynchronize(long stream) throws CudaException {
        call(streamSynchronize, stream);
    }

    /** What is put on the stream after this waits for the event. */
    void streamWaitEvent(long stream, long event) throws CudaException {
        MethodHandle handle = handle(streamWaitEvent);
        int code;
        try {
            code = (int) handle.invokeExact(stream, event, 0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(streamWaitEvent, code);
    }

    long eventCreate(int flags) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(eventCreate, out, flags);
        return out.get(JAVA_LONG, 0);
    }

    void eventDestroy(long event) throws CudaException {
        call(eventDestroy, event);
    }

    void eventRecord(long event, long stream) throws CudaException {
        call(eventRecord, event, stream);
    }

    boolean eventIsDone(long event) throws CudaException {
        int code = code(eventQuery, event);
        if (code == NOT_READY) {
            return false;
        }
        done(eventQuery, code);
        return true;
    }

    void eventSynchronize(long event) throws CudaException {
        call(eventSynchronize, event);
    }

    /** Milliseconds from one event to another, both done. */
    float eventElapsed(long begin, long end) throws CudaException {
        MemorySegment out = SCRATCH.get();
        MethodHandle handle = handle(eventElapsedTime);
        int code;
        try {
            code = (int) handle.invokeExact(out, begin, end);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(eventElapsedTime, code);
        return out.get(JAVA_FLOAT, 0);
    }

    // One method for each shape of arguments, so that each is called exactly as it is bound.

    private int code(Function function, int a) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, long a) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a, int b) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a, long b) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a, MemorySegment b) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, long a, long b) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a, int b, int c) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b, c);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a, int b, long c) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b, c);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a, long b, int c) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b, c);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, long a, int b, int c) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b, c);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a, long b, long c) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b, c);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, long a, MemorySegment b, long c) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b, c);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private int code(Function function, MemorySegment a, long b, MemorySegment c) throws CudaException {
        MethodHandle handle = handle(function);
        try {
            return (int) handle.invokeExact(a, b, c);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private void call(Function function, int a) throws CudaException {
        done(function, code(function, a));
    }

    private void call(Function function, MemorySegment a) throws CudaException {
        done(function, code(function, a));
    }

    private void call(Function function, long a) throws CudaException {
        done(function, code(function, a));
    }

    private void call(Function function, MemorySegment a, int b) throws CudaException {
        done(function, code(function, a, b));
    }

    private void call(Function function, MemorySegment a, long b) throws CudaException {
        done(function, code(function, a, b));
    }

    private void call(Function function, MemorySegment a, MemorySegment b) throws CudaException {
        done(function, code(function, a, b));
    }

    private void call(Function function, long a, long b) throws CudaException {
        done(function, code(function, a, b));
    }

    private void call(Function function, MemorySegment a, int b, int c) throws CudaException {
        done(function, code(function, a, b, c));
    }

    private void call(Function function, MemorySegment a, int b, long c) throws CudaException {
        done(function, code(function, a, b, c));
    }

    private void call(Function function, MemorySegment a, long b, int c) throws CudaException {
        done(function, code(function, a, b, c));
    }

    private void call(Function function, long a, int b, int c) throws CudaException {
        done(function, code(function, a, b, c));
    }

    private int giveInt(Function function) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(function, out);
        return out.get(JAVA_INT, 0);
    }

    private long giveLong(Function function) throws CudaException {
        MemorySegment out = SCRATCH.get();
        call(function, out);
        return out.get(JAVA_LONG, 0);
    }

    private static MethodHandle handle(Function function) throws CudaException {
        MethodHandle handle = function.handle;
        if (handle == null) {
            throw CudaException.absent(
                    "the CUDA driver has no " + function.name + ", it is too old: install a newer one of NVIDIA's");
        }
        return handle;
    }

    private void done(Function function, int code) throws CudaException {
        if (code != 0) {
            throw CudaException.failed(function.name, errorName(code), code, advice(code));
        }
    }

    /** The error by its name; {@code CUDA_ERROR 1234} if the driver knows none. */
    String errorName(int code) {
        return textOf(getErrorName, code, "CUDA_ERROR " + code);
    }

    private String textOf(Function function, int code, String otherwise) {
        MemorySegment out = SCRATCH.get();
        MethodHandle handle = function.handle;
        if (handle == null) {
            return otherwise;
        }
        try {
            int told = (int) handle.invokeExact(code, out);
            MemorySegment text = out.get(ADDRESS, 0);
            return told != 0 || text.address() == 0
                    ? otherwise
                    : AddressSpace.ALL.asSlice(text.address(), LOG_BYTES).getString(0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** What to do about an error, or else what it is, in the driver's words. */
    private String advice(int code) {
        return switch (code) {
            case OUT_OF_MEMORY ->
                "the GPU has not that much memory left: take less, or end who else uses it (nvidia-smi)";
            case NO_DEVICE ->
                "no GPU that CUDA can use: nvidia-smi tells which there are, CUDA_VISIBLE_DEVICES may hide them";
            case INVALID_DEVICE -> "there is no such GPU: ./aisio doctor lists them";
            case STUB_LIBRARY ->
                "this libcuda is the toolkit's stub for linking: take its folder out of LD_LIBRARY_PATH";
            case OPERATING_SYSTEM ->
                "the kernel refused: is the module nvidia loaded, and may this user open /dev/nvidia*?";
            case SYSTEM_NOT_READY -> "the GPUs are not ready: is nvidia-fabricmanager running?";
            case SYSTEM_DRIVER_MISMATCH, COMPAT_NOT_SUPPORTED ->
                "libcuda and the kernel's driver are of different versions: install both anew, then restart the machine";
            case DEVICE_UNAVAILABLE ->
                "somebody has this GPU for himself: end him, or set the compute mode (nvidia-smi -c 0)";
            case NO_BINARY_FOR_GPU -> "the code is for another GPU: remove it from the cache, ~/.cache/aisio";
            case UNSUPPORTED_PTX_VERSION -> "the driver is older than the compiler: install a newer driver";
            case JIT_COMPILER_NOT_FOUND -> "install libnvidia-ptxjitcompiler, which comes with NVIDIA's driver";
            case ILLEGAL_ADDRESS,
                    MISALIGNED_ADDRESS,
                    INVALID_ADDRESS_SPACE,
                    INVALID_PC,
                    ILLEGAL_INSTRUCTION,
                    LAUNCH_FAILED ->
                "a kernel went wrong, and nothing more can be done on this GPU by this process: start it anew,"
                        + " under compute-sanitizer to see where";
            case LAUNCH_OUT_OF_RESOURCES ->
                "a block takes too many threads, registers or shared memory: ask Kernel for its limits";
            case NOT_PERMITTED -> "this user may not: run as root";
            default -> textOf(getErrorString, code, "");
        };
    }

    /** Whether nothing more can be done in a context after an error, as its description in cuda.h says. */
    static boolean breaksContext(int code) {
        return switch (code) {
            case ECC_UNCORRECTABLE,
                    NVLINK_UNCORRECTABLE,
                    CONTAINED,
                    ILLEGAL_ADDRESS,
                    LAUNCH_TIMEOUT,
                    ASSERT,
                    HARDWARE_STACK_ERROR,
                    ILLEGAL_INSTRUCTION,
                    MISALIGNED_ADDRESS,
                    INVALID_ADDRESS_SPACE,
                    INVALID_PC,
                    LAUNCH_FAILED,
                    TENSOR_MEMORY_LEAK,
                    EXTERNAL_DEVICE -> true;
            default -> false;
        };
    }

    private static String text(MemorySegment bytes) {
        return bytes.getString(0, StandardCharsets.UTF_8);
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
