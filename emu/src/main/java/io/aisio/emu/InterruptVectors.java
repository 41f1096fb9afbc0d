package io.aisio.emu;

import io.aisio.linux.EventFd;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The interrupts of a controller that another process drives (MSI-X: PCI Local Bus 3.0, section 6.8.2; NVMe 1.4, section
 * 7.5.1.4). Each is an event counter that the process has passed. The table and the pending bits, which a processor would
 * go by, are memory that nobody here looks into: the other end masks by not listening.
 *
 * <pre>
 *   BAR 4:   table, 16 bytes a vector | pending bits, from the next page on
 * </pre>
 */
final class InterruptVectors implements AutoCloseable {
    /** Which BAR the table and the pending bits are in. */
    static final int BAR = 4;

    /** The most that a function has: the table's size has 11 bits. */
    static final int MOST = 2048;

    private static final int ENTRY_BYTES = 16;
    /** Bits of Vector Control: masked, which every vector is at first. */
    private static final int VECTOR_CONTROL = 12;

    private final @Nullable EventFd[] events;
    /** Whether somebody listens who did not before: there may be something to tell. */
    private boolean changed;

    private final MemorySegment table;

    /** @param count vectors, at most {@link #MOST} */
    InterruptVectors(int count) {
        events = new EventFd[count];
        table = MemorySegment.ofArray(new long[(int) (barBytes(count) / Long.BYTES)]);
        reset();
    }

    /** How many a controller has: one for each queue pair and the admin queues, as far as there can be. */
    static int of(int queuePairs) {
        return Math.min(queuePairs + 1, MOST);
    }

    /** Where the pending bits of so many vectors begin in the BAR. */
    static long pendingOffset(int count) {
        long bytes = (long) count * ENTRY_BYTES;
        return (bytes + Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE;
    }

    /** Bytes of the BAR: a power of two, as a BAR's are. */
    static long barBytes(int count) {
        long bytes = pendingOffset(count) + Mapping.PAGE_SIZE;
        return Long.highestOneBit(bytes * 2 - 1);
    }

    int count() {
        return events.length;
    }

    /** The BAR's bytes. */
    MemorySegment table() {
        return table;
    }

    /** Masks all vectors in the table, as a reset of the function does; who listens, listens on. */
    void reset() {
        table.fill((byte) 0);
        for (int i = 0; i < events.length; i++) {
            table.set(ValueLayout.JAVA_BYTE, (long) i * ENTRY_BYTES + VECTOR_CONTROL, (byte) 1);
        }
    }

    /**
     * Says who is told of a vector.
     *
     * @param passed an event counter, which stays the caller's; null for nobody
     * @throws LinuxException if it is no event counter
     */
    void listen(int vector, @Nullable OpenFile passed) throws LinuxException {
        EventFd next = passed == null ? null : EventFd.of(passed);
        EventFd before = events[vector];
        events[vector] = next;
        changed = true;
        if (before != null) {
            before.close();
        }
    }

    /** Whether there is a new listener since it was last asked. */
    boolean takeChanged() {
        boolean was = changed;
        changed = false;
        return was;
    }

    /** Nobody is told of any vector any more. */
    @Override
    public void close() {
        for (int i = 0; i < events.length; i++) {
            EventFd event = events[i];
            events[i] = null;
            if (event != null) {
                event.close();
            }
        }
    }

    /** Interrupts; whether somebody was told. */
    boolean raise(int vector) {
        EventFd event = events[vector];
        if (event == null) {
            return false;
        }
        event.signal();
        return true;
    }
}
