package io.aisio.cuda;

import java.util.concurrent.locks.ReentrantReadWriteLock;

/** Whether something is open: closing it waits for uses under way, and a use after that throws. */
final class Liveness {
    private final String what;
    private final ReentrantReadWriteLock inUse = new ReentrantReadWriteLock();
    /** Guarded by the lock. */
    private boolean closed;

    /** @param what as messages name it, such as {@code 64 KiB of GPU 0} */
    Liveness(String what) {
        this.what = what;
    }

    /** Keeps it open until {@link #leave()}, which the same thread calls. */
    void enter() {
        inUse.readLock().lock();
        if (closed) {
            inUse.readLock().unlock();
            throw new IllegalStateException(what + ": closed");
        }
    }

    void leave() {
        inUse.readLock().unlock();
    }

    /** Closes it, unless that was done before; what {@code last} throws leaves it open. */
    void close(Runnable last) {
        inUse.writeLock().lock();
        try {
            if (!closed) {
                last.run();
                closed = true;
            }
        } finally {
            inUse.writeLock().unlock();
        }
    }

    @Override
    public String toString() {
        return what;
    }
}
