package io.aisio.fil;

import io.aisio.xal.BlockReads;
import io.aisio.xal.BlockSource;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;

/**
 * A device's blocks as the extent library reads them: through a buffer that the device can reach, then copied. Any thread
 * may call it.
 */
public final class DeviceBlocks implements BlockSource, AutoCloseable {
    /** What one read moves at most: file system metadata comes in pieces far smaller. */
    private static final int BUFFER_BYTES = 1 << 20;

    private final Device device;
    private final Buffer buffer;

    private DeviceBlocks(Device device, Buffer buffer) {
        this.device = device;
        this.buffer = buffer;
    }

    /**
     * Opens a device's blocks. The device stays the caller's, to be closed after this.
     *
     * @throws IOException if there is no memory for the buffer
     */
    public static DeviceBlocks open(Device device) throws IOException {
        return new DeviceBlocks(device, device.allocate(BUFFER_BYTES));
    }

    @Override
    public String name() {
        return device.name();
    }

    @Override
    public long size() {
        return device.geometry().bytes();
    }

    @Override
    public int alignment() {
        return device.geometry().lbaBytes();
    }

    @Override
    public synchronized void read(long position, MemorySegment target) throws IOException {
        int lbaBytes = alignment();
        if (position % lbaBytes != 0) {
            throw new IllegalArgumentException(
                    "%s: byte %d is not on a logical block of %d bytes".formatted(name(), position, lbaBytes));
        }
        for (long done = 0; done < target.byteSize(); ) {
            // A read in flight is waited for; what comes after it is not begun.
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException(name() + ": interrupted before reading byte " + (position + done));
            }
            long part = Math.min(target.byteSize() - done, buffer.size());
            device.read((position + done) / lbaBytes, buffer, 0, part);
            MemorySegment.copy(buffer.segment(), 0, target, done, part);
            done += part;
        }
    }

    /**
     * {@inheritDoc} They have a queue of their own.
     *
     * @throws IOException if the device has no queue left, or there is no memory
     */
    @Override
    public BlockReads reads(int slots, int bytes) throws IOException {
        return DeviceReads.open(device, slots, bytes);
    }

    /** Frees the buffer. Closing again does nothing. */
    @Override
    public synchronized void close() {
        buffer.close();
    }
}
