package io.aisio.fil;

import io.aisio.xal.Entry;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads whole files by their extents, as many at once as its buffer holds, through one queue.
 *
 * <p>Each file is cut into commands no larger than the device transfers, and the queue is kept full across files. What the
 * file system says is a hole or unwritten gives zeros and costs no command. A read that fails is tried again if it may succeed then ({@link
 * RetryingQueue}): a reset of the controller, for example, is survived. One thread uses a reader.
 */
public final class ExtentReader implements AutoCloseable {
    /** A page of the devices that there are, in bytes. */
    private static final int PAGE = 4096;

    /** How much more than its size a file takes of the buffer at most, in bytes: it is rounded up to pages and blocks. */
    public static final int ROUNDING = 1 << 16;

    private final Device device;
    private final Xal xal;
    private final Queue queue;
    private final Buffer buffer;

    private final int[] freeSlots;
    private int free;
    private final int[] slots;
    private final long[] lbas;
    private final int[] completed;
    /** What each slot in flight reads, for messages. */
    private final String[] readBySlot;

    /** Commands in {@link #slots} that the device was not told yet. */
    private int pending;

    private long commands;

    /** Why the queue tells no more of its commands, null as long as it does. */
    private @Nullable IOException lost;

    /** Takes files that were read. */
    @FunctionalInterface
    public interface Sink {
        /**
         * Takes one file.
         *
         * @param file which
         * @param content exactly its bytes; valid until this returns
         * @throws IOException to end the reading
         */
        void accept(Entry file, MemorySegment content) throws IOException;
    }

    private ExtentReader(Device device, Xal xal, Queue queue, Buffer buffer) {
        this.device = device;
        this.xal = xal;
        this.queue = queue;
        this.buffer = buffer;
        int depth = queue.depth();
        freeSlots = new int[depth];
        slots = new int[depth];
        lbas = new long[depth];
        completed = new int[depth];
        readBySlot = new String[depth];
        for (int slot = 0; slot < depth; slot++) {
            freeSlots[free++] = slot;
        }
    }

    /**
     * Opens a queue and a buffer on a device. The device and the file system stay the caller's, to be closed after this.
     *
     * @param device where the file system lies, from its first block on
     * @param xal the file system
     * @param depth commands in flight, at most the device's {@link Geometry#maxQueueDepth()}
     * @param bufferBytes for file contents; no single file can be larger
     * @throws IOException if the device refuses the queue, or there is no memory
     */
    public static ExtentReader open(Device device, Xal xal, int depth, long bufferBytes) throws IOException {
        Queue queue = new RetryingQueue(device.openQueue(depth));
        try {
            return new ExtentReader(device, xal, queue, device.allocate(bufferBytes));
        } catch (IOException | RuntimeException e) {
            queue.close();
            throw e;
        }
    }

    /** How many reads were submitted so far; one that is tried again counts once. */
    public long commands() {
        return commands;
    }

    /**
     * Reads files and hands each over, in the order given.
     *
     * @throws IllegalArgumentException if one is larger than the buffer, or no regular file
     * @throws IOException naming file and device, if one cannot be read; those handed over before are good. Also if the
     *     device has stopped to tell what became of its commands, from then on
     */
    public void read(List<Entry> files, Sink sink) throws IOException {
        IOException gone = lost;
        if (gone != null) {
            throw new IOException(device.name() + ": its queue was given up: " + gone.getMessage(), gone);
        }
        for (int from = 0; from < files.size(); ) {
            int to = from;
            long used = 0;
            while (to < files.size() && fits(files.get(to), used)) {
                used += room(files.get(to++));
            }
            if (to == from) {
                Entry file = files.get(from);
                throw new IllegalArgumentException("%s has %d bytes, more than the buffer of %d"
                        .formatted(file.path(), file.inode().size(), buffer.size()));
            }
            List<Entry> batch = files.subList(from, to);
            try {
                submitAll(batch);
                ring();
            } finally {
                // Even after an error: nothing may be in flight into the buffer when this returns.
                withdraw();
                drain();
            }
            handOver(batch, sink);
            from = to;
        }
    }

