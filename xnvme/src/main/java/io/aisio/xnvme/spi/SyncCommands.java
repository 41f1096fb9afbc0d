package io.aisio.xnvme.spi;

import io.aisio.nvme.NvmeException;
import java.io.IOException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The commands of one synchronous call, on a queue that it has for itself. What fails and may be tried again
 * ({@link NvmeException#retryable()}) is, a few times.
 */
final class SyncCommands {
    /** How often a command is submitted at most: a reset, and whatever else a device does once, is survived. */
    private static final int TRIES = 4;

    private final NvmeQueue queue;
    private final long[] lbas;
    private final int[] tries;
    private final int[] slots = new int[1];
    private final long[] submitted = new long[1];
    private final int[] completed = new int[1];
    private int unused;
    private @Nullable IOException failure;

    SyncCommands(NvmeQueue queue) {
        this.queue = queue;
        lbas = new long[queue.depth()];
        tries = new int[queue.depth()];
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
        lbas[slot] = lba;
        tries[slot] = 0;
        submit(slot);
    }

    private void submit(int slot) throws IOException {
        tries[slot]++;
        slots[0] = slot;
        submitted[0] = lbas[slot];
        queue.submit(slots, submitted, 1);
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

    /** Takes one command; its slot, or a negative number if it failed. */
    private int take() throws IOException {
        queue.await(completed);
        if (completed[0] >= 0) {
            return completed[0];
        }
        int slot = ~completed[0];
        IOException why = queue.failure(slot);
        if (failure != null) {
            return -1;
        }
        if (why instanceof NvmeException told && told.retryable() && tries[slot] < TRIES) {
            LockSupport.parkNanos(told.retryDelay().toNanos());
            try {
                submit(slot);
                return -1;
            } catch (IOException e) {
                e.addSuppressed(why);
                why = e;
            }
        }
        failure = why;
        return -1;
    }
}
