package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * A ring of records that programs in the kernel fill and one thread here reads: {@code BPF_MAP_TYPE_RINGBUF}
 * (Documentation/bpf/ringbuf.rst).
 *
 * <pre>
 *   page 0, ours to write    page 1, read-only       the ring, read-only, twice in a row
 *   ┌───────────────────┐    ┌───────────────────┐   ┌──────────────────┬──────────────────┐
 *   │ consumer position │    │ producer position │   │ hdr rec │ hdr rec│ (the same again) │
 *   └───────────────────┘    └───────────────────┘   └──────────────────┴──────────────────┘
 * </pre>
 *
 * Positions only grow; a record that begins near the end goes on in the second copy. One thread reads and closes it.
 */
public final class BpfRing implements AutoCloseable {
    private static final int RINGBUF = 27;

    /** {@code linux/bpf.h}: in the length of a record that a program still writes, or has thrown away. */
    static final int BUSY = 1 << 31;

    static final int DISCARD = 1 << 30;
    /** BPF_RINGBUF_HDR_SZ: length and page of the record. Records begin on 8 bytes. */
    static final int HEADER_BYTES = 8;

    private static final VarHandle POSITION = JAVA_LONG.varHandle();
    private static final VarHandle LENGTH = JAVA_INT.varHandle();

    private final Arena arena = Arena.ofShared();
    private final MemorySegment consumer;
    /** The producer's page, and the ring twice. */
    private final MemorySegment filled;

    private final long size;
    private final int fd;
    private boolean closed;

    /** Takes records. */
    @FunctionalInterface
    public interface Sink {
        /**
         * Takes one.
         *
         * @param record its bytes, valid until this returns
         * @throws IOException whatever the taker cannot go on with; the record counts as read
         */
        void take(MemorySegment record) throws IOException;
    }

    /**
     * Makes an empty ring.
     *
     * @param name at most 15 letters, digits and underscores, by which tools show the map
     * @param bytes its size, a power of two and at least a page
     * @throws LinuxException if the kernel refuses ({@code EPERM}: root, or CAP_BPF, is needed; {@code EINVAL}: older
     *     than Linux 5.8)
     */
    public BpfRing(String name, int bytes) throws LinuxException {
        if (bytes < Mapping.PAGE_SIZE || Integer.bitCount(bytes) != 1) {
            throw new IllegalArgumentException("a ring of " + bytes + " bytes: no power of two of at least a page");
        }
        fd = Bpf.createMap(name, RINGBUF, 0, 0, bytes, 0);
        try {
            String subject = "the ring " + name;
            long rest = Mapping.PAGE_SIZE + 2L * bytes;
            consumer = Mapping.ofDescriptor(arena, fd, subject, 0, Mapping.PAGE_SIZE, true);
            filled = Mapping.ofDescriptor(arena, fd, subject, Mapping.PAGE_SIZE, rest, false);
            size = bytes;
        } catch (LinuxException e) {
            int _ = Libc.close(fd);
            arena.close();
            throw e;
        }
    }

    /**
     * A ring in memory of the caller's.
     *
     * @param consumer begins with the consumer's position
     * @param filled a page that begins with the producer's position, then the ring twice
     */
    BpfRing(MemorySegment consumer, MemorySegment filled) {
        this.consumer = consumer;
        this.filled = filled;
        size = (filled.byteSize() - Mapping.PAGE_SIZE) / 2;
        fd = -1;
    }

    /**
     * Reads the records that are there now, in the order in which programs reserved room for them, up to one that is
     * still being written.
     *
     * @return whether all were read that were there when it began
     * @throws IOException what the sink throws, or that the ring makes no sense: it is then not to be read again
     */
    public boolean read(Sink sink) throws IOException {
        long position = (long) POSITION.get(consumer, 0L);
        // Pairs with the kernel's release: the headers of all records before it are written.
        long end = (long) POSITION.getAcquire(filled, 0L);
        if (end - position < 0 || end - position > size) {
            throw new IOException("a ring of " + size + " bytes is filled from " + position + " to " + end);
        }
        while (position != end) {
            long at = Mapping.PAGE_SIZE + (position & (size - 1));
            // Pairs with the kernel's exchange at the record's end: its bytes are written.
            int header = (int) LENGTH.getAcquire(filled, at);
            if ((header & BUSY) != 0) {
                return false;
            }
            long length = header & ~DISCARD;
            long whole = (length + HEADER_BYTES + 7) & -8L;
            if (whole > end - position) {
                throw new IOException(
                        "a record of " + length + " bytes at " + position + " of a ring that is filled to " + end);
            }
            try {
                if ((header & DISCARD) == 0) {
                    sink.take(filled.asSlice(at + HEADER_BYTES, length));
                }
            } finally {
                position += whole;
                // Pairs with the kernel's acquire: it overwrites the record only when it was read.
                POSITION.setRelease(consumer, 0L, position);
            }
        }
        return true;
    }

    int descriptor() {
        return fd;
    }

    /** Gives it back; the kernel keeps it as long as a program uses it. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            int _ = Libc.close(fd);
            arena.close();
        }
    }
}
