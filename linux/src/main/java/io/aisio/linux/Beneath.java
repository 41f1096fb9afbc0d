package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * A directory or file, open by descriptor, from which one walks down without ever leaving its mount: a symbolic link in
 * the place of a directory is refused ({@code ELOOP}), another mount too ({@code EXDEV}).
 *
 * <p>Names are bytes, as the kernel has them. One thread at a time uses it; {@link #status()} and opening beneath it may
 * be called by several as long as none closes it.
 */
public final class Beneath implements AutoCloseable {
    /** RESOLVE_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS and _BENEATH of {@code linux/openat2.h}. */
    private static final long RESOLVE = 0x1 | 0x2 | 0x4 | 0x8;
    /** {@code sizeof(struct open_how)}. */
    static final int OPEN_HOW = 24;

    /** The permissions of a file that is made: 0600. */
    private static final int OWNER_ONLY = 0600;

    /** What {@code openat2} takes at once: PATH_MAX with the terminating zero. */
    public static final int MAX_PATH_BYTES = 4095;

    /** {@code linux/fs.h}: {@code _IOWR('f', 11, struct fiemap)}. */
    private static final long FS_IOC_FIEMAP = 0xC020_660BL;
    /** {@code linux/fs.h}: {@code _IOW(0x94, 9, int)}. */
    private static final long FICLONE = 0x4004_9409L;
    /** {@code linux/fs.h}: {@code _IOR('f', 1, long)}, {@code _IOW('f', 2, long)}, of which 32 bits are used. */
    private static final long FS_IOC_GETFLAGS = 0x8008_6601L;

    private static final long FS_IOC_SETFLAGS = 0x4008_6602L;
    private static final int FS_IMMUTABLE_FL = 0x10;
    /** Of ext3 and ext4, {@code chattr +j}. */
    private static final int FS_JOURNAL_DATA_FL = 0x4000;

    /** {@code linux/fs.h}: {@code _IOR(0x15, 0, struct fsuuid2)}, a length and as many bytes. */
    private static final long FS_IOC_GETFSUUID = 0x8011_1500L;

    private static final int UUID_BYTES = 16;
    /** {@code linux/fs.h}: {@code _IOR(0x94, 49, char[FSLABEL_MAX])}. */
    private static final long FS_IOC_GETFSLABEL = 0x8100_9431L;

    private static final int LABEL_BYTES = 256;
    /** {@code xfs_fs.h}: {@code _IOR('X', 100, struct xfs_fsop_geom_v1)}, and where that has the UUID. */
    private static final long XFS_IOC_FSGEOMETRY_V1 = 0x8070_5864L;

    private static final int XFS_GEOMETRY = 112;
    private static final int XFS_GEOMETRY_UUID = 64;
    private static final ValueLayout.OfLong BIG_ENDIAN_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    /** Sizes of {@code struct fiemap} and {@code struct fiemap_extent}. */
    private static final int FIEMAP = 32;

    private static final int FIEMAP_EXTENT = 56;
    private static final int FIEMAP_FLAG_SYNC = 1;
    private static final int FIEMAP_EXTENT_LAST = 1;
    /** Extents asked for at once: chosen so that what is asked fits into a few pages. */
    private static final int PIECE = 512;
    /** More than this of one file do not fit into memory; chosen so that a kernel that never ends is noticed. */
    private static final int MOST_EXTENTS = 1 << 24;

    /** Of {@code exportfs.h}: inode number and generation, 32 bits each. */
    private static final int HANDLE_INO32 = 1;

    private static final int HANDLE_INO32_PARENT = 2;
    /** Of XFS: the flag of 64-bit inode numbers. */
    private static final int HANDLE_INO64 = 0x81;

    private static final int HANDLE_INO64_PARENT = 0x82;
    /** Of btrfs: inode number, that of the subvolume, generation. */
    private static final int HANDLE_BTRFS = 0x4D;

    private static final int MAX_HANDLE = 128;

    private final String name;
    private final int fd;
    private boolean closed;

    private Beneath(String name, int fd) {
        this.name = name;
        this.fd = fd;
    }

    /** A name in a directory. */
    public static final class Name {
        private final byte[] bytes;
        private final long inode;
        private final int type;

        private Name(byte[] bytes, long inode, int type) {
            this.bytes = bytes;
            this.inode = inode;
            this.type = type;
        }

        /** As the directory holds it; not to be changed. */
        public byte[] bytes() {
            return bytes;
        }

        /** The number that it names; of a mount point that of the directory beneath. */
        public long inode() {
            return inode;
        }

        /** What it names, as bits 15:12 of a mode; 0 if the directory does not know. */
        public int type() {
            return type;
        }

        /** Whether it names the directory itself or the one above. */
        public boolean isDot() {
            return DirectoryEntries.isDot(bytes);
        }
    }

    /**
     * Opens where to begin; links on the way are followed.
     *
     * @throws LinuxException if there is none, it is no directory or may not be read
     */
    public static Beneath directory(Path path) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            int fd = Libc.open(
                    arena.allocateFrom(path.toString()), Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
            if (fd < 0) {
                throw new LinuxException("open", path.toString(), Libc.errno());
            }
            return new Beneath(path.toString(), fd);
        }
    }

    /**
     * Where the part of a path ends that the kernel takes at once.
     *
     * @param path names with {@code /} between
     * @param begin where the part begins, at a name
     * @return the index behind its last name; the part is too long only if its one name is
     */
    public static int endOfStep(byte[] path, int begin) {
        int end = Math.min(path.length, begin + MAX_PATH_BYTES);
        while (end < path.length && end > begin && path[end] != '/') {
            end--;
        }
        // A name of thousands of bytes: the kernel says that it is too long.
        return end == begin ? path.length : end;
    }

    /**
     * Opens a directory further down, to be read.
     *
     * @param path of at most {@link #MAX_PATH_BYTES}, without a leading {@code /}
     * @param shown how messages name it
     */
    public Beneath openDirectory(byte[] path, String shown) throws LinuxException {
        return open(path, shown, Libc.O_RDONLY | Libc.O_DIRECTORY);
    }

    /** Opens a file further down, to be read; a pipe or device is not waited for. */
    public Beneath openFile(byte[] path, String shown) throws LinuxException {
        return open(path, shown, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY);
    }

    /**
     * Makes a file without a name in this directory's file system, which has the content of another one and shares its
     * blocks. The kernel frees it when it is closed, or its process ends.
     *
     * @throws LinuxException {@code EOPNOTSUPP} if the file system shares no blocks
     */
    public Beneath cloneOf(Beneath file) throws LinuxException {
        Beneath clone = open(new byte[] {'.'}, "a clone of " + file.name, Libc.O_RDWR | Libc.O_TMPFILE);
        if (Libc.ioctl(clone.fd(), FICLONE, file.fd()) != 0) {
            int errno = Libc.errno();
            clone.close();
            throw new LinuxException("ioctl FICLONE", file.name, errno);
        }
        return clone;
    }

    private Beneath open(byte[] path, String shown, int flags) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment how = arena.allocate(OPEN_HOW, 8);
            how.set(JAVA_LONG, 0, flags | Libc.O_CLOEXEC | Libc.O_NOFOLLOW);
            boolean makes = (flags & Libc.O_TMPFILE) == Libc.O_TMPFILE;
            how.set(JAVA_LONG, 8, makes ? OWNER_ONLY : 0);
            how.set(JAVA_LONG, 16, RESOLVE);
            MemorySegment bytes = string(arena, path);
            while (true) {
                int opened = (int) Libc.openat2(fd(), bytes, how);
                if (opened >= 0) {
                    return new Beneath(shown, opened);
                }
                // EAGAIN: something was renamed while the kernel made sure that the path stays beneath.
                if (Libc.errno() != Errno.EINTR && Libc.errno() != Errno.EAGAIN) {
                    throw new LinuxException("openat2", shown, Libc.errno());
                }
            }
        }
    }

    /**
     * Makes it immutable: from now on nobody may open it to write, through {@code /proc} neither, nor change its blocks.
     *
     * @return false if this process may not (CAP_LINUX_IMMUTABLE), or the file system does not know of it
     */
    public boolean makeImmutable() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment flags = arena.allocate(JAVA_LONG);
            if (!asked(FS_IOC_GETFLAGS, "FS_IOC_GETFLAGS", flags)) {
                return false;
            }
            flags.set(JAVA_INT, 0, flags.get(JAVA_INT, 0) | FS_IMMUTABLE_FL);
            return asked(FS_IOC_SETFLAGS, "FS_IOC_SETFLAGS", flags);
        }
    }

    /**
     * Whether its file system writes what is written to it into the journal first ({@code chattr +j}).
     *
     * @throws LinuxException if the file system does not know of it ({@code ENOTTY})
     */
    public boolean isJournaled() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment flags = arena.allocate(JAVA_LONG);
            while (Libc.ioctl(fd(), FS_IOC_GETFLAGS, flags) != 0) {
                if (Libc.errno() != Errno.EINTR) {
                    throw new LinuxException("ioctl FS_IOC_GETFLAGS", name, Libc.errno());
                }
            }
            return (flags.get(JAVA_INT, 0) & FS_JOURNAL_DATA_FL) != 0;
        }
    }

    /** What it is. */
    public FileStatus status() throws LinuxException {
        return status(new byte[0], name, Libc.AT_EMPTY_PATH);
    }

    /** What a name in this directory stands for; a link is not followed. */
    public FileStatus status(byte[] child, String shown) throws LinuxException {
        return status(child, shown, Libc.AT_SYMLINK_NOFOLLOW | Libc.AT_NO_AUTOMOUNT);
    }

    private FileStatus status(byte[] child, String shown, int flags) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statx = arena.allocate(FileStatus.BYTES, 8);
            if (Libc.statx(fd(), string(arena, child), flags, FileStatus.WANTED, statx) != 0) {
                throw new LinuxException("statx", shown, Libc.errno());
            }
            return FileStatus.of(statx);
        }
    }

    /** Where a symbolic link in this directory leads, as bytes. */
    public byte[] target(byte[] child, String shown) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment target = arena.allocate(MAX_PATH_BYTES + 1);
            long length = Libc.readlinkat(fd(), string(arena, child), target);
            if (length < 0) {
                throw new LinuxException("readlinkat", shown, Libc.errno());
            }
            return target.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** What tells this file from all others; see {@link #handle(byte[], String)}. */
    public FileHandle handle() throws LinuxException {
        return handle(new byte[0], name, Libc.AT_EMPTY_PATH);
    }

    /**
     * What tells a file from all others of its file system; it is not opened, a link is not followed.
     *
     * @throws LinuxException {@code EOPNOTSUPP} if the file system does not tell, or in a form that is not known here
     */
    public FileHandle handle(byte[] child, String shown) throws LinuxException {
        return handle(child, shown, 0);
    }

    private FileHandle handle(byte[] child, String shown, int flags) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = arena.allocate(8 + MAX_HANDLE, 8);
            handle.set(JAVA_INT, 0, MAX_HANDLE);
            if (Libc.nameToHandleAt(fd(), string(arena, child), handle, arena.allocate(JAVA_INT), flags) != 0) {
                throw new LinuxException("name_to_handle_at", shown, Libc.errno());
            }
            return switch (handle.get(JAVA_INT, 4)) {
                case HANDLE_INO32, HANDLE_INO32_PARENT ->
                    new FileHandle(handle.get(JAVA_INT, 8) & 0xFFFF_FFFFL, handle.get(JAVA_INT, 12));
                case HANDLE_INO64, HANDLE_INO64_PARENT ->
                    new FileHandle(handle.get(JAVA_LONG, 8), handle.get(JAVA_INT, 16));
                case HANDLE_BTRFS -> new FileHandle(handle.get(JAVA_LONG, 8), handle.get(JAVA_INT, 24));
                default -> throw new LinuxException("name_to_handle_at", shown, Errno.EOPNOTSUPP);
            };
        }
    }

    /** All names in this directory, in the kernel's order, from its beginning; {@code .} and {@code ..} too. */
    public List<Name> list() throws LinuxException {
        if (Libc.lseek(fd(), 0, 0) < 0) {
            throw new LinuxException("lseek", name, Libc.errno());
        }
        List<Name> names = new ArrayList<>();
        DirectoryEntries.list(fd(), name, (bytes, inode, type) -> names.add(new Name(bytes, inode, type)));
        return names;
    }

    /**
     * Where the file's blocks lie, those behind its end too, in pieces each of which is true by itself: a file that
     * changes meanwhile may give a mixture.
     *
     * @param sync whether what is in memory only is written first, so that all of it has a place
     * @throws LinuxException {@code EOPNOTSUPP} if the file system does not tell
     */
    public List<FileExtent> extents(boolean sync) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment map = arena.allocate(FIEMAP + (long) PIECE * FIEMAP_EXTENT, 8);
            List<FileExtent> extents = new ArrayList<>();
            long start = 0;
            while (true) {
                map.asSlice(0, FIEMAP).fill((byte) 0);
                map.set(JAVA_LONG, 0, start);
                map.set(JAVA_LONG, 8, -1 - start);
                map.set(JAVA_INT, 16, sync ? FIEMAP_FLAG_SYNC : 0);
                map.set(JAVA_INT, 24, PIECE);
                if (Libc.ioctl(fd(), FS_IOC_FIEMAP, map) != 0) {
                    if (Libc.errno() == Errno.EINTR) {
                        continue;
                    }
                    throw new LinuxException("ioctl FS_IOC_FIEMAP", name, Libc.errno());
                }
                int mapped = map.get(JAVA_INT, 20);
                boolean last = mapped == 0;
                for (int i = 0; i < Math.min(mapped, PIECE); i++) {
                    long at = FIEMAP + (long) i * FIEMAP_EXTENT;
                    int flags = map.get(JAVA_INT_UNALIGNED, at + 40);
                    FileExtent extent = new FileExtent(
                            map.get(JAVA_LONG, at),
                            map.get(JAVA_LONG, at + 8),
                            map.get(JAVA_LONG, at + 16),
                            flags & ~FIEMAP_EXTENT_LAST);
                    last |= (flags & FIEMAP_EXTENT_LAST) != 0;
                    if (extent.length() <= 0 || extent.offset() + extent.length() <= start) {
                        throw new LinuxException("ioctl FS_IOC_FIEMAP", name + " at byte " + start, Errno.EIO);
                    }
                    start = extent.offset() + extent.length();
                    extents.add(extent);
                }
                if (last) {
                    return extents;
                }
                if (extents.size() > MOST_EXTENTS) {
                    throw new LinuxException("ioctl FS_IOC_FIEMAP", name, Errno.EFBIG);
                }
            }
        }
    }

    /**
     * Reads the file until {@code target} is full or the file ends.
     *
     * @return the bytes read; less than the target's size only at the end of the file
     */
    public long read(MemorySegment target, long position) throws LinuxException {
        long done = 0;
        while (done < target.byteSize()) {
            long n = Libc.pread(fd(), target.asSlice(done), target.byteSize() - done, position + done);
            if (n == 0) {
                break;
            }
            if (n > 0) {
                done += n;
            } else if (Libc.errno() != Errno.EINTR) {
                throw new LinuxException("pread", name, Libc.errno());
            }
        }
        return done;
    }

    /** What its file system is, and how full. */
    public FileSystemStatus fileSystem() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statfs = arena.allocate(120, 8);
            if (Libc.fstatfs(fd(), statfs) != 0) {
                throw new LinuxException("fstatfs", name, Libc.errno());
            }
            return new FileSystemStatus(
                    statfs.get(JAVA_LONG, 0),
                    (int) statfs.get(JAVA_LONG, 8),
                    statfs.get(JAVA_LONG, 16),
                    statfs.get(JAVA_LONG, 24),
                    statfs.get(JAVA_LONG, 40),
                    statfs.get(JAVA_LONG, 48),
                    uuid(arena),
                    label(arena));
        }
    }

    private String uuid(Arena arena) throws LinuxException {
        MemorySegment told = arena.allocate(1 + UUID_BYTES);
        if (asked(FS_IOC_GETFSUUID, "FS_IOC_GETFSUUID", told) && told.get(JAVA_BYTE, 0) == UUID_BYTES) {
            return uuid(told, 1);
        }
        // btrfs, and others before Linux 6.9, have requests of their own.
        MemorySegment own = arena.allocate(Math.max(XFS_GEOMETRY, Btrfs.FS_INFO), 8);
        if (asked(XFS_IOC_FSGEOMETRY_V1, "XFS_IOC_FSGEOMETRY_V1", own)) {
            return uuid(own, XFS_GEOMETRY_UUID);
        }
        return asked(Btrfs.BTRFS_IOC_FS_INFO, "BTRFS_IOC_FS_INFO", own) ? uuid(own, Btrfs.FS_INFO_UUID) : "";
    }

    private static String uuid(MemorySegment bytes, long at) {
        return new UUID(bytes.get(BIG_ENDIAN_LONG, at), bytes.get(BIG_ENDIAN_LONG, at + 8)).toString();
    }

    private String label(Arena arena) throws LinuxException {
        MemorySegment told = arena.allocate(LABEL_BYTES);
        if (!asked(FS_IOC_GETFSLABEL, "FS_IOC_GETFSLABEL", told)) {
            return "";
        }
        int length = 0;
        while (length < LABEL_BYTES && told.get(JAVA_BYTE, length) != 0) {
            length++;
        }
        return new String(told.asSlice(0, length).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
    }

    /** @return false if the file system knows no such request, or may not be asked by this user */
    private boolean asked(long request, String shown, MemorySegment argument) throws LinuxException {
        if (Libc.ioctl(fd(), request, argument) == 0) {
            return true;
        }
        if (Set.of(Errno.ENOTTY, Errno.EOPNOTSUPP, Errno.EINVAL, Errno.EPERM).contains(Libc.errno())) {
            return false;
        }
        throw new LinuxException("ioctl " + shown, name, Libc.errno());
    }

    /** Waits until all that was written to its file system is on the device, of metadata at least in the log. */
    public void syncFileSystem() throws LinuxException {
        if (Libc.syncfs(fd()) != 0) {
            throw new LinuxException("syncfs", name, Libc.errno());
        }
    }

    /**
     * How its XFS is laid out.
     *
     * @throws LinuxException {@code ENOTTY} if it is on another file system
     */
    public XfsGeometry xfsGeometry() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment geometry = arena.allocate(XfsGeometry.BYTES, 8);
            if (Libc.ioctl(fd(), XfsGeometry.REQUEST, geometry) != 0) {
                throw new LinuxException("ioctl XFS_IOC_FSGEOMETRY", name, Libc.errno());
            }
            return XfsGeometry.of(geometry);
        }
    }

    /** Closes it. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            int _ = Libc.close(fd);
        }
    }

    /** How messages name it. */
    String name() {
        return name;
    }

    /** The descriptor, as long as it is open here. */
    int fd() {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
        return fd;
    }

    private static MemorySegment string(Arena arena, byte[] bytes) {
        MemorySegment string = arena.allocate(bytes.length + 1L);
        MemorySegment.copy(bytes, 0, string, JAVA_BYTE, 0, bytes.length);
        return string;
    }
}
