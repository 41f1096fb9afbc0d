package io.aisio.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.linux.LinuxException;
import io.aisio.linux.SharedLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The functions of cuFile that we call, each bound once, and the structures that they take (cufile.h of cuFile 1.15, CUDA
 * 13.0). A context is current when they are called ({@link CudaContext}).
 *
 * <p>Most return {@code CUfileError_t} by value, two ints: cuFile's error and CUDA's. Calling conventions of x86-64 and
 * aarch64 give such a structure in one register, so that it is bound as a {@code long}, cuFile's error in its lower half.
 */
final class CuFileLibrary {
    /** As the loader finds it, and where the toolkit puts it. */
    private static final List<String> NAMES = List.of(
            "libcufile.so.0",
            "/usr/local/cuda/lib64/libcufile.so.0",
            "/usr/local/cuda/targets/x86_64-linux/lib/libcufile.so.0",
            "/usr/local/cuda/targets/sbsa-linux/lib/libcufile.so.0",
            "/usr/local/cuda/targets/x86_64-linux/lib/libcufile.so");

    // struct CUfileDescr_t: enum type, a union of a descriptor and a pointer, a pointer to functions.
    static final long DESCR_BYTES = 24;
    static final long DESCR_TYPE = 0;
    static final long DESCR_FD = 8;
    /** CU_FILE_HANDLE_TYPE_OPAQUE_FD. */
    static final int TYPE_OPAQUE_FD = 1;

    // struct CUfileDrvProps_t; sizes are of KiB.
    static final long PROPS_BYTES = 56;
    static final long PROPS_NVFS_MAJOR = 0;
    static final long PROPS_NVFS_MINOR = 4;
    static final long PROPS_MAX_BATCH_IO_SIZE = 48;

    // struct CUfileIOParams_t.
    static final long PARAMS_BYTES = 64;
    static final long PARAMS_MODE = 0;
    static final long PARAMS_BASE = 8;
    static final long PARAMS_FILE_OFFSET = 16;
    static final long PARAMS_DEVICE_OFFSET = 24;
    static final long PARAMS_SIZE = 32;
    static final long PARAMS_HANDLE = 40;
    static final long PARAMS_OPCODE = 48;
    static final long PARAMS_COOKIE = 56;
    /** CUFILE_BATCH, CUFILE_READ, CUFILE_WRITE. */
    static final int MODE_BATCH = 1;

    static final int OPCODE_READ = 0;
    static final int OPCODE_WRITE = 1;

    // struct CUfileIOEvents_t.
    static final long EVENTS_BYTES = 24;
    static final long EVENTS_COOKIE = 0;
    static final long EVENTS_STATUS = 8;
    static final long EVENTS_RET = 16;
    /** CUFILE_COMPLETE. */
    static final int STATUS_COMPLETE = 0x10;

    /** {@code CUFILEOP_BASE_ERR}: cuFile's own errors begin above it, and are negative where a call returns bytes. */
    private static final int BASE_ERROR = 5000;

    static final int HANDLE_NOT_REGISTERED = 5027;
    private static final int DRIVER_NOT_INITIALIZED = 5001;
    private static final int PLATFORM_NOT_SUPPORTED = 5007;
    private static final int IO_NOT_SUPPORTED = 5008;
    private static final int CUDA_DRIVER_ERROR = 5011;
    private static final int INVALID_FILE_TYPE = 5018;
    private static final int DIO_NOT_SET = 5020;
    private static final int MEMORY_ALREADY_REGISTERED = 5023;
    private static final int PERMISSION_DENIED = 5025;
    private static final int BATCH_FULL = 5037;
    private static final int ASYNC_NOT_SUPPORTED = 5038;

