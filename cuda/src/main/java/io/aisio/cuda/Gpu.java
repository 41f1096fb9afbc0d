package io.aisio.cuda;

import io.aisio.upcie.PciAddress;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A GPU of NVIDIA's: what it has, and where memory, streams and kernels on it come from. Any thread may call.
 *
 * <p>All {@code Gpu}s of one number share its primary context, which is also the one of CUDA's run-time API. A call makes it
 * the calling thread's current context, and leaves it so. {@link #close()} comes last: it refuses while something that
 * came from here is open.
 *
 * <p>A kernel that goes wrong (an illegal address, a failed assertion) breaks the context: that call or the next, and every
 * one after it, throws {@link CudaException}, and only a new process can use the GPU again.
 */
public final class Gpu implements AutoCloseable {
    /** The GPU's pages are of 64 KiB, or multiples of it; what is exported and mapped is whole ones. */
    static final long PAGE_BYTES = 64 << 10;

    private final int id;
    private final CudaContext context;
    private final Liveness liveness;
    private final Set<AutoCloseable> live =
            Collections.synchronizedSet(Collections.newSetFromMap(new IdentityHashMap<>()));

    private final GpuDescription description;
    private final int maxSharedBytes;

    private Gpu(int id, CudaContext context) throws CudaException {
        this.id = id;
        this.context = context;
        liveness = new Liveness("GPU " + id);
        description = GpuDescription.of(context.driver, id);
        maxSharedBytes = context.driver.deviceAttribute(CudaDriver.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, context.device());
    }

    /**
     * Opens a GPU; one that is open already too.
     *
     * @param id 0 to {@link Cuda#gpus()} - 1
     * @throws CudaException if there is no such GPU, or nothing of CUDA ({@link Cuda#missing()})
     */
    public static Gpu open(int id) throws CudaException {
        if (id < 0) {
            throw new IllegalArgumentException("GPU " + id + ": they are counted from 0");
        }
        CudaContext context = CudaContext.open(id);
        try {
            return new Gpu(id, context);
        } catch (CudaException | RuntimeException e) {
            context.close();
            throw e;
        }
    }

    /** The number that it was opened by. */
    public int id() {
        return id;
    }

    /** Its product name, such as {@code NVIDIA H100 80GB HBM3}. */
    public String name() {
        return description.name();
    }

    /** What code for it is compiled for, such as {@code sm_90}. */
    public String architecture() {
        return description.architecture();
    }

    /** The same as a number, such as 90. */
    int computeCapability() {
        return Integer.parseInt(description.architecture().substring("sm_".length()));
    }

    /** How many multiprocessors it has: blocks run on one each. */
    public int multiprocessors() {
        return description.multiprocessors();
    }

    /** The most bytes of shared memory that a block may have. */
    int maxSharedBytes() {
        return maxSharedBytes;
    }

    /** All of its memory, in bytes. */
    public long memoryBytes() {
        return description.memoryBytes();
    }

    /** Memory that nobody has now, in bytes. */
    public long freeBytes() throws CudaException {
        return ask(CudaDriver::memFreeBytes);
    }

    /** What other devices on PCIe see of its memory at once (its BAR 1), in bytes; 0 if that is not known. */
    public long barBytes() {
        return description.barBytes();
    }

    /** Where it is on PCI. */
    public PciAddress address() {
        return description.address();
    }

    /** What it is, in one. */
    public GpuDescription description() {
        return description;
    }

    /**
     * Allocates memory on the GPU: zeroed, aligned to 64 KiB.
     *
     * @param bytes at least 1; rounded up to multiples of 64 KiB
     * @throws CudaException {@code CUDA_ERROR_OUT_OF_MEMORY} if there is not so much left
     */
    public GpuMemory allocate(long bytes) throws CudaException {
        return with(() -> keep(GpuMemory.allocate(this, bytes)));
    }

    /**
     * Allocates memory of the host that is never moved or swapped, and that the GPU reaches: zeroed, page-aligned.
     *
     * @param bytes at least 1; rounded up to multiples of 4 KiB
     * @throws CudaException if there is not so much, or the limit on locked memory is lower
     */
    public PinnedMemory allocatePinned(long bytes) throws CudaException {
        return with(() -> keep(PinnedMemory.allocate(this, bytes)));
    }

    /**
     * Lets the GPU reach memory of the host that is somebody else's, until it is closed; it is then no longer
     * registered, and otherwise as it was.
     *
     * @param host native memory, of whole pages; it must stay until after {@code close()}
     * @throws IllegalArgumentException if it is not of whole pages, read-only or on the heap
     * @throws CudaException if it is registered already, or the driver cannot pin it
     */
    public PinnedMemory register(MemorySegment host) throws CudaException {
        return with(() -> keep(PinnedMemory.register(this, host, 0)));
    }

