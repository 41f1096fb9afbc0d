package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Counts what the thread that opened it does, on whatever processor it runs ({@code perf_event_open(2)}). It counts from
 * then on until it is closed. One thread opens, reads and closes it.
 */
public final class PerfCounter implements AutoCloseable {
    /** {@code PERF_ATTR_SIZE_VER0} of {@code linux/perf_event.h}: every kernel takes a structure of that size. */
    private static final int ATTRIBUTE_BYTES = 64;

    private static final long SIZE = 4;
    private static final long CONFIG = 8;
    private static final long READ_FORMAT = 32;
    private static final long FLAGS = 40;
    /** {@code PERF_FORMAT_TOTAL_TIME_ENABLED} and {@code _RUNNING}: a count is followed by both times, in nanoseconds. */
    private static final long WITH_TIMES = 1 | 1 << 1;

    private static final long ENABLED = 8;
    private static final long RUNNING = 16;
    private static final long COUNT_BYTES = 24;
    /** A count that lacks less than one of so many is whole: far within what repeated runs differ by. */
    private static final long WHOLE = 1000;

    private static final long EXCLUDE_KERNEL = 1 << 5;
    private static final long EXCLUDE_HYPERVISOR = 1 << 6;
    private static final int FLAG_CLOEXEC = 1 << 3;
    private static final int THIS_THREAD = 0;
    private static final int ANY_CPU = -1;
    private static final int NO_GROUP = -1;

    /** What is counted: {@code perf_type_id} and an event of it. */
    public enum Event {
        /** Cycles of the processor, by its own counter; many virtual machines have none. */
        CYCLES(0, 0),
        /** Nanoseconds that the thread ran, by the kernel's clock. */
        TASK_CLOCK(1, 1);

        private final int type;
        private final long config;

        Event(int type, long config) {
            this.type = type;
            this.config = config;
        }
    }

    private final int fd;
    private final Event event;
    private final boolean withKernel;
    private boolean closed;

    private PerfCounter(int fd, Event event, boolean withKernel) {
        this.fd = fd;
        this.event = event;
        this.withKernel = withKernel;
    }

    /**
     * Begins to count for the current thread. What the kernel does for it is counted too, where this user may know that.
     *
     * @throws LinuxException {@code ENOENT} if the processor has no such counter, {@code EACCES} if the user may not
     *     have one ({@code kernel.perf_event_paranoid}), {@code ENOSYS} if the kernel has none
     */
    public static PerfCounter ofThisThread(Event event) throws LinuxException {
        int all = open(event, EXCLUDE_HYPERVISOR);
        if (all >= 0) {
            return new PerfCounter(all, event, true);
        }
        int errno = Libc.errno();
        if (errno == Errno.EACCES || errno == Errno.EPERM) {
            int user = open(event, EXCLUDE_HYPERVISOR | EXCLUDE_KERNEL);
            if (user >= 0) {
                return new PerfCounter(user, event, false);
            }
            errno = Libc.errno();
        }
        throw new LinuxException("perf_event_open", "a counter of " + event, errno);
    }

    private static int open(Event event, long flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attributes = arena.allocate(ATTRIBUTE_BYTES, 8);
            attributes.set(JAVA_INT, 0, event.type);
            attributes.set(JAVA_INT, SIZE, ATTRIBUTE_BYTES);
            attributes.set(JAVA_LONG, CONFIG, event.config);
            attributes.set(JAVA_LONG, READ_FORMAT, WITH_TIMES);
            attributes.set(JAVA_LONG, FLAGS, flags);
            return (int) Libc.perfEventOpen(attributes, THIS_THREAD, ANY_CPU, NO_GROUP, FLAG_CLOEXEC);
        }
    }

    /** Whether what the kernel did for the thread is counted too. */
    public boolean withKernel() {
        return withKernel;
    }

    /**
     * How many there were since it was opened.
     *
     * @throws LinuxException if the kernel does not tell; {@code EBUSY} if the processor's counters were shared with
     *     others meanwhile, as a count of a part of the time is too small
     */
    public long count() throws LinuxException {
        if (closed) {
            throw new IllegalStateException("the counter is closed");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(COUNT_BYTES, 8);
            if (Libc.read(fd, count) != count.byteSize()) {
                throw new LinuxException("read", "a counter", Libc.errno());
            }
            requireWhole(event, count.get(JAVA_LONG, ENABLED), count.get(JAVA_LONG, RUNNING));
            return count.get(JAVA_LONG, 0);
        }
    }

    static void requireWhole(Event event, long enabled, long running) throws LinuxException {
        if (enabled - running > enabled / WHOLE) {
            throw new LinuxException(
                    "read",
                    "a counter of " + event + " that counted " + running + " of " + enabled
                            + " ns, as others count too",
                    Errno.EBUSY);
        }
    }

    /** Ends it. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            Libc.close(fd);
        }
    }
}
