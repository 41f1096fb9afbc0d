package io.aisio.nvme;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which of a queue pair's commands are overdue, and what has been tried about it: first each is aborted; where something is
 * still overdue after a while, the queues are to be deleted. A command that was aborted stays in flight until its completion
 * comes or its queue is gone, so that its memory is not used again before. Belongs to the queue pair's owner.
 */
final class Overdue {
    /** What the owner has to do. */
    enum Step {
        /** Nothing, or to wait. */
        NONE,
        /** To delete the queues. */
        DELETE
    }

    /**
     * Looks that must have seen a command before it is overdue: a slot's generations come round again, and after an idle
     * time another command of the same CID could pass for one that was seen long ago. Not at every look, though.
     */
    private static final int LOOKS_AT_LEAST = 32;
    /** The longest time between two looks. */
    static final long MAX_LOOK_NANOS = 100_000_000;
    /** How long commands have to come back once they were aborted, at most; less where they had less time before. */
    private static final long MAX_GRACE_NANOS = 5_000_000_000L;

    private final long timeoutNanos;
    private final long interval;
    private final QueueHost host;
    private final long[] seenToken;
    private final long[] seenAt;
    private final int[] seenTimes;
    /** The token that each slot's Abort was sent for; 0 for none. */
    private final long[] abortedToken;

    private long lookedAt = System.nanoTime();
    private long since;
    private boolean anyOverdue;
    private int first;
    private QueueHost.@Nullable Abort abort;
    private int abortedSlot;

    Overdue(int slots, long timeoutNanos, QueueHost host) {
        this.timeoutNanos = timeoutNanos;
        this.host = host;
        interval = Math.min(timeoutNanos / LOOKS_AT_LEAST, MAX_LOOK_NANOS);
        seenToken = new long[slots];
        seenAt = new long[slots];
        seenTimes = new int[slots];
        abortedToken = new long[slots];
    }

    /** Whether it is time to look; if so, the next time is counted from now. */
    boolean isTime(long now) {
        if (now - lookedAt < interval) {
            return false;
        }
        lookedAt = now;
        return true;
    }

    /** How long a command may take, in milliseconds. */
    long millis() {
        return timeoutNanos / 1_000_000;
    }

    /** The first slot that was overdue at the last look. */
    int first() {
        return first;
    }

    /** Forgets what was tried: the queues are new. */
    void startAnew() {
        Arrays.fill(seenToken, 0);
        anyOverdue = false;
        abort = null;
    }

    /**
     * Looks at what is in flight.
     *
     * @param token of each slot, negative if it is not in flight
     */
    Step look(long now, long[] token) {
        boolean any = false;
        boolean vain = false;
        for (int slot = 0; slot < token.length; slot++) {
            // A slot that was submitted anew in between has another generation, at nearly every look.
            if (token[slot] != seenToken[slot]) {
                seenToken[slot] = token[slot];
                seenAt[slot] = now;
                seenTimes[slot] = 1;
                abortedToken[slot] = 0;
            } else if (token[slot] >= 0 && ++seenTimes[slot] > LOOKS_AT_LEAST && now - seenAt[slot] > timeoutNanos) {
                if (!any) {
                    any = true;
                    first = slot;
                }
                vain |= !abort(slot, token[slot]);
            }
        }
        if (any && !anyOverdue) {
            since = now;
        }
        anyOverdue = any;
        return any && (vain || now - since > Math.min(timeoutNanos, MAX_GRACE_NANOS)) ? Step.DELETE : Step.NONE;
    }

    /** Has an overdue command aborted, once; false if the controller has answered that it was not. */
    private boolean abort(int slot, long token) {
        QueueHost.Abort last = abort;
        if (abortedToken[slot] == token) {
            return last == null || abortedSlot != slot || !last.isDone() || last.hasAborted();
        }
        if (last == null || last.isDone()) {
            QueueHost.Abort request = host.abort(QueuePair.cid(token));
            if (request != null) {
                abort = request;
                abortedSlot = slot;
                abortedToken[slot] = token;
            }
        }
        return true;
    }
}