    /**
     * The same, to stand for memory on the GPU where a device reaches the host's alone, such as one that is leased.
     *
     * @param host as above
     * @throws CudaException if it is registered already, or the driver cannot pin it
     */
    public GpuMemory registerAsMemory(MemorySegment host) throws CudaException {
        return with(() -> keep(GpuMemory.register(this, host)));
    }

    /**
     * Lets the GPU reach registers of another device, such as doorbells, that are mapped into this process.
     *
     * @param bar as above
     * @throws CudaException {@code CUDA_ERROR_NOT_PERMITTED} without root, {@code CUDA_ERROR_NOT_SUPPORTED} where kernel
     *     or platform cannot do it
     */
    public PinnedMemory registerIo(MemorySegment bar) throws CudaException {
        return with(() -> keep(PinnedMemory.register(this, bar, CudaDriver.MEMHOSTREGISTER_IOMEMORY)));
    }

    /** Opens a stream: what is put on it is done in order, and beside what is on other streams. */
    public GpuStream openStream() throws CudaException {
        return with(() -> keep(GpuStream.open(this)));
    }

    /** Opens an event: a point in the work of a stream that can be waited for, and whose time is taken. */
    public GpuEvent openEvent() throws CudaException {
        return with(() -> keep(GpuEvent.open(this)));
    }

    /**
     * The project's kernels, compiled or found in the cache at first use; they stay until the last {@code Gpu} of this
     * number is closed.
     *
     * @throws CudaException if they can be neither compiled nor loaded
     */
    public GpuKernels kernels() throws CudaException {
        return with(() -> context.kernels(this));
    }

    /**
     * Compiles a user's own kernels, or finds them in the cache. They see the project's headers
     * ({@code #include <aisio/nvme.cuh>}), and are to be {@code extern "C"}, so that they are found by name.
     *
     * @param name as messages show it, such as the source's file name
     * @param source CUDA C++ 17
     * @throws CudaException if NVRTC is not there, or the source does not compile: with what the compiler says; or while a
     *     kernel runs without end ({@link #resident})
     */
    public GpuModule compile(String name, String source) throws CudaException {
        return with(() -> context.load(name, () -> keep(GpuModule.compile(this, name, source))));
    }

    /**
     * Says that a kernel runs without end from now until the answer is closed. The driver waits for kernels before it
     * frees memory or unloads code, which would be for ever: while one of these is open, on any {@code Gpu} of this number,
     * what is closed is given back only when the last is closed, and kernels that were not loaded before are refused, as are
     * more streams than 32 beyond those that are open now.
     *
     * @throws CudaException if those streams cannot be had
     */
    public Resident resident() throws CudaException {
        liveness.enter();
        try {
            context.openResident();
            Resident resident = new Resident(this);
            live.add(resident);
            return resident;
        } finally {
            liveness.leave();
        }
    }

    CudaContext context() {
        return context;
    }

    <T> T ask(CudaContext.Call<T> call) throws CudaException {
        liveness.enter();
        try {
            return context.ask(call);
        } finally {
            liveness.leave();
        }
    }

    private interface Opening<T> {
        T open() throws CudaException;
    }

    private <T> T with(Opening<T> opening) throws CudaException {
        liveness.enter();
        try {
            return opening.open();
        } finally {
            liveness.leave();
        }
    }

    <T extends AutoCloseable> T keep(T opened) {
        live.add(opened);
        return opened;
    }

    void forget(AutoCloseable closed) {
        live.remove(closed);
    }

    /**
     * Gives the GPU back; with the last one of its number its context ends. Closing again does nothing.
     *
     * @throws IllegalStateException if something that came from here is open; nothing is closed then
     */
    @Override
    public void close() {
        liveness.close(() -> {
            String open = stillOpen();
            if (open != null) {
                throw new IllegalStateException("GPU " + id + " cannot be closed before what came from it: " + open);
            }
            context.close();
        });
    }

    private @Nullable String stillOpen() {
        synchronized (live) {
            return live.isEmpty()
                    ? null
                    : live.stream()
                            .collect(Collectors.groupingBy(
                                    one -> one.getClass().getSimpleName(), TreeMap::new, Collectors.counting()))
                            .entrySet()
                            .stream()
                            .map(kind -> kind.getValue() + " " + kind.getKey())
                            .collect(Collectors.joining(", "));
        }
    }

    @Override
    public String toString() {
        return "GPU " + id + " (" + name() + ", " + address() + ")";
    }
}
