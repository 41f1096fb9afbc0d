package io.aisio.fil.nio;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.AsynchronousCloseException;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A queue and memory that the device reaches, for reads of any alignment: whole blocks go into the memory, and what was
 * asked for is copied out of it, once. {@link Lanes} lends it to one thread at a time.
 */
final class Lane implements AutoCloseable {
    /** Commands in flight at most. With the next: a megabyte, which keeps a fast device busy. */
    private static final int DEPTH = 8;
    /** What one command reads at most, in bytes. */
    private static final int PART = 128 << 10;

    private final Device device;
    /** Null where a queue would stay with one thread: the device's own reads, which any thread may call, do then. */
    private final @Nullable Queue queue;

    private final Buffer memory;
    private final int part;

    private final int[] freeSlots;
    private int free;
    private final int[] slots;
    private final long[] lbas;
    private final int[] completed;
    /** Commands in {@link #slots} that the device was not told yet. */
    private int pending;

    /** Of each slot in flight: where its bytes go, and from which byte of its blocks on. */
    private final @Nullable MemorySegment[] targets;

    private final int[] from;

    private @Nullable IOException failure;

    /** Whether who has it lent still wants the bytes. */
    private BooleanSupplier wanted = Lane::byNobody;

    private Lane(Device device, @Nullable Queue queue, Buffer memory, int depth, int part) {
        this.device = device;
        this.queue =
                queue == null ? null : new RetryingQueue(queue, RetryingQueue.DEADLINE, () -> wanted.getAsBoolean());
        this.memory = memory;
        this.part = part;
        freeSlots = new int[depth];
        for (int slot = depth; slot-- > 0; ) {
            freeSlots[free++] = slot;
        }
        slots = new int[depth];
        lbas = new long[depth];
        completed = new int[depth];
        targets = new MemorySegment[depth];
        from = new int[depth];
    }

    /**
     * Opens a queue and its memory.
     *
     * @throws IOException if the device has no queue left, or there is no memory
     */
    static Lane open(Device device) throws IOException {
        Geometry geometry = device.geometry();
        int depth = Math.min(DEPTH, geometry.maxQueueDepth());
        int part = Math.min(Math.max(PART, geometry.lbaBytes()), geometry.maxTransferBytes());
        Buffer memory = device.allocate((long) depth * part);
        try {
            return new Lane(device, openQueue(device, depth), memory, depth, part);
        } catch (Throwable e) {
            memory.close();
            throw e;
        }
    }

    /** A queue that may go from thread to thread, or null if the device has none. */
    private static @Nullable Queue openQueue(Device device, int depth) throws IOException {
        Queue queue = device.openQueue(depth);
        boolean movable = false;
        try {
            queue.handOver();
            movable = true;
            return queue;
        } catch (UnsupportedOperationException e) {
            return null;
        } finally {
            if (!movable) {
                queue.close();
            }
        }
    }

    private static boolean byNobody() {
        return false;
    }

    /**
     * Begins a loan.
     *
     * @param wanted whether what is read is still wanted, asked before each part of it
     */
    void lend(BooleanSupplier wanted) {
        this.wanted = wanted;
    }

    /**
     * Begins to read bytes of the device, of any alignment. They are there when {@link #finish} returns.
     *
     * @param position of the first, in bytes; all of them lie on the device
     * @param target any memory that can be written
     * @throws AsynchronousCloseException if they are not wanted any more
     */
    void read(long position, MemorySegment target) throws IOException {
        int lba = device.geometry().lbaBytes();
        for (long done = 0; done < target.byteSize() && failure == null; ) {
            if (!wanted.getAsBoolean()) {
                throw new AsynchronousCloseException();
            }
            long at = position + done;
            int skip = (int) (at % lba);
            int wanting = (int) Math.min(target.byteSize() - done, part - skip);
            int blocks = (skip + wanting + lba - 1) / lba * lba;
            if (queue == null) {
                device.read(at / lba, memory, 0, blocks);
                MemorySegment.copy(memory.segment(), skip, target, done, wanting);
            } else {
                while (free == 0) {
                    ring(queue);
                    take(queue);
                }
                int slot = freeSlots[free - 1];
                queue.bindRead(slot, memory, (long) slot * part, blocks);
                free--;
                targets[slot] = target.asSlice(done, wanting);
                from[slot] = skip;
                slots[pending] = slot;
                lbas[pending++] = at / lba;
            }
            done += wanting;
        }
    }

    /**
     * Waits for all reads that were begun.
     *
     * @throws IOException the first failure of one
     */
    void finish() throws IOException {
        if (queue != null) {
            ring(queue);
            while (queue.outstanding() > 0) {
                take(queue);
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private void ring(Queue queue) throws IOException {
        if (pending > 0) {
            queue.submit(slots, lbas, pending);
            pending = 0;
        }
    }

    private void take(Queue queue) throws IOException {
        int n = queue.await(completed);
        for (int i = 0; i < n; i++) {
            int slot = completed[i] < 0 ? ~completed[i] : completed[i];
            MemorySegment target = targets[slot];
            if (completed[i] < 0) {
                failure = failure == null ? queue.failure(slot) : failure;
            } else if (target != null) {
                MemorySegment.copy(memory.segment(), (long) slot * part + from[slot], target, 0, target.byteSize());
            }
            targets[slot] = null;
            freeSlots[free++] = slot;
        }
    }

    /**
     * Makes it ready for the next thread. What was not finished is waited for, and goes nowhere.
     *
     * @throws IOException if the device does not tell what became of it
     */
    void ready() throws IOException {
        wanted = Lane::byNobody;
        while (pending > 0) {
            freeSlots[free++] = slots[--pending];
        }
        Arrays.fill(targets, null);
        if (queue != null) {
            while (queue.outstanding() > 0) {
                take(queue);
            }
            queue.handOver();
        }
        failure = null;
    }

    @Override
    public void close() throws IOException {
        try {
            if (queue != null) {
                queue.close();
            }
        } finally {
            memory.close();
        }
    }
}