    /** Asked of the size first: the room of a size that only a damaged inode has overflows. */
    private boolean fits(Entry file, long used) {
        return file.inode().size() <= buffer.size() && room(file) <= buffer.size() - used;
    }

    /** What a file takes of the buffer: whole pages, so that none is shared, and whole blocks, as the device reads them. */
    private long room(Entry file) {
        long unit = Math.max(PAGE, device.geometry().lbaBytes());
        return (file.inode().size() + unit - 1) & -unit;
    }

    private void submitAll(List<Entry> batch) throws IOException {
        long at = 0;
        for (Entry file : batch) {
            for (Piece piece : xal.pieces(file)) {
                switch (piece.kind()) {
                    case DATA -> submit(file, piece, at + piece.offset());
                    case HOLE, UNWRITTEN ->
                        buffer.segment()
                                .asSlice(at + piece.offset(), piece.length())
                                .fill((byte) 0);
                    case ELSEWHERE ->
                        throw new IOException("%s: the device does not hold %s as it is, from byte %d on"
                                .formatted(device.name(), file.path(), piece.offset()));
                }
            }
            at += room(file);
        }
    }

    private void submit(Entry file, Piece piece, long target) throws IOException {
        Geometry geometry = device.geometry();
        int lbaBytes = geometry.lbaBytes();
        // The last block of a file is read whole. Any other must end where a block of the device does: what is read
        // beyond it would overwrite the next piece.
        boolean last = piece.offset() + piece.length() == file.inode().size();
        if (piece.position() % lbaBytes != 0
                || piece.offset() % lbaBytes != 0
                || (!last && piece.length() % lbaBytes != 0)) {
            throw new IOException("%s: %s has %d bytes at byte %d, which are not whole logical blocks of %d bytes"
                    .formatted(device.name(), file.path(), piece.length(), piece.position(), lbaBytes));
        }
        long length = (piece.length() + lbaBytes - 1) / lbaBytes * lbaBytes;
        for (long done = 0; done < length; ) {
            int part = (int) Math.min(length - done, geometry.maxTransferBytes());
            while (free == 0) {
                ring();
                take(queue.await(completed));
            }
            int slot = freeSlots[free - 1];
            queue.bindRead(slot, buffer, target + done, part);
            free--;
            readBySlot[slot] = file.path();
            slots[pending] = slot;
            lbas[pending++] = (piece.position() + done) / lbaBytes;
            done += part;
        }
    }

    private void ring() throws IOException {
        queue.submit(slots, lbas, pending);
        commands += pending;
        pending = 0;
    }

    /** Forgets commands that the device was not told, after an error. */
    private void withdraw() {
        while (pending > 0) {
            freeSlots[free++] = slots[--pending];
        }
    }

    private void drain() throws IOException {
        IOException first = null;
        while (queue.outstanding() > 0) {
            int n;
            try {
                n = queue.await(completed);
            } catch (IOException e) {
                giveUp(e);
                throw e;
            }
            try {
                take(n);
            } catch (IOException e) {
                first = first == null ? e : first;
            }
        }
        if (first != null) {
            throw first;
        }
    }

    /** Closes the queue, after which nothing is in flight either. */
    private void giveUp(IOException why) {
        lost = why;
        try {
            queue.close();
        } catch (IOException e) {
            why.addSuppressed(e);
        }
    }

    private void take(int n) throws IOException {
        IOException failure = null;
        for (int i = 0; i < n; i++) {
            int slot = completed[i] < 0 ? ~completed[i] : completed[i];
            freeSlots[free++] = slot;
            if (completed[i] < 0 && failure == null) {
                failure = new IOException(readBySlot[slot] + " could not be read", queue.failure(slot));
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private void handOver(List<Entry> batch, Sink sink) throws IOException {
        long at = 0;
        for (Entry file : batch) {
            sink.accept(file, buffer.segment().asSlice(at, file.inode().size()).asReadOnly());
            at += room(file);
        }
    }

    /** Closes the queue and frees the buffer. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        try {
            queue.close();
        } finally {
            buffer.close();
        }
    }
}
