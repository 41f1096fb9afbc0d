package io.aisio.nvme;

import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What is done about a controller that does not do what it should, from the mildest to the last.
 *
 * <pre>
 *   an I/O command is overdue ── Abort ──────────────────> it comes back
 *                                  │ nothing comes of it                       {@link Overdue}
 *                                  v
 *                                its queues are deleted ─> their owner creates them anew
 *                                  │ refused, or no answer
 *                                  v
 *   an admin command is overdue ── Abort ────────────────> it comes back       {@link AdminQueue}
 *                                  │ nothing comes of it
 *                                  v
 *   CSTS.CFS, RDY lost, ──> RESETTING: disabled, enabled, asked anew ────────> WORKING, in the next epoch
 *   a rule broken                  │ twice in vain
 *                                  v
 *   all ones, asked back ──> FAILED: disabled, or cut off memory, for good
 * </pre>
 *
 * A reset touches no queue pair but the admin queue's. It moves the <em>epoch</em> on, once the controller is disabled and
 * so leaves memory alone: the owner of each queue pair, which compares the epoch with its own at every batch, then takes
 * what was in flight for given up, and creates the queues anew when it next submits. Whoever sees trouble first resets;
 * what others saw of the same epoch is thereby done with.
 */
final class Recovery {
    /** No epoch: of queues that do not exist. */
    static final int NEVER = -1;
    /** Any epoch. */
    static final int ANY = -2;
    /** Resets that are tried before a controller is given up: one more, as one that was stuck may need two. */
    private static final int ATTEMPTS = 2;
    /** How long a wait for another thread's reset sleeps between two looks. */
    private static final long POLL_NANOS = 50_000;

    private final NvmeController controller;
    private final PciFunction function;
    private final ControllerRegisters registers;

    /** Held by whoever resets the controller or gives it up. */
    private final ReentrantLock lock = new ReentrantLock();

    /**
     * Moves on with each reset, and when the controller fails: what a queue pair was created in is gone then. The one thing
     * that the hot path reads.
     */
    private final QueueEpoch current = new QueueEpoch();

    private volatile @Nullable NvmeException failure;
    private volatile boolean mayStillAccessMemory;
    private volatile @Nullable Thread resetting;
    /** The device is asked back or gone: a reset that is under way must not start it again. */
    private volatile boolean removed;

    private volatile @Nullable NvmeException lastReset;
    private volatile int resets;
    /** Whether the controller has been let go: its registers may be gone any moment. Under {@link #lock}. */
    private boolean released;

    Recovery(NvmeController controller, PciFunction function, ControllerRegisters registers) {
        this.controller = controller;
        this.function = function;
        this.registers = registers;
    }

    /** What moves on. */
    QueueEpoch current() {
        return current;
    }

    /** The number as it is now. */
    int epoch() {
        return current.value;
    }

    /** Why the controller failed, or null. */
    @Nullable
    NvmeException failure() {
        return failure;
    }

    boolean hasFailed() {
        return failure != null;
    }

    /** Why it was last reset, or null if it never was. */
    @Nullable
    NvmeException lastReset() {
        return lastReset;
    }

    /** How many resets it came back from. */
    int resets() {
        return resets;
    }

    /** Whether it could not be stopped after it failed: memory that it knows must not be used again. */
    boolean mayStillAccessMemory() {
        return mayStillAccessMemory;
    }

    /** @throws NvmeException if the controller has failed, saying why */
    void requireWorking() throws NvmeException {
        NvmeException why = failure;
        if (why != null) {
            throw failed(why);
        }
    }

    static NvmeException failed(NvmeException why) {
        var e = new NvmeException(String.valueOf(why.getMessage()));
        e.initCause(why);
        return e;
    }

    /** Whether this thread is bringing the controller up: what goes wrong then is thrown, and ends the attempt. */
    boolean isMine() {
        return resetting == Thread.currentThread();
    }

    /** Whether another thread is bringing the controller up: nobody else may use the admin queue meanwhile. */
    boolean isAnothers() {
        Thread other = resetting;
        return other != null && other != Thread.currentThread();
    }

