package io.aisio.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * CRC-32C of ranges of device memory, computed on the GPU, as {@link java.util.zip.CRC32C} computes it on the host. A
 * block of threads does a range at a time, so that many ranges keep the whole GPU busy, and one does not. One thread at a
 * time.
 */
public final class Checksums implements AutoCloseable {
    /** {@code struct aisio_range} of kernels/memory.cu: address and bytes, 8 bytes each. */
    static final long RANGE_BYTES = 16;

    static final long RANGE_LENGTH = 8;

    /** Chosen: eight warps, of which each multiprocessor takes eight blocks. */
    private static final int THREADS = 256;

    private static final int BLOCKS_PER_MULTIPROCESSOR = 8;

    private final Gpu gpu;
    private final Kernel kernel;
    private final GpuStream stream;
    /** What the kernel reads and writes a few bytes of for each range, where the CPU writes and reads it without a copy. */
    private final PinnedMemory ranges;

    private final PinnedMemory sums;
    private final int mostRanges;
    /** Of what was begun; -1 if nothing is. */
    private int begun = -1;

    private Checksums(
            Gpu gpu, Kernel kernel, GpuStream stream, PinnedMemory ranges, PinnedMemory sums, int mostRanges) {
        this.gpu = gpu;
        this.kernel = kernel;
        this.stream = stream;
        this.ranges = ranges;
        this.sums = sums;
        this.mostRanges = mostRanges;
    }

    /**
     * Takes the memory that lists of ranges and their sums need.
     *
     * @param mostRanges of one call, at least 1
     * @throws CudaException if there is none, or the kernels cannot be loaded
     */
    public static Checksums open(Gpu gpu, int mostRanges) throws CudaException {
        if (mostRanges < 1) {
            throw new IllegalArgumentException("checksums of " + mostRanges + " ranges");
        }
        Kernel kernel = gpu.kernels().kernel("aisio_crc32c");
        PinnedMemory ranges = gpu.allocatePinned(mostRanges * RANGE_BYTES);
        try {
            PinnedMemory sums = gpu.allocatePinned((long) mostRanges * Integer.BYTES);
            try {
                return new Checksums(gpu, kernel, gpu.openStream(), ranges, sums, mostRanges);
            } catch (CudaException | RuntimeException e) {
                sums.close();
                throw e;
            }
        } catch (CudaException | RuntimeException e) {
            ranges.close();
            throw e;
        }
    }

    /**
     * Computes the checksum of each range, and waits until that is done.
     *
     * @param memory in which all lie
     * @param offsets of the ranges, in bytes
     * @param bytes of each range; one of 0 has the checksum 0
     * @param count how many ranges, at most those that it was opened for
     * @param into filled with a checksum for each range
     * @throws IndexOutOfBoundsException if a range is not within the memory
     * @throws CudaException if the GPU fails
     */
    public void crc32c(GpuMemory memory, long[] offsets, long[] bytes, int count, int[] into) throws CudaException {
        begin(memory, offsets, bytes, count);
        end(into);
    }

    /**
     * Begins with the checksums of ranges, which {@link #end} gives; the memory is read until then.
     *
     * @throws IndexOutOfBoundsException if a range is not within the memory
     * @throws IllegalStateException if some were begun and not ended
     */
    public void begin(GpuMemory memory, long[] offsets, long[] bytes, int count) throws CudaException {
        if (begun >= 0) {
            throw new IllegalStateException("checksums of " + begun + " ranges were begun, and are not ended");
        }
        if (count < 0 || count > mostRanges) {
            throw new IllegalArgumentException(count + " ranges, and it was opened for " + mostRanges);
        }
        if (memory.gpu().context() != gpu.context()) {
            throw new IllegalArgumentException(
                    "the memory is on GPU " + memory.gpu().id() + ", not " + gpu.id());
        }
        MemorySegment list = ranges.segment();
        for (int i = 0; i < count; i++) {
            Objects.checkFromIndexSize(offsets[i], bytes[i], memory.size());
            list.set(ValueLayout.JAVA_LONG, i * RANGE_BYTES, memory.address() + offsets[i]);
            list.set(ValueLayout.JAVA_LONG, i * RANGE_BYTES + RANGE_LENGTH, bytes[i]);
        }
        if (count > 0) {
            int blocks = Math.min(count, gpu.multiprocessors() * BLOCKS_PER_MULTIPROCESSOR);
            stream.launch(kernel, blocks, THREADS, 0, ranges, count, sums);
        }
        begun = count;
    }

    /** Whether what was begun is done, so that {@link #end} does not wait. */
    public boolean isDone() throws CudaException {
        return stream.isDone();
    }

    /**
     * Waits for what was begun.
     *
     * @param into filled with a checksum for each range
     * @throws IllegalStateException if nothing was
     */
    public void end(int[] into) throws CudaException {
        if (begun < 0) {
            throw new IllegalStateException("no checksums were begun");
        }
        Objects.checkFromIndexSize(0, begun, into.length);
        stream.synchronize();
        MemorySegment.copy(sums.segment(), ValueLayout.JAVA_INT, 0, into, 0, begun);
        begun = -1;
    }

    /** Gives the memory back, once what was begun is done. Closing again does nothing. */
    @Override
    public void close() {
        // The driver frees nothing that a kernel still uses.
        stream.close();
        ranges.close();
        sums.close();
    }
}
