package io.aisio.fil.kernel;

import io.aisio.cuda.GpuMemory;
import io.aisio.linux.Mapping;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What batches are read into: this process's own memory, or a GPU's. */
sealed interface SlotMemory extends AutoCloseable {
    /** Its bytes; none of a GPU's, but the address. */
    MemorySegment segment();

    /** The GPU's memory that it is; null if it is the host's. */
    @Nullable
    GpuMemory gpu();

    /**
     * Writes zeros.
     *
     * @throws IOException if the GPU does not
     */
    void zero(long offset, long bytes) throws IOException;

    /** Frees it. Closing again does nothing. */
    @Override
    void close();

    /** This process's own. */
    record OfHost(Mapping mapping) implements SlotMemory {
        @Override
        public MemorySegment segment() {
            return mapping.segment();
        }

        @Override
        public @Nullable GpuMemory gpu() {
            return null;
        }

        @Override
        public void zero(long offset, long bytes) {
            MemorySegment part = segment().asSlice(offset, bytes);
            part.fill((byte) 0);
        }

        @Override
        public void close() {
            mapping.close();
        }
    }

    /** A GPU's. */
    record OfGpu(GpuMemory gpu) implements SlotMemory {
        @Override
        public MemorySegment segment() {
            return MemorySegment.ofAddress(gpu.address());
        }

        @Override
        public void zero(long offset, long bytes) throws IOException {
            gpu.fill(offset, bytes, (byte) 0);
        }

        @Override
        public void close() {
            gpu.close();
        }
    }
}
