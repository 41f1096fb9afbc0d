package io.aisio.nvme;

import io.aisio.nvme.spec.Registers;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A submission queue and its completion queue whose rings are elsewhere, and that somebody else drives, such as a GPU: it
 * writes entries, rings the doorbells and takes completions. This side creates the queues and deletes them.
 *
 * <p>Nobody watches the commands: who drives the queues has deadlines of his own. A reset of the controller takes the queues
 * for good ({@link #isLost()}); they are not created anew, as nobody here knows what was in flight.
 */
public final class LentQueuePair implements AutoCloseable {
    private final NvmeController controller;
    private final int qid;
    private final int entries;
    private final int doorbellStride;
    private final long submissionQueue;
    private final long completionQueue;
    /** The controller's epoch in which the queues were created: another one now means that they are gone. */
    private final int epoch;

    private boolean closed;

    LentQueuePair(
            NvmeController controller,
            int epoch,
            int qid,
            int entries,
            int doorbellStride,
            long submissionQueue,
            long completionQueue) {
        this.controller = controller;
        this.epoch = epoch;
        this.qid = qid;
        this.entries = entries;
        this.doorbellStride = doorbellStride;
        this.submissionQueue = submissionQueue;
        this.completionQueue = completionQueue;
    }

    /** The queue identifier, the same for both queues. */
    public int qid() {
        return qid;
    }

    /** Entries of each queue: one more than commands that can be in flight. */
    public int entries() {
        return entries;
    }

    /** Where the device finds the submission queue. */
    public long submissionQueue() {
        return submissionQueue;
    }

    /** Where the device finds the completion queue. */
    public long completionQueue() {
        return completionQueue;
    }

    /** Where in BAR 0 the submission queue's tail doorbell is, in bytes. */
    public long tailDoorbell() {
        return Registers.sqTailDoorbell(qid, doorbellStride);
    }

    /** Where in BAR 0 the completion queue's head doorbell is, in bytes. */
    public long headDoorbell() {
        return Registers.cqHeadDoorbell(qid, doorbellStride);
    }

    /**
     * Whether the queues are gone, with what was in flight: the controller was reset, or has failed. It leaves their memory
     * and the commands' alone from then on, unless {@link #mayStillAccessMemory()}.
     */
    public boolean isLost() {
        return controller.recovery().epoch != epoch;
    }

    /** Why the queues are gone; null while they are there. */
    public @Nullable NvmeException loss() {
        if (!isLost()) {
            return null;
        }
        NvmeException failure = controller.failure();
        return failure == null ? controller.lastReset() : failure;
    }

    /**
     * Looks at the controller's status, so that one that reports a fatal error or is gone is reset or fails at once, rather
     * than within a tenth of a second by itself: for who waits for a completion that is late.
     */
    public void look() {
        if (!isLost()) {
            controller.recovery().look(epoch);
        }
    }

    /** Whether the controller failed and could not be stopped: memory that it knows must not be freed or used again. */
    public boolean mayStillAccessMemory() {
        return controller.mayStillAccessMemory();
    }

    /**
     * Deletes both queues, so that the controller gives up what is in flight; their memory may be freed then. Whoever drives
     * them has stopped before: a doorbell of no queue is an error. Closing again does nothing.
     *
     * @throws NvmeException if the controller did not delete them; it is reset then
     */
    @Override
    public synchronized void close() throws IOException {
        if (!closed) {
            closed = true;
            controller.delete(this);
        }
    }

    int epoch() {
        return epoch;
    }
}
