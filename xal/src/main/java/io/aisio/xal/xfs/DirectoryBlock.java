package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * A block of directory entries, {@code struct xfs_dir3_data_hdr} and what follows: entries and free room, each with its
 * length, one after another to the end. If it is all that the directory has, its hash table stands at the block's end,
 * and entries end before that.
 */
final class DirectoryBlock {
    static final long MAGIC_FIELD = 0;
    static final long CRC = 4;
    static final long BLKNO = 8;
    static final long UUID = 24;
    static final long OWNER = 40;
    static final int HEADER_BYTES = 64;

    /** {@code XDB3}: the only block of its directory. */
    static final long ALONE_MAGIC = 0x58444233;
    /** {@code XDD3}: one of several. */
    static final long DATA_MAGIC = 0x58444433;

    /** Of an entry: the inode number. */
    static final long ENTRY_INUMBER = 0;
    /** Of an entry: bytes of the name. */
    static final long ENTRY_NAMELEN = 8;
    /** Of an entry: the name; then a byte of file type, padding, and at its end the tag. */
    static final long ENTRY_NAME = 9;

    /** Of free room: in place of an inode number's first bytes. */
    static final long FREE_TAG = 0;
    /** Of free room: its length, tag included. */
    static final long FREE_LENGTH = 2;
    /** The value of {@link #FREE_TAG}. */
    static final int FREE = 0xFFFF;

    /** From the end of a block that stands alone: how many hash table entries there are. */
    static final int TAIL_COUNT = 8;
    /** From the end of a block that stands alone: how many of those are of removed names. */
    static final int TAIL_STALE = 4;

    private static final int HASH_ENTRY_BYTES = 8;
    private static final int ALIGNMENT = 8;
    private static final int FTYPE_BYTES = 1;
    private static final int TAG_BYTES = 2;

    private DirectoryBlock() {}

    /**
     * Reads the names in a block, without those of the directory itself and of its parent.
     *
     * @param directory the inode that must own it
     * @param first whether it is the first block of its directory
     */
    static void parse(
            Geometry geometry,
            InodeCore directory,
            boolean first,
            MemorySegment s,
            Where where,
            DirectoryEntry.Names names)
            throws XfsException {
        long magic = OnDisk.u32(s, MAGIC_FIELD);
        boolean alone = magic == ALONE_MAGIC && directory.inode().size() == s.byteSize();
        if (!alone) {
            where.magic(magic, DATA_MAGIC);
        }
        where.crc(s, CRC);
        where.uuid(s, UUID, geometry.uuid());
        where.self(OnDisk.i64(s, BLKNO));
        long owner = directory.inode().number();
        if (OnDisk.i64(s, OWNER) != owner) {
            throw where.bad("owner", OnDisk.i64(s, OWNER), "inode " + owner);
        }
        if (alone) {
            long count = OnDisk.u32(s, s.byteSize() - TAIL_COUNT);
            long stale = OnDisk.u32(s, s.byteSize() - TAIL_STALE);
            long end = s.byteSize() - TAIL_COUNT - count * HASH_ENTRY_BYTES;
            where.check(end >= HEADER_BYTES, "count", count, "a hash table that fits into the block");
            long found = entries(s, end, owner, first, where, names);
            where.check(found == count - stale, "count less stale", count - stale, found + ", the entries there are");
        } else {
            entries(s, s.byteSize(), owner, first, where, names);
        }
    }

    /** Entries are the many: they are read through a buffer, which costs less than a segment until it is compiled. */
    private static long entries(
            MemorySegment s, long end, long owner, boolean first, Where where, DirectoryEntry.Names names)
            throws XfsException {
        ByteBuffer bytes = s.asByteBuffer();
        long found = 0;
        for (int at = HEADER_BYTES; at < end; ) {
            long room = end - at;
            if ((bytes.getShort(at + (int) FREE_TAG) & 0xFFFF) == FREE) {
                int length = bytes.getShort(at + (int) FREE_LENGTH) & 0xFFFF;
                if (length == 0 || length % ALIGNMENT != 0 || length > room) {
                    throw where.bad("length of the free room at " + at, length, within(room));
                }
                tag(bytes, at, length, where);
                at += length;
            } else {
                int nameLength = bytes.get(at + (int) ENTRY_NAMELEN) & 0xFF;
                int length = entryLength(nameLength);
                if (nameLength == 0 || length > room) {
                    throw where.bad("namelen of the entry at " + at, nameLength, within(room));
                }
                tag(bytes, at, length, where);
                entry(s, bytes, at, nameLength, owner, first, where, names);
                found++;
                at += length;
            }
        }
        return found;
    }

    private static void entry(
            MemorySegment s,
            ByteBuffer bytes,
            int at,
            int nameLength,
            long owner,
            boolean first,
            Where where,
            DirectoryEntry.Names names)
            throws XfsException {
        long inode = bytes.getLong(at + (int) ENTRY_INUMBER);
        int name = at + (int) ENTRY_NAME;
        int ftype = bytes.get(name + nameLength) & 0xFF;
        DirectoryEntry.check(bytes, name, nameLength, ftype, at, where);
        boolean dot = DirectoryEntry.isDot(bytes, name, nameLength);
        if (!dot && !DirectoryEntry.isDotDot(bytes, name, nameLength)) {
            names.name(s, name, nameLength, inode, ftype);
        } else if (!first) {
            throw where.bad("the entry at " + at + " is named " + (dot ? "." : "..") + ", outside of the first block");
        } else if (dot) {
            where.check(inode == owner, "inumber of .", inode, "that of the directory, " + owner);
        }
    }

    /** Each entry and each free room ends with its own place in the block. */
    private static void tag(ByteBuffer bytes, int at, int length, Where where) throws XfsException {
        int tag = bytes.getShort(at + length - TAG_BYTES) & 0xFFFF;
        if (tag != at) {
            throw where.bad("tag of what begins at " + at, tag, "" + at);
        }
    }

    private static int entryLength(int nameLength) {
        return ((int) ENTRY_NAME + nameLength + FTYPE_BYTES + TAG_BYTES + ALIGNMENT - 1) & -ALIGNMENT;
    }

    private static String within(long room) {
        return "one that fits into the " + room + " bytes left";
    }
}
