package io.aisio.emu;

import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** The controller's side of a completion queue (section 4.1): it owns the tail, the driver the head. */
final class CompletionQueue {
    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    /** No interrupt vector. */
    static final int POLLED = -1;

    final int id;
    final int entries;
    /** Where the entries are. */
    final long address;
    /** The interrupt vector; {@link #POLLED} if there are to be no interrupts. */
    final int vector;
    /** Whether there are entries of which no interrupt has told. */
    boolean untold;
    /** The entries. Freed memory throws {@link IllegalStateException}; the driver may give it again. */
    MemorySegment ring;
    /** The memory that the entries are in. */
    final IovaSpace.Region region;

    /** How many submission queues complete into this one. */
    int submissionQueues;

    private final RegisterFile registers;
    /** Where the driver writes its head instead of the doorbell; null where there is none. */
    private @Nullable ShadowDoorbells shadow;

    private final long doorbell;
    private int tail;
    private int phase = 1;
    private int head;
    /** The head doorbell as last looked at, to tell each wrong value once. */
    private int seen;

    CompletionQueue(
            int id,
            int entries,
            long address,
            int vector,
            MemorySegment ring,
            IovaSpace.Region region,
            RegisterFile registers) {
        this.region = region;
        this.id = id;
        this.entries = entries;
        this.address = address;
        this.vector = vector;
        this.ring = ring;
        this.registers = registers;
        this.doorbell = Registers.cqHeadDoorbell(id, registers.stride());
    }

    /**
     * From now on the driver writes its head to memory, which is looked at whenever there is no room; {@code running} if it
     * has used the doorbell before.
     */
    void follow(ShadowDoorbells doorbells, boolean running) {
        if (running) {
            boolean ignored = look();
            doorbells.begin(doorbell - Registers.DOORBELLS, head);
        }
        shadow = doorbells;
    }

    /** Whether an entry can be posted without overwriting one that the driver has not consumed. */
    boolean hasRoom() {
        int next = tail + 1 == entries ? 0 : tail + 1;
        if (next != head) {
            return true;
        }
        look();
        return next != head;
    }

    /** Whether there is room for two entries. */
    boolean hasRoomForTwo() {
        look();
        int used = tail - head + (tail < head ? entries : 0);
        return entries - 1 - used >= 2;
    }

    /**
     * Posts a completion. There must be room.
     *
     * @param status as {@link io.aisio.nvme.spec.Status} has it
     */
    void post(long result, int sqHead, int sqid, int cid, int status) {
        put(result, Cqe.word1(sqHead, sqid, cid, phase, status));
    }

    /** Posts a completion whose phase tag may be the old one. There must be room. */
    void postWrong(long result, int sqHead, int sqid, int cid, int status, boolean wrongPhase) {
        put(result, Cqe.word1(sqHead, sqid, cid, wrongPhase ? phase ^ 1 : phase, status));
    }

    private void put(long result, long word1) {
        long at = (long) tail << Cqe.SHIFT;
        Wire.i64(ring, at + Cqe.RESULT, result);
        // Release, for the driver's acquire of the phase tag: data and result are there before the tag is.
        LONG.setRelease(ring, at + Cqe.WORD1, word1);
        untold = true;
        if (++tail == entries) {
            tail = 0;
            phase ^= 1;
        }
    }

    /**
     * Takes over the head doorbell.
     *
     * @return false if its value is new, and one that the driver cannot mean: beyond the queue, or beyond the tail
     */
    boolean look() {
        ShadowDoorbells doorbells = shadow;
        int value = doorbells == null ? registers.doorbell(doorbell) : doorbells.value(doorbell - Registers.DOORBELLS);
        if (value == seen) {
            return true;
        }
        seen = value;
        int moved = value - head + (value < head ? entries : 0);
        int posted = tail - head + (tail < head ? entries : 0);
        if (value < 0 || value >= entries || moved > posted) {
            registers.invalidDoorbellValue();
            return false;
        }
        head = value;
        return true;
    }
}
