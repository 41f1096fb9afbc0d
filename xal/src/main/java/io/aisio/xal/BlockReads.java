package io.aisio.xal;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Reads of a {@link BlockSource} in flight, by slot: each slot has a buffer that the source fills without a copy more.
 *
 * <pre>{@code
 * for (int slot = 0; slot < reads.slots() && more(); slot++) reads.start(slot, nextPosition(), length);
 * while (reads.inFlight() > 0) {
 *     int slot = reads.await();
 *     use(reads.buffer(slot));
 *     if (more()) reads.start(slot, nextPosition(), length);
 * }
 * }</pre>
 *
 * <p>One thread owns it. A slot is free, or in flight from {@link #start} until {@link #await} tells that it ended; its
 * buffer holds what was read until the slot is started again. The source must stay open longer than its reads.
 */
public interface BlockReads extends AutoCloseable {
    /** How many reads can be in flight. */
    int slots();

    /**
     * The buffer of a slot: native memory, on a page of its own, as long as the longest read.
     *
     * @param slot 0 to {@code slots() - 1}
     * @throws IllegalStateException if it is closed
     */
    MemorySegment buffer(int slot);

    /**
     * Begins to read into the buffer of a slot.
     *
     * @param slot a free one
     * @param position in bytes from the start, a multiple of the source's alignment
     * @param length in bytes, a multiple of the source's alignment, at most the buffer's size
     * @throws IllegalArgumentException if position or length is none of those
     * @throws IllegalStateException if the slot is in flight, or it is closed
     * @throws IOException if the source can start no read at all; the slot is free then
     */
    void start(int slot, long position, int length) throws IOException;

    /**
     * Waits until a read has ended, in whatever order they do.
     *
     * @return its slot
     * @throws IllegalStateException if none is in flight, or it is closed
     * @throws IOException naming the source and the position, if a read failed: {@link #ended()} says which; its slot is
     *     free, and the others are as they were
     */
    int await() throws IOException;

    /** The slot of the read that {@link #await} told of last, one that failed too; -1 before the first. */
    int ended();

    /** How many reads are in flight. */
    int inFlight();

    /** Waits for what is in flight and frees the buffers. Closing again does nothing. */
    @Override
    void close() throws IOException;
}
