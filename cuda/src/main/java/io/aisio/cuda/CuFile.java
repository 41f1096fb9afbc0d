package io.aisio.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * NVIDIA's cuFile (GPUDirect Storage, version 1.15): reads and writes between files and memory of a GPU. Where its kernel
 * module nvidia-fs is not loaded, it goes through memory of the host, in what it calls compatibility mode:
 * {@link #mode()}. Any thread may call.
 */
public final class CuFile implements AutoCloseable {
    /** The library has one state for the whole process: how many use it; guarded by itself. */
    private static final Object PROCESS = new Object();

    private static int users;

    private final Gpu gpu;
    private final CuFileLibrary library;
    private final Liveness liveness = new Liveness("cuFile");
    /** What came from here and is open. */
    private final AtomicInteger open = new AtomicInteger();

    private final Set<GpuMemory> registered = ConcurrentHashMap.newKeySet();

    private final int major;
    private final int minor;
    private final int mostInBatch;

    private CuFile(Gpu gpu, CuFileLibrary library, MemorySegment properties) {
        this.gpu = gpu;
        this.library = library;
        major = properties.get(JAVA_INT, CuFileLibrary.PROPS_NVFS_MAJOR);
        minor = properties.get(JAVA_INT, CuFileLibrary.PROPS_NVFS_MINOR);
        mostInBatch = properties.get(JAVA_INT, CuFileLibrary.PROPS_MAX_BATCH_IO_SIZE);
    }

    /**
     * Why the library cannot be used: one sentence with the next step; null if it is there. Which files it takes shows when
     * they are opened.
     */
    public static @Nullable String missing() {
        try {
            CuFileLibrary _ = CuFileLibrary.get();
            return Cuda.missing();
        } catch (CudaException e) {
            return e.getMessage();
        }
    }

    /**
     * Starts it for a GPU, which is closed after it. The library has one state for the whole process, which ends with the
     * last of these.
     *
     * @throws CudaException if the library is not there or does not start
     */
    public static CuFile open(Gpu gpu) throws CudaException {
        CuFileLibrary library = CuFileLibrary.get();
        synchronized (PROCESS) {
            try (Arena arena = Arena.ofConfined()) {
                // More than this version writes, should a later one write more.
                MemorySegment properties = arena.allocate(4 * CuFileLibrary.PROPS_BYTES, 8);
                return gpu.ask(_ -> {
                    if (users == 0) {
                        library.driverOpen();
                    }
                    try {
                        library.properties(properties);
                        CuFile cuFile = new CuFile(gpu, library, properties);
                        gpu.keep(cuFile);
                        users++;
                        return cuFile;
                    } finally {
                        if (users == 0) {
                            library.driverClose();
                        }
                    }
                });
            }
        }
    }

    /**
     * The library's version, told without starting it, such as {@code 1.15}; {@code unknown} if it does not tell, or is
     * not there.
     */
    public static String version() {
        try {
            int number = CuFileLibrary.get().version();
            return number == 0 ? "unknown" : CudaDriver.version(number);
        } catch (CudaException _) {
            return "unknown";
        }
    }

    /** Whether data goes through memory of the host, for want of nvidia-fs. */
    public boolean isCompatible() {
        return major == 0 && minor == 0;
    }

    /** How data goes, in words: {@code compatibility mode (no nvidia-fs)}, {@code direct (nvidia-fs 2.17)}. */
    public String mode() {
        return isCompatible() ? "compatibility mode (no nvidia-fs)" : "direct (nvidia-fs " + major + "." + minor + ")";
    }

    /** The most requests that a batch may have. */
    public int mostInBatch() {
        return mostInBatch;
    }

    /**
     * Opens a file, past the kernel's cache where its file system can do that, and registers it.
     *
     * @throws CudaException if cuFile refuses the file, with what to do
     * @throws IOException if it cannot be opened
     */
    public CuFileHandle openFile(Path path, OpenFile.Access access) throws IOException {
        OpenFile file;
        try {
            file = OpenFile.openDirect(path, access);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EINVAL) {
                throw e;
            }
            file = OpenFile.open(path, access);
        }
        try {
            OpenFile opened = file;
            return ask(() -> {
                CuFileHandle handle = new CuFileHandle(this, opened, library.register(opened.descriptor(), path));
                open.incrementAndGet();
                return handle;
            });
        } catch (CudaException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /**
     * Registers memory of the GPU, so that what is read into it or written from it needs no copy on the GPU. The answer is
     * closed before the memory.
     */
    public Registration register(GpuMemory memory) throws CudaException {
        return ask(() -> {
            library.registerBuffer(memory.address(), memory.size());
            open.incrementAndGet();
            registered.add(memory);
            return new Registration(
                    this, _ -> library.deregisterBuffer(memory.address()), () -> registered.remove(memory));
        });
    }

    /** Whether the memory is registered here. */
    boolean isRegistered(GpuMemory memory) {
        return registered.contains(memory);
    }

    /**
     * Registers a stream, so that a read on it needs no look at its arguments when its turn comes. The answer is closed before
     * the stream.
     */
    public Registration register(GpuStream stream) throws CudaException {
        return ask(() -> {
            library.registerStream(stream.handle());
            open.incrementAndGet();
            return new Registration(this, _ -> library.deregisterStream(stream.handle()), () -> {});
        });
    }

    /**
     * Makes room for a batch of requests, which are made together.
     *
     * @param most requests, 1 to {@link #mostInBatch()}
     */
    public CuFileBatch openBatch(int most) throws CudaException {
        if (most < 1 || most > mostInBatch) {
            throw new IllegalArgumentException("a batch of " + most + " requests: at most " + mostInBatch);
        }
        return ask(() -> {
            CuFileBatch batch = new CuFileBatch(this, library.batchSetUp(most), most);
            open.incrementAndGet();
            return batch;
        });
    }

    CuFileLibrary library() {
        return library;
    }

    /** Something to do while it is open and the GPU's context is current. */
    @FunctionalInterface
    interface Use<T> {
        T make() throws CudaException;
    }

    <T> T ask(Use<T> use) throws CudaException {
        liveness.enter();
        try {
            return gpu.context().ask(_ -> use.make());
        } finally {
            liveness.leave();
        }
    }

    /** Something that came from here was closed. */
    void forgetOne() {
        open.decrementAndGet();
    }

    /** That memory or a stream is registered. */
    public static final class Registration implements AutoCloseable {
        private final CuFile cuFile;
        private final CudaContext.Action last;
        private final Runnable first;
        private final Liveness liveness = new Liveness("a registration with cuFile");

        private Registration(CuFile cuFile, CudaContext.Action last, Runnable first) {
            this.cuFile = cuFile;
            this.last = last;
            this.first = first;
        }

        /** Ends it. Closing again does nothing. */
        @Override
        public void close() {
            liveness.close(() -> {
                first.run();
                // The driver may wait for kernels before it unpins memory.
                cuFile.gpu.context().free(last);
                cuFile.forgetOne();
            });
        }
    }

    /**
     * Ends cuFile, if this is the last. Closing again does nothing.
     *
     * @throws IllegalStateException if a file, a batch or a registration of it is open
     */
    @Override
    public void close() {
        liveness.close(() -> {
            if (open.get() != 0) {
                throw new IllegalStateException(
                        "cuFile cannot be closed before what came from it: " + open.get() + " are open");
            }
            gpu.context().free(_ -> {
                synchronized (PROCESS) {
                    if (--users == 0) {
                        library.driverClose();
                    }
                }
            });
            gpu.forget(this);
        });
    }
}
