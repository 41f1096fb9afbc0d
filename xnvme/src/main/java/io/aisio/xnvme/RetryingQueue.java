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
 * on unless told otherwise. While it waits to be tried again, its slot is in flight. For a thread that is interrupted nothing
 * is tried again, unless told otherwise: the command fails with what was told of it last.
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

    // Slots that are to be told of, as poll does. All that the queue tells is taken at once, however little the caller
    // takes: what a reset has ended must have ended as a whole before the first of it can be tried again.
    private final int[] told;
    private int toldFirst;
    private int toldEnd;

    /** Whether a slot is in flight to the caller, though not to the queue: it waits, or is to be told of. */
    private final boolean[] held;

    private final int[] oneSlot = new int[1];
    private final long[] oneLba = new long[1];

    /** @param queue becomes this one's: it is closed with it, and nobody else uses it */
    public RetryingQueue(Queue queue) {
        this(queue, DEADLINE, () -> !Thread.currentThread().isInterrupted());
    }

    /**
     * The same, for commands that may not be wanted any more.
     *
     * @param deadline how long after its first submission a command is submitted at most
     * @param goesOn whether what failed is still to be tried again; asked then, and while it waits. An interruption ends
     *     that only if this says so
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
        told = new int[depth];
        held = new boolean[depth];
    }

    @Override
    public int depth() {
        return queue.depth();
    }

    @Override
    public int outstanding() {
        return queue.outstanding() + waitingCount + (toldEnd - toldFirst);
    }

    @Override
    public void bindRead(int slot, Buffer buffer, long offset, int bytes) {
        requireNotHeld(slot);
        queue.bindRead(slot, buffer, offset, bytes);
    }

    @Override
    public void bindWrite(int slot, Buffer buffer, long offset, int bytes) {
        requireNotHeld(slot);
        queue.bindWrite(slot, buffer, offset, bytes);
    }

    /** What does not exist at all is refused by the queue itself. */
    private boolean isHeld(int slot) {
        return slot >= 0 && slot < held.length && held[slot];
    }

    private void requireNotHeld(int slot) {
        if (isHeld(slot)) {
            throw new IllegalStateException(
                    "slot " + slot + " is in flight: it is to be tried again, or was not polled yet");
        }
    }

    @Override
    public void submit(int[] slots, long[] lbas, int n) throws IOException {
        if (waitingCount > 0 || hasToTell()) {
            for (int i = 0; i < n; i++) {
                requireNotHeld(slots[i]);
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

    private boolean hasToTell() {
        return toldFirst != toldEnd;
    }

    @Override
    public int poll(int[] completed) {
        if (!hasToTell()) {
            settle(queue.poll(told));
        }
        return tell(completed);
    }

    /** Keeps of the {@code n} commands that the queue told all but what is to be tried again. */
    private void settle(int n) {
        int kept = 0;
        for (int i = 0; i < n; i++) {
            int slot = told[i];
            held[slot < 0 ? ~slot : slot] = true;
            if (slot >= 0 || failedForGood(~slot)) {
                told[kept++] = slot;
            }
        }
        toldFirst = 0;
        toldEnd = kept;
        if (waitingCount > 0) {
            tryAgain();
        }
    }

    private int tell(int[] completed) {
        int n = Math.min(completed.length, toldEnd - toldFirst);
        for (int i = 0; i < n; i++) {
            int slot = told[toldFirst++];
            held[slot < 0 ? ~slot : slot] = false;
            completed[i] = slot;
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
        boolean patient = goesOn.getAsBoolean();
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
                held[slot] = false;
            } catch (IOException e) {
                lose(slot, e);
            } catch (RuntimeException e) {
                // It has to be told, as nobody else has the slot now: its buffer was closed, for example.
                lose(slot, new IOException("slot %d could not be tried again: %s".formatted(slot, e.getMessage()), e));
            }
        }
    }

    private void lose(int slot, IOException why) {
        fail(slot, why);
        told[toldEnd++] = ~slot;
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
        if (!hasToTell()) {
            settle(queue.poll(told));
        }
        for (int looks = 0; !hasToTell() && outstanding() > 0; looks++) {
            if (waitingCount == 0) {
                settle(queue.await(told, Math.min(wanted, completed.length)));
            } else {
                pause(looks);
                settle(queue.poll(told));
            }
        }
        return tell(completed);
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
        requireNotHeld(slot);
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
        toldFirst = toldEnd;
        queue.close();
    }
}
