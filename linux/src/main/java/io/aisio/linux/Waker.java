package io.aisio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;

/**
 * Lets one thread sleep until a descriptor has something to read, and others wake it: an eventfd beside the descriptor,
 * both polled. Any thread may call {@link #wake}, after {@link #close} too.
 */
final class Waker implements AutoCloseable {
    /** {@code struct pollfd} of {@code asm-generic/poll.h}: fd, events, revents. */
    private static final long POLLFD_BYTES = 8;

    private static final long EVENTS = 4;
    private static final long REVENTS = 6;

    /** First, as it may fail. */
    private final EventFd event = new EventFd();

    private final Arena arena = Arena.ofShared();
    /** The eventfd, the descriptor that is waited for, and perhaps another one. */
    private final MemorySegment polled = arena.allocate(3 * POLLFD_BYTES, 8);

    Waker() throws LinuxException {}

    /**
     * Waits; only one thread does.
     *
     * @param source a descriptor
     * @param other another one that ends the wait; -1 if there is none
     * @param millis at most, rounded up by the caller; -1 for ever
     * @return whether the source has something to read, an error perhaps
     */
    boolean await(int source, int other, int millis) throws LinuxException {
        set(0, event.descriptor());
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
            boolean _ = event.await(Duration.ZERO);
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
    void wake() {
        event.signal();
    }

    /** Closes it; nobody may be waiting. Closing again does nothing. */
    @Override
    public void close() {
        event.close();
        if (polled.scope().isAlive()) {
            arena.close();
        }
    }
}
