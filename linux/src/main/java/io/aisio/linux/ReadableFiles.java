package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.aisio.linux.OpenFile.DirectAlignment;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Files that are open to be read, each by a number, one after another: opening a file makes no object. What goes wrong with a
 * file is told by errno, as much of it is for the caller to decide.
 *
 * <p>A path is opened beneath a directory, and never leaves its mount; symbolic links are not followed. One thread uses it.
 */
public final class ReadableFiles implements AutoCloseable {
    /** RESOLVE_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS and _BENEATH of {@code linux/openat2.h}. */
    private static final long RESOLVE = 0x1 | 0x2 | 0x4 | 0x8;

    /** STATX_BASIC_STATS. */
    private static final int BASIC = 0x7FF;

    private static final int CLOSED = -1;
    private static final int TYPE = 0xF000;
    private static final int REGULAR = 0x8000;
    private static final int DIRECTORY = 0x4000;
    private static final long NANOS = 1_000_000_000L;

    /** How long an open is tried again that the kernel could not do just now, and how long it is left alone before that. */
    private static final long PATIENCE_NANOS = 2 * NANOS;

    private static final long PAUSE_NANOS = 1_000_000;

    private final int[] descriptors;
    private final MemorySegment path;
    private final MemorySegment how;
    private final MemorySegment empty;
    private final MemorySegment status;

    /**
     * Begins with none open.
     *
     * @param count how many may be open at once; they are numbered from 0
     */
    public ReadableFiles(int count) {
        descriptors = new int[count];
        Arrays.fill(descriptors, CLOSED);
        Arena arena = Arena.ofAuto();
        path = arena.allocate(Beneath.MAX_PATH_BYTES + 1);
        how = arena.allocate(Beneath.OPEN_HOW, Long.BYTES);
        empty = arena.allocate(1);
        status = arena.allocate(FileStatus.BYTES, Long.BYTES);
        how.set(JAVA_LONG, 16, RESOLVE);
    }

    /**
     * Opens a file and looks at it: {@link #isRegular}, {@link #size} and the like then tell of it. A pipe or device is not
     * waited for.
     *
     * @param file a number by which none is open
     * @param name path from the directory, without a leading {@code /}
     * @param direct whether past the page cache, as {@link OpenFile#openDirect}
     * @return 0, or the errno with which the file could not be opened or looked at: then none is; {@code EAGAIN} if the kernel
     *     could not open it for two seconds, as somebody holds a lease to write it (fcntl(2), F_SETLEASE)
     */
    public int open(int file, Beneath directory, byte[] name, boolean direct) {
        if (descriptors[file] != CLOSED) {
            throw new IllegalStateException("file " + file + " is open");
        }
        if (name.length > Beneath.MAX_PATH_BYTES) {
            return Errno.ENAMETOOLONG;
        }
        int special = direct ? Libc.O_DIRECT : 0;
        how.set(
                JAVA_LONG,
                0,
                Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY | Libc.O_NOFOLLOW | Libc.O_CLOEXEC | special);
        MemorySegment c = terminated(name);
        int fd = (int) Libc.openat2(directory.fd(), c, how);
        if (fd < 0) {
            fd = openLater(directory, c);
        }
        if (fd < 0) {
            return -fd;
        }
        descriptors[file] = fd;
        int errno = look(file);
        // io_uring takes it as a wish of the file's that nothing waits for it, and may answer EAGAIN to every read.
        if (errno == 0 && isRegular() && Libc.fcntl(fd, Libc.F_SETFL, special) < 0) {
            errno = Libc.errno();
        }
        if (errno != 0) {
            close(file);
        }
        return errno;
    }

    /** Tries again what has failed just now; a descriptor, or an errno, negated. */
    private int openLater(Beneath directory, MemorySegment c) {
        int errno = Libc.errno();
        long until = System.nanoTime() + PATIENCE_NANOS;
        while (errno == Errno.EINTR || (errno == Errno.EAGAIN && System.nanoTime() - until < 0)) {
            if (errno == Errno.EAGAIN) {
                // Something was renamed while the kernel made sure that the path stays beneath: that is over soon. Or
                // somebody is asked to give up a lease, and has 45 s for it, as O_NONBLOCK does not wait for that.
                LockSupport.parkNanos(PAUSE_NANOS);
            }
            int fd = (int) Libc.openat2(directory.fd(), c, how);
            if (fd >= 0) {
                return fd;
            }
            errno = Libc.errno();
        }
        return -errno;
    }

