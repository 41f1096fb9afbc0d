package io.aisio.fil;

import io.aisio.fil.BatchReader.Effort;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** What the thread that reads batches and those that use them exchange: batches, a lock's turn for each. */
final class BatchExchange {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition ready = lock.newCondition();
    private final Condition returned = lock.newCondition();

    // Guarded by the lock.
    /** Batches that are being read or are ready, in the order in which they are handed out. */
    private final ArrayDeque<BatchSlot> ahead = new ArrayDeque<>();

    private final ArrayDeque<BatchSlot> free = new ArrayDeque<>();
    private boolean ended;
    private @Nullable Throwable broken;
    private @Nullable IOException closing;
    private Effort effort = Effort.NONE;

    // Also looked at without it.
    private volatile boolean closed;
    /** Whether a batch may be free: the mover takes the lock only then. */
    private volatile boolean anyFree;

    void offer(List<BatchSlot> slots) {
        lock.lock();
        try {
            free.addAll(slots);
            anyFree = true;
        } finally {
            lock.unlock();
        }
    }

    // The caller's side.

    /**
     * The next batch once it is ready; null if there is none any more.
     *
     * @throws IOException if the mover has ended by an error
     */
    @Nullable
    BatchSlot take() throws IOException, InterruptedException {
        lock.lockInterruptibly();
        try {
            while (true) {
                if (closed) {
                    throw new IllegalStateException("the reader of batches is closed");
                }
                BatchSlot first = ahead.peekFirst();
                if (first != null && first.ready) {
                    return ahead.pollFirst();
                }
                if (broken != null) {
                    throw new IOException("reading batches has ended: " + broken, broken);
                }
                if (ended && first == null) {
                    return null;
                }
                ready.await();
            }
        } finally {
            lock.unlock();
        }
    }

    void giveBack(BatchSlot slot) {
        lock.lock();
        try {
            free.add(slot);
            anyFree = true;
            returned.signal();
        } finally {
            lock.unlock();
        }
    }

    Effort effort() {
        lock.lock();
        try {
            return effort;
        } finally {
            lock.unlock();
        }
    }

    void close() {
        lock.lock();
        try {
            closed = true;
            returned.signalAll();
            ready.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Throws, once, what closing the sources' part has thrown. */
    void throwClosing() throws IOException {
        IOException why = closing;
        closing = null;
        if (why != null) {
            throw why;
        }
    }

    // The mover's side.

    boolean isClosed() {
        return closed;
    }

    /** A batch to be filled, which is handed out behind those before it; null if none is free. */
    @Nullable
    BatchSlot takeFree() {
        if (!anyFree) {
            return null;
        }
        lock.lock();
        try {
            BatchSlot slot = free.pollFirst();
            anyFree = !free.isEmpty();
            if (slot != null) {
                slot.ready = false;
                ahead.addLast(slot);
            }
            return slot;
        } finally {
            lock.unlock();
        }
    }

    /** Waits until a batch is free, or all is closed. */
    void awaitFree() {
        lock.lock();
        try {
            while (free.isEmpty() && !closed) {
                returned.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    void ready(BatchSlot slot, Effort now) {
        lock.lock();
        try {
            slot.ready = true;
            effort = now;
            ready.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Tells that no batch comes any more, and why, and waits until all is closed. */
    void end(@Nullable Throwable why) {
        lock.lock();
        try {
            ended = true;
            broken = why;
            ready.signalAll();
            while (!closed) {
                returned.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    void closingFailed(IOException why) {
        closing = why;
    }
}
