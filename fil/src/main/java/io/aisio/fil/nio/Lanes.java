package io.aisio.fil.nio;

import io.aisio.xal.BlockSource;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.AsynchronousCloseException;
import java.nio.file.ClosedFileSystemException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The queues of a file system, each lent to a thread while it reads. They are opened as threads want them, up to a bound,
 * above which threads wait for each other. Any thread may call it.
 */
final class Lanes implements BlockSource, AutoCloseable {
    /** How long no further queue is asked for after the device refused one, while there are others. */
    private static final Duration REFUSED = Duration.ofSeconds(1);

    private final Device device;
    private final int most;
    private final long refusedNanos;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    // Under the lock.
    private final ArrayDeque<Lane> free = new ArrayDeque<>();
    /** Those that are free, lent, or being opened or closed. */
    private int open;

    private boolean refused;
    private long refusedAt;
    private boolean closed;

    /**
     * @param device stays the caller's, to be closed after this
     * @param most queues at once, at least 1
     */
    Lanes(Device device, int most) {
        this(device, most, REFUSED);
    }

    /** The same, with another time after which a refusal is forgotten. */
    Lanes(Device device, int most, Duration refused) {
        refusedNanos = refused.toNanos();
        this.device = device;
        this.most = Math.max(1, Math.min(most, device.geometry().maxQueues()));
    }

    /** One thread's reads, to be closed by it: it has a lane from the first of them on. */
    final class Loan implements AutoCloseable {
        private final BooleanSupplier wanted;
        private @Nullable Lane lane;

        private Loan(BooleanSupplier wanted) {
            this.wanted = wanted;
        }

        /**
         * {@link Lane#read}.
         *
         * @throws ClosedFileSystemException if the lanes are closed
         * @throws AsynchronousCloseException if it is not wanted any more
         */
        void read(long position, MemorySegment target) throws IOException {
            Lane mine = lane;
            if (mine == null) {
                mine = borrow(wanted);
                lane = mine;
                mine.lend(wanted);
            }
            mine.read(position, target);
        }

        /** {@link Lane#finish}. */
        void finish() throws IOException {
            if (lane != null) {
                lane.finish();
            }
        }

        /**
         * {@inheritDoc}
         *
         * @throws IOException if an error has left the lane in use, and it cannot be closed either
         */
        @Override
        public void close() throws IOException {
            Lane mine = lane;
            lane = null;
            if (mine != null) {
                giveBack(mine);
            }
        }
    }

    /**
     * Lends a lane.
     *
     * @param wanted whether the borrower still wants what it reads; {@link #wake} is called when that changes
     */
    Loan lend(BooleanSupplier wanted) {
        return new Loan(wanted);
    }

    /** Has those that wait for a lane look whether they still want it. */
    void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private Lane borrow(BooleanSupplier wanted) throws IOException {
        while (true) {
            Lane lane = awaitFree(wanted);
            if (lane != null) {
                return lane;
            }
            try {
                return Lane.open(device);
            } catch (Throwable e) {
                if (forgetRefused() == 0 || e instanceof Error) {
                    throw e;
                }
                // The device has no more for now: those that there are serve.
            }
        }
    }

    /** A lane that is free, or null if the caller is to open one, which is counted. */
    private @Nullable Lane awaitFree(BooleanSupplier wanted) throws AsynchronousCloseException {
        boolean interrupted = false;
        lock.lock();
        try {
            while (true) {
                if (closed) {
                    throw new ClosedFileSystemException();
                }
                if (!wanted.getAsBoolean()) {
                    throw new AsynchronousCloseException();
                }
                // The one that was used last: its memory is in the processor's caches.
                Lane lane = free.pollFirst();
                if (lane != null) {
                    return lane;
                }
                if (open == most) {
                    changed.awaitUninterruptibly();
                    continue;
                }
                long left = open == 0 || !refused ? 0 : refusedNanos - (System.nanoTime() - refusedAt);
                if (left <= 0) {
                    open++;
                    return null;
                }
                try {
                    // The others may be lent for long: by then the device may have one more.
                    long ignored = changed.awaitNanos(left);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            lock.unlock();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Counts one less, that was to be opened, and tells how many there are. */
    private int forgetRefused() {
        lock.lock();
        try {
            open--;
            refused = true;
            refusedAt = System.nanoTime();
            changed.signalAll();
            return open;
        } finally {
            lock.unlock();
        }
    }

    private void giveBack(Lane lane) throws IOException {
        boolean ready = false;
        try {
            lane.ready();
            ready = true;
        } finally {
            try {
                if (!ready) {
                    lane.close();
                }
            } finally {
                returned(ready ? lane : null);
            }
        }
    }

    /** One is free, or null: it is not there any more. */
    private void returned(@Nullable Lane lane) {
        lock.lock();
        try {
            if (lane == null) {
                open--;
            } else {
                free.addFirst(lane);
            }
            changed.signalAll();
        } finally {
            lock.unlock();
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

    /** {@inheritDoc} An interruption does not end it: what the kernel reads to find a file, it reads so too. */
    @Override
    public void read(long position, MemorySegment target) throws IOException {
        try (Loan loan = lend(() -> true)) {
            loan.read(position, target);
            loan.finish();
        }
    }

    /** Waits until no thread reads, and closes all queues. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        List<Lane> last;
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
            while (free.size() < open) {
                changed.awaitUninterruptibly();
            }
            open = 0;
            last = new ArrayList<>(free);
            free.clear();
        } finally {
            lock.unlock();
        }
        IOException first = null;
        for (Lane lane : last) {
            try {
                lane.close();
            } catch (IOException | RuntimeException e) {
                if (first == null) {
                    first = new IOException(name() + ": a queue could not be closed: " + e.getMessage(), e);
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
