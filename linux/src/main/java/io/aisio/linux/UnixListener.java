package io.aisio.linux;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * A Unix stream socket that others connect to by its path, which only its owner may (mode 0600, from the first moment on:
 * the socket has it before it has a name).
 *
 * <p>One thread accepts; any may {@link #close}, which ends its wait.
 */
public final class UnixListener implements AutoCloseable {
    private static final int OWNER_ONLY = 0600;
    /** {@code stat(2)}: the type of a file, and that of a socket. */
    private static final int TYPE = 0xF000;

    private static final int SOCKET = 0xC000;

    private final Path path;
    private final int fd;
    private final long device;
    private final long inode;
    private final ReentrantReadWriteLock inUse = new ReentrantReadWriteLock();
    private final Waker waker;
    private volatile boolean closed;

    private UnixListener(Path path, int fd, long device, long inode) throws LinuxException {
        this.path = path;
        this.fd = fd;
        this.device = device;
        this.inode = inode;
        waker = new Waker();
    }

    /**
     * Binds a socket and listens. One that is there already and that nobody listens on any more, as a process that was
     * killed leaves it, is replaced.
     *
     * @param backlog clients that may wait to be accepted
     * @throws IOException if somebody listens there, or it is no socket (a symbolic link, a file), or the kernel refuses;
     *     the message says the next step
     */
    public static UnixListener bind(Path path, int backlog) throws IOException {
        return bind(path, backlog, OWNER_ONLY, null);
    }

    /**
     * The same, for others to connect to too.
     *
     * @param permissions such as 0660: whoever may write may connect. Until it has them, its owner alone may
     * @param group that it becomes, by name; null for the process's
     * @throws IOException as above, or if there is no such group, or it cannot be given to it
     */
    public static UnixListener bind(Path path, int backlog, int permissions, @Nullable String group)
            throws IOException {
        Path folder = path.toAbsolutePath().getParent();
        if (folder == null) {
            throw new IOException(path + " names no socket");
        }
        // Who looks whether a socket is stale, removes it and binds his own keeps others from the same.
        try (OpenFile claimed = OpenFile.open(folder, OpenFile.Access.READ_ONLY)) {
            try {
                claimed.claimAlone();
            } catch (LinuxException e) {
                if (e.errno() == Errno.EAGAIN) {
                    throw new IOException(
                            path + ": somebody else is about to make a socket in " + folder
                                    + ", or holds a lock on that folder; next: try again",
                            e);
                }
                throw e;
            }
            removeStale(path);
            return bindNew(path, backlog, permissions, group);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                throw new IOException(path + ": there is no folder " + folder + "; next: make it (mkdir -p)", e);
            }
            throw e;
        }
    }

    /**
     * Whether there is a socket at a path, which somebody may listen on or not.
     *
     * @param links whether a link to one is none
     */
    public static boolean isSocket(Path path, LinkOption... links) throws IOException {
        return Files.exists(path, links) && ((int) Files.getAttribute(path, "unix:mode", links) & TYPE) == SOCKET;
    }

    private static void removeStale(Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!isSocket(path, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(path + " is there, and is no socket"
                    + (Files.isSymbolicLink(path) ? " but a symbolic link" : "")
                    + "; it is left alone; next: choose another path, or remove it");
        }
        try (UnixConnection _ = UnixConnection.connect(path, Duration.ZERO)) {
            throw inUse(path, null);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EAGAIN) {
                throw inUse(path, e);
            }
            if (e.errno() != Errno.ECONNREFUSED) {
                throw e;
            }
        }
        Files.deleteIfExists(path);
    }

    private static IOException inUse(Path path, @Nullable LinuxException cause) {
        return new IOException(
                path + ": a server listens there already; next: choose another path, or end that server", cause);
    }

    private static UnixListener bindNew(Path path, int backlog, int permissions, @Nullable String group)
            throws IOException {
        int fd = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC);
        if (fd < 0) {
            throw failed("socket", path);
        }
        boolean bound = false;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = UnixAddress.of(arena, path);
            // Linux gives the name the mode that the socket has.
            if (Libc.fchmod(fd, OWNER_ONLY) != 0) {
                throw failed("fchmod", path);
            }
            if (Libc.bind(fd, address, (int) address.byteSize()) != 0) {
                throw failed("bind", path);
            }
            bound = true;
            open(path, permissions, group);
            if (Libc.listen(fd, backlog) != 0) {
                throw failed("listen", path);
            }
            return new UnixListener(path, fd, number(path, "unix:dev"), number(path, "unix:ino"));
        } catch (IOException | RuntimeException e) {
            int _ = Libc.close(fd);
            if (bound) {
                Files.deleteIfExists(path);
            }
            throw e;
        }
    }

    /**
     * First whose it is, then what they may; the umask has no say. What the name leads to is held meanwhile, so that nobody
     * who may write to the folder has a file of his choice opened by it.
     */
    static void open(Path path, int permissions, @Nullable String group) throws IOException {
        if (group == null && permissions == OWNER_ONLY) {
            return;
        }
        int named;
        try (Arena arena = Arena.ofConfined()) {
            named = Libc.open(arena.allocateFrom(path.toString()), Libc.O_PATH | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, 0);
        }
        if (named < 0) {
            throw failed("open", path);
        }
        try {
            Path held = Path.of("/proc/self/fd/" + named);
            if (!isSocket(held) || (int) Files.getAttribute(held, "unix:uid") != (int) FileStatus.effectiveUser()) {
                throw new IOException(path + ": somebody has put something else there meanwhile; next: choose a folder"
                        + " that nobody else may write to");
            }
            if (group != null) {
                Files.getFileAttributeView(held, PosixFileAttributeView.class)
                        .setGroup(held.getFileSystem()
                                .getUserPrincipalLookupService()
                                .lookupPrincipalByGroupName(group));
            }
            Files.setAttribute(held, "unix:mode", permissions);
        } catch (UserPrincipalNotFoundException e) {
            throw new IOException(path + ": there is no group '" + group + "'; next: groupadd " + group, e);
        } finally {
            int _ = Libc.close(named);
        }
    }

    private static long number(Path path, String attribute) throws IOException {
        return (long) Files.getAttribute(path, attribute, LinkOption.NOFOLLOW_LINKS);
    }

    /** The path that it is bound to. */
    public Path path() {
        return path;
    }

    /**
     * Waits for somebody to connect.
     *
     * @return the connection, or null once this is closed
     * @throws LinuxException if the kernel refuses: {@code EMFILE} if this process has too many descriptors open, and the
     *     client goes on waiting
     */
    public @Nullable UnixConnection accept() throws LinuxException {
        inUse.readLock().lock();
        try {
            while (!closed) {
                if (!waker.await(fd, -1, -1)) {
                    continue;
                }
                int accepted = Libc.accept4(fd, Libc.SOCK_CLOEXEC);
                if (accepted >= 0) {
                    return UnixConnection.of(accepted, "a client of " + path);
                }
                // ECONNRESET and the like: who was there has left again.
                int errno = Libc.errno();
                if (errno != Errno.EINTR && errno != Errno.EAGAIN && errno != Errno.ECONNRESET) {
                    throw new LinuxException("accept", path.toString(), errno);
                }
            }
            return null;
        } finally {
            inUse.readLock().unlock();
        }
    }

    /** Stops listening, and removes the socket if it is still this one. Closing again does nothing. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        waker.wake();
        inUse.writeLock().lock();
        try {
            if (number(path, "unix:ino") == inode && number(path, "unix:dev") == device) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            // It is gone, or its folder: nothing is left to remove.
        } finally {
            int _ = Libc.close(fd);
            waker.close();
            inUse.writeLock().unlock();
        }
    }

    private static LinuxException failed(String call, Path path) {
        return new LinuxException(call, path.toString(), Libc.errno());
    }
}
