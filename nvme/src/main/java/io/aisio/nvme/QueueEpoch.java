package io.aisio.nvme;

/**
 * A number that moves on whenever queues are lost: what a queue pair was created in is gone once this is another number. The
 * owner of each queue pair compares it with its own at every batch; it is the one thing of {@link QueueHost} that the path of
 * commands reads.
 *
 * <p>Any thread moves it on. It means nothing to anybody else, and is never negative.
 */
public final class QueueEpoch {
    /** Read by the hot path. */
    volatile int value;

    /** Begins at 0. */
    public QueueEpoch() {}

    /** The number as it is now. */
    public int get() {
        return value;
    }

    /**
     * Takes another number: what was created in any before is gone. The one who calls has made sure before that the controller
     * leaves the memory of those queues, and of their commands, alone; and what {@link QueueHost#loss} and
     * {@link QueueHost#failure} tell of it can be asked from here on.
     */
    public synchronized void moveOn() {
        value = value + 1 & Integer.MAX_VALUE;
    }
}