    /** {@code enum CUfileOpError} from {@link #BASE_ERROR} + 1; numbers that it leaves out are empty. */
    private static final List<String> ERRORS = List.of(
            "DRIVER_NOT_INITIALIZED",
            "DRIVER_INVALID_PROPS",
            "DRIVER_UNSUPPORTED_LIMIT",
            "DRIVER_VERSION_MISMATCH",
            "DRIVER_VERSION_READ_ERROR",
            "DRIVER_CLOSING",
            "PLATFORM_NOT_SUPPORTED",
            "IO_NOT_SUPPORTED",
            "DEVICE_NOT_SUPPORTED",
            "NVFS_DRIVER_ERROR",
            "CUDA_DRIVER_ERROR",
            "CUDA_POINTER_INVALID",
            "CUDA_MEMORY_TYPE_INVALID",
            "CUDA_POINTER_RANGE_ERROR",
            "CUDA_CONTEXT_MISMATCH",
            "INVALID_MAPPING_SIZE",
            "INVALID_MAPPING_RANGE",
            "INVALID_FILE_TYPE",
            "INVALID_FILE_OPEN_FLAG",
            "DIO_NOT_SET",
            "",
            "INVALID_VALUE",
            "MEMORY_ALREADY_REGISTERED",
            "MEMORY_NOT_REGISTERED",
            "PERMISSION_DENIED",
            "DRIVER_ALREADY_OPEN",
            "HANDLE_NOT_REGISTERED",
            "HANDLE_ALREADY_REGISTERED",
            "DEVICE_NOT_FOUND",
            "INTERNAL_ERROR",
            "GETNEWFD_FAILED",
            "",
            "NVFS_SETUP_ERROR",
            "IO_DISABLED",
            "BATCH_SUBMIT_FAILED",
            "GPU_MEMORY_PINNING_FAILED",
            "BATCH_FULL",
            "ASYNC_NOT_SUPPORTED",
            "INTERNAL_BATCH_SETUP_ERROR",
            "INTERNAL_BATCH_SUBMIT_ERROR",
            "INTERNAL_BATCH_GETSTATUS_ERROR",
            "INTERNAL_BATCH_CANCEL_ERROR",
            "NOMEM_ERROR",
            "IO_ERROR",
            "INTERNAL_BUF_REGISTER_ERROR",
            "HASH_OPR_ERROR",
            "INVALID_CONTEXT_ERROR",
            "NVFS_INTERNAL_DRIVER_ERROR",
            "BATCH_NOCOMPAT_ERROR",
            "IO_MAX_ERROR");

    /** Guarded by the class. */
    private static @Nullable CuFileLibrary loaded;

    private static @Nullable String missing;

    /** A function, or that the library has none of its name. */
    private record Function(String name, @Nullable MethodHandle handle) {}

    private final SharedLibrary library;
    private final Function driverOpen;
    private final Function driverClose;
    private final Function driverGetProperties;
    private final Function getVersion;
    private final Function handleRegister;
    private final Function handleDeregister;
    private final Function bufRegister;
    private final Function bufDeregister;
    private final Function read;
    private final Function write;
    private final Function streamRegister;
    private final Function streamDeregister;
    private final Function readAsync;
    private final Function batchSetUp;
    private final Function batchSubmit;
    private final Function batchGetStatus;
    private final Function batchCancel;
    private final Function batchDestroy;

