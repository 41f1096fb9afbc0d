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
    /** Where its commands wait until they are due; null if they are executed as they come. */
    final @Nullable DelayLine delayed;

    /** The entry that is fetched next. */
    int head;

    private final RegisterFile registers;
    private final long doorbell;
    private int tail;
    private int seen;

    SubmissionQueue(
            int id,
            int entries,
            long address,
            MemorySegment ring,
            CompletionQueue completions,
            @Nullable DelayLine delayed,
            RegisterFile registers) {
        this.id = id;
        this.entries = entries;
        this.address = address;
        this.ring = ring;
        this.completions = completions;
        this.delayed = delayed;
        this.registers = registers;
        this.doorbell = Registers.sqTailDoorbell(id, registers.stride());
    }

    /** The driver's tail; a doorbell beyond the queue is told once and leaves the tail where it was. */
    int tail() {
        int value = registers.doorbell(doorbell);
        if (value != seen) {
            seen = value;
            if (value < 0 || value >= entries) {
                registers.invalidDoorbellValue();
            } else {
                tail = value;
            }
        }
        return tail;
    }
}
