package io.aisio.xal.xfs;

import io.aisio.xal.FileType;
import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A name in a directory, of whichever form.
 *
 * @param name as {@link FileName} decodes it
 * @param inode the number that it names
 * @param type what the directory says that it is, or null if the directory does not know
 */
public record DirectoryEntry(
        String name, long inode, @Nullable FileType type) {
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

    /**
     * Reads a name.
     *
     * @param s where the name's bytes lie, {@code length} of them at {@code offset}
     * @param entryAt where the entry begins, for messages
     */
    static DirectoryEntry of(MemorySegment s, long offset, int length, long inode, int ftype, long entryAt, Where where)
            throws XfsException {
        where.check(ftype < TYPES.length, "ftype of the entry at " + entryAt, ftype, "0 to " + (TYPES.length - 1));
        byte[] bytes = OnDisk.bytes(s, offset, length);
        for (byte b : bytes) {
            if (b == '/' || b == 0) {
                throw where.bad("the name of the entry at " + entryAt + " has " + (b == 0 ? "a NUL" : "a slash")
                        + " in it: " + FileName.decode(bytes));
            }
        }
        return new DirectoryEntry(FileName.decode(bytes), inode, TYPES[ftype]);
    }

    /** Whether it names the directory itself or the one above. */
    boolean isDot() {
        return name.equals(".") || name.equals("..");
    }
}
