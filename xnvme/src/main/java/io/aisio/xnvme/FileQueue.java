package io.aisio.xnvme;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A queue whose commands the kernel carries out while they are submitted; {@link #poll} only hands them back. */
final class FileQueue implements Queue {
    private final CallTarget device;
    private final @Nullable MemorySegment[] data;
    private final boolean[] writes;
    private final boolean[] inFlight;
    private final @Nullable IOException[] failures;

    /** Completed slots that were not polled yet: a ring of {@code depth} entries. */
    private final int[] done;

    private int first;
    private int outstanding;
    private boolean closed;

    FileQueue(CallTarget device, int depth) {
        this.device = device;
        data = new MemorySegment[depth];
        writes = new boolean[depth];
        inFlight = new boolean[depth];
        failures = new IOException[depth];
        done = new int[depth];
    }

    @Override
    public int depth() {
        return done.length;
    }

    @Override
    public int outstanding() {
        return outstanding;
    }

    @Override
    public void bindRead(int slot, Buffer buffer, long offset, int bytes) {
        bind(slot, buffer, offset, bytes, false);
    }

    @Override
    public void bindWrite(int slot, Buffer buffer, long offset, int bytes) {
        bind(slot, buffer, offset, bytes, true);
    }

    private void bind(int slot, Buffer buffer, long offset, int bytes, boolean write) {
        device.geometry().requireTransfer(bytes);
        if (slot < 0 || slot >= depth()) {
            throw new IllegalArgumentException("slot " + slot + " of a queue of depth " + depth());
        }
        if (closed) {
            throw new IllegalStateException(device.name() + ": the queue is closed");
        }
        if (inFlight[slot]) {
            throw new IllegalStateException(device.name() + ": slot " + slot + " is in flight");
        }
        if (!buffer.segment().scope().isAlive()) {
            throw new IllegalStateException(device.name() + ": the buffer is closed");
        }
        data[slot] = buffer.segment().asSlice(offset, bytes);
        writes[slot] = write;
    }

    @Override
    public void submit(int[] slots, long[] lbas, int n) {
        Objects.checkFromIndexSize(0, n, slots.length);
        Objects.checkFromIndexSize(0, n, lbas.length);
        requireSubmittable(slots, n);
        for (int i = 0; i < n; i++) {
            int slot = slots[i];
            failures[slot] = null;
            try {
                MemorySegment bytes = data[slot];
                if (bytes == null) {
                    throw new AssertionError("slot " + slot + " was checked to be bound");
                } else if (writes[slot]) {
                    device.write(lbas[i], bytes);
                } else {
                    device.read(lbas[i], bytes);
                }
            } catch (IOException e) {
                failures[slot] = e;
            }
            done[(first + outstanding) % done.length] = slot;
            outstanding++;
        }
    }

    /** Marks all as in flight, or none. */
    private void requireSubmittable(int[] slots, int n) {
        if (closed) {
            throw new IllegalStateException(device.name() + ": the queue is closed");
        }
        if (n > depth() - outstanding) {
            throw new IllegalStateException(
                    "%s: %d more commands with %d of %d in flight".formatted(device.name(), n, outstanding, depth()));
        }
        for (int i = 0; i < n; i++) {
            int slot = slots[i];
            String why = refusal(slot);
            if (why != null) {
                for (int j = 0; j < i; j++) {
                    inFlight[slots[j]] = false;
                }
                throw new IllegalStateException(device.name() + ": slot " + slot + why);
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
        MemorySegment bound = data[slot];
        if (bound == null) {
            return " has no command bound";
        }
        return bound.scope().isAlive() ? null : " is bound to a buffer that is closed";
    }

    @Override
    public int poll(int[] completed) {
        if (closed) {
            throw new IllegalStateException(device.name() + ": the queue is closed");
        }
        int n = Math.min(completed.length, outstanding);
        for (int i = 0; i < n; i++) {
            int slot = done[first];
            first = first + 1 == done.length ? 0 : first + 1;
            inFlight[slot] = false;
            completed[i] = failures[slot] == null ? slot : ~slot;
        }
        outstanding -= n;
        return n;
    }

    @Override
    public IOException failure(int slot) {
        IOException failure = slot < 0 || slot >= depth() ? null : failures[slot];
        if (failure == null) {
            throw new IllegalStateException(device.name() + ": slot " + slot + " has not failed");
        }
        return failure;
    }

    /** {@inheritDoc} The kernel does not mind. */
    @Override
    public void handOver() {}

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            device.queueClosed();
        }
    }
}
