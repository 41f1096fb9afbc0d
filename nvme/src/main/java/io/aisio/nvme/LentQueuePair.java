package io.aisio.nvme;

import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.DoorbellPages;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A submission queue and its completion queue whose rings are elsewhere, and that somebody else drives, such as a GPU or
 * another process: it writes entries, rings the doorbells and takes completions. This side creates the queues and deletes
 * them.
 *
 * <p>Nobody watches the commands: who drives the queues has deadlines of his own. A reset of the controller takes the queues
 * ({@link #isLost()}). They are not created anew by themselves, as nobody here knows what was in flight: who drives them has
 * that done, once he has given it up ({@link #recreate}).
 *
 * <p>Any thread may call it.
 */
public final class LentQueuePair implements ForeignQueues {
    private final NvmeController controller;
    private final int qid;
    private final int entries;
    private final int doorbellStride;
    private final long submissionQueue;
    private final long completionQueue;
    /** The controller's epoch in which the queues were created: another one now means that they are gone. */
    private volatile int epoch;

    /** The controller's epoch in which {@link #stop} deleted them, if they are deleted. */
    private volatile int stoppedIn;

    /** Held by who changes the queues, which may take as long as the controller lets him wait. */
    private final ReentrantLock changing = new ReentrantLock();

    private boolean closed;
    /** Whether {@link #close} has told the controller to delete the queues. */
    private boolean deleted;
    /** Whether the identifier is given back, so that it may be another pair's. */
    private boolean ended;
    /** The last Abort that was asked for. */
    private QueueHost.@Nullable Abort asked;

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
    @Override
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
    @Override
    public boolean isLost() {
        return controller.recovery().epoch() != epoch;
    }

    /** Why the queues are gone; null while they are there, or if nothing took them but {@link #stop}. */
    @Override
    public @Nullable NvmeException loss() {
        int of = epoch;
        int now = controller.recovery().epoch();
        if (now == of) {
            return null;
        }
        NvmeException failure = controller.failure();
        if (failure != null) {
            return failure;
        }
        return of == Recovery.NEVER && now == stoppedIn ? null : controller.lastReset();
    }

    /**
     * Looks at the controller's status, so that one that reports a fatal error or is gone is reset or fails at once, rather
     * than within a tenth of a second by itself: for who waits for a completion that is late. What has come for the admin queue
     * is taken in too, so that an {@link #abort} is answered.
     */
    @Override
    public void look() {
        int of = epoch;
        if (!isLost()) {
            controller.recovery().look(of);
            controller.admin().poll();
        }
    }

    /** Whether the controller failed and could not be stopped: memory that it knows must not be freed or used again. */
    @Override
    public boolean mayStillAccessMemory() {
        return controller.mayStillAccessMemory();
    }

    /**
     * Asks the controller to abort a command, without waiting. Its completion comes all the same, into the ring.
     *
     * @param cid its identifier, 0 to 65535; one that is not in flight is not aborted, which is no error
     * @return the request; null if none can be made now: one goes at a time for the whole controller and one for this pair, and
     *     none to queues that are gone, or are being deleted, created or closed
     */
    public QueueHost.@Nullable Abort abort(int cid) {
        if (cid < 0 || cid > 0xFFFF) {
            throw new IllegalArgumentException(controller.name() + ": CID " + cid);
        }
        // Not waited for: who has it may wait for the controller. Closed, the identifier may be another pair's.
        if (!changing.tryLock()) {
            return null;
        }
        try {
            if (closed || isLost() || (asked != null && !asked.isDone())) {
                return null;
            }
            asked = controller.admin().abort(qid, cid);
            return asked;
        } finally {
            changing.unlock();
        }
    }

    /**
     * Where the user of this pair, another process for example, maps its doorbells.
     *
     * @throws IllegalStateException if this is closed: they may be another pair's
     * @throws UnsupportedOperationException if no other process can map them; the message is one sentence with the next step
     * @throws IOException if the system refuses
     */
    public DoorbellPages doorbellPages() throws IOException {
        changing.lock();
        try {
            requireOpen();
            return controller.doorbellPagesOf(this);
        } finally {
            changing.unlock();
        }
    }

    /**
     * Deletes both queues for now, so that the controller gives up what is in flight and leaves its memory alone. The identifier
     * stays taken. Does nothing to queues that are gone.
     *
     * @throws IllegalStateException if this is closed
     * @throws NvmeException if the controller does neither delete them nor let itself be reset
     */
    public void stop() throws NvmeException {
        changing.lock();
        try {
            requireOpen();
            stopQueues();
        } finally {
            changing.unlock();
        }
    }

    private void stopQueues() throws NvmeException {
        int before = epoch;
        if (isLost()) {
            return;
        }
        try {
            controller.deleteQueues(before, qid);
            stoppedIn = before;
            epoch = Recovery.NEVER;
        } catch (NvmeException e) {
            if (!isLost()) {
                controller.recovery().reset(before, e);
            }
            if (!isLost()) {
                throw e;
            }
        }
    }

    /**
     * Creates both queues anew, in the same memory, with the same identifier: after a loss, after {@link #stop}, or instead of
     * those that are there. Who drives them has given up what was in flight, and has zeroed both rings, before he asks for it;
     * nobody checks that here, and what is left in them he will take for completions.
     *
     * @throws IllegalStateException if this is closed
     * @throws NvmeException if the controller has failed, or refuses
     */
    public void recreate() throws NvmeException {
        changing.lock();
        try {
            requireOpen();
            stopQueues();
            epoch = controller.createLentQueues(qid, entries, submissionQueue, completionQueue);
        } finally {
            changing.unlock();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(controller.name() + ": queue " + qid + " is closed");
        }
    }

    /**
     * Deletes both queues, so that the controller gives up what is in flight; their memory may be freed then. Whoever drives
     * them has stopped before: a doorbell of no queue is an error. Closing again does nothing, unless the doorbells could not be
     * taken back from who drove them: that is tried again.
     *
     * @throws NvmeException if the controller did not delete them; it is reset then
     * @throws IOException if the doorbells cannot be taken back; the identifier stays taken until they are
     */
    @Override
    public void close() throws IOException {
        changing.lock();
        try {
            closed = true;
            if (!ended) {
                end();
            }
        } finally {
            changing.unlock();
        }
    }

    private void end() throws IOException {
        try {
            if (!deleted) {
                deleted = true;
                controller.endQueues(epoch, qid);
            }
        } finally {
            controller.takeBack(this);
            ended = true;
        }
    }
}
