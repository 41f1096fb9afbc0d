package io.aisio.fil;

import io.aisio.cuda.GpuMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Whole files in memory, with their labels. It is the caller's until it is closed; then its memory is filled with another
 * batch, and nothing of it may be used any more: what is asked of it is refused from then on, but segments that were taken of it
 * before are not. Any thread may read it, and any may close it.
 *
 * <p>Files of several places lie in several segments: {@link #memory(int)} has one for each place, in which a file begins at
 * its {@link #offset}. Behind a file are zeros up to where the next one may begin. Of a data set that is read
 * {@linkplain Dataset.Builder#into into a GPU} it has addresses.
 */
public final class Batch implements AutoCloseable {
    private final BatchExchange exchange;
    private final Dataset data;
    private final BatchSlot slot;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final long epoch;
    private final long number;
    private final int size;
    private final long bytes;
    private final long readNanos;

    Batch(BatchExchange exchange, Dataset data, BatchSlot slot) {
        this.exchange = exchange;
        this.data = data;
        this.slot = slot;
        epoch = slot.epoch;
        number = slot.batch;
        size = slot.size;
        bytes = slot.bytes;
        readNanos = slot.readNanos;
    }

    /** The first problem, with how many there are; null if all files were read. */
    @Nullable
    IOException problem() {
        IOException first = null;
        int count = 0;
        for (int i = 0; i < size; i++) {
            IOException why = slot.problems[i];
            if (why != null) {
                count++;
                first = first == null ? why : first;
            }
        }
        return first == null
                ? null
                : new IOException(
                        "%d of the %d files of batch %d in epoch %d could not be read: %s"
                                .formatted(count, size, number, epoch, first.getMessage()),
                        first);
    }

    /** Which epoch it belongs to, from 0. */
    public long epoch() {
        return epoch;
    }

    /** Which batch of its epoch it is, from 0. */
    public long number() {
        return number;
    }

    /** How many files are in it. */
    public int size() {
        return size;
    }

    /** Bytes of all its files. */
    public long bytes() {
        return bytes;
    }

    /**
     * How long it took until all of it was there, in nanoseconds: from when it was begun, so with what was ahead of it on the same
     * queues.
     */
    public long readNanos() {
        return readNanos;
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the batch was closed: its memory is another's by now");
        }
    }

    private int check(int i) {
        requireOpen();
        return Objects.checkIndex(i, size);
    }

    /** The number of a file in the data set. */
    public int file(int i) {
        return slot.files[check(i)];
    }

    /** A file's path, from the root of its place. */
    public String path(int i) {
        return data.path(file(i));
    }

    /** A file's label. */
    public int label(int i) {
        return data.label(file(i));
    }

    /** The place that a file is from, as {@link Dataset#source}; its data is in that one's {@link #memory(int)}. */
    public int source(int i) {
        return slot.sources[check(i)];
    }

    /** Where a file begins in the memory of its place, in bytes, a multiple of 4096. */
    public long offset(int i) {
        return slot.offsets[check(i)];
    }

    /** Bytes of a file, exactly; 0 if it was not read. */
    public long length(int i) {
        return slot.lengths[check(i)];
    }

    /**
     * The memory for the files of a place. Of a GPU's memory it has the address and a size of 0, so that reading it from here
     * is an exception.
     */
    public MemorySegment memory(int source) {
        requireOpen();
        return slot.memory[Objects.checkIndex(source, slot.memory.length)];
    }

    /**
     * A file's bytes, exactly.
     *
     * @throws UnsupportedOperationException if they are in a GPU's memory: {@link #address(int)} is for its kernels, and
     *     {@link #copy} brings them here
     */
    public MemorySegment content(int i) {
        MemorySegment memory = memory(source(i));
        if (slot.gpuMemory[slot.sources[i]] != null) {
            throw new UnsupportedOperationException(path(i)
                    + " is in a GPU's memory: address(i) is for its kernels, and copy(i, to) brings it to the host");
        }
        return memory.asSlice(slot.offsets[i], slot.lengths[i]);
    }

    /** Where a file begins, as a kernel of the GPU sees it that has its memory, or this process if that is the host's. */
    public long address(int i) {
        return memory(source(i)).address() + slot.offsets[i];
    }

    /** The GPU's memory that the files of a place are in, among others; null if they are in the host's. */
    public @Nullable GpuMemory gpuMemory(int source) {
        requireOpen();
        return slot.gpuMemory[Objects.checkIndex(source, slot.gpuMemory.length)];
    }

    /**
     * Copies a file's bytes into memory of the host, wherever they are.
     *
     * @param to takes them, from its beginning on
     * @throws IndexOutOfBoundsException if it is smaller than {@link #length(int)}
     * @throws IOException if the GPU does not give them
     */
    public void copy(int i, MemorySegment to) throws IOException {
        int source = source(i);
        MemorySegment target = to.asSlice(0, slot.lengths[i]);
        GpuMemory memory = slot.gpuMemory[source];
        if (memory == null) {
            target.copyFrom(content(i));
        } else {
            memory.read(slot.begins[source] + slot.offsets[i], target);
        }
    }

    /** Why a file was not read; null if it was. Never anything else without {@link BatchReader.Builder#keepFailures}. */
    public @Nullable IOException problem(int i) {
        return slot.problems[check(i)];
    }

    /** Gives the memory back, to be filled with another batch. Closing again does nothing. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            exchange.giveBack(slot);
        }
    }
}
