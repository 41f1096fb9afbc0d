package io.aisio.emu;

import io.aisio.nvme.spec.Registers;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The controller's side of a submission queue (section 4.1): it owns the head, the driver the tail. */
final class SubmissionQueue {
    final int id;
    final int entries;
    /** Where the entries are. */
    final long address;
    /** The entries. Freed memory throws {@link IllegalStateException}; the driver may give it again. */
    MemorySegment ring;

    final CompletionQueue completions;
    /** The memory that the entries are in. */
    final IovaSpace.Region region;
    /** Whose memory its commands reach. */
    final @Nullable ProtectionDomain domain;
    /** Where its commands wait until they are due; null if they are executed as they come. */
    final @Nullable DelayLine delayed;

    /**
     * Whether it is served no more, until it is deleted: its user has taken the pages away that its entries, completions or
     * doorbells were in.
     */
    boolean broken;

    /** The entry that is fetched next. */
    int head;

    private final RegisterFile registers;
    private final long doorbell;
    private int tail;
    private int seen;
    /** What the driver writes instead of the doorbell; null where there is none. */
    private @Nullable ShadowDoorbells shadow;
    /** Whether the shadow doorbell is looked at without being told by the doorbell. */
    private boolean awake;

    SubmissionQueue(
            int id,
            int entries,
            long address,
            MemorySegment ring,
            IovaSpace.Region region,
            CompletionQueue completions,
            @Nullable DelayLine delayed,
            RegisterFile registers) {
        this.id = id;
        this.entries = entries;
        this.address = address;
        this.ring = ring;
        this.region = region;
        domain = region.domain;
        this.completions = completions;
        this.delayed = delayed;
        this.registers = registers;
        this.doorbell = Registers.sqTailDoorbell(id, registers.stride());
    }

    /** From now on the driver writes its tail to memory, {@code running} if it has used the doorbell before. */
    void follow(ShadowDoorbells doorbells, boolean running) {
        if (running) {
            doorbells.begin(doorbell - Registers.DOORBELLS, tail());
        }
        shadow = doorbells;
        awake = true;
    }

    private int shadowTail(ShadowDoorbells doorbells) {
        long offset = doorbell - Registers.DOORBELLS;
        int rung = registers.takeDoorbell(doorbell);
        awake |= rung != RegisterFile.TAKEN;
        if (!awake) {
            return tail;
        }
        take(doorbells.value(offset));
        if (tail == head) {
            // The doorbell is to ring at the next step; what came before the driver could see this is looked for.
            doorbells.event(offset, tail);
            awake = false;
            take(doorbells.value(offset));
            awake = tail != head;
        }
        return tail;
    }

    /** The driver's tail; a doorbell beyond the queue is told once and leaves the tail where it was. */
    int tail() {
        ShadowDoorbells doorbells = shadow;
        if (doorbells != null) {
            return shadowTail(doorbells);
        }
        take(registers.doorbell(doorbell));
        return tail;
    }

    private void take(int value) {
        if (value != seen) {
            seen = value;
            if (value < 0 || value >= entries) {
                registers.invalidDoorbellValue();
            } else {
                tail = value;
            }
        }
    }
}
