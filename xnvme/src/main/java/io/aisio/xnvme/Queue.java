package io.aisio.xnvme;

import java.io.IOException;

/**
 * Commands in flight, by slot. Buffers are bound to slots once; from then on only numbers move: no object, no lock and
 * no copy per command.
 *
 * <pre>{@code
 * for (int slot = 0; slot < depth; slot++) queue.bindRead(slot, buffer, slot * 4096L, 4096);
 * queue.submit(slots, lbas, n);            // writes n commands, rings once
 * int m = queue.poll(completed);           // slots that are done, ~slot for one that failed
 * }</pre>
 *
 * <p>One thread owns a queue: the first that submits or polls. Where a queue's rings are in this process, another is refused,
 * once a batch. A slot is free, or in flight from {@link #submit} until {@link #poll} returns it.
 */
public interface Queue extends AutoCloseable {
    /** The most commands in flight, and the number of slots. */
    int depth();

    /** How many commands are in flight. */
    int outstanding();

    /**
     * Makes a free slot read into a buffer.
     *
     * @param slot 0 to {@code depth() - 1}
     * @param buffer one of the same device
     * @param offset into the buffer in bytes, a multiple of 4
     * @param bytes a multiple of the logical block size, at most {@link Geometry#maxTransferBytes()}
     * @throws IllegalStateException if the slot is in flight
     */
    void bindRead(int slot, Buffer buffer, long offset, int bytes);

    /** Makes a free slot write from a buffer; the parameters are those of {@link #bindRead}. */
    void bindWrite(int slot, Buffer buffer, long offset, int bytes);

    /**
     * Submits bound slots, ringing the device once.
     *
     * @param slots which, none of them in flight
     * @param lbas the first logical block of each
     * @param n how many of both, at most {@code depth() - outstanding()}
     * @throws IndexOutOfBoundsException if either array is shorter than {@code n}; nothing is submitted then
     * @throws IllegalStateException if a slot is not bound, is in flight or does not exist, or the queue is closed;
     *     nothing is submitted then
     * @throws IOException if the device has failed; nothing is submitted then
     */
    void submit(int[] slots, long[] lbas, int n) throws IOException;

    /**
     * Takes completed commands, without waiting.
     *
     * @param completed receives slots, {@code ~slot} (negative) for a command that failed; its length bounds how many
     * @return how many, 0 if none is complete
     */
    int poll(int[] completed);

    /** Whether {@link #await} sleeps until the device interrupts, rather than polls. */
    default boolean sleeps() {
        return false;
    }

    /**
     * Takes completed commands, waiting for the first one if there are any in flight: {@link Backoff} says how, unless
     * the queue {@link #sleeps}.
     *
     * @throws IOException if the device can no longer tell of interrupts
     */
    default int await(int[] completed) throws IOException {
        int n = poll(completed);
        for (int looks = 0; n == 0 && outstanding() > 0; looks++) {
            Backoff.pause(looks);
            n = poll(completed);
        }
        return n;
    }

    /**
     * The same, for a caller that would rather have several at once: where one call to the kernel can wait for so many, it
     * does; elsewhere this waits for the first.
     *
     * @param wanted how many completed commands are waited for where that costs nothing more; fewer if there are fewer in
     *     flight, or {@code completed} is shorter
     */
    default int await(int[] completed, int wanted) throws IOException {
        return await(completed);
    }

    /**
     * Why the slot's last command failed, naming device, queue, command and status. To be asked between the poll that
     * returned {@code ~slot} and the slot's next submission.
     *
     * @throws IllegalStateException if no command of the slot failed
     */
    IOException failure(int slot);

    /**
     * Lets another thread own the queue: the next that uses it. The caller orders the two, by a lock for example.
     *
     * @throws UnsupportedOperationException if the queue stays with the thread that used it first
     */
    default void handOver() {
        throw new UnsupportedOperationException("the queue stays with the thread that used it first");
    }

    /**
     * Closes the queue; what is in flight is given up, and its memory is no longer used by the device when this returns.
     * Closing again does nothing.
     */
    @Override
    void close() throws IOException;
}