    private CuFileLibrary(SharedLibrary library) {
        this.library = library;
        driverOpen = bind("cuFileDriverOpen");
        // Of the two the later waits for what is under way; libraries before 1.3 have the first alone.
        Function close = bind("cuFileDriverClose_v2");
        driverClose = close.handle == null ? bind("cuFileDriverClose") : close;
        driverGetProperties = bind("cuFileDriverGetProperties", ADDRESS);
        getVersion = bind("cuFileGetVersion", ADDRESS);
        handleRegister = bind("cuFileHandleRegister", ADDRESS, ADDRESS);
        handleDeregister = bindVoid("cuFileHandleDeregister");
        bufRegister = bind("cuFileBufRegister", JAVA_LONG, JAVA_LONG, JAVA_INT);
        bufDeregister = bind("cuFileBufDeregister", JAVA_LONG);
        FunctionDescriptor transfer =
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        read = new Function("cuFileRead", library.functionWithErrno("cuFileRead", transfer));
        write = new Function("cuFileWrite", library.functionWithErrno("cuFileWrite", transfer));
        streamRegister = bind("cuFileStreamRegister", JAVA_LONG, JAVA_INT);
        streamDeregister = bind("cuFileStreamDeregister", JAVA_LONG);
        readAsync = bind("cuFileReadAsync", JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG);
        batchSetUp = bind("cuFileBatchIOSetUp", ADDRESS, JAVA_INT);
        batchSubmit = bind("cuFileBatchIOSubmit", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
        batchGetStatus = bind("cuFileBatchIOGetStatus", JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS, ADDRESS);
        batchCancel = bind("cuFileBatchIOCancel", JAVA_LONG);
        batchDestroy = bindVoid("cuFileBatchIODestroy");
    }

    private Function bind(String symbol, MemoryLayout... arguments) {
        return new Function(symbol, library.function(symbol, FunctionDescriptor.of(JAVA_LONG, arguments)));
    }

    private Function bindVoid(String symbol) {
        return new Function(symbol, library.function(symbol, FunctionDescriptor.ofVoid(JAVA_LONG)));
    }

    /**
     * The library, opened at the first call.
     *
     * @throws CudaException if it is not there: with the next step
     */
    static synchronized CuFileLibrary get() throws CudaException {
        if (missing != null) {
            throw CudaException.absent(missing);
        }
        CuFileLibrary library = loaded;
        if (library == null) {
            try {
                // Without its kernel module it would refuse everything otherwise.
                SharedLibrary.setVariableIfAbsent("CUFILE_ALLOW_COMPAT_MODE", "true");
                library = new CuFileLibrary(SharedLibrary.open(NAMES));
            } catch (IOException e) {
                missing = "no cuFile (" + e.getMessage() + "): install GPUDirect Storage, libcufile.so.0";
                throw CudaException.absent(missing);
            }
            loaded = library;
        }
        return library;
    }

    void driverOpen() throws CudaException {
        MethodHandle handle = handle(driverOpen);
        long code;
        try {
            code = (long) handle.invokeExact();
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(driverOpen, code);
    }

    void driverClose() throws CudaException {
        MethodHandle handle = handle(driverClose);
        long code;
        try {
            code = (long) handle.invokeExact();
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(driverClose, code);
    }

    /** Fills a structure of {@link #PROPS_BYTES}. */
    void properties(MemorySegment into) throws CudaException {
        MethodHandle handle = handle(driverGetProperties);
        long code;
        try {
            code = (long) handle.invokeExact(into);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(driverGetProperties, code);
    }

    /** As {@code CUFILE_VERSION} is, 1000 times the major version and 10 times the minor one; 0 if it does not tell. */
    int version() {
        MethodHandle handle = getVersion.handle;
        if (handle == null) {
            return 0;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_INT);
            return (int) (long) handle.invokeExact(out) == 0 ? out.get(JAVA_INT, 0) : 0;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /**
     * Registers a descriptor, which must stay open.
     *
     * @param path of the file, for messages
     */
    long register(int fd, Path path) throws CudaException {
        MethodHandle handle = handle(handleRegister);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            MemorySegment descr = arena.allocate(DESCR_BYTES, 8);
            descr.set(JAVA_INT, DESCR_TYPE, TYPE_OPAQUE_FD);
            descr.set(JAVA_INT, DESCR_FD, fd);
            long code;
            try {
                code = (long) handle.invokeExact(out, descr);
            } catch (Throwable t) {
                throw unexpected(t);
            }
            if ((int) code == HANDLE_NOT_REGISTERED || (int) code == IO_NOT_SUPPORTED) {
                throw CudaException.failed(
                        handleRegister.name + " of " + path, name((int) code), (int) code, UdevEntry.remedy(path));
            }
            done(handleRegister, code);
            return out.get(JAVA_LONG, 0);
        }
    }

    void deregister(long file) {
        callVoid(handleDeregister, file);
    }

    void registerBuffer(long address, long bytes) throws CudaException {
        MethodHandle handle = handle(bufRegister);
        long code;
        try {
            code = (long) handle.invokeExact(address, bytes, 0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(bufRegister, code);
    }

    void deregisterBuffer(long address) throws CudaException {
        call(bufDeregister, address);
    }

    /** The bytes that were read, or a negative error: {@link #requireMoved}. */
    long read(long file, long base, long bytes, long position, long offset) throws CudaException {
        return transfer(read, file, base, bytes, position, offset);
    }

    /** The bytes that were written, or a negative error: {@link #requireMoved}. */
    long write(long file, long base, long bytes, long position, long offset) throws CudaException {
        return transfer(write, file, base, bytes, position, offset);
    }

    private static long transfer(Function function, long file, long base, long bytes, long position, long offset)
            throws CudaException {
        MethodHandle handle = handle(function);
        MemorySegment state = SharedLibrary.errnoState();
        try {
            long moved = (long) handle.invokeExact(state, file, base, bytes, position, offset);
            return moved == -1 ? -SharedLibrary.errno() : moved;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** A negative count is an error of cuFile's, or a negated errno. */
    static void requireMoved(String call, Path path, long moved) throws IOException {
        if (moved < -BASE_ERROR) {
            int code = (int) -moved;
            throw CudaException.failed(call + " of " + path, name(code), code, advice(code));
        }
        if (moved < 0) {
            throw new LinuxException(call, path.toString(), (int) -moved);
        }
    }

    /** Its flags say that nothing of a request changes between its submission and its turn. */
    void registerStream(long stream) throws CudaException {
        MethodHandle handle = handle(streamRegister);
        // CU_FILE_STREAM_FIXED_BUF_OFFSET, _FIXED_FILE_OFFSET, _FIXED_FILE_SIZE.
        int fixed = 1 | 2 | 4;
        long code;
        try {
            code = (long) handle.invokeExact(stream, fixed);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(streamRegister, code);
    }

    void deregisterStream(long stream) throws CudaException {
        call(streamDeregister, stream);
    }

    /** @param arguments size, position, offset and result, 8 bytes each, which stay until the read is done */
    void readAsync(long file, long base, MemorySegment arguments, long stream) throws CudaException {
        MethodHandle handle = handle(readAsync);
        MemorySegment position = arguments.asSlice(8);
        MemorySegment offset = arguments.asSlice(16);
        MemorySegment result = arguments.asSlice(24);
        long code;
        try {
            code = (long) handle.invokeExact(file, base, arguments, position, offset, result, stream);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(readAsync, code);
    }

    long batchSetUp(int most) throws CudaException {
        MethodHandle handle = handle(batchSetUp);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            long code;
            try {
                code = (long) handle.invokeExact(out, most);
            } catch (Throwable t) {
                throw unexpected(t);
            }
            done(batchSetUp, code);
            return out.get(JAVA_LONG, 0);
        }
    }

    void batchSubmit(long batch, int count, MemorySegment params) throws CudaException {
        MethodHandle handle = handle(batchSubmit);
        long code;
        try {
            code = (long) handle.invokeExact(batch, count, params, 0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(batchSubmit, code);
    }

    /** @param count of events that there is room for; then of those that are told */
    void batchStatus(long batch, int least, MemorySegment count, MemorySegment events, MemorySegment timeout)
            throws CudaException {
        MethodHandle handle = handle(batchGetStatus);
        long code;
        try {
            code = (long) handle.invokeExact(batch, least, count, events, timeout);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(batchGetStatus, code);
    }

    void batchCancel(long batch) throws CudaException {
        call(batchCancel, batch);
    }

    void batchDestroy(long batch) {
        callVoid(batchDestroy, batch);
    }

    private void call(Function function, long argument) throws CudaException {
        MethodHandle handle = handle(function);
        long code;
        try {
            code = (long) handle.invokeExact(argument);
        } catch (Throwable t) {
            throw unexpected(t);
        }
        done(function, code);
    }

    private static void callVoid(Function function, long argument) {
        MethodHandle handle = Objects.requireNonNull(function.handle, function.name);
        try {
            handle.invokeExact(argument);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private static MethodHandle handle(Function function) throws CudaException {
        MethodHandle handle = function.handle;
        if (handle == null) {
            throw CudaException.absent("cuFile has no " + function.name + ", it is too old: install 1.6 or newer");
        }
        return handle;
    }

    private static void done(Function function, long both) throws CudaException {
        int code = (int) both;
        if (code != 0) {
            int cuda = (int) (both >>> 32);
            throw CudaException.failed(
                    function.name,
                    name(code) + (code == CUDA_DRIVER_ERROR ? " (CUDA's error " + cuda + ")" : ""),
                    code,
                    advice(code));
        }
    }

    /** The error by its name in cufile.h; {@code cuFile error 1234} if it has none. */
    static String name(int code) {
        int index = code - BASE_ERROR - 1;
        return index >= 0 && index < ERRORS.size() && !ERRORS.get(index).isEmpty()
                ? "CU_FILE_" + ERRORS.get(index)
                : "cuFile error " + code;
    }

    private static String advice(int code) {
        return switch (code) {
            case DRIVER_NOT_INITIALIZED ->
                "the kernel has no nvidia-fs, and cuFile may not go without: load it, or set allow_compat_mode to true in"
                        + " cufile.json";
            case PLATFORM_NOT_SUPPORTED -> "this platform has no GPUDirect Storage: gdscheck -p tells why";
            case INVALID_FILE_TYPE -> "it takes regular files and block devices";
            case DIO_NOT_SET -> "the file is to be opened past the kernel's cache (O_DIRECT)";
            case MEMORY_ALREADY_REGISTERED -> "the memory is registered already, or a part of it";
            case PERMISSION_DENIED -> "this user may not open the file or /dev/nvidia-fs*";
            case BATCH_FULL -> "await some of the batch first";
            case ASYNC_NOT_SUPPORTED -> "this cuFile reads on no stream here: read without one";
            default -> "cuFile's log tells more: cufile.log, with logging.level TRACE in cufile.json";
        };
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
