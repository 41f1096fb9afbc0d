package io.aisio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Lets one thread sleep until a descriptor has something to read, and others wake it: an eventfd beside the descriptor,
 * both polled. Any thread may call {@link #wake}, after {@link #close} too.
 */
final class Waker implements AutoCloseable {
    /** {@code struct pollfd} of {@code asm-generic/poll.h}: fd, events, revents. */
    private static final long POLLFD_BYTES = 8;

    private static final long EVENTS = 4;
    private static final long REVENTS = 6;

    private final Arena arena = Arena.ofShared();
    /** The eventfd, the descriptor that is waited for, and perhaps another one. */
    private final MemorySegment polled = arena.allocate(3 * POLLFD_BYTES, 8);

    private final MemorySegment value = arena.allocate(ValueLayout.JAVA_LONG);
    private final MemorySegment drained = arena.allocate(ValueLayout.JAVA_LONG);
    private final int fd;
    private boolean closed;

    Waker() throws LinuxException {
        fd = Libc.eventfd(0, Libc.O_CLOEXEC | Libc.O_NONBLOCK);
        if (fd < 0) {
            int errno = Libc.errno();
            arena.close();
            throw new LinuxException("eventfd", "a wake-up", errno);
        }
        value.set(ValueLayout.JAVA_LONG, 0, 1);
    }

    /**
     * Waits; only one thread does.
     *
     * @param source a descriptor
     * @param other another one that ends the wait; -1 if there is none
     * @param millis at most, rounded up by the caller; -1 for ever
     * @return whether the source has something to read, an error perhaps
     */
    boolean await(int source, int other, int millis) throws LinuxException {
        set(0, fd);
        set(1, source);
        // The kernel skips negative ones.
        set(2, other);
        if (Libc.poll(polled, millis) < 0) {
            if (Libc.errno() == Errno.EINTR) {
                return false;
            }
            throw new LinuxException("poll", "a descriptor and its wake-up", Libc.errno());
        }
        if (polled.get(ValueLayout.JAVA_SHORT, REVENTS) != 0) {
            // Non-blocking: whatever it returns, the count is now zero.
            long _ = Libc.read(fd, drained);
        }
        return polled.get(ValueLayout.JAVA_SHORT, POLLFD_BYTES + REVENTS) != 0;
    }

    private void set(int index, int descriptor) {
        long at = index * POLLFD_BYTES;
        polled.set(ValueLayout.JAVA_INT, at, descriptor);
        polled.set(ValueLayout.JAVA_SHORT, at + EVENTS, Libc.POLLIN);
        polled.set(ValueLayout.JAVA_SHORT, at + REVENTS, (short) 0);
    }

    /** Ends the wait that is under way, or else the next one. */
    synchronized void wake() {
        if (!closed && Libc.write(fd, value) < 0 && Libc.errno() != Errno.EAGAIN) {
            throw new AssertionError("write to an eventfd: " + Errno.name(Libc.errno()));
        }
    }

    /** Closes it; nobody may be waiting. Closing again does nothing. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            int _ = Libc.close(fd);
            arena.close();
        }
    }
}
