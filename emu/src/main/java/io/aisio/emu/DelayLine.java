package io.aisio.emu;

import io.aisio.nvme.spec.Sqe;

/**
 * Commands of one submission queue that were fetched and are not yet due, in the order in which they came. They are
 * executed when they are due, so that one that is aborted before has done nothing.
 */
final class DelayLine {
    private final long[] words;
    private final long[] due;
    /** Marks an entry that was aborted, and is skipped. */
    private final boolean[] gone;

    /** One bit a CID: whether it is waiting. */
    private final long[] cids = new long[(1 << 16) / Long.SIZE];

    private int first;
    private int count;

    DelayLine(int capacity) {
        words = new long[capacity * Command.WORDS];
        due = new long[capacity];
        gone = new boolean[capacity];
    }

    boolean isFull() {
        return count == due.length;
    }

    boolean isEmpty() {
        return count == 0;
    }

    /** When the first command is due, by {@link System#nanoTime}; the line is not empty. */
    long due() {
        return due[first];
    }

    /** Appends a command; the line is not full. */
    void add(Command command, long dueNanos) {
        int at = index(count);
        command.save(words, at * Command.WORDS);
        due[at] = dueNanos;
        gone[at] = false;
        cids[command.cid() >>> 6] |= 1L << command.cid();
        count++;
    }

    /** Takes the first command out, into {@code command}; false if it was aborted. The line is not empty. */
    boolean take(int queue, Command command) {
        command.restore(queue, words, first * Command.WORDS);
        boolean there = !gone[first];
        if (there) {
            forget(command.cid());
        }
        first = first + 1 == due.length ? 0 : first + 1;
        count--;
        return there;
    }

    /** Takes out the command with this CID; false if none is waiting. */
    boolean abort(int cid) {
        int at = find(cid);
        if (at >= 0) {
            gone[at] = true;
            forget(cid);
        }
        return at >= 0;
    }

    /** Whether a command with this CID is waiting. */
    boolean contains(int cid) {
        return (cids[cid >>> 6] >>> cid & 1) != 0;
    }

    private void forget(int cid) {
        cids[cid >>> 6] &= ~(1L << cid);
    }

    private int find(int cid) {
        for (int i = 0; i < count; i++) {
            int at = index(i);
            if (!gone[at] && Sqe.cid(words[at * Command.WORDS]) == cid) {
                return at;
            }
        }
        return -1;
    }

    private int index(int i) {
        int at = first + i;
        return at < due.length ? at : at - due.length;
    }
}
