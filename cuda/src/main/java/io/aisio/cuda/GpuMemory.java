package io.aisio.cuda;

import io.aisio.linux.OpenFile;
import io.aisio.upcie.PeerMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;

/**
 * Memory on a GPU. The CPU cannot access it; {@link #read} and {@link #write} copy, and do not wait for kernels that run.
 * Any thread may call.
 *
 * <p>Where a device reaches nothing but the host's memory, some of that stands for it ({@link Gpu#registerAsMemory}): kernels
 * find it slower, and no other device can be given it.
 *
 * <p>It must not be closed while a kernel or another device may still access it.
 */
public final class GpuMemory implements PeerMemory, AutoCloseable {
    /** Chosen: what is on the heap is copied through so much native memory at a time. */
    private static final long BOUNCE_BYTES = 1 << 20;

    private final Gpu gpu;
    private final long address;
    private final long size;
    private final boolean onHost;
    private final CudaContext.Action free;

    private final Arena arena = Arena.ofShared();
    private final Liveness liveness;

    private GpuMemory(Gpu gpu, long address, long size, boolean onHost, CudaContext.Action free) {
        this.gpu = gpu;
        this.address = address;
        this.size = size;
        this.onHost = onHost;
        this.free = free;
        liveness = new Liveness(size + " bytes of GPU " + gpu.id());
    }

    static GpuMemory allocate(Gpu gpu, long bytes) throws CudaException {
        if (bytes <= 0 || bytes > Long.MAX_VALUE - 2 * Gpu.PAGE_BYTES) {
            throw new IllegalArgumentException("an allocation of " + bytes + " bytes");
        }
        long size = Math.ceilDiv(bytes, Gpu.PAGE_BYTES) * Gpu.PAGE_BYTES;
        CudaContext context = gpu.context();
        long allocated = context.ask(driver -> driver.memAlloc(size));
        // Small pieces are parts of larger ones, and aligned to less.
        if (allocated % Gpu.PAGE_BYTES != 0) {
            long tooLow = allocated;
            context.free(driver -> driver.memFree(tooLow));
            allocated = context.ask(driver -> driver.memAlloc(size + Gpu.PAGE_BYTES));
        }
        long got = allocated;
        GpuMemory memory = new GpuMemory(
                gpu, Math.ceilDiv(got, Gpu.PAGE_BYTES) * Gpu.PAGE_BYTES, size, false, driver -> driver.memFree(got));
        try {
            memory.fill((byte) 0);
            return memory;
        } catch (CudaException e) {
            memory.close();
            throw e;
        }
    }

    static GpuMemory register(Gpu gpu, MemorySegment host) throws CudaException {
        CudaContext context = gpu.context();
        PinnedMemory.register(context, host, 0);
        CudaContext.Action free = PinnedMemory.unregister(host);
        try {
            long address = context.ask(driver -> driver.memHostGetDevicePointer(host.address()));
            return new GpuMemory(gpu, address, host.byteSize(), true, free);
        } catch (CudaException e) {
            context.free(free);
            throw e;
        }
    }

    /** The GPU that it is on. */
    public Gpu gpu() {
        return gpu;
    }

    @Override
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

    /** Size in bytes, a multiple of 64 KiB; of 4 KiB if it is the host's. */
    @Override
    public long size() {
        return size;
    }

    @Override
    public MemorySegment.Scope scope() {
        return arena.scope();
    }

    /** Sets every byte. */
    public void fill(byte value) throws CudaException {
        fill(0, size, value);
    }

    /**
     * Sets every byte of a range.
     *
     * @throws IndexOutOfBoundsException if it is not within the memory
     */
    public void fill(long offset, long bytes, byte value) throws CudaException {
        Objects.checkFromIndexSize(offset, bytes, size);
        if (bytes > 0) {
            copy((driver, stream) -> driver.memsetAsync(address + offset, value, bytes, stream));
        }
    }

    /** {@inheritDoc} */
    @Override
    public void read(long offset, MemorySegment into) throws CudaException {
        Objects.checkFromIndexSize(offset, into.byteSize(), size);
        if (into.isReadOnly()) {
            throw new IllegalArgumentException("the memory that is read into is read-only");
        }
        if (into.isNative()) {
            if (into.byteSize() > 0) {
                copy((driver, stream) -> driver.memcpyDtoHAsync(into, address + offset, stream));
            }
            return;
        }
        try (Arena bounce = Arena.ofConfined()) {
            MemorySegment native_ = bounce.allocate(Math.min(BOUNCE_BYTES, Math.max(1, into.byteSize())));
            for (long done = 0; done < into.byteSize(); done += BOUNCE_BYTES) {
                long n = Math.min(BOUNCE_BYTES, into.byteSize() - done);
                read(offset + done, native_.asSlice(0, n));
                MemorySegment.copy(native_, 0, into, done, n);
            }
        }
    }

    /** {@inheritDoc} */
    @Override
    public void write(long offset, MemorySegment from) throws CudaException {
        Objects.checkFromIndexSize(offset, from.byteSize(), size);
        if (from.isNative()) {
            if (from.byteSize() > 0) {
                copy((driver, stream) -> driver.memcpyHtoDAsync(address + offset, from, stream));
            }
            return;
        }
        try (Arena bounce = Arena.ofConfined()) {
            MemorySegment native_ = bounce.allocate(Math.min(BOUNCE_BYTES, Math.max(1, from.byteSize())));
            for (long done = 0; done < from.byteSize(); done += BOUNCE_BYTES) {
                long n = Math.min(BOUNCE_BYTES, from.byteSize() - done);
                MemorySegment.copy(from, done, native_, 0, n);
                write(offset + done, native_.asSlice(0, n));
            }
        }
    }

    /** Does something with the address, which stays the memory's meanwhile. */
    void use(GpuStream.Use use) throws CudaException {
        liveness.enter();
        try {
            use.with(address);
        } finally {
            liveness.leave();
        }
    }

    private void copy(CudaContext.Copy copy) throws CudaException {
        liveness.enter();
        try {
            gpu.context().copy(copy);
        } finally {
            liveness.leave();
        }
    }

    /**
     * {@inheritDoc}
     *
     * <p>All of the memory, of whole pages of the GPU. The CPU cannot map it.
     */
    @Override
    public OpenFile exportDmaBuf() throws CudaException {
        liveness.enter();
        try {
            if (onHost) {
                throw new UnsupportedOperationException(this + " is the host's, and no dma-buf");
            }
            if (!gpu.description().exportsDmaBuf()) {
                throw new UnsupportedOperationException(
                        gpu + " does not share memory as dma-buf: that takes NVIDIA's open kernel modules");
            }
            int fd = gpu.context().ask(driver -> driver.memExportDmaBuf(address, size));
            return OpenFile.ofDescriptor(fd, Path.of("dma-buf of " + liveness));
        } finally {
            liveness.leave();
        }
    }

    /** Frees it; later, if a kernel runs without end ({@link Gpu#resident}). Closing again does nothing. */
    @Override
    public void close() {
        liveness.close(() -> {
            arena.close();
            gpu.context().free(free);
            gpu.forget(this);
        });
    }

    @Override
    public String toString() {
        return liveness.toString();
    }
}
