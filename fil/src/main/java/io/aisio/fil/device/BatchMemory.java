package io.aisio.fil.device;

import io.aisio.cuda.GpuMemory;
import io.aisio.cuda.GpuStream;
import io.aisio.fil.spi.Backend.Target;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What batches are read into: memory that a device reaches, of the host or of a GPU, and who writes zeros there. */
sealed interface BatchMemory {
    /** How the device sees it. */
    Buffer buffer();

    /** The GPU's memory that it is; null if it is the host's. */
    @Nullable
    GpuMemory gpu();

    /**
     * Writes zeros, or begins to.
     *
     * @throws IOException if the GPU does not
     */
    void zero(long offset, long bytes) throws IOException;

    /**
     * Waits until all zeros are written.
     *
     * @throws IOException if they are not
     */
    void settle() throws IOException;

    /** Frees it, of which the device knows nothing any more then. */
    void close() throws IOException;

    /** Gets some. */
    static BatchMemory allocate(Device device, @Nullable Target target, long bytes) throws IOException {
        if (target == null) {
            return new OfHost(device.allocate(bytes));
        }
        GpuMemory memory = target.gpu().allocate(bytes);
        GpuStream stream = null;
        try {
            stream = target.gpu().openStream();
            return new OfGpu(device.map(memory), memory, stream);
        } catch (UnsupportedOperationException e) {
            close(stream, memory);
            throw new IOException(e.getMessage(), e);
        } catch (IOException | RuntimeException | Error e) {
            close(stream, memory);
            throw e;
        }
    }

    private static void close(@Nullable GpuStream stream, GpuMemory memory) {
        if (stream != null) {
            stream.close();
        }
        memory.close();
    }

    /** The host's. */
    record OfHost(Buffer buffer) implements BatchMemory {
        @Override
        public @Nullable GpuMemory gpu() {
            return null;
        }

        @Override
        public void zero(long offset, long bytes) {
            MemorySegment part = buffer.segment().asSlice(offset, bytes);
            part.fill((byte) 0);
        }

        @Override
        public void settle() {}

        @Override
        public void close() {
            buffer.close();
        }
    }

    /** A GPU's, which writes zeros itself. */
    record OfGpu(Buffer buffer, GpuMemory gpu, GpuStream stream) implements BatchMemory {
        @Override
        public void zero(long offset, long bytes) throws IOException {
            stream.fill(gpu, offset, bytes, (byte) 0);
        }

        @Override
        public void settle() throws IOException {
            stream.synchronize();
        }

        @Override
        public void close() {
            stream.close();
            buffer.close();
            gpu.close();
        }
    }
}
