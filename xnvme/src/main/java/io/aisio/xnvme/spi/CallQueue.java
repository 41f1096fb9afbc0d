package io.aisio.xnvme.spi;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A queue whose commands are carried out while they are submitted, a call each; {@link #poll} only hands them back. */
public final class CallQueue implements Queue {
    private final CallTarget device;
    private final Slots slots;
    private final boolean[] writes;
    private final @Nullable IOException[] failures;

    /** Completed slots that were not polled yet: a ring of {@code depth} entries. */
    private final int[] done;

    private int first;
    private int outstanding;
    private boolean closed;

    /** @param depth the most commands outstanding */
    public CallQueue(CallTarget device, int depth) {
        this.device = device;
        slots = new Slots(device.name(), device.geometry(), depth);
        writes = new boolean[depth];
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
        requireOpen();
        slots.bind(slot, slots.bindable(slot, buffer, offset, bytes));
        writes[slot] = write;
    }

    @Override
    public void submit(int[] submitted, long[] lbas, int n) {
        Objects.checkFromIndexSize(0, n, submitted.length);
        Objects.checkFromIndexSize(0, n, lbas.length);
        requireOpen();
        slots.begin(submitted, n, outstanding);
        for (int i = 0; i < n; i++) {
            int slot = submitted[i];
            failures[slot] = null;
            try {
                if (writes[slot]) {
                    device.write(lbas[i], slots.memory(slot));
                } else {
                    device.read(lbas[i], slots.memory(slot));
                }
            } catch (IOException e) {
                failures[slot] = e;
            }
            done[(first + outstanding) % done.length] = slot;
            outstanding++;
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(device.name() + ": the queue is closed");
        }
    }

    @Override
    public int poll(int[] completed) {
        requireOpen();
        int n = Math.min(completed.length, outstanding);
        for (int i = 0; i < n; i++) {
            int slot = done[first];
            first = first + 1 == done.length ? 0 : first + 1;
            slots.end(slot);
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

    /** {@inheritDoc} Nobody minds. */
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
