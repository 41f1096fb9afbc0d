package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * A directory in its inode, {@code struct xfs_dir2_sf_hdr}. If any inode number in it needs more than 32 bits, all of
 * them have 64, that of the parent too.
 */
final class ShortDirectory {
    static final long COUNT = 0;
    /** How many inode numbers need more than 32 bits. */
    static final long I8COUNT = 1;

    static final long PARENT = 2;

    /** Of an entry: bytes of the name. */
    static final long ENTRY_NAMELEN = 0;
    /** Of an entry: the name, behind 2 bytes of offset; then a byte of file type and the inode number. */
    static final long ENTRY_NAME = 3;

    private static final int FTYPE_BYTES = 1;

    private ShortDirectory() {}

    static void parse(InodeCore directory, DirectoryEntry.Names names) throws XfsException {
        Where where = directory.where();
        long size = directory.inode().size();
        long room = directory.fork().byteSize();
        where.check(size >= PARENT + Integer.BYTES && size <= room, "size", size, "a short directory of 6 to " + room);
        MemorySegment s = directory.fork().asSlice(0, size);
        ByteBuffer bytes = s.asByteBuffer();
        int large = OnDisk.u8(s, I8COUNT);
        int inodeBytes = large == 0 ? Integer.BYTES : Long.BYTES;
        long at = PARENT + inodeBytes;
        for (int i = 0; i < OnDisk.u8(s, COUNT); i++) {
            int length = at < size ? OnDisk.u8(s, at + ENTRY_NAMELEN) : 0;
            long typeAt = at + ENTRY_NAME + length;
            long end = typeAt + FTYPE_BYTES + inodeBytes;
            if (length == 0 || end > size) {
                throw where.bad("namelen of the entry at " + at + " is " + length + ", in a short directory of " + size
                        + " bytes");
            }
            long inode = large == 0 ? OnDisk.u32(s, typeAt + FTYPE_BYTES) : OnDisk.i64(s, typeAt + FTYPE_BYTES);
            long name = at + ENTRY_NAME;
            DirectoryEntry.check(bytes, (int) name, length, OnDisk.u8(s, typeAt), at, where);
            if (DirectoryEntry.isDot(bytes, (int) name, length) || DirectoryEntry.isDotDot(bytes, (int) name, length)) {
                throw where.bad("the entry at " + at + " is named . or ..");
            }
            names.name(s, name, length, inode, OnDisk.u8(s, typeAt));
            at = end;
        }
        where.check(at == size, "size", size, at + ", where the last of its entries ends");
    }
}
