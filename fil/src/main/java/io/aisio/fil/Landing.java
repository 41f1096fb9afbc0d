package io.aisio.fil;

import io.aisio.cuda.GpuMemory;
import io.aisio.xnvme.Buffer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The memory that {@link DirectFile}'s caller gave, and the one place in which it is written to where no device does that: zeros
 * of holes, and what was read beside because it lies badly. A GPU's memory is written to by the GPU.
 */
final class Landing {
    private final @Nullable Buffer buffer;
    private final @Nullable GpuMemory gpu;
    private final long size;

    private Landing(@Nullable Buffer buffer, @Nullable GpuMemory gpu, long size) {
        this.buffer = buffer;
        this.gpu = gpu;
        this.size = size;
    }

    /** Memory of the host, that stays the caller's. */
    static Landing in(Buffer buffer) {
        return new Landing(buffer, null, buffer.size());
    }

    /**
     * Memory of a GPU, that stays the caller's.
     *
     * @param mapped how the device sees it, closed with this; null if nothing is read into it but by copies
     */
    static Landing in(GpuMemory memory, @Nullable Buffer mapped) {
        return new Landing(mapped, memory, memory.size());
    }

    /** Bytes that there is room for. */
    long size() {
        return size;
    }

    /** What commands read into; null if everything is copied. */
    @Nullable
    Buffer straight() {
        return buffer;
    }

    /**
     * Refuses if the memory is closed; it may be somebody else's by then.
     *
     * @param path how messages name the file that is read
     */
    void requireOpen(String path) {
        MemorySegment.Scope mapped = buffer == null ? null : buffer.segment().scope();
        MemorySegment.Scope owned = gpu == null ? null : gpu.scope();
        if ((mapped != null && !mapped.isAlive()) || (owned != null && !owned.isAlive())) {
            throw new IllegalStateException(path + ": the buffer that it is read into is closed");
        }
    }

    /**
     * Copies bytes that were read beside.
     *
     * @throws IOException if the GPU does not
     */
    void copy(MemorySegment from, long fromOffset, long offset, long bytes) throws IOException {
        if (gpu != null) {
            gpu.write(offset, from.asSlice(fromOffset, bytes));
        } else if (buffer != null) {
            MemorySegment.copy(from, fromOffset, buffer.segment(), offset, bytes);
        }
    }

    /**
     * Writes zeros.
     *
     * @throws IOException if the GPU does not
     */
    void zero(long offset, long bytes) throws IOException {
        if (gpu != null) {
            gpu.fill(offset, bytes, (byte) 0);
        } else if (buffer != null) {
            MemorySegment part = buffer.segment().asSlice(offset, bytes);
            part.fill((byte) 0);
        }
    }

    /** Ends what this has of the caller's memory. Closing again does nothing. */
    void close() {
        if (gpu != null && buffer != null) {
            buffer.close();
        }
    }
}
