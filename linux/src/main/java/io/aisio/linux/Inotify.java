package io.aisio.linux;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The kernel's list of what happens in directories, {@code inotify(7)}. Paths and names are bytes, as the kernel has
 * them.
 *
 * <p>One thread uses it and closes it; any thread may {@link #wake} it.
 */
public final class Inotify implements AutoCloseable {
    /** {@code linux/inotify.h}: content was written, truncated, punched. */
    public static final int MODIFY = 0x2;
    /** Permissions, owner, times, link count. */
    public static final int ATTRIB = 0x4;
    /** A file that was open to be written was closed. */
    public static final int CLOSE_WRITE = 0x8;
    /** The old name of something that was renamed. */
    public static final int MOVED_FROM = 0x40;
    /** The new name of something that was renamed. */
    public static final int MOVED_TO = 0x80;
    /** A name was made. */
    public static final int CREATE = 0x100;
    /** A name was removed. */
    public static final int DELETE = 0x200;
    /** The watched directory itself was removed. */
    public static final int DELETE_SELF = 0x400;
    /** The watched directory itself was renamed. */
    public static final int MOVE_SELF = 0x800;
    /** The file system was unmounted. */
    public static final int UNMOUNT = 0x2000;
    /** Events were lost, the queue was full; {@link Event#watch} is -1. */
    public static final int OVERFLOW = 0x4000;
    /** The watch is gone, no more events of it follow. */
    public static final int IGNORED = 0x8000;
    /** What the event tells of is a directory. */
    public static final int DIRECTORY = 0x4000_0000;

    private static final int ONLYDIR = 0x0100_0000;
    private static final int DONT_FOLLOW = 0x0200_0000;
    private static final int EXCL_UNLINK = 0x0400_0000;

    /** {@code struct inotify_event}: wd, mask, cookie, len, then the name, filled up with NUL. */
    private static final long MASK = 4;

    private static final long COOKIE = 8;
    private static final long LENGTH = 12;
    private static final long NAME = 16;

    /** Bytes that are read at once: chosen to hold some thousand events of short names. */
    private static final long BUFFER = 64 << 10;

    private static final Path SETTINGS = Path.of("/proc/sys/fs/inotify");

    /** More than the digits of any setting. */
    private static final int SETTING_BYTES = 64;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(BUFFER, 8);
    private final Waker waker;
    private final int fd;
    private boolean closed;

    /**
     * What happened.
     *
     * @param watch of the directory, as {@link #add} gave it; -1 for {@link #OVERFLOW}
     * @param mask what, one of this class's constants, with {@link #DIRECTORY} perhaps
     * @param cookie that the two events of a rename share; else 0
     * @param name in the directory; empty if the event is of the directory itself
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared; the array is the event's own
    public record Event(int watch, int mask, int cookie, byte[] name) {
        /** Whether a bit of the mask is set. */
        public boolean is(int bit) {
            return (mask & bit) != 0;
        }
    }

    /** Takes events. */
    @FunctionalInterface
    public interface Sink {
        /** Takes one. */
        void take(Event event);
    }

    /**
     * Opens an instance without watches.
     *
     * @throws LinuxException if the kernel gives none ({@code EMFILE}: this user has
     *     {@code fs.inotify.max_user_instances} of them, or the process too many descriptors)
     */
    public Inotify() throws LinuxException {
        waker = new Waker();
        fd = Libc.inotifyInit(Libc.O_CLOEXEC | Libc.O_NONBLOCK);
        if (fd < 0) {
            int errno = Libc.errno();
            waker.close();
            arena.close();
            String subject = errno == Errno.EMFILE
                    ? "an inotify instance, of which a user has " + setting("max_user_instances")
                    : "an inotify instance";
            throw new LinuxException("inotify_init1", subject, errno);
        }
    }

    /**
     * Watches a directory, or changes what is watched there.
     *
     * @param path in bytes, without a NUL
     * @param mask the events that are wanted
     * @return the watch; the same number again if the directory is watched already, under whichever path
     * @throws LinuxException if the kernel refuses ({@code ENOENT}, {@code ENOTDIR}, {@code ENOSPC} if this user has as
     *     many watches as {@code fs.inotify.max_user_watches} allows)
     */
    public int add(byte[] path, int mask) throws LinuxException {
        return add(path, Directory.printable(path), mask);
    }

    /** As {@link #add(byte[], int)}, the directory that is open, wherever it is by now. */
    public int add(Directory directory, int mask) throws LinuxException {
        return add(directory.self(), directory.shown(), mask);
    }

    private int add(byte[] path, String shown, int mask) throws LinuxException {
        try (Arena local = Arena.ofConfined()) {
            int watch = Libc.inotifyAddWatch(
                    fd, Directory.terminated(local, path), mask | ONLYDIR | DONT_FOLLOW | EXCL_UNLINK);
            if (watch < 0) {
                int errno = Libc.errno();
                String subject = shown;
                if (errno == Errno.ENOSPC) {
                    subject += ": no watch is left of " + setting("max_user_watches")
                            + " (or, in a user namespace, of user.max_inotify_watches), which is to be raised";
                }
                throw new LinuxException("inotify_add_watch", subject, errno);
            }
            return watch;
        }
    }

    /** Ends a watch. Its last event is {@link #IGNORED}. One that the kernel has ended already stays ended. */
    public void remove(int watch) {
        // EINVAL: the directory is gone, and its watch with it.
        int _ = Libc.inotifyRemoveWatch(fd, watch);
    }

    /**
     * Waits until there are events.
     *
     * @param millis at most; -1 for ever
     * @return whether there are; false if {@link #wake} was called or the time is over
     */
    public boolean await(int millis) throws LinuxException {
        return waker.await(fd, -1, millis);
    }

    /**
     * Waits until there are events, or records in a ring.
     *
     * @param millis at most; -1 for ever
     * @return whether there are events; false if there are records only, {@link #wake} was called or the time is over
     */
    public boolean await(BpfRing ring, int millis) throws LinuxException {
        return waker.await(fd, ring.descriptor(), millis);
    }

    /**
     * Gives what has happened since, in order, without waiting.
     *
     * @throws LinuxException if the kernel refuses
     */
    public void read(Sink sink) throws LinuxException {
        long length = Libc.read(fd, buffer);
        if (length < 0) {
            if (Libc.errno() == Errno.EAGAIN || Libc.errno() == Errno.EINTR) {
                return;
            }
            throw new LinuxException("read", "an inotify instance", Libc.errno());
        }
        for (long at = 0; at + NAME <= length; ) {
            int nameLength = buffer.get(ValueLayout.JAVA_INT, at + LENGTH);
            sink.take(new Event(
                    buffer.get(ValueLayout.JAVA_INT, at),
                    buffer.get(ValueLayout.JAVA_INT, at + MASK),
                    buffer.get(ValueLayout.JAVA_INT, at + COOKIE),
                    name(at + NAME, nameLength)));
            at += NAME + nameLength;
        }
    }

    private byte[] name(long at, int room) {
        int length = 0;
        while (length < room && buffer.get(ValueLayout.JAVA_BYTE, at + length) != 0) {
            length++;
        }
        return buffer.asSlice(at, length).toArray(ValueLayout.JAVA_BYTE);
    }

    /** Ends the wait that is under way, or else the next one. Any thread, after {@link #close} too. */
    public void wake() {
        waker.wake();
    }

    /** Ends all watches. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            int _ = Libc.close(fd);
            waker.close();
            arena.close();
        }
    }

    private static String setting(String name) {
        String value;
        try (InputStream in = Files.newInputStream(SETTINGS.resolve(name))) {
            // At once: a setting gives nothing more after the first read, and Files.readString begins with one byte.
            value = new String(in.readNBytes(SETTING_BYTES), StandardCharsets.US_ASCII).strip();
        } catch (IOException e) {
            value = "unknown";
        }
        return "fs.inotify." + name + " = " + value;
    }
}
