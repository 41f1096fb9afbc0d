package io.aisio.xal.xfs;

import io.aisio.xal.Child;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** What the entries of all forms of directories share: a name, an inode number and a file type. */
final class DirectoryEntry {
    /** Types by the number in an entry, {@code XFS_DIR3_FT_*}; 0 is unknown, 8 a whiteout. */
    private static final @Nullable FileType[] TYPES = {
        null,
        FileType.REGULAR,
        FileType.DIRECTORY,
        FileType.CHARACTER_DEVICE,
        FileType.BLOCK_DEVICE,
        FileType.FIFO,
        FileType.SOCKET,
        FileType.SYMLINK,
        FileType.CHARACTER_DEVICE,
    };

    /** The same as bits 15:12 of a mode. */
    private static final int[] MODES = {0, 8, 4, 2, 6, 1, 12, 10, 2};

    private DirectoryEntry() {}

    /** Takes the names of a directory as they lie on the device. */
    @FunctionalInterface
    interface Names {
        /**
         * Takes a name.
         *
         * @param s where its bytes lie, {@code length} of them at {@code offset}: 1 to 255, without NUL or slash
         * @param inode the number that it names
         * @param ftype what it names, to be read by {@link DirectoryEntry#child}
         */
        void name(MemorySegment s, long offset, int length, long inode, int ftype);
    }

    /** A slash in each byte of a word, and the lowest and the highest bit of each. */
    private static final long SLASHES = 0x2F2F_2F2F_2F2F_2F2FL;

    private static final long LOW = 0x0101_0101_0101_0101L;
    private static final long HIGH = 0x8080_8080_8080_8080L;

    /**
     * Checks what an entry holds.
     *
     * @param bytes where the name's bytes lie, {@code length} of them at {@code offset}
     * @param entryAt where the entry begins, for messages
     */
    static void check(ByteBuffer bytes, int offset, int length, int ftype, long entryAt, Where where)
            throws XfsException {
        if (ftype >= TYPES.length) {
            throw where.bad("ftype of the entry at " + entryAt, ftype, "0 to " + (TYPES.length - 1));
        }
        int i = 0;
        for (; i + Long.BYTES <= length; i += Long.BYTES) {
            long word = bytes.getLong(offset + i);
            if (hasZero(word) || hasZero(word ^ SLASHES)) {
                // Which byte it is the loop below tells.
                break;
            }
        }
        for (; i < length; i++) {
            int b = bytes.get(offset + i);
            if (b == '/' || b == 0) {
                byte[] name = new byte[length];
                bytes.get(offset, name);
                throw where.bad("the name of the entry at " + entryAt + " has " + (b == 0 ? "a NUL" : "a slash")
                        + " in it: " + FileName.decode(name));
            }
        }
    }

    private static boolean hasZero(long word) {
        return ((word - LOW) & ~word & HIGH) != 0;
    }

    /** Whether a name is that of the directory itself. */
    static boolean isDot(ByteBuffer bytes, int offset, int length) {
        return length == 1 && bytes.get(offset) == '.';
    }

    /** Whether a name is that of the directory above. */
    static boolean isDotDot(ByteBuffer bytes, int offset, int length) {
        return length == 2 && bytes.get(offset) == '.' && bytes.get(offset + 1) == '.';
    }

    /** What an entry names, as bits 15:12 of a mode; 0 if it does not say. */
    static int mode(int ftype) {
        return MODES[ftype];
    }

    /** A name as others see it. */
    static Child child(MemorySegment s, long offset, int length, long inode, int ftype) {
        return new Child(FileName.decode(OnDisk.bytes(s, offset, length)), inode, TYPES[ftype]);
    }
}
