package io.aisio.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.ToIntFunction;

/**
 * One end of a Unix stream socket: bytes, and descriptors that pass with them.
 *
 * <p>One thread receives and one sends at a time; any may {@link #close}, which ends their waits. No wait is without end.
 */
public final class UnixConnection implements AutoCloseable {
    /** {@code struct msghdr}, {@code bits/socket.h}: name, its length, iovecs, how many, control, its length, flags. */
    private static final int MSGHDR = 56;

    private static final int MSG_IOV = 16;
    private static final int MSG_IOVLEN = 24;
    private static final int MSG_CONTROL = 32;
    private static final int MSG_CONTROLLEN = 40;
    private static final int MSG_FLAGS = 48;

    /** {@code struct iovec}: base, length. */
    private static final int IOVEC = 16;

    private static final int IOV_LEN = 8;

    /** {@code struct cmsghdr}: length, level, type; then the data. */
    private static final int CMSG = 16;

    private static final int CMSG_LEVEL = 8;
    private static final int CMSG_TYPE = 12;

    /** {@code struct pollfd}: fd, events, revents. */
    private static final int POLLFD = 8;

    private static final int POLL_EVENTS = 4;
    private static final int POLL_REVENTS = 6;

    /** SCM_MAX_FD: the most that the kernel passes with one message. */
    private static final int MOST_DESCRIPTORS = 253;

    private final int fd;
    private final String name;
    private final Arena arena = Arena.ofShared();
    private final Message incoming = new Message();
    private final Message outgoing = new Message();
    private final ReentrantReadWriteLock inUse = new ReentrantReadWriteLock();
    private volatile boolean closed;
    /** The process at the other end, once its end is this connection's too; -1 before. Under {@link #incoming}'s lock. */
    private int process = -1;

    /** The structures of one direction, kept from call to call. */
    private final class Message {
        final MemorySegment header = arena.allocate(MSGHDR, 8);
        final MemorySegment vector = arena.allocate(IOVEC, 8);
        final MemorySegment control = arena.allocate(controlBytes(MOST_DESCRIPTORS), 8);
        /** This socket, and the process at the other end: one that is negative is none. */
        final MemorySegment polled = arena.allocate(2 * POLLFD, 8);

        final MemorySegment time = arena.allocate(2 * JAVA_LONG.byteSize(), 8);

        void set(MemorySegment bytes, long controlBytes) {
            vector.set(ADDRESS, 0, bytes);
            vector.set(JAVA_LONG, IOV_LEN, bytes.byteSize());
            header.set(ADDRESS, MSG_IOV, vector);
            header.set(JAVA_LONG, MSG_IOVLEN, 1);
            header.set(ADDRESS, MSG_CONTROL, controlBytes == 0 ? MemorySegment.NULL : control);
            header.set(JAVA_LONG, MSG_CONTROLLEN, controlBytes);
            header.set(JAVA_INT, MSG_FLAGS, 0);
        }

        /** Waits for an event, an error or the other end's leaving, until a time by {@link System#nanoTime}. */
        boolean await(short event, int process, long until) throws LinuxException {
            while (true) {
                long left = Math.max(0, until - System.nanoTime());
                polled.set(JAVA_INT, 0, fd);
                polled.set(JAVA_SHORT, POLL_EVENTS, event);
                polled.set(JAVA_SHORT, POLL_REVENTS, (short) 0);
                polled.set(JAVA_INT, POLLFD, process);
                polled.set(JAVA_SHORT, POLLFD + POLL_EVENTS, Libc.POLLIN);
                polled.set(JAVA_SHORT, POLLFD + POLL_REVENTS, (short) 0);
                time.set(JAVA_LONG, 0, left / 1_000_000_000);
                time.set(JAVA_LONG, 8, left % 1_000_000_000);
                int ready = Libc.ppoll(polled, time);
                if (ready > 0 && polled.get(JAVA_SHORT, POLLFD + POLL_REVENTS) != 0) {
                    throw new LinuxException("poll", name, Errno.ESRCH);
                }
                if (ready > 0) {
                    return true;
                }
                if (ready == 0 && left == 0) {
                    return false;
                }
                if (ready < 0 && Libc.errno() != Errno.EINTR) {
                    throw failed("poll");
                }
            }
        }
    }

