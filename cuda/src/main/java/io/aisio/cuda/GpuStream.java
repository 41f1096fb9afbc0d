package io.aisio.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.Queue;

/**
 * Work for a GPU that is done in order, beside that of other streams: launches of kernels and copies. Each is put on the
 * stream and returns; its failure is told by that call or any later one. Any thread may call.
 *
 * <p>A copy's host memory must stay until the copy is done. Memory that is pinned is copied beside everything else; of other
 * memory a copy may be done when the call returns.
 */
public final class GpuStream implements AutoCloseable {
    /** Chosen: how long the first sleep between two looks is, and the longest, which is 0.2 % of a core. */
    private static final long FIRST_SLEEP_NANOS = 20_000;

    private static final long LONGEST_SLEEP_NANOS = 1_000_000;

    /** What the parameters of a kernel take at most (CUDA programming guide, since compute capability 7.0), of 4 bytes and more. */
    private static final int PARAMETER_BYTES = 32764;

    private static final int MOST_PARAMETERS = 1024;

    private final Gpu gpu;
    private final long handle;
    private final Liveness liveness;
    /** What the GPU or a library may still use for what is on the stream, in order; guarded by itself, as are the next two. */
    private final Queue<Object> held = new ArrayDeque<>();
    /** How much was ever held, and let go of. */
    private long holds;

    private long letGo;

    private GpuStream(Gpu gpu, long handle) {
        this.gpu = gpu;
        this.handle = handle;
        liveness = new Liveness("a stream of GPU " + gpu.id());
    }

    static GpuStream open(Gpu gpu) throws CudaException {
        return new GpuStream(gpu, gpu.context().ask(gpu.context()::takeStream));
    }

    /** The GPU that does its work. */
    public Gpu gpu() {
        return gpu;
    }

    /** CUDA's handle ({@code CUstream}). */
    long handle() {
        return handle;
    }

    /**
     * Launches a kernel.
     *
     * @param blocks of the grid, at least 1
     * @param threads of each block, 1 to {@link Kernel#maxThreads()}
     * @param sharedBytes dynamic shared memory of each block
     * @param arguments of the kernel: {@link Integer} or {@link Float} for 4 bytes, {@link Long} or {@link Double} for 8;
     *     {@link GpuMemory} and {@link PinnedMemory} are pointers to where they begin
     * @throws IllegalArgumentException if the kernel cannot be launched so: the arguments are not as many or not as large as
     *     its parameters, or a block has too many threads or too much shared memory
     * @throws CudaException if the launch fails
     */
    public void launch(Kernel kernel, int blocks, int threads, int sharedBytes, Object... arguments)
            throws CudaException {
        kernel.require(gpu, blocks, threads, sharedBytes, arguments);
        try (Arena arena = Arena.ofConfined()) {
            // A driver older than 12.4 does not tell how many parameters there are: what is missing is zeros, not what
            // lies
            // behind.
            MemorySegment zeros = arena.allocate(PARAMETER_BYTES, Long.BYTES);
            MemorySegment parameters = arena.allocate(ValueLayout.ADDRESS, Math.max(MOST_PARAMETERS, arguments.length));
            for (int i = arguments.length; i < MOST_PARAMETERS; i++) {
                parameters.setAtIndex(ValueLayout.ADDRESS, i, zeros);
            }
            for (int i = 0; i < arguments.length; i++) {
                parameters.setAtIndex(ValueLayout.ADDRESS, i, Kernel.value(arena, arguments[i]));
            }
            use(stream -> kernel.launch(blocks, threads, sharedBytes, stream, parameters));
        }
    }

    /**
     * Puts a copy to the GPU on the stream.
     *
     * @param offset in the GPU's memory, in bytes
     * @param from native memory, copied wholly
     * @throws IndexOutOfBoundsException if the range is not within the memory
     */
    public void copyToGpu(GpuMemory to, long offset, MemorySegment from) throws CudaException {
        Objects.checkFromIndexSize(offset, from.byteSize(), to.size());
        requireNative(from);
        if (from.byteSize() > 0) {
            hold(from);
            to.use(address -> run(driver -> driver.memcpyHtoDAsync(address + offset, from, handle)));
        }
    }

