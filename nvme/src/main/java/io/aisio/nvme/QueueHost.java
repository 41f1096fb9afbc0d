package io.aisio.nvme;

import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The side that has the controller, as one queue pair needs it: creates and deletes the two queues, aborts, looks, resets. For
 * a pair of {@link NvmeController#createQueuePair} that is the controller itself; whoever drives the queues of a controller in
 * another process implements it by calls to that one, and gets his pair by {@link QueuePair#attach}.
 *
 * <pre>
 *   submit, poll ──▶ epoch().value          each batch, one volatile read: nothing else of this is on the way of a command
 *        │
 *        ├─ every some hundred polls with commands in flight, by the clock:  look, then abort for what is overdue
 *        ├─ an abort that did not help:                                      stop; if it throws, reset
 *        ├─ a completion that breaks the rules, doorbells that are gone:     reset
 *        ├─ the epoch has moved, what was in flight has been given up,
 *        │  and the owner submits again:                                     recreate
 *        └─ close, at last:                                                  close
 * </pre>
 *
 * <h2>Threads</h2>
 *
 * All methods are called by the thread that owns the pair, one at a time, from within its own calls; {@link #close} by whoever
 * closes it, after all others but {@link #mayStillAccessMemory}, which is asked once more then. {@link #epoch}'s object alone is for two threads: the implementation moves it on from any, as
 * soon as it learns that the queues are gone.
 *
 * <h2>What must hold</h2>
 *
 * <ul>
 *   <li>Once the epoch has moved on, the controller neither reads nor writes the rings of that epoch, nor the memory of
 *       commands that were in them: the owner gives up what was in flight, and that memory is used again at once. Only
 *       {@link #mayStillAccessMemory} takes that back.
 *   <li>The epoch is moved on <em>after</em> {@link #loss} and {@link #failure} tell why.
 *   <li>Every call returns, or throws, in bounded time, as {@link QueuePair#poll} waits for it: a daemon that does not answer
 *       is one that has failed. What fails for good makes {@link #failure} tell so, then moves the epoch on.
 * </ul>
 *
 * A client of a daemon keeps the number for himself, by {@link QueueEpoch#moveOn}: at each notice that the controller was reset
 * or has failed, and when the connection ends. A notice that comes late, or twice, costs one more {@link #recreate}, and
 * nothing is lost by it.
 */
public interface QueueHost {
    /** An Abort that was asked for. */
    interface Abort {
        /** Whether there is an answer; the owner asks at each look, and never waits for it. */
        boolean isDone();

        /** Once there is one: whether the controller says that it aborted the command. Its completion comes all the same. */
        boolean hasAborted();
    }

    /** How messages name the device. */
    String name();

    /** Where the number is that moves on; the same object at every call. */
    QueueEpoch epoch();

    /**
     * Allocates zeroed memory that the commands of this pair can name, for lists of pages. Called when a command is bound, for
     * the first few whose data needs a list; the pair closes it at its end.
     *
     * @param bytes a multiple of the page size
     * @throws IOException if there is none
     */
    DmaMemory allocate(long bytes) throws IOException;

    /** Whether the controller takes an SGL of so many bytes for the data of an I/O command; asked at each bind. */
    boolean takesSgl(int bytes);

    /**
     * Creates both queues anew, in the same rings, with the same identifier and size. The owner calls it with nothing in flight
     * and the rings zeroed: after a loss, or after {@link #stop}. Should they exist, they are deleted first.
     *
     * @return the epoch in which they are. It was read <em>before</em> they were asked for, so that a loss meanwhile is not
     *     missed
     * @throws NvmeException if the controller has failed, refuses, or cannot be reached; the queues do not exist then
     */
    int recreate() throws NvmeException;

    /**
     * Deletes both queues, so that what is in flight is over and its memory quiet, but keeps the identifier: {@link #recreate}
     * may follow. The epoch need not move.
     *
     * @param epoch in which they were created
     * @throws NvmeException if they are not deleted, or nobody knows whether; {@link #reset} follows
     */
    void stop(int epoch) throws NvmeException;

    /**
     * Asks the controller to abort a command, without waiting for it longer than a call takes.
     *
     * @param cid its identifier
     * @return the request; null if it cannot be made now, in which case it is asked for again at the next look
     */
    @Nullable
    Abort abort(int cid);

    /**
     * Looks whether the controller is there and well, so that trouble is known soon: called at most every tenth of a second,
     * with commands in flight only. Where somebody else looks all the time, and tells by the epoch, this may do nothing.
     *
     * @param epoch in which the queues were created; what is noticed is about that one
     */
    void look(int epoch);

    /**
     * Ends queues that cannot be trusted any more, by whatever it takes. When this returns, the epoch is not {@code epoch} any
     * more. A daemon deletes the queues, and resets the controller only where it does not do that: its other users are not to
     * suffer from what one of them tells.
     *
     * @param epoch in which they were created; if that is over already, this does nothing
     * @param why which is what {@link #loss} tells from now on, unless there is a better reason
     */
    void reset(int epoch, NvmeException why);

    /** Why there will be no queues any more: the controller has failed, or cannot be reached. Null otherwise. */
    @Nullable
    NvmeException failure();

    /** Why the epoch has last moved; null if it never has. */
    @Nullable
    NvmeException loss();

    /** How long the controller wants a retry to wait, by the CRD of a status, 0 to 3: zero where nothing is known of it. */
    Duration retryDelay(int crd);

    /**
     * Whether the controller failed and could not be stopped, so that memory that it knows must not be freed or used again: the
     * pair then leaves its rings and lists where they are.
     */
    boolean mayStillAccessMemory();

    /**
     * Deletes the queues for good, unless they are gone already, and gives the identifier back. The rings are freed after this.
     *
     * @param epoch in which they were created; negative if they do not exist
     * @throws NvmeException if the controller did not delete them; it is reset then
     */
    void close(int epoch) throws IOException;
}