    /** CMSG_LEN of so many descriptors: in CMSG_SPACE, which is rounded up, the kernel would find room for one more. */
    private static long controlBytes(int descriptors) {
        return CMSG + descriptors * JAVA_INT.byteSize();
    }

    /**
     * What has come.
     *
     * @param bytes how many; 0 if the other end has left
     * @param files what passed with them; who receives closes them
     * @param incomplete whether more was passed than there was room for, here or in this process; the kernel has closed it
     */
    public record Received(int bytes, List<OpenFile> files, boolean incomplete) {
        /** Copies the list. */
        public Received {
            files = List.copyOf(files);
        }

        /** Closes all that was passed. */
        public void closeFiles() {
            files.forEach(OpenFile::close);
        }
    }

    /**
     * Who is at the other end, as of when it connected or listened ({@code SO_PEERCRED}).
     *
     * @param pid process, 0 if it lives in a PID namespace that this process does not see
     * @param uid user
     * @param gid group
     */
    public record Peer(int pid, int uid, int gid) {}

    private UnixConnection(int fd, String name) {
        this.fd = fd;
        this.name = name;
    }

    static UnixConnection of(int fd, String name) {
        return new UnixConnection(fd, name);
    }

    /**
     * Connects to who listens on a path.
     *
     * @param limit how long to wait at most for room in its queue; not at all if it is zero
     * @throws LinuxException {@code ENOENT}, {@code EACCES}, {@code ECONNREFUSED} if nobody listens there, {@code EAGAIN} if
     *     there was no room in time
     * @throws IOException if the path is too long for a socket
     */
    public static UnixConnection connect(Path path, Duration limit) throws IOException {
        int fd = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC);
        if (fd < 0) {
            throw new LinuxException("socket", path.toString(), Libc.errno());
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = UnixAddress.of(arena, path);
            MemorySegment time = arena.allocate(16, 8);
            // A time of zero would be none.
            long micros = Math.max(1, limit.toNanos() / 1000);
            time.set(JAVA_LONG, 0, micros / 1_000_000);
            time.set(JAVA_LONG, 8, micros % 1_000_000);
            if (Libc.setsockopt(fd, Libc.SO_SNDTIMEO, time) != 0) {
                throw new LinuxException("setsockopt", path.toString(), Libc.errno());
            }
            while (Libc.connect(fd, address, (int) address.byteSize()) != 0) {
                if (Libc.errno() != Errno.EINTR) {
                    throw new LinuxException("connect", path.toString(), Libc.errno());
                }
            }
            return new UnixConnection(fd, path.toString());
        } catch (IOException | RuntimeException e) {
            int _ = Libc.close(fd);
            throw e;
        }
    }

    /** Who is at the other end. */
    public Peer peer() throws LinuxException {
        enter();
        try (Arena call = Arena.ofConfined()) {
            MemorySegment credentials = call.allocate(12, 4);
            MemorySegment length = call.allocateFrom(JAVA_INT, 12);
            if (Libc.getsockopt(fd, Libc.SO_PEERCRED, credentials, length) != 0) {
                throw failed("getsockopt SO_PEERCRED");
            }
            return new Peer(credentials.get(JAVA_INT, 0), credentials.get(JAVA_INT, 4), credentials.get(JAVA_INT, 8));
        } finally {
            leave();
        }
    }

    /**
     * From now on the connection ends for who receives with the process that connected ({@link Peer}), whatever other
     * process has this end's descriptor too: {@link #receive} and {@link #await} fail with {@code ESRCH}, and what was sent
     * and not received is lost.
     *
     * @return false if the kernel does not tell of that process's end: it is older than Linux 6.5 and the process in a PID
     *     namespace that is not seen here, or older than 5.3
     * @throws LinuxException {@code ESRCH} if it has ended; {@code EMFILE}
     */
    public boolean endWithPeer() throws LinuxException {
        int pid = peer().pid();
        enter();
        try {
            synchronized (incoming) {
                if (process < 0) {
                    process = openPeer(pid);
                }
                return process >= 0;
            }
        } finally {
            leave();
        }
    }

    private int openPeer(int pid) throws LinuxException {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment descriptor = call.allocate(JAVA_INT);
            MemorySegment length = call.allocateFrom(JAVA_INT, (int) JAVA_INT.byteSize());
            if (Libc.getsockopt(fd, Libc.SO_PEERPIDFD, descriptor, length) == 0) {
                return descriptor.get(JAVA_INT, 0);
            }
            int errno = Libc.errno();
            if (errno == Errno.ENOPROTOOPT) {
                return pid == 0 ? -1 : openProcess(pid, name);
            }
            // EINVAL: what kernels before 6.9 say.
            throw new LinuxException("getsockopt SO_PEERPIDFD", name, errno == Errno.EINVAL ? Errno.ESRCH : errno);
        }
    }

    /** By its number, which another may have by now: then the one that is meant has ended, and is noticed with that one. */
    static int openProcess(int pid, String name) throws LinuxException {
        int descriptor = Libc.pidfdOpen(pid);
        if (descriptor < 0 && Libc.errno() != Errno.ENOSYS) {
            throw new LinuxException("pidfd_open", name, Libc.errno());
        }
        return descriptor;
    }

    /**
     * Waits until there is something to receive, or the other end has left.
     *
     * @return whether there is
     */
    public boolean await(Duration limit) throws LinuxException {
        enter();
        try {
            synchronized (incoming) {
                return incoming.await(Libc.POLLIN, process, System.nanoTime() + limit.toNanos());
            }
        } finally {
            leave();
        }
    }

    /**
     * Receives what there is, at most as much as fits.
     *
     * @param target native memory, of 1 byte at least
     * @param mostFiles of descriptors that there is room for, at most 253
     * @param limit how long to wait at most
     * @throws LinuxException {@code ETIMEDOUT} if nothing came in time; {@code ECONNRESET}
     */
    public Received receive(MemorySegment target, int mostFiles, Duration limit) throws LinuxException {
        if (mostFiles < 0 || mostFiles > MOST_DESCRIPTORS) {
            throw new IllegalArgumentException("room for " + mostFiles + " descriptors with one message; 0 to "
                    + MOST_DESCRIPTORS + " are possible");
        }
        enter();
        try {
            synchronized (incoming) {
                return receiveUntil(target, mostFiles, System.nanoTime() + limit.toNanos());
            }
        } finally {
            leave();
        }
    }

    private Received receiveUntil(MemorySegment target, int mostFiles, long until) throws LinuxException {
        while (true) {
            // What somebody else still says for a process that has ended is not read.
            if (process >= 0 && !incoming.await(Libc.POLLIN, process, until)) {
                throw new LinuxException("recvmsg", name, Errno.ETIMEDOUT);
            }
            incoming.set(target, controlBytes(mostFiles));
            long bytes = Libc.recvmsg(fd, incoming.header, Libc.MSG_DONTWAIT | Libc.MSG_CMSG_CLOEXEC);
            if (bytes >= 0) {
                boolean incomplete = (incoming.header.get(JAVA_INT, MSG_FLAGS) & Libc.MSG_CTRUNC) != 0;
                return new Received((int) bytes, passed(), incomplete);
            }
            if (Libc.errno() == Errno.EAGAIN) {
                if (!incoming.await(Libc.POLLIN, process, until)) {
                    throw new LinuxException("recvmsg", name, Errno.ETIMEDOUT);
                }
            } else if (Libc.errno() != Errno.EINTR) {
                throw failed("recvmsg");
            }
        }
    }

    /** The descriptors of every control message: the kernel has written as much as it says. */
    private List<OpenFile> passed() {
        List<OpenFile> files = new ArrayList<>();
        long end = incoming.header.get(JAVA_LONG, MSG_CONTROLLEN);
        MemorySegment control = incoming.control;
        for (long at = 0; at + CMSG <= end; ) {
            long length = control.get(JAVA_LONG, at);
            if (length < CMSG || at + length > end) {
                break;
            }
            if (control.get(JAVA_INT, at + CMSG_LEVEL) == Libc.SOL_SOCKET
                    && control.get(JAVA_INT, at + CMSG_TYPE) == Libc.SCM_RIGHTS) {
                for (long i = at + CMSG; i + JAVA_INT.byteSize() <= at + length; i += JAVA_INT.byteSize()) {
                    files.add(OpenFile.ofDescriptor(control.get(JAVA_INT, i), Path.of("a file from " + name)));
                }
            }
            at += length + 7 & -8;
        }
        return files;
    }

    /**
     * Sends all of it, with descriptors of files.
     *
     * @param bytes native memory, of 1 byte at least
     * @param files that the other end gets descriptors of, with the first byte
     * @param limit how long it may take at most
     * @throws LinuxException {@code ETIMEDOUT} if the other end did not take it in time, {@code EPIPE} or
     *     {@code ECONNRESET} if it has left; a part may be sent
     * @throws IllegalStateException if one of the files, or this, is closed; nothing is sent
     */
    public void send(MemorySegment bytes, List<OpenFile> files, Duration limit) throws LinuxException {
        int entered = 0;
        try {
            // One that is closed ends this in the middle.
            for (; entered < files.size(); entered++) {
                files.get(entered).enter();
            }
            send(bytes, files, OpenFile::descriptor, limit);
        } finally {
            files.subList(0, entered).forEach(OpenFile::leave);
        }
    }

    /** Sends all of it, with descriptors of event counters, as {@link #send} does; nobody closes them meanwhile. */
    public void sendEvents(MemorySegment bytes, List<EventFd> events, Duration limit) throws LinuxException {
        send(bytes, events, EventFd::descriptor, limit);
    }

    private <T> void send(MemorySegment bytes, List<T> passed, ToIntFunction<T> descriptor, Duration limit)
            throws LinuxException {
        if (passed.size() > MOST_DESCRIPTORS) {
            throw new IllegalArgumentException(passed.size() + " descriptors with one message");
        }
        enter();
        try {
            synchronized (outgoing) {
                long until = System.nanoTime() + limit.toNanos();
                long sent = sendFirst(bytes, passed, descriptor, until);
                while (sent < bytes.byteSize()) {
                    outgoing.set(bytes.asSlice(sent), 0);
                    sent += sendSome(until);
                }
            }
        } finally {
            leave();
        }
    }

    private <T> long sendFirst(MemorySegment bytes, List<T> passed, ToIntFunction<T> descriptor, long until)
            throws LinuxException {
        outgoing.set(bytes, passed.isEmpty() ? 0 : controlBytes(passed.size()));
        outgoing.control.set(JAVA_LONG, 0, CMSG + passed.size() * JAVA_INT.byteSize());
        outgoing.control.set(JAVA_INT, CMSG_LEVEL, Libc.SOL_SOCKET);
        outgoing.control.set(JAVA_INT, CMSG_TYPE, Libc.SCM_RIGHTS);
        for (int i = 0; i < passed.size(); i++) {
            outgoing.control.set(JAVA_INT, CMSG + i * JAVA_INT.byteSize(), descriptor.applyAsInt(passed.get(i)));
        }
        return sendSome(until);
    }

    private long sendSome(long until) throws LinuxException {
        while (true) {
            long sent = Libc.sendmsg(fd, outgoing.header, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL);
            if (sent >= 0) {
                return sent;
            }
            if (Libc.errno() == Errno.EAGAIN) {
                if (!outgoing.await(Libc.POLLOUT, -1, until)) {
                    throw new LinuxException("sendmsg", name, Errno.ETIMEDOUT);
                }
            } else if (Libc.errno() != Errno.EINTR) {
                throw failed("sendmsg");
            }
        }
    }

    private void enter() {
        inUse.readLock().lock();
        if (closed) {
            inUse.readLock().unlock();
            throw new IllegalStateException("the connection with " + name + " is closed");
        }
    }

    private void leave() {
        inUse.readLock().unlock();
    }

    /**
     * Ends the connection in both directions, so that every wait on it ends, here and at the other end, as if the other
     * end had left.
     */
    public void shutDown() {
        inUse.readLock().lock();
        try {
            if (!closed) {
                int _ = Libc.shutdown(fd, Libc.SHUT_RDWR);
            }
        } finally {
            inUse.readLock().unlock();
        }
    }

    /** Ends the connection, once waits on it have ended, which it sees to. Closing again does nothing. */
    @Override
    public void close() {
        shutDown();
        inUse.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                int _ = Libc.close(fd);
                if (process >= 0) {
                    int _ = Libc.close(process);
                }
                arena.close();
            }
        } finally {
            inUse.writeLock().unlock();
        }
    }

    private LinuxException failed(String call) {
        return new LinuxException(call, name, Libc.errno());
    }
}
