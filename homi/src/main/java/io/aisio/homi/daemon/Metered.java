package io.aisio.homi.daemon;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Something that data goes through, and that counts it. */
public interface Metered {
    /** Which way: who drives the queues. */
    enum Path {
        /** A process, by queue pairs that it leases. */
        PROCESS,
        /** A GPU, by queue pairs that its process leases. */
        GPU,
        /** The kernel, through a block device. */
        KERNEL,
        /** A process or virtual machine, by a virtual function. */
        VF
    }

    /**
     * Who it is for.
     *
     * @param pid process; 0 if it is in a PID namespace that cannot be seen, or the daemon's own
     * @param uid user
     * @param name as he calls himself: not checked, at most 64 printable characters
     */
    record Owner(int pid, int uid, String name) {}

    /**
     * Counted since it was made.
     *
     * @param told true if the client counted, whom nobody checks; false if the daemon did
     * @param reads commands that read and are complete
     * @param writes commands that write and are complete, all that are neither reads nor flushes
     * @param flushes commands that flush and are complete
     * @param failed of all of them, those with an error
     * @param bytesRead by reads without an error
     * @param bytesWritten by writes without an error
     * @param latencyNanos of all commands together, from submission to completion; −1 if it is not known
     */
    record Counters(
            boolean told,
            long reads,
            long writes,
            long flushes,
            long failed,
            long bytesRead,
            long bytesWritten,
            long latencyNanos) {
        /** Nothing yet, or nothing known. */
        public static final Counters NONE = new Counters(true, 0, 0, 0, 0, 0, 0, -1);
    }

    /**
     * A row of the table of what goes where.
     *
     * @param id by which it is named: {@code client 7, lease 3, queue 2}, {@code function 4} or {@code ublkb0}; no two rows have the same
     * @param device the device's name in the configuration
     * @param nsid namespace; 0 for all, of a function
     * @param path which way
     * @param owner for whom
     * @param lease its number; 0 if it is no lease's
     * @param qid the controller's identifier of the queue pair; 0 if it is more than one, or of another function
     * @param depth commands in flight at most, of all its queues; 0 if its driver alone knows
     * @param queues queue pairs
     * @param readOnly whether it may only read
     * @param created when
     * @param state a word: {@code working}, {@code lost}, {@code recovering}, {@code stopped}
     * @param counters what went through it
     * @param detail for people, such as a block device's path; null for nothing
     */
    record Row(
            String id,
            String device,
            int nsid,
            Path path,
            Owner owner,
            long lease,
            int qid,
            int depth,
            int queues,
            boolean readOnly,
            Instant created,
            String state,
            Counters counters,
            @Nullable String detail) {}

    /** How it is now. Any thread may ask, at any time until it is closed; it does not wait for I/O. */
    Row row();
}
