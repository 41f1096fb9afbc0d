package io.aisio.xnvme;

import io.aisio.nvme.NvmeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A queue whose commands are submitted again when they fail and may succeed the next time ({@link
 * NvmeException#retryable()}): the controller was reset under them, or does not rule it out. What such a queue tells as
 * failed has failed for good. Each wait that the controller asks for ({@link NvmeException#retryDelay()}) is kept, while
 * the other commands go on.
 *
 * <p>A command is submitted {@value #TRIES} times at most, and not after a deadline, {@link #DEADLINE} from the first time
 * on unless told otherwise. While it waits to be tried again, its slot is in flight. A thread that is interrupted waits for
 * no further try: the command fails with what was told of it last.
 *
 * <p>It is for who reads, or writes what nobody else writes: a write whose outcome is not known is made again.
 */
public final class RetryingQueue implements Queue {
    /** How often a command is submitted at most: a reset, and whatever else a device does once, is survived. */
    public static final int TRIES = 4;

    /** How long after its first submission a command is submitted at most: twice what one I/O may take. */
    public static final Duration DEADLINE = Duration.ofSeconds(60);

    /** What a thread sleeps at most before it looks whether it is still to wait for the next try. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final Queue queue;
    private final long deadlineNanos;
    private final BooleanSupplier goesOn;

    // Of each slot's command: where it goes, when it was submitted first, by System.nanoTime, and how often since.
    private final long[] lbas;
    private final long[] begun;
    private final int[] tries;

    /** Why the command failed the first time, null if it has not. */
    private final @Nullable IOException[] first;
    /** Why it failed for good, null if it has not. */
    private final @Nullable IOException[] last;

    // Slots that wait to be tried again, and when they are, by System.nanoTime.
    private final int[] waiting;
    private final long[] due;
    private int waitingCount;
    private final boolean[] waits;

    /** Slots that failed for good while they waited, and were not told of. */
    private final int[] lost;

    private int lostCount;

    private final int[] oneSlot = new int[1];
    private final long[] oneLba = new long[1];

    /** @param queue becomes this one's: it is closed with it, and nobody else uses it */
    public RetryingQueue(Queue queue) {
        this(queue, DEADLINE, () -> true);
    }

    /**
     * The same, for commands that may not be wanted any more.
     *
     * @param deadline how long after its first submission a command is submitted at most
     * @param goesOn whether what failed is still to be tried again; asked then, and while it waits
     */
    public RetryingQueue(Queue queue, Duration deadline, BooleanSupplier goesOn) {
        this.queue = queue;
        deadlineNanos = deadline.toNanos();
        this.goesOn = goesOn;
        int depth = queue.depth();
        lbas = new long[depth];
        begun = new long[depth];
        tries = new int[depth];
        first = new IOException[depth];
        last = new IOException[depth];
        waiting = new int[depth];
        due = new long[depth];
        waits = new boolean[depth];
        lost = new int[depth];
    }

    @Override
    public int depth() {
        return queue.depth();
    }

    @Override
    public int outstanding() {
        return queue.outstanding() + waitingCount + lostCount;
    }

    @Override
    public void bindRead(int slot, Buffer buffer, long offset, int bytes) {
        requireNotWaiting(slot);
        queue.bindRead(slot, buffer, offset, bytes);
    }

    @Override
    public void bindWrite(int slot, Buffer buffer, long offset, int bytes) {
        requireNotWaiting(slot);
        queue.bindWrite(slot, buffer, offset, bytes);
    }

    /** What does not exist at all is refused by the queue itself. */
    private boolean isWaiting(int slot) {
        return slot >= 0 && slot < waits.length && waits[slot];
    }

    private void requireNotWaiting(int slot) {
        if (isWaiting(slot)) {
            throw new IllegalStateException("slot " + slot + " is in flight: it is to be tried again");
        }
    }

    @Override
    public void submit(int[] slots, long[] lbas, int n) throws IOException {
        if (waitingCount + lostCount > 0) {
            for (int i = 0; i < n; i++) {
                requireNotWaiting(slots[i]);
            }
        }
        queue.submit(slots, lbas, n);
        long now = System.nanoTime();
        for (int i = 0; i < n; i++) {
            int slot = slots[i];
            this.lbas[slot] = lbas[i];
            begun[slot] = now;
            tries[slot] = 1;
            first[slot] = null;
            last[slot] = null;
        }
    }

    @Override
    public int poll(int[] completed) {
        int told = tellLost(completed, 0);
        if (told > 0) {
            return told;
        }
        if (waitingCount > 0) {
            tryAgain();
        }
        return settle(completed, queue.poll(completed));
    }

    /** Of what the queue told, all but what is tried again. */
    private int settle(int[] completed, int n) {
        int kept = 0;
        for (int i = 0; i < n; i++) {
            if (completed[i] >= 0 || failedForGood(~completed[i])) {
                completed[kept++] = completed[i];
            }
        }
        if (waitingCount > 0) {
            tryAgain();
        }
        return tellLost(completed, kept);
    }

    private int tellLost(int[] completed, int told) {
        int n = told;
        while (lostCount > 0 && n < completed.length) {
            int slot = lost[--lostCount];
            waits[slot] = false;
            completed[n++] = ~slot;
        }
        return n;
    }

    /** A command has failed: it is to be tried again, or not. */
    private boolean failedForGood(int slot) {
        IOException why = queue.failure(slot);
        long now = System.nanoTime();
        if (why instanceof NvmeException told && told.retryable() && tries[slot] < TRIES && goesOn.getAsBoolean()) {
            long at = now + told.retryDelay().toNanos();
            if (at - begun[slot] <= deadlineNanos) {
                if (first[slot] == null) {
                    first[slot] = why;
                }
                waits[slot] = true;
                due[slot] = at;
                waiting[waitingCount++] = slot;
                return false;
            }
        }
        fail(slot, why);
        return true;
    }

    private void fail(int slot, IOException why) {
        IOException before = first[slot];
        if (before != null) {
            why.addSuppressed(before);
        }
        last[slot] = why;
    }

    /** Submits what has waited long enough. */
    private void tryAgain() {
        boolean patient = goesOn.getAsBoolean() && !Thread.currentThread().isInterrupted();
        long now = System.nanoTime();
        for (int i = waitingCount; i-- > 0; ) {
            int slot = waiting[i];
            if (due[slot] - now > 0 && patient) {
                continue;
            }
            waiting[i] = waiting[--waitingCount];
            if (due[slot] - now > 0) {
                if (tries[slot] == 1) {
                    first[slot] = null;
                }
                // Nothing was submitted since: the queue still knows why.
                lose(slot, queue.failure(slot));
                continue;
            }
            oneSlot[0] = slot;
            oneLba[0] = lbas[slot];
            try {
                queue.submit(oneSlot, oneLba, 1);
                tries[slot]++;
                waits[slot] = false;
            } catch (IOException e) {
                lose(slot, e);
            }
        }
    }

    private void lose(int slot, IOException why) {
        fail(slot, why);
        lost[lostCount++] = slot;
    }

    @Override
    public boolean sleeps() {
        return queue.sleeps();
    }

    @Override
    public int await(int[] completed) throws IOException {
        return await(completed, 1);
    }

    @Override
    public int await(int[] completed, int wanted) throws IOException {
        try {
            return awaitChecked(completed, wanted);
        } catch (UncheckedIOException e) {
            // A look cannot throw what a wait may.
            throw e.getCause();
        }
    }

    private int awaitChecked(int[] completed, int wanted) throws IOException {
        int n = poll(completed);
        for (int looks = 0; n == 0 && outstanding() > 0; looks++) {
            if (waitingCount == 0 && lostCount == 0) {
                n = settle(completed, queue.await(completed, wanted));
            } else {
                pause(looks);
                n = poll(completed);
            }
        }
        return n;
    }

    /** Waits a little, as short as a fast device wants it as long as there is something in flight to it. */
    private void pause(int looks) {
        if (queue.outstanding() > 0) {
            Backoff.pause(looks);
            return;
        }
        long now = System.nanoTime();
        long left = LOOK_NANOS;
        for (int i = 0; i < waitingCount; i++) {
            left = Math.min(left, due[waiting[i]] - now);
        }
        if (left > 0) {
            LockSupport.parkNanos(left);
        }
    }

    /**
     * {@inheritDoc} If the command was tried again, why it failed the first time is suppressed in it.
     */
    @Override
    public IOException failure(int slot) {
        requireNotWaiting(slot);
        IOException why = slot >= 0 && slot < last.length ? last[slot] : null;
        return why == null ? queue.failure(slot) : why;
    }

    @Override
    public void handOver() {
        queue.handOver();
    }

    @Override
    public void close() throws IOException {
        waitingCount = 0;
        lostCount = 0;
        queue.close();
    }
}
