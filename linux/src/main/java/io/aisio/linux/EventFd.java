package io.aisio.linux;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A count that the kernel, or another thread, adds to and that a thread waits for ({@code eventfd(2)}): how a device's
 * interrupt reaches a process.
 *
 * <p>One thread waits at a time; any may {@link #signal}. {@link #close} waits for a wait under way, which
 * {@code signal} ends.
 */
public final class EventFd implements AutoCloseable {
    /** {@code struct pollfd} of {@code asm-generic/poll.h}: fd, events, revents. */
    private static final long POLLFD_BYTES = 8;

    private static final long EVENTS = 4;

    /** A shared one would stop all threads when it is closed; after {@link #close} nothing here is used any more. */
    private final Arena arena = Arena.ofAuto();

    private final MemorySegment polled = arena.allocate(POLLFD_BYTES, 8);
    private final MemorySegment count = arena.allocate(ValueLayout.JAVA_LONG);
    private final MemorySegment one = arena.allocate(ValueLayout.JAVA_LONG);
    /** To see that there is room for one more; null of one that was made here, at which no write waits for that. */
    private final @Nullable MemorySegment writable;

    private final int fd;
    private final Object waiting = new Object();
    /** Apart from {@link #waiting}, which a thread that waits has. */
    private final Object signalling = new Object();

    private volatile boolean closed;

    /**
     * Makes one whose count is 0.
     *
     * @throws LinuxException {@code EMFILE} if this process has too many descriptors open
     */
    public EventFd() throws LinuxException {
        this(made(), false);
    }

    private static int made() throws LinuxException {
        int fd = Libc.eventfd(0, Libc.O_CLOEXEC | Libc.O_NONBLOCK);
        if (fd < 0) {
            throw new LinuxException("eventfd", "an event counter", Libc.errno());
        }
        return fd;
    }

    private EventFd(int fd, boolean mayWait) {
        this.fd = fd;
        writable = mayWait ? arena.allocate(POLLFD_BYTES, 8) : null;
        if (writable != null) {
            writable.set(ValueLayout.JAVA_INT, 0, fd);
            writable.set(ValueLayout.JAVA_SHORT, EVENTS, Libc.POLLOUT);
        }
        one.set(ValueLayout.JAVA_LONG, 0, 1);
        polled.set(ValueLayout.JAVA_INT, 0, fd);
        polled.set(ValueLayout.JAVA_SHORT, EVENTS, Libc.POLLIN);
    }

    /**
     * One that another process has made and passed, to {@link #signal} it.
     *
     * @param passed stays the caller's
     * @throws LinuxException {@code EINVAL} if it is none, or this process has too many descriptors open
     */
    public static EventFd of(OpenFile passed) throws LinuxException {
        int fd = passed.duplicate();
        try {
            // A write to anything else could wait for whoever passed it.
            Path kind = Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(fd)));
            if (!kind.toString().equals("anon_inode:[eventfd]")) {
                throw new LinuxException("eventfd", kind.toString(), Errno.EINVAL);
            }
            // Of the counter itself, so that whoever passed it can take that back: a wait is then of its own making.
            int flags = Libc.fcntl(fd, Libc.F_GETFL, 0);
            if (flags < 0 || Libc.fcntl(fd, Libc.F_SETFL, flags | Libc.O_NONBLOCK) != 0) {
                throw new LinuxException("fcntl F_SETFL", kind.toString(), Libc.errno());
            }
        } catch (IOException e) {
            int _ = Libc.close(fd);
            throw e instanceof LinuxException l ? l : new LinuxException("readlink", "/proc/self/fd", Errno.EINVAL);
        }
        return new EventFd(fd, true);
    }

    /**
     * Waits until the count is above 0, and makes it 0.
     *
     * @param limit how long at most; not at all if it is zero, and rounded up to milliseconds
     * @return whether it was
     * @throws LinuxException if the kernel refuses
     * @throws IllegalStateException if it is closed
     */
    public boolean await(Duration limit) throws LinuxException {
        synchronized (waiting) {
            if (closed) {
                throw new IllegalStateException("the event counter is closed");
            }
            if (Libc.read(fd, count) > 0) {
                return true;
            }
            long millis = Math.ceilDiv(Math.max(0, limit.toNanos()), 1_000_000);
            if (millis == 0) {
                return false;
            }
            // A signal that this process handles ends the wait early: as if the time were over.
            if (Libc.poll(polled, (int) Math.min(Integer.MAX_VALUE, millis)) < 0 && Libc.errno() != Errno.EINTR) {
                throw new LinuxException("poll", "an event counter", Libc.errno());
            }
            return Libc.read(fd, count) > 0;
        }
    }

    /** Adds 1 to the count; nothing if it is closed. */
    public void signal() {
        synchronized (signalling) {
            if (!closed) {
                add();
            }
        }
    }

    private void add() {
        // The count is as large as it gets, so whoever waits is woken anyway: so too with EAGAIN.
        if (writable != null && Libc.poll(writable, 0) == 0) {
            return;
        }
        if (Libc.write(fd, one) < 0 && Libc.errno() != Errno.EAGAIN) {
            throw new AssertionError("write to an eventfd: " + Errno.name(Libc.errno()));
        }
    }

    /** The descriptor, for the kernel. */
    int descriptor() {
        return fd;
    }

    /** Closes it, once a wait under way has ended. Closing again does nothing. */
    @Override
    public void close() {
        synchronized (waiting) {
            synchronized (signalling) {
                if (!closed) {
                    closed = true;
                    int _ = Libc.close(fd);
                }
            }
        }
    }
}