    /**
     * Puts a copy from the GPU on the stream.
     *
     * @param to native memory, filled wholly
     * @param offset in the GPU's memory, in bytes
     * @throws IndexOutOfBoundsException if the range is not within the memory
     */
    public void copyFromGpu(MemorySegment to, GpuMemory from, long offset) throws CudaException {
        Objects.checkFromIndexSize(offset, to.byteSize(), from.size());
        requireNative(to);
        if (to.isReadOnly()) {
            throw new IllegalArgumentException("the memory that is copied to is read-only");
        }
        if (to.byteSize() > 0) {
            hold(to);
            from.use(address -> run(driver -> driver.memcpyDtoHAsync(to, address + offset, handle)));
        }
    }

    /**
     * Puts it on the stream that every byte of a range is set.
     *
     * @param offset in the GPU's memory, in bytes
     * @throws IndexOutOfBoundsException if the range is not within the memory
     */
    public void fill(GpuMemory memory, long offset, long bytes, byte value) throws CudaException {
        Objects.checkFromIndexSize(offset, bytes, memory.size());
        if (bytes > 0) {
            memory.use(address -> run(driver -> driver.memsetAsync(address + offset, value, bytes, handle)));
        }
    }

    private static void requireNative(MemorySegment host) {
        if (!host.isNative()) {
            throw new IllegalArgumentException("the GPU copies no memory of the heap, which moves: " + host);
        }
    }

    /** Whether all that was put on the stream is done. */
    public boolean isDone() throws CudaException {
        liveness.enter();
        try {
            long before = holds();
            boolean done = gpu.context().ask(driver -> driver.streamIsDone(handle));
            if (done) {
                release(before);
            }
            return done;
        } finally {
            liveness.leave();
        }
    }

    /** Keeps something from the garbage collector until what is on the stream now is done. */
    void hold(Object something) {
        synchronized (held) {
            held.add(something);
            holds++;
        }
    }

    private long holds() {
        synchronized (held) {
            return holds;
        }
    }

    /** Lets go of what was held by then, unless another thread has. */
    private void release(long before) {
        synchronized (held) {
            for (; letGo < before; letGo++) {
                Object _ = held.remove();
            }
        }
    }

    /** Waits until all that was put on the stream is done. The thread may spin. */
    public void synchronize() throws CudaException {
        long before = holds();
        run(driver -> driver.streamSynchronize(handle));
        release(before);
    }

    /**
     * Waits until all that was put on the stream is done, looking now and then: the sooner it ends, the sooner that is
     * noticed, at most a millisecond late. The thread sleeps meanwhile.
     *
     * @param most how long
     * @return whether it is done
     * @throws InterruptedException if the thread is interrupted; the work goes on
     */
    public boolean synchronizeSleeping(Duration most) throws CudaException, InterruptedException {
        long began = System.nanoTime();
        long limit = most.toNanos();
        long sleep = FIRST_SLEEP_NANOS;
        while (!isDone()) {
            long left = limit - (System.nanoTime() - began);
            if (left <= 0) {
                return false;
            }
            Thread.sleep(Duration.ofNanos(Math.min(sleep, left)));
            sleep = Math.min(2 * sleep, LONGEST_SLEEP_NANOS);
        }
        return true;
    }

    /** Something to do with the handle. */
    @FunctionalInterface
    interface Use {
        void with(long handle) throws CudaException;
    }

    /** Does something with the handle, which stays meanwhile. */
    void use(Use use) throws CudaException {
        liveness.enter();
        try {
            use.with(handle);
        } finally {
            liveness.leave();
        }
    }

    private void run(CudaContext.Action action) throws CudaException {
        use(_ -> gpu.context().run(action));
    }

    /** Closes it; what is on it goes on. Closing again does nothing. */
    @Override
    public void close() {
        liveness.close(() -> {
            synchronized (held) {
                gpu.context().hold(held);
            }
            gpu.context().closeStream(handle);
            gpu.forget(this);
        });
    }

    @Override
    public String toString() {
        return liveness.toString();
    }
}
