package io.aisio.xnvme.spi;

import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The commands of synchronous calls, one call after the other, on a queue that they have for themselves. */
final class SyncCommands implements AutoCloseable {
    private final NvmeQueue bare;
    private final RetryingQueue queue;
    private final int[] slots = new int[1];
    private final long[] lbas = new long[1];
    private final int[] completed = new int[1];
    private int unused;
    private @Nullable IOException failure;

    SyncCommands(NvmeQueue queue) {
        bare = queue;
        // Once one has failed for good, so has the call: the others need no further try.
        this.queue = new RetryingQueue(
                queue,
                RetryingQueue.DEADLINE,
                () -> failure == null && !Thread.currentThread().isInterrupted());
    }

    /** Begins a call. */
    void begin() {
        unused = 0;
        failure = null;
    }

    /** Where commands are bound to slots. */
    NvmeQueue queue() {
        return bare;
    }

    /** A slot with nothing in flight, waiting for one if there is none; negative if a command has failed for good. */
    int freeSlot() throws IOException {
        if (unused < queue.depth()) {
            return unused++;
        }
        int slot = -1;
        while (slot < 0 && failure == null && queue.outstanding() > 0) {
            slot = take();
        }
        return failure == null ? slot : -1;
    }

    /** Submits a slot's command. */
    void start(int slot, long lba) throws IOException {
        slots[0] = slot;
        lbas[0] = lba;
        queue.submit(slots, lbas, 1);
    }

    /**
     * Waits until nothing is in flight.
     *
     * @throws IOException if a command has failed for good, the first that did
     */
    void finish() throws IOException {
        while (queue.outstanding() > 0) {
            int ignored = take();
        }
        if (failure != null) {
            throw failure;
        }
    }

    /**
     * Ends a call: the next may be another thread's.
     *
     * @return whether there can be one; if what is in flight is no longer told of, this is to be closed
     */
    boolean end() {
        if (queue.outstanding() > 0) {
            return false;
        }
        queue.handOver();
        return true;
    }

    @Override
    public void close() throws IOException {
        queue.close();
    }

    /** Takes one command; its slot, or a negative number if it failed. */
    private int take() throws IOException {
        queue.await(completed);
        if (completed[0] >= 0) {
            return completed[0];
        }
        if (failure == null) {
            failure = queue.failure(~completed[0]);
        }
        return -1;
    }
}
