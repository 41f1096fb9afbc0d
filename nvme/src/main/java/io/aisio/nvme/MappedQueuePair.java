package io.aisio.nvme;

import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;

/**
 * Queues of a controller that another process has, whose rings and doorbells are mapped here for somebody else than a
 * {@link QueuePair} to drive. They are not created anew: a reset takes them for good. Rings and doorbells are unmapped when it is
 * closed, once the queues are deleted.
 */
public interface MappedQueuePair extends ForeignQueues {
    /** Both rings, zeroed: the submission ring from the start on, the completion ring at {@link QueuePair#completionRingAt}. */
    DmaMemory rings();

    /** The pages that the doorbells are in. */
    MemorySegment doorbells();

    /** Where in {@link #doorbells} the submission queue's tail doorbell is, in bytes. */
    long tailDoorbell();

    /** Where in {@link #doorbells} the completion queue's head doorbell is, in bytes. */
    long headDoorbell();
}
