package io.aisio.cuda;

import io.aisio.linux.AddressSpace;
import io.aisio.linux.Mapping;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Memory of the host that both the CPU and a GPU access: page-locked memory that was allocated for it, or memory of somebody
 * else's that is registered with the GPU. Any thread may call.
 *
 * <p>It must not be closed while a kernel may still access it.
 */
public final class PinnedMemory implements AutoCloseable {
    private final Gpu gpu;
    private final MemorySegment segment;
    private final long address;
    /** That of memory of our own, which ends with it; null of somebody else's. */
    private final @Nullable Arena arena;

    private final CudaContext.Action free;
    private final Liveness liveness;

    private PinnedMemory(Gpu gpu, MemorySegment segment, long address, @Nullable Arena arena, CudaContext.Action free) {
        this.gpu = gpu;
        this.segment = segment;
        this.address = address;
        this.arena = arena;
        this.free = free;
        liveness = new Liveness(segment.byteSize() + " bytes of pinned memory");
    }

    // Closed by close().
    @SuppressWarnings("MustBeClosedChecker")
    static PinnedMemory allocate(Gpu gpu, long bytes) throws CudaException {
        if (bytes <= 0 || bytes > Long.MAX_VALUE - 2 * Mapping.PAGE_SIZE) {
            throw new IllegalArgumentException("an allocation of " + bytes + " bytes");
        }
        long size = Math.ceilDiv(bytes, Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE;
        int flags = CudaDriver.MEMHOSTALLOC_PORTABLE | CudaDriver.MEMHOSTALLOC_DEVICEMAP;
        CudaContext context = gpu.context();
        long allocated = context.ask(driver -> driver.memHostAlloc(size, flags));
        // Small pieces are parts of larger ones, and aligned to less.
        if (allocated % Mapping.PAGE_SIZE != 0) {
            long tooLow = allocated;
            context.free(driver -> driver.memFreeHost(tooLow));
            allocated = context.ask(driver -> driver.memHostAlloc(size + Mapping.PAGE_SIZE, flags));
        }
        long got = allocated;
        CudaContext.Action free = driver -> driver.memFreeHost(got);
        long host = Math.ceilDiv(got, Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE;
        try {
            long address = context.ask(driver -> driver.memHostGetDevicePointer(got)) + (host - got);
            Arena arena = Arena.ofShared();
            MemorySegment segment = AddressSpace.at(host, size, arena);
            segment.fill((byte) 0);
            return new PinnedMemory(gpu, segment, address, arena, free);
        } catch (CudaException e) {
            context.free(free);
            throw e;
        }
    }

    static PinnedMemory register(Gpu gpu, MemorySegment host, int more) throws CudaException {
        CudaContext context = gpu.context();
        register(context, host, more);
        try {
            long address = context.ask(driver -> driver.memHostGetDevicePointer(host.address()));
            return new PinnedMemory(gpu, host, address, null, unregister(host));
        } catch (CudaException e) {
            context.free(unregister(host));
            throw e;
        }
    }

    static void register(CudaContext context, MemorySegment host, int more) throws CudaException {
        if (!host.isNative()
                || host.isReadOnly()
                || host.byteSize() == 0
                || host.address() % Mapping.PAGE_SIZE != 0
                || host.byteSize() % Mapping.PAGE_SIZE != 0) {
            throw new IllegalArgumentException(
                    "only native memory of whole pages that may be written is registered, and this is " + host);
        }
        int flags = CudaDriver.MEMHOSTREGISTER_PORTABLE | CudaDriver.MEMHOSTREGISTER_DEVICEMAP | more;
        context.run(driver -> driver.memHostRegister(host, flags));
    }

    /** What ends {@link #register(CudaContext, MemorySegment, int)}. */
    static CudaContext.Action unregister(MemorySegment host) {
        return driver -> driver.memHostUnregister(host.address());
    }

    /** As the CPU sees it; after {@link #close()} an access to memory that was allocated here throws. */
    public MemorySegment segment() {
        return segment;
    }

    /** Where it begins as the GPU sees it. */
    public long address() {
        return address;
    }

    /**
     * Where it begins, for a kernel that is about to be launched.
     *
     * @throws IllegalStateException if it is closed
     */
    long openAddress() {
        liveness.enter();
        liveness.leave();
        return address;
    }

    /** Size in bytes, a multiple of 4 KiB. */
    public long size() {
        return segment.byteSize();
    }

    /**
     * Frees it, or ends the registration; later, if a kernel runs without end ({@link Gpu#resident}). Closing again does
     * nothing.
     */
    @Override
    public void close() {
        liveness.close(() -> {
            if (arena != null) {
                arena.close();
            }
            gpu.context().free(free);
            gpu.forget(this);
        });
    }

    @Override
    public String toString() {
        return liveness.toString();
    }
}
