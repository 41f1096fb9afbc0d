package io.aisio.nvme;

import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Shadow doorbells (section 7.13): a page in memory that the driver writes to in place of the I/O queues' doorbells, and one
 * in which the controller says up to which value it looks there by itself. Only a driver that passes it rings the doorbell.
 * Both are laid out as the doorbells are. For controllers in software, where a doorbell costs an exit or a message.
 *
 * <p>Each place belongs to its queue's owner.
 */
final class ShadowDoorbells {
    /** Bytes of both pages. */
    static final long BYTES = 2L * Prp.PAGE;

    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    /** The page with the values, then the page with the event indexes. */
    private final DmaMemory memory;

    private final MemorySegment values;
    private final MemorySegment events;
    private final int stride;

    /** @param memory of {@link #BYTES} */
    ShadowDoorbells(DmaMemory memory, int stride) {
        this.memory = memory;
        this.stride = stride;
        values = memory.segment().asSlice(0, Prp.PAGE);
        events = memory.segment().asSlice(Prp.PAGE, Prp.PAGE);
    }

    /** Where the device finds the values. */
    long valuesIova() {
        return memory.iova(0);
    }

    /** Where the device finds the event indexes. */
    long eventsIova() {
        return memory.iova(Prp.PAGE);
    }

    /** Whether the page has room for a queue's doorbells; those of others are rung. */
    boolean cover(int qid) {
        return Registers.cqHeadDoorbell(qid, stride) - Registers.DOORBELLS + Integer.BYTES <= Prp.PAGE;
    }

    /** Forgets everything: what a controller finds after a reset must not be of before. */
    void clear() {
        memory.segment().fill((byte) 0);
    }

    /** The same for one queue pair, before it is created. */
    void clear(int qid) {
        if (cover(qid)) {
            clear(Registers.sqTailDoorbell(qid, stride) - Registers.DOORBELLS);
            clear(Registers.cqHeadDoorbell(qid, stride) - Registers.DOORBELLS);
        }
    }

    private void clear(long at) {
        INT.setRelease(values, at, 0);
        INT.setRelease(events, at, 0);
    }

    /**
     * Stores a doorbell's new value, after everything stored before; whether the doorbell must be rung too.
     *
     * @param register the doorbell's offset in BAR 0
     */
    boolean storeAndMustRing(long register, int value) {
        long at = register - Registers.DOORBELLS;
        int before = (int) INT.get(values, at);
        INT.setRelease(values, at, value);
        // The controller stores its event index, then looks at the value once more; we store the value, then look at
        // the
        // event index. With a full fence on both sides, one of the two sees the other's store.
        VarHandle.fullFence();
        int event = (int) INT.getOpaque(events, at);
        return (value - event - 1 & 0xFFFF) < (value - before & 0xFFFF);
    }

    void free() {
        memory.close();
    }
}
