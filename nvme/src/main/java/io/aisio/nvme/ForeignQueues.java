package io.aisio.nvme;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Two queues that somebody else than a {@link QueuePair} drives, a GPU or another process. Nobody watches the commands: who drives
 * the queues has deadlines of his own. A reset of the controller takes them.
 */
public interface ForeignQueues extends AutoCloseable {
    /** The queue identifier, the same for both queues. */
    int qid();

    /** Whether the queues are gone, with what was in flight. */
    boolean isLost();

    /** Why the queues are gone; null while they are there. */
    @Nullable
    NvmeException loss();

    /** Looks at the controller, where this side has it, so that trouble is known soon: for who waits for a completion that is late. */
    void look();

    /** Whether the controller failed and could not be stopped: memory that it knows must not be freed or used again. */
    boolean mayStillAccessMemory();

    /**
     * Deletes both queues, so that the controller gives up what is in flight. Whoever drives them has stopped before. Closing
     * again does nothing.
     *
     * @throws IOException if they could not be deleted
     */
    @Override
    void close() throws IOException;
}
