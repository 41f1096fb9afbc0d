package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * A file or block device, open by descriptor, read and written at positions straight from and to native memory.
 *
 * <p>Any thread may call it; {@link #close()} waits for calls under way, and a call after it throws
 * {@link IllegalStateException}: a descriptor number that the kernel has given to somebody else is never used.
 */
public final class OpenFile implements AutoCloseable {
    /** How a file is opened. */
    public enum Access {
        /** Reads only; the file is left as it is. */
        READ_ONLY(Libc.O_RDONLY),
        /** Writes an existing file that may forbid to be read, as attributes of sysfs do. */
        WRITE_ONLY(Libc.O_WRONLY),
        /** Reads and writes an existing file. */
        READ_WRITE(Libc.O_RDWR);

        private final int flags;

        Access(int flags) {
            this.flags = flags;
        }
    }

    /** Zeroes that are written at once where the file system punches no holes: chosen to stay in a core's cache. */
    private static final long ZEROES = 256 << 10;

    /** {@code linux/fs.h}: {@code _IO(0x12, 104)}, the logical block size of a device. */
    private static final long BLKSSZGET = 0x1268;

    /** {@code linux/stat.h}: what is asked for, and where {@code struct statx} has it. */
    private static final int STATX_DIOALIGN = 0x2000;

    private static final long DIO_MEM_ALIGN = 152;
    private static final long DIO_OFFSET_ALIGN = 156;

    private final Path path;
    private final Access access;
    private final int fd;
    private final ReentrantReadWriteLock inUse = new ReentrantReadWriteLock();
    private volatile boolean closed;

    private OpenFile(Path path, Access access, int fd) {
        this.path = path;
        this.access = access;
        this.fd = fd;
    }

    /**
     * Opens an existing file.
     *
     * @throws LinuxException if the kernel refuses ({@code ENOENT}, {@code EACCES}, {@code EROFS}, …)
     */
    public static OpenFile open(Path path, Access access) throws LinuxException {
        return open(path, access, 0, 0);
    }

    /**
     * Opens an existing file or block device past the kernel's cache (O_DIRECT): positions, lengths and the memory that is
     * read to are multiples of what the device takes, of which {@link #logicalBlockBytes()} and a page are always enough.
     *
     * @throws LinuxException if the kernel refuses ({@code EINVAL} where nothing can be read past the cache)
     */
    public static OpenFile openDirect(Path path, Access access) throws LinuxException {
        return open(path, access, Libc.O_DIRECT, 0);
    }

    /**
     * Opens the file that is open here once more, with the same access, whatever its path names meanwhile.
     *
     * @param direct whether past the kernel's cache, as {@link #openDirect}
     * @throws LinuxException if the kernel refuses ({@code EINVAL} where nothing can be read past the cache)
     */
    public OpenFile again(boolean direct) throws LinuxException {
        return again(access, direct ? Libc.O_DIRECT : 0);
    }

    /**
     * Opens the file that is open here once more, only to be read: to pass on to who may not write to it. Claims of the one
     * are not the other's.
     *
     * @throws LinuxException if the kernel refuses
     */
    public OpenFile againToRead() throws LinuxException {
        return again(Access.READ_ONLY, 0);
    }

    private OpenFile again(Access as, int flags) throws LinuxException {
        enter();
        try (Arena arena = Arena.ofConfined()) {
            // proc(5): what the link leads to is the open file, not what the path that it shows names.
            MemorySegment link = arena.allocateFrom("/proc/self/fd/" + fd);
            int other = Libc.open(link, as.flags | flags | Libc.O_CLOEXEC, 0);
            if (other < 0) {
                throw failed("open", path);
            }
            return new OpenFile(path, as, other);
        } finally {
            leave();
        }
    }

    /**
     * The same open file by another descriptor, of which this process only reads and maps to read: for one that somebody
     * passed, who opened it for that alone.
     *
     * @throws LinuxException if this process has too many descriptors open
     */
    public OpenFile passedToRead() throws LinuxException {
        return new OpenFile(path, Access.READ_ONLY, duplicate());
    }

    /**
     * Opens a block device to read as its only user, or finds that it has one: whatever mounts it, swaps to it or is built
     * upon it has it for itself, in any namespace.
     *
     * @throws LinuxException if the kernel refuses ({@code EBUSY} if somebody has it for himself)
     */
    public static OpenFile openAlone(Path device) throws LinuxException {
        return open(device, Access.READ_ONLY, Libc.O_EXCL, 0);
    }

    /**
     * Opens an existing file where anybody may put files: a symbolic link as the last part of the path is refused.
     *
     * @throws LinuxException if the kernel refuses ({@code ELOOP} for a symbolic link, {@code ENOENT}, …)
     */
    public static OpenFile openItself(Path path, Access access) throws LinuxException {
        return open(path, access, Libc.O_NOFOLLOW, 0);
    }

    /**
     * Makes a file that is not there yet, to read and write.
     *
     * @param permissions such as 0600; the process's umask takes bits away
     * @throws LinuxException if the kernel refuses ({@code EEXIST} if anything is there, a symbolic link too)
     */
    public static OpenFile create(Path path, int permissions) throws LinuxException {
        return open(path, Access.READ_WRITE, Libc.O_CREAT | Libc.O_EXCL | Libc.O_NOFOLLOW, permissions);
    }

    /**
     * Makes a file in memory that has no name, for others to map: its size is as it is for good, whoever gets its
     * descriptor ({@code memfd_create(2)}, sealed). Its pages are zero, and cost nothing until they are touched.
     *
     * @param name what it is for, as {@code /proc/PID/maps} shows it
     * @param bytes a multiple of {@link Mapping#PAGE_SIZE}
     * @throws LinuxException if the kernel refuses
     */
    public static OpenFile inMemory(String name, long bytes) throws LinuxException {
        return inMemory(name, bytes, 0);
    }

    /**
     * The same of huge pages that the kernel has set aside; they are taken when the file is mapped.
     *
     * @param bytes a multiple of {@code pageBytes}
     * @param pageBytes bytes of a huge page, a power of two: {@link Mapping#HUGE_PAGE_SIZE}, or 1 GiB
     * @throws LinuxException if the kernel refuses, {@code ENODEV} or {@code EINVAL} if it has none of this size
     */
    public static OpenFile inHugePages(String name, long bytes, long pageBytes) throws LinuxException {
        return inMemory(name, bytes, Libc.MFD_HUGETLB | Long.numberOfTrailingZeros(pageBytes) << Libc.MFD_HUGE_SHIFT);
    }

    private static OpenFile inMemory(String name, long bytes, int flags) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            int fd = Libc.memfdCreate(arena.allocateFrom(name), Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING | flags);
            if (fd < 0) {
                throw new LinuxException("memfd_create", name, Libc.errno());
            }
            OpenFile file = new OpenFile(Path.of("memfd:" + name), Access.READ_WRITE, fd);
            try {
                file.resize(bytes);
                file.seal();
                return file;
            } catch (LinuxException | RuntimeException e) {
                file.close();
                throw e;
            }
        }
    }

    /**
     * Whether nobody can ever make the file shorter again ({@code F_SEAL_SHRINK}), so that what is mapped of it stays there.
     * Only files in memory that were made for it can be sealed.
     */
    public boolean isSealedAgainstShrinking() throws LinuxException {
        enter();
        try {
            int seals = Libc.fcntl(fd, Libc.F_GET_SEALS, 0);
            if (seals < 0) {
                if (Libc.errno() == Errno.EINVAL) {
                    return false;
                }
                throw failed("fcntl F_GET_SEALS", path);
            }
            return (seals & Libc.F_SEAL_SHRINK) != 0;
        } finally {
            leave();
        }
    }

    private void seal() throws LinuxException {
        if (Libc.fcntl(fd, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_SEAL) != 0) {
            throw failed("fcntl F_ADD_SEALS", path);
        }
    }

    /**
     * Takes over a descriptor, open to be read and written, that the kernel gave out otherwise, such as through a
     * library: it is closed by {@link #close()}.
     *
     * @param path by which messages name it
     */
    public static OpenFile ofDescriptor(int fd, Path path) {
        return new OpenFile(path, Access.READ_WRITE, fd);
    }

    /**
     * The same open file by a descriptor of its own, so that either can be closed.
     *
     * @throws LinuxException if this process may have no more descriptors ({@code EMFILE})
     */
    public OpenFile another() throws LinuxException {
        return new OpenFile(path, access, duplicate());
    }

    /** The same open file by another descriptor, which is the caller's to close. */
    int duplicate() throws LinuxException {
        enter();
        try {
            int other = Libc.fcntl(fd, Libc.F_DUPFD_CLOEXEC, 0);
            if (other < 0) {
                throw failed("fcntl F_DUPFD_CLOEXEC", path);
            }
            return other;
        } finally {
            leave();
        }
    }

    private static OpenFile open(Path path, Access access, int flags, int permissions) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            int fd = Libc.open(arena.allocateFrom(path.toString()), access.flags | flags | Libc.O_CLOEXEC, permissions);
            if (fd < 0) {
                throw failed("open", path);
            }
            return new OpenFile(path, access, fd);
        }
    }

    /**
     * Claims the file among all that claim it: alone if it is open to be written, else together with other readers. The
     * claim ends with {@link #close()}, or with the process.
     *
     * @throws LinuxException {@code EAGAIN} if somebody, in this process or another, has a claim that forbids it
     */
    public void claim() throws LinuxException {
        claim(access == Access.READ_ONLY ? Libc.LOCK_SH : Libc.LOCK_EX);
    }

    /**
     * Claims the file alone, however it is open.
     *
     * @throws LinuxException {@code EAGAIN} if somebody has a claim; {@link FileLocks} tells who
     */
    public void claimAlone() throws LinuxException {
        claim(Libc.LOCK_EX);
    }

    private void claim(int operation) throws LinuxException {
        enter();
        try {
            if (Libc.flock(fd, operation | Libc.LOCK_NB) != 0) {
                throw failed("flock", path);
            }
        } finally {
            leave();
        }
    }

    /**
     * Whether somebody else, in this process or another, has a claim on the file that is open here. To know it, the file
     * is claimed together with other readers for a moment, so that a {@link #claim} elsewhere may fail meanwhile. This
     * must not have a claim itself.
     */
    public boolean isClaimed() throws LinuxException {
        enter();
        try {
            if (Libc.flock(fd, Libc.LOCK_SH | Libc.LOCK_NB) != 0) {
                if (Libc.errno() == Errno.EAGAIN) {
                    return true;
                }
                throw failed("flock", path);
            }
            if (Libc.flock(fd, Libc.LOCK_UN) != 0) {
                throw failed("flock", path);
            }
            return false;
        } finally {
            leave();
        }
    }

    /** How it was opened. */
    public Access access() {
        return access;
    }

    /** What the kernel says of the file that is open, whatever its path names meanwhile. */
    public FileStatus status() throws LinuxException {
        enter();
        try {
            return FileStatus.of(fd, path.toString());
        } finally {
            leave();
        }
    }

    /** What the kernel says of the file system that it lies on: its kind, and the bytes of its blocks, pages or huge pages. */
    public FileSystemKind fileSystem() throws LinuxException {
        enter();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statfs = arena.allocate(FileSystemKind.STATFS_BYTES, 8);
            if (Libc.fstatfs(fd, statfs) != 0) {
                throw failed("fstatfs", path);
            }
            return FileSystemKind.of(statfs);
        } finally {
            leave();
        }
    }

    /**
     * Makes the file longer or shorter. What it is made longer by is a hole.
     *
     * @throws LinuxException if the kernel refuses ({@code EFBIG}, …)
     */
    public void resize(long bytes) throws LinuxException {
        enter();
        try {
            while (Libc.ftruncate(fd, bytes) != 0) {
                if (Libc.errno() != Errno.EINTR) {
                    throw failed("ftruncate", path);
                }
            }
        } finally {
            leave();
        }
    }

    /**
     * Takes space for a range, so that writing to it cannot fail for want of it. What was written there stays.
     *
     * @throws LinuxException if there is none ({@code ENOSPC}), or the file system cannot do it
     */
    public void allocate(long position, long bytes) throws LinuxException {
        enter();
        try {
            while (Libc.fallocate(fd, 0, position, bytes) != 0) {
                if (Libc.errno() != Errno.EINTR) {
                    throw failed("fallocate", path);
                }
            }
        } finally {
            leave();
        }
    }

    /** The path that it was opened by. */
    public Path path() {
        return path;
    }

    /**
     * The size in bytes, of a block device too.
     *
     * @throws LinuxException if it has none (a pipe, a character device)
     */
    public long size() throws LinuxException {
        enter();
        try {
            long end = Libc.lseek(fd, 0, Libc.SEEK_END);
            if (end < 0) {
                throw failed("lseek", path);
            }
            return end;
        } finally {
            leave();
        }
    }

    /**
     * What data must be a multiple of to be read and written past the kernel's cache ({@code STATX_DIOALIGN}, Linux 6.1).
     *
     * @param memoryBytes of which the addresses of memory are multiples
     * @param positionBytes of which positions and lengths are multiples; 0 if nothing goes past the cache here
     */
    public record DirectAlignment(int memoryBytes, int positionBytes) {}

    /** What it takes to read and write past the cache; null if the kernel does not tell. */
    public @Nullable DirectAlignment directAlignment() throws LinuxException {
        enter();
        try {
            return directAlignment(fd, path.toString());
        } finally {
            leave();
        }
    }

    /** The same of any descriptor. */
    static @Nullable DirectAlignment directAlignment(int fd, String shown) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment status = arena.allocate(FileStatus.BYTES, 8);
            if (Libc.statx(fd, arena.allocateFrom(""), Libc.AT_EMPTY_PATH, STATX_DIOALIGN, status) != 0) {
                throw new LinuxException("statx", shown, Libc.errno());
            }
            return (status.get(JAVA_INT, 0) & STATX_DIOALIGN) == 0
                    ? null
                    : new DirectAlignment(status.get(JAVA_INT, DIO_MEM_ALIGN), status.get(JAVA_INT, DIO_OFFSET_ALIGN));
        }
    }

    /**
     * Bytes of a block device's logical block, the least that it reads.
     *
     * @throws LinuxException {@code ENOTTY} if it is no block device
     */
    public int logicalBlockBytes() throws LinuxException {
        enter();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(JAVA_INT);
            if (Libc.ioctl(fd, BLKSSZGET, bytes) != 0) {
                throw failed("ioctl BLKSSZGET", path);
            }
            return bytes.get(JAVA_INT, 0);
        } finally {
            leave();
        }
    }

    /**
     * Reads until {@code target} is full or the file ends.
     *
     * @return the bytes read; less than the target's size only at the end of the file
     * @throws LinuxException if the kernel reports an error before anything more could be read
     */
    public long read(MemorySegment target, long position) throws LinuxException {
        enter();
        try {
            long done = 0;
            while (done < target.byteSize()) {
                long n = Libc.pread(fd, target.asSlice(done), target.byteSize() - done, position + done);
                if (n == 0) {
                    break;
                }
                if (n > 0) {
                    done += n;
                } else if (done > 0 && Libc.errno() == Errno.EINVAL) {
                    // Past the cache nothing is read on from where no block begins: the file ended in that block.
                    break;
                } else if (Libc.errno() != Errno.EINTR) {
                    throw failed("pread", path);
                }
            }
            return done;
        } finally {
            leave();
        }
    }

    /**
     * Writes all of {@code source}.
     *
     * @throws LinuxException if the kernel reports an error; a part may then be written
     */
    public void write(MemorySegment source, long position) throws LinuxException {
        enter();
        try {
            long done = 0;
            while (done < source.byteSize()) {
                long n = Libc.pwrite(fd, source.asSlice(done), source.byteSize() - done, position + done);
                if (n > 0) {
                    done += n;
                } else if (n == 0) {
                    throw new LinuxException("pwrite", path.toString(), Errno.EIO);
                } else if (Libc.errno() != Errno.EINTR) {
                    throw failed("pwrite", path);
                }
            }
        } finally {
            leave();
        }
    }

    /**
     * Makes a range read as zeroes, freeing its space where the file system can. The file's size stays; the range must
     * lie in it.
     *
     * @throws LinuxException if the kernel reports an error; a part may then be zeroed
     */
    public void zero(long position, long bytes) throws LinuxException {
        enter();
        try {
            while (Libc.fallocate(fd, Libc.PUNCH_HOLE, position, bytes) != 0) {
                if (Libc.errno() == Errno.EOPNOTSUPP) {
                    writeZeroes(position, bytes);
                    return;
                }
                if (Libc.errno() != Errno.EINTR) {
                    throw failed("fallocate", path);
                }
            }
        } finally {
            leave();
        }
    }

    /** Waits until what was written is on stable storage. */
    public void flush() throws LinuxException {
        enter();
        try {
            if (Libc.fdatasync(fd) != 0) {
                throw failed("fdatasync", path);
            }
        } finally {
            leave();
        }
    }

    /** Closes the descriptor, once calls under way have returned. Closing again does nothing. */
    @Override
    public void close() {
        inUse.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                // Linux frees the descriptor even when close reports an error, and data errors were fdatasync's to
                // tell.
                int _ = Libc.close(fd);
            }
        } finally {
            inUse.writeLock().unlock();
        }
    }

    private void writeZeroes(long position, long bytes) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeroes = arena.allocate(Math.min(bytes, ZEROES));
            for (long done = 0; done < bytes; done += ZEROES) {
                write(zeroes.asSlice(0, Math.min(ZEROES, bytes - done)), position + done);
            }
        }
    }

    /** Something to do with the descriptor. */
    interface Use<T> {
        T with(int fd) throws LinuxException;
    }

    /** Does something with the descriptor, which stays open meanwhile. */
    <T> T with(Use<T> use) throws LinuxException {
        enter();
        try {
            return use.with(fd);
        } finally {
            leave();
        }
    }

    /** An ioctl with a structure; what the kernel returns, never negative. */
    int control(String name, long request, MemorySegment argument) throws LinuxException {
        enter();
        try {
            return answered(name, Libc.ioctl(fd, request, argument));
        } finally {
            leave();
        }
    }

    /** An ioctl with a number; what the kernel returns, never negative. */
    int control(String name, long request, long argument) throws LinuxException {
        enter();
        try {
            return answered(name, Libc.ioctl(fd, request, argument));
        } finally {
            leave();
        }
    }

    private int answered(String name, int answer) throws LinuxException {
        if (answer < 0) {
            throw failed("ioctl " + name, path);
        }
        return answer;
    }

    /**
     * The descriptor, for a library that is given it: whoever asks holds this open as long as the number is used, for the
     * kernel gives it to somebody else after {@link #close()}.
     */
    public int descriptor() {
        return fd;
    }

    /** Keeps the descriptor open until {@link #leave()}, which the same thread calls. */
    void enter() {
        inUse.readLock().lock();
        if (closed) {
            inUse.readLock().unlock();
            requireOpen();
        }
    }

    /** Refuses if it is closed; it may be closed right after. */
    void requireOpen() {
        if (closed) {
            throw new IllegalStateException(path + " is closed");
        }
    }

    void leave() {
        inUse.readLock().unlock();
    }

    private static LinuxException failed(String call, Path path) {
        return new LinuxException(call, path.toString(), Libc.errno());
    }
}