    /**
     * Has an open file read through the page cache from now on, if it was opened to be read past it.
     *
     * @return 0, or an errno
     */
    public int throughCache(int file) {
        return Libc.fcntl(descriptor(file), Libc.F_SETFL, 0) < 0 ? Libc.errno() : 0;
    }

    /**
     * Looks at an open file again.
     *
     * @return 0, or an errno
     */
    public int look(int file) {
        return Libc.statx(descriptor(file), empty, Libc.AT_EMPTY_PATH, BASIC, status) == 0 ? 0 : Libc.errno();
    }

    /**
     * Looks at what a name stands for, without opening it; a symbolic link is not followed.
     *
     * @param name in the directory itself, so that no link on the way is either
     * @return 0, or an errno
     */
    public int look(Beneath directory, byte[] name) {
        if (name.length > Beneath.MAX_PATH_BYTES) {
            return Errno.ENAMETOOLONG;
        }
        int flags = Libc.AT_SYMLINK_NOFOLLOW | Libc.AT_NO_AUTOMOUNT;
        return Libc.statx(directory.fd(), terminated(name), flags, BASIC, status) == 0 ? 0 : Libc.errno();
    }

    private MemorySegment terminated(byte[] name) {
        MemorySegment.copy(name, 0, path, JAVA_BYTE, 0, name.length);
        path.set(JAVA_BYTE, name.length, (byte) 0);
        return path;
    }

    // What was looked at last; struct statx.

    /** Whether it is a regular file. */
    public boolean isRegular() {
        return (status.get(JAVA_SHORT, 28) & TYPE) == REGULAR;
    }

    /** Whether it is a directory. */
    public boolean isDirectory() {
        return (status.get(JAVA_SHORT, 28) & TYPE) == DIRECTORY;
    }

    /** Its size, in bytes. */
    public long size() {
        return status.get(JAVA_LONG, 40);
    }

    /** Its inode's number. */
    public long inode() {
        return status.get(JAVA_LONG, 32);
    }

    /** The device of its file system: the major number in the upper half. */
    public long device() {
        return ((long) status.get(JAVA_INT, 136) << 32) | (status.get(JAVA_INT, 140) & 0xFFFF_FFFFL);
    }

    /** When anything of it last changed, in nanoseconds since 1970. */
    public long changedNanos() {
        return status.get(JAVA_LONG, 96) * NANOS + status.get(JAVA_INT, 104);
    }

    /**
     * What it takes to read an open file past the cache, as {@link OpenFile#directAlignment()}.
     *
     * @throws LinuxException if the kernel refuses
     */
    public @Nullable DirectAlignment directAlignment(int file) throws LinuxException {
        return OpenFile.directAlignment(descriptor(file), "file " + file);
    }

    /**
     * Where an open file can be opened once more, by a library for example, whatever its name stands for by now
     * ({@code /proc/self/fd}).
     */
    public Path link(int file) {
        return Path.of("/proc/self/fd/" + descriptor(file));
    }

    /**
     * Reads once.
     *
     * @param memory native memory
     * @param offset where in it the bytes go
     * @param bytes how many at most
     * @param position in the file
     * @return how many were read, 0 at the end of the file; or an errno, negated
     */
    public long read(int file, MemorySegment memory, long offset, long bytes, long position) {
        while (true) {
            long n = Libc.pread(descriptor(file), memory.asSlice(offset, bytes), bytes, position);
            if (n >= 0) {
                return n;
            }
            if (Libc.errno() != Errno.EINTR) {
                return -Libc.errno();
            }
        }
    }

    /** Closes a file, of which no command is under way; one that is closed stays so. */
    public void close(int file) {
        int fd = descriptors[file];
        if (fd != CLOSED) {
            descriptors[file] = CLOSED;
            int _ = Libc.close(fd);
        }
    }

    /** The descriptor of an open file. */
    int descriptor(int file) {
        int fd = descriptors[Objects.checkIndex(file, descriptors.length)];
        if (fd == CLOSED) {
            throw new IllegalStateException("file " + file + " is not open");
        }
        return fd;
    }

    /** Closes all that are open. Closing again does nothing. */
    @Override
    public void close() {
        for (int file = 0; file < descriptors.length; file++) {
            close(file);
        }
    }
}
