package io.aisio.fil.nio;

import io.aisio.xal.BlockSource;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.ClosedFileSystemException;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The queues of a file system, each lent to a thread while it reads. They are opened as threads want them, up to a bound,
 * above which threads wait for each other. Any thread may call it.
 */
final class Lanes implements BlockSource, AutoCloseable {
    private final Device device;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    // Under the lock.
    private final ArrayDeque<Lane> free = new ArrayDeque<>();
    private int open;
    private int most;
    private boolean closed;

    /**
     * @param device stays the caller's, to be closed after this
     * @param most queues at once, at least 1
     */
    Lanes(Device device, int most) {
        this.device = device;
        this.most = Math.max(1, Math.min(most, device.geometry().maxQueues()));
    }

    /**
     * Borrows a lane, waiting for one if all are lent. It is given back by {@link #giveBack}, in any case.
     *
     * @throws ClosedFileSystemException if this is closed
     * @throws IOException if the device grants not even one queue
     */
    Lane borrow() throws IOException {
        while (true) {
            lock.lock();
            try {
                while (true) {
                    if (closed) {
                        throw new ClosedFileSystemException();
                    }
                    // The one that was used last: its memory is in the processor's caches.
                    Lane lane = free.pollFirst();
                    if (lane != null) {
                        return lane;
                    }
                    if (open < most) {
                        open++;
                        break;
                    }
                    changed.awaitUninterruptibly();
                }
            } finally {
                lock.unlock();
            }
            try {
                return Lane.open(device);
            } catch (IOException | RuntimeException e) {
                if (forget() == 0) {
                    throw e;
                }
                // The device has no more: those that there are serve.
            }
        }
    }

    /** One is not there any more, and no more are opened than there are. @return how many there are */
    private int forget() {
        lock.lock();
        try {
            open--;
            most = Math.max(1, open);
            changed.signalAll();
            return open;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes a lane back.
     *
     * @throws IOException if an error has left it in use, and it cannot be closed either
     */
    void giveBack(Lane lane) throws IOException {
        boolean ready = false;
        try {
            ready = lane.ready();
            if (!ready) {
                lane.close();
            }
        } finally {
            lock.lock();
            try {
                if (ready) {
                    free.addFirst(lane);
                } else {
                    open--;
                }
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    @Override
    public String name() {
        return device.name();
    }

    @Override
    public long size() {
        return device.geometry().bytes();
    }

    @Override
    public int alignment() {
        return device.geometry().lbaBytes();
    }

    @Override
    public void read(long position, MemorySegment target) throws IOException {
        Lane lane = borrow();
        try {
            lane.read(position, target);
            lane.finish();
        } finally {
            giveBack(lane);
        }
    }

    /** Waits until no thread reads, and closes all queues. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        IOException first = null;
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
            while (free.size() < open) {
                changed.awaitUninterruptibly();
            }
            open = 0;
            for (Lane lane = free.poll(); lane != null; lane = free.poll()) {
                try {
                    lane.close();
                } catch (IOException e) {
                    first = first == null ? e : first;
                }
            }
        } finally {
            lock.unlock();
        }
        if (first != null) {
            throw first;
        }
    }
}
