package io.aisio.xnvme.spi;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Geometry;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The slots of a queue whose commands name memory by segments: what is bound to each, and which are in flight. */
public final class Slots {
    private final String name;
    private final Geometry geometry;
    private final @Nullable MemorySegment[] data;
    private final boolean[] inFlight;

    /** @param name how messages name the device */
    public Slots(String name, Geometry geometry, int depth) {
        this.name = name;
        this.geometry = geometry;
        data = new MemorySegment[depth];
        inFlight = new boolean[depth];
    }

    /** How many there are. */
    public int depth() {
        return data.length;
    }

    /**
     * The part of a buffer that is to be bound; nothing is bound yet.
     *
     * @throws IllegalArgumentException if no command moves so many bytes, or there is no such slot
     * @throws IllegalStateException if the slot is in flight, or the buffer is closed
     */
    public MemorySegment bindable(int slot, Buffer buffer, long offset, int bytes) {
        geometry.requireTransfer(bytes);
        if (slot < 0 || slot >= depth()) {
            throw new IllegalArgumentException("slot " + slot + " of a queue of depth " + depth());
        }
        if (inFlight[slot]) {
            throw new IllegalStateException(name + ": slot " + slot + " is in flight");
        }
        if (!buffer.segment().scope().isAlive()) {
            throw new IllegalStateException(name + ": the buffer is closed");
        }
        return buffer.segment().asSlice(offset, bytes);
    }

    /** Binds what {@link #bindable} gave. */
    public void bind(int slot, MemorySegment memory) {
        data[slot] = memory;
    }

    /** What is bound to a slot that has something bound. */
    public MemorySegment memory(int slot) {
        return Objects.requireNonNull(data[slot]);
    }

    /**
     * Marks the first {@code n} slots as in flight, or none.
     *
     * @param outstanding how many are
     * @throws IllegalStateException if they are too many, or one of them cannot be submitted, and why
     */
    public void begin(int[] slots, int n, int outstanding) {
        if (n > depth() - outstanding) {
            throw new IllegalStateException(
                    "%s: %d more commands with %d of %d in flight".formatted(name, n, outstanding, depth()));
        }
        for (int i = 0; i < n; i++) {
            int slot = slots[i];
            String why = refusal(slot);
            if (why != null) {
                for (int j = 0; j < i; j++) {
                    inFlight[slots[j]] = false;
                }
                throw new IllegalStateException(name + ": slot " + slot + why);
            }
            inFlight[slot] = true;
        }
    }

    private @Nullable String refusal(int slot) {
        if (slot < 0 || slot >= depth()) {
            return " does not exist";
        }
        if (inFlight[slot]) {
            return " is in flight already";
        }
        MemorySegment memory = data[slot];
        if (memory == null) {
            return " has no command bound";
        }
        // The kernel would look up what is at the address now.
        return memory.scope().isAlive() ? null : " is bound to a buffer that is closed";
    }

    /** A slot's command is over. */
    public void end(int slot) {
        inFlight[slot] = false;
    }
}