    /** Waits until no other thread is resetting the controller. A reset is bounded, and so is this. */
    void awaitSettled() {
        while (isAnothers()) {
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    /** @throws NvmeException if the device was asked back while it is being brought up */
    void requireNotRemoved() throws NvmeException {
        if (removed) {
            throw new NvmeException(controller.name() + ": the device was removed, or is asked back by the system");
        }
    }

    /**
     * Looks at the controller's status; resets one that reports a fatal error or is not ready any more, and fails one that is
     * gone.
     *
     * @param seen the epoch that the caller's commands are of
     */
    void look(int seen) {
        try {
            registers.requireAlive();
        } catch (NvmeException e) {
            if (!isAnothers()) {
                reset(seen, e);
            }
        }
    }

    /** @throws NvmeException if the controller reports a fatal error, is not ready, is gone, or is asked back */
    void requireAlive() throws NvmeException {
        requireNotRemoved();
        registers.requireAlive();
    }

    /** The first bring-up: as a reset's, but for one attempt, after which the controller has failed. */
    void bringUp(BringUp steps) throws IOException {
        lock.lock();
        try {
            resetting = Thread.currentThread();
            steps.run();
        } finally {
            resetting = null;
            lock.unlock();
        }
    }

    /** What brings a disabled controller up. */
    interface BringUp {
        void run() throws IOException;
    }

    /**
     * Resets the controller, unless that has been done since {@code seen}; returns once it works again or has failed for
     * good.
     */
    void reset(int seen, NvmeException why) {
        lock.lock();
        try {
            if (current.value != seen || failure != null || released) {
                return;
            }
            resetting = Thread.currentThread();
            for (int attempt = 1; !tryReset(why, attempt == 1); attempt++) {
                if (attempt == ATTEMPTS || removed || registers.areGone()) {
                    failNow(why);
                    return;
                }
            }
        } finally {
            resetting = null;
            lock.unlock();
        }
    }

    private boolean tryReset(NvmeException why, boolean first) {
        try {
            requireNotRemoved();
            registers.stop();
            // Here the controller is quiet: whatever it had of the host's memory may be used again.
            lastReset = why;
            if (first) {
                current.moveOn();
            }
            controller.admin().giveUp(why);
            controller.bringUp();
            int before = resets;
            resets = before + 1;
            controller.tell(new ControllerEvent.WasReset(String.valueOf(why.getMessage())));
            return true;
        } catch (IOException e) {
            why.addSuppressed(e);
            return false;
        }
    }

    /** Gives the controller up: disables it, so that it leaves memory alone, and lets every call say why. */
    void fail(NvmeException why) {
        lock.lock();
        try {
            if (failure == null) {
                failNow(why);
            }
        } finally {
            lock.unlock();
        }
    }

    private void failNow(NvmeException why) {
        try {
            registers.stop();
        } catch (NvmeException stubborn) {
            why.addSuppressed(stubborn);
            // All ones alone may be a device that is there and does not answer. One that is gone reaches no memory.
            mayStillAccessMemory = !cutOff(why) && !registers.areGone();
        }
        failure = why;
        // After the failure: who sees the epoch moved finds out why.
        current.moveOn();
        controller.admin().giveUp(why);
        controller.tell(new ControllerEvent.Failed(String.valueOf(why.getMessage())));
    }

    /** Keeps a controller that cannot be disabled from memory by other means; whether that worked. */
    private boolean cutOff(NvmeException why) {
        try {
            function.stopDma();
            return true;
        } catch (IOException | UnsupportedOperationException e) {
            why.addSuppressed(e);
            return false;
        }
    }

    /** The device is asked back or gone: whoever waits for a command learns of it now, not at the command's deadline. */
    void removed() {
        removed = true;
        lock.lock();
        try {
            if (!released && failure == null) {
                failNow(new NvmeException(
                        controller.name() + ": the device was removed, or is asked back by the system"));
            }
        } finally {
            lock.unlock();
        }
    }

    /** The controller is let go: from here on nothing is done about it but {@link #fail}. */
    void release() {
        lock.lock();
        try {
            released = true;
        } finally {
            lock.unlock();
        }
    }
}
