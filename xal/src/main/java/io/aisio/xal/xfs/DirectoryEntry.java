package io.aisio.xal.xfs;

import io.aisio.xal.FileType;
import io.aisio.xal.XfsException;
import io.aisio.xal.backend.Child;
import io.aisio.xal.backend.FileName;
import java.lang.foreign.MemorySegment;
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

    private DirectoryEntry() {}

    /**
     * Reads a name.
     *
     * @param s where the name's bytes lie, {@code length} of them at {@code offset}
     * @param entryAt where the entry begins, for messages
     */
    static Child of(MemorySegment s, long offset, int length, long inode, int ftype, long entryAt, Where where)
            throws XfsException {
        where.check(ftype < TYPES.length, "ftype of the entry at " + entryAt, ftype, "0 to " + (TYPES.length - 1));
        byte[] bytes = OnDisk.bytes(s, offset, length);
        for (byte b : bytes) {
            if (b == '/' || b == 0) {
                throw where.bad("the name of the entry at " + entryAt + " has " + (b == 0 ? "a NUL" : "a slash")
                        + " in it: " + FileName.decode(bytes));
            }
        }
        return new Child(FileName.decode(bytes), inode, TYPES[ftype]);
    }
}
