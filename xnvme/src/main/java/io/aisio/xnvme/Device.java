package io.aisio.xnvme;

import io.aisio.nvme.Passthrough;
import io.aisio.upcie.PeerMemory;
import io.aisio.xnvme.spi.Backend;
import java.io.IOException;
import java.util.ServiceLoader;
import java.util.TreeSet;

/**
 * A block device, whatever is behind it.
 *
 * <p>Any thread may call a device. Who opens it closes it, after its queues and buffers.
 */
public interface Device extends AutoCloseable {
    /**
     * Opens a device by name; {@link DeviceUri} has the grammar.
     *
     * @throws IllegalArgumentException if the name makes no sense or nothing here serves its scheme; the message is one
     *     sentence for the person who typed it
     * @throws IOException if the device cannot be opened
     */
    static Device open(String name) throws IOException {
        DeviceUri uri = DeviceUri.parse(name);
        return backend(uri).open(uri);
    }

    /**
     * Checks a device's name, such as one in a configuration, without looking at any device.
     *
     * @throws IllegalArgumentException if it makes no sense or nothing here serves its scheme, as {@link #open} has it
     */
    static void check(String name) {
        DeviceUri uri = DeviceUri.parse(name);
        backend(uri).check(uri);
    }

    private static Backend backend(DeviceUri uri) {
        TreeSet<String> schemes = new TreeSet<>();
        for (Backend backend : backends()) {
            if (backend.scheme().equals(uri.scheme())) {
                return backend;
            }
            schemes.add(backend.scheme());
        }
        throw new IllegalArgumentException(
                "'" + uri + "': nothing here opens '" + uri.scheme() + "' devices; there is " + schemes);
    }

    private static ServiceLoader<Backend> backends() {
        // The layer finds modules that nobody requires; on the class path there is none.
        ModuleLayer layer = Device.class.getModule().getLayer();
        return layer == null ? ServiceLoader.load(Backend.class) : ServiceLoader.load(layer, Backend.class);
    }

    /** Its name as it was opened. */
    String name();

    /** Which way the data takes, for people: {@code software controller, user-space queue pairs, null media}. */
    String path();

    /** What that way can do, and how data goes on it. */
    Capabilities capabilities();

    /** Its shape. */
    Geometry geometry();

    /**
     * Allocates zeroed memory that the device reads and writes without a copy.
     *
     * @param bytes at least 1; rounded up to whole pages of 4096 bytes
     * @throws IOException if there is not that much
     */
    Buffer allocate(long bytes) throws IOException;

    /**
     * Lets the device reach another device's memory, a GPU's for example, so that data goes there without a copy through the
     * host's.
     *
     * @param memory stays the caller's: it is freed after the buffer is closed
     * @return a buffer whose {@link Buffer#segment()} has no bytes, as no processor reaches them
     * @throws UnsupportedOperationException if this way leads to no such memory; the message is one sentence for people
     * @throws IOException if the system refuses
     */
    default Buffer map(PeerMemory memory) throws IOException {
        throw new UnsupportedOperationException(name() + " reaches no memory of other devices: its data goes through "
                + path() + "; next: a controller on the bus (pci:) or in this process (emu:)");
    }

    /**
     * Opens a queue, owned from then on by the thread that first uses it.
     *
     * @param depth the most commands outstanding, 1 to {@link Geometry#maxQueueDepth()}
     * @throws IOException if the device refuses, or has no queue left
     */
    Queue openQueue(int depth) throws IOException;

    /**
     * Reads logical blocks and waits.
     *
     * @param lba the first logical block
     * @param buffer where they go
     * @param offset into the buffer, in bytes, a multiple of 4
     * @param bytes how much, a multiple of the logical block size; any length, in as many commands as it needs
     * @throws IOException if the device reports an error, or does not answer in time
     */
    void read(long lba, Buffer buffer, long offset, long bytes) throws IOException;

    /** Fills all of the buffer with the logical blocks from {@code lba} on. */
    default void read(long lba, Buffer buffer) throws IOException {
        read(lba, buffer, 0, buffer.size());
    }

    /**
     * Writes logical blocks and waits until the device has taken them; {@link #flush()} makes them durable.
     *
     * @param lba the first logical block
     * @param buffer what is written
     * @param offset into the buffer, in bytes, a multiple of 4
     * @param bytes how much, a multiple of the logical block size; any length, in as many commands as it needs
     * @throws IOException if the device reports an error, or does not answer in time
     */
    void write(long lba, Buffer buffer, long offset, long bytes) throws IOException;

    /** Writes all of the buffer to the logical blocks from {@code lba} on. */
    default void write(long lba, Buffer buffer) throws IOException {
        write(lba, buffer, 0, buffer.size());
    }

    /** Waits until what was written before is durable. */
    void flush() throws IOException;

    /**
     * Single NVMe commands to the device, of any kind: what command sets are built on. There is one, closed with the device.
     * Where queues are the driver's own, its first I/O command takes one of those that {@link Geometry#maxQueues()} counts.
     *
     * @throws UnsupportedOperationException if no NVMe controller is behind it; the message is one sentence for people
     */
    default Passthrough passthrough() {
        throw new UnsupportedOperationException(
                name() + " takes no NVMe commands: it is reached through " + path() + ", not as an NVMe controller");
    }

    /** Closes the device in order. Closing again does nothing. */
    @Override
    void close() throws IOException;
}
