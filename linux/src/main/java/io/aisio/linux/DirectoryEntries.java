package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Takes apart what {@code getdents64(2)} tells of a directory ({@code struct linux_dirent64}). */
final class DirectoryEntries {
    /** d_ino, d_off, d_reclen, d_type, d_name. */
    private static final long INODE = 0;

    private static final long RECORD_LENGTH = 16;
    private static final long TYPE = 18;
    private static final long NAME = 19;

    /** Bytes that are listed at once: chosen, as glibc does, to hold about a thousand names. */
    private static final long BUFFER = 32 << 10;

    private DirectoryEntries() {}

    /** Takes one entry. */
    interface Sink {
        /**
         * Takes it.
         *
         * @param type {@code DT_*} of {@code dirent.h}: bits 15:12 of a mode; 0 if the file system does not tell
         */
        void take(byte[] name, long inode, int type) throws LinuxException;
    }

    /**
     * Lists a directory from where its descriptor stands, {@code .} and {@code ..} too.
     *
     * @throws LinuxException if it cannot be read; {@code EIO} if what is told is no entry
     */
    static void list(int fd, String shown, Sink sink) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(BUFFER, 8);
            long length;
            while ((length = Libc.getdents64(fd, buffer)) > 0) {
                MemorySegment piece = buffer.asSlice(0, length);
                for (long at = 0; at < length; ) {
                    long record = length - at > NAME ? piece.get(JAVA_SHORT_UNALIGNED, at + RECORD_LENGTH) & 0xFFFF : 0;
                    if (record <= NAME || record > length - at) {
                        throw new LinuxException("getdents64", shown, Errno.EIO);
                    }
                    sink.take(
                            name(piece.asSlice(at + NAME, record - NAME), shown),
                            piece.get(JAVA_LONG_UNALIGNED, at + INODE),
                            piece.get(JAVA_BYTE, at + TYPE));
                    at += record;
                }
            }
            if (length < 0) {
                throw new LinuxException("getdents64", shown, Libc.errno());
            }
        }
    }

    private static byte[] name(MemorySegment room, String shown) throws LinuxException {
        long end = 0;
        while (end < room.byteSize() && room.get(JAVA_BYTE, end) != 0) {
            end++;
        }
        if (end == 0 || end == room.byteSize()) {
            throw new LinuxException("getdents64", shown, Errno.EIO);
        }
        return room.asSlice(0, end).toArray(JAVA_BYTE);
    }

    /** Whether a name is that of the directory itself or of the one above. */
    static boolean isDot(byte[] name) {
        return name[0] == '.' && (name.length == 1 || (name.length == 2 && name[1] == '.'));
    }
}
