package io.aisio.nvme;

import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PeerMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Where queue pairs of one controller, and memory for their commands, come from: this process's {@link NvmeController}, or a
 * lease from a process that has it. What devices and single commands are built on.
 *
 * <p>Any thread may call it. Who opens it closes it, after its queue pairs and its memory.
 */
public interface QueueSource extends AdminCommands, AutoCloseable {
    /** How messages name it. */
    String name();

    /**
     * A namespace as it is now: asked whenever a queue is opened and at each synchronous transfer, so that it costs no call to
     * anybody. One that may only be read is told as {@linkplain Namespace#writeProtected() write protected}.
     *
     * @throws NvmeException if it is not there, or cannot be had from here
     */
    Namespace namespace(int nsid) throws NvmeException;

    /** The most that one command transfers, in bytes, 1 to 64 MiB. */
    int maxTransferBytes();

    /** The most commands that a queue pair holds in flight. */
    int maxDepth();

    /** How many queue pairs can be open at once. */
    int maxQueuePairs();

    /**
     * Allocates zeroed, page-aligned memory that commands of these queue pairs can name.
     *
     * @param bytes at least 1; rounded up to whole pages
     * @throws IOException if there is none
     */
    DmaMemory allocate(long bytes) throws IOException;

    /**
     * Lets the controller reach another device's memory.
     *
     * @throws UnsupportedOperationException if it cannot be let to it; the message is one sentence
     * @throws IOException if the system refuses
     */
    default DmaMemory map(PeerMemory memory) throws IOException {
        throw new UnsupportedOperationException(name() + " reaches no memory of other devices");
    }

    /**
     * Opens a queue pair, which is polled.
     *
     * @param depth the most commands in flight, 1 to {@link #maxDepth()}
     * @throws NvmeException if there is none left, or the controller refuses
     * @throws IOException if memory cannot be had
     */
    QueuePair createQueuePair(int depth) throws IOException;

    /**
     * Opens a queue pair whose owner can sleep until the controller interrupts.
     *
     * @param depth the most commands in flight, 1 to {@link #maxDepth()}
     * @throws UnsupportedOperationException if there are no interrupts this way
     * @throws NvmeException as {@link #createQueuePair}
     * @throws IOException if memory or interrupts cannot be had
     */
    default QueuePair createSleepingQueuePair(int depth) throws IOException {
        throw new UnsupportedOperationException(name() + " has no interrupts that can be awaited, only polling");
    }

    /**
     * Opens a queue pair for somebody else to drive, a GPU for example.
     *
     * @param depth the most commands in flight, 1 to {@link #maxDepth()}
     * @throws UnsupportedOperationException if queue pairs of this process's own controller are lent, not mapped
     * @throws NvmeException as {@link #createQueuePair}
     * @throws IOException if memory cannot be had
     */
    default MappedQueuePair mapQueuePair(int depth) throws IOException {
        throw new UnsupportedOperationException(name() + " lends its queue pairs itself");
    }

    /**
     * {@inheritDoc}
     *
     * @throws NvmeException if the controller completes it with an error, does not in time, or it may not be sent from here
     */
    @Override
    Completion execute(Command command, MemorySegment data) throws IOException;

    /** Whether the controller failed and could not be stopped: memory that it knows must not be freed or used again. */
    boolean mayStillAccessMemory();

    /**
     * Closes it, after its queue pairs. Closing again does nothing.
     *
     * @throws IllegalStateException if queue pairs are open; nothing is closed then
     */
    @Override
    void close() throws IOException;
}
