package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A directory that is open to be listed. Names are bytes, as the kernel has them, so that each is found whatever the
 * locale. One thread uses it.
 */
public final class Directory implements AutoCloseable {
    /** {@code dirent.h}: DT_DIR, and DT_UNKNOWN where the file system does not tell. */
    private static final int DT_DIR = 4;

    private static final int DT_UNKNOWN = 0;

    /** RESOLVE_NO_MAGICLINKS, _NO_SYMLINKS and _BENEATH of {@code linux/openat2.h}. */
    private static final long RESOLVE = 0x2 | 0x4 | 0x8;

    private final byte[] path;
    private final int fd;
    private boolean closed;

    private Directory(byte[] path, int fd) {
        this.path = path;
        this.fd = fd;
    }

    /** Takes what a directory holds. */
    @FunctionalInterface
    public interface Sink {
        /**
         * Takes a name; {@code .} and {@code ..} are left out.
         *
         * @param directory whether it may be one: the file system said so, or does not tell
         */
        void take(byte[] name, boolean directory) throws LinuxException;
    }

    /**
     * Opens a directory; a symbolic link as the last part of its path is not followed.
     *
     * @throws LinuxException if the kernel refuses ({@code ENOENT}, {@code ENOTDIR}, {@code ELOOP} for a link)
     */
    public static Directory open(byte[] path) throws LinuxException {
        try (Arena local = Arena.ofConfined()) {
            int fd = Libc.open(
                    terminated(local, path), Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, 0);
            if (fd < 0) {
                throw new LinuxException("open", printable(path), Libc.errno());
            }
            return new Directory(path, fd);
        }
    }

    /**
     * Opens a directory further down, in steps where its path is longer than the kernel takes at once. No link on the way
     * is followed; other mounts are entered.
     *
     * @param below its path from here, of any length, without a leading {@code /}
     * @throws LinuxException if the kernel refuses ({@code ENOENT}, {@code ENOTDIR}, {@code ELOOP} for a link)
     */
    public Directory openBelow(byte[] below) throws LinuxException {
        byte[] whole = Arrays.copyOf(path, path.length + 1 + below.length);
        whole[path.length] = '/';
        System.arraycopy(below, 0, whole, path.length + 1, below.length);
        int begin = Beneath.endOfStep(below, 0);
        Directory opened = step(Arrays.copyOf(below, begin), whole);
        while (++begin < below.length) {
            int end = Beneath.endOfStep(below, begin);
            try (Directory from = opened) {
                opened = from.step(Arrays.copyOfRange(below, begin, end), whole);
            }
            begin = end;
        }
        return opened;
    }

    private Directory step(byte[] below, byte[] whole) throws LinuxException {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment how = local.allocate(Beneath.OPEN_HOW, 8);
            how.set(JAVA_LONG, 0, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW | Libc.O_CLOEXEC);
            how.set(JAVA_LONG, 16, RESOLVE);
            MemorySegment name = terminated(local, below);
            while (true) {
                int opened = (int) Libc.openat2(fd, name, how);
                if (opened >= 0) {
                    return new Directory(whole, opened);
                }
                // EAGAIN: something was renamed while the kernel made sure that the path stays beneath.
                if (Libc.errno() != Errno.EINTR && Libc.errno() != Errno.EAGAIN) {
                    throw new LinuxException("openat2", printable(whole), Libc.errno());
                }
            }
        }
    }

    /** A path of this very directory, whatever it is called meanwhile, as long as it is open here. */
    public byte[] self() {
        return ("/proc/self/fd/" + fd + "/.").getBytes(StandardCharsets.US_ASCII);
    }

    /** Its path when it was opened, for messages. */
    String shown() {
        return printable(path);
    }

    /** The device that it lies on. */
    public FileStatus.Device device() throws LinuxException {
        return FileStatus.of(fd, printable(path)).device();
    }

    /**
     * Lists it, once.
     *
     * @throws LinuxException if it cannot be read
     */
    public void list(Sink sink) throws LinuxException {
        DirectoryEntries.list(fd, printable(path), (name, _, type) -> {
            if (!DirectoryEntries.isDot(name)) {
                sink.take(name, type == DT_DIR || type == DT_UNKNOWN);
            }
        });
    }

    /** Closes it. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            int _ = Libc.close(fd);
        }
    }

    /** Bytes with the NUL that ends them in C. */
    static MemorySegment terminated(Arena arena, byte[] path) {
        MemorySegment segment = arena.allocate(path.length + 1L);
        MemorySegment.copy(path, 0, segment, JAVA_BYTE, 0, path.length);
        return segment;
    }

    /** How messages show a path. */
    static String printable(byte[] path) {
        return new String(path, StandardCharsets.UTF_8);
    }
}
