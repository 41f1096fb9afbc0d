package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;

/**
 * A node of the B-tree that maps a file's blocks. The root is in the inode ({@code struct xfs_bmdr_block}); the others
 * are blocks of their own ({@code struct xfs_btree_block}, long form). The leaves, at level 0, hold extent records; the
 * nodes above hold as many keys, room for as many as fit, and then as many block numbers.
 *
 * @param level above the leaves
 * @param records how many records, or keys and block numbers, it holds
 * @param s the bytes: an inode's data fork, or a block
 * @param header bytes before the first record or key
 */
record BmapBlock(int level, int records, MemorySegment s, int header) {
    static final long ROOT_LEVEL = 0;
    static final long ROOT_NUMRECS = 2;
    static final int ROOT_BYTES = 4;

    static final long MAGIC_FIELD = 0;
    static final long LEVEL = 4;
    static final long NUMRECS = 6;
    static final long BLKNO = 24;
    static final long UUID = 40;
    static final long OWNER = 56;
    static final long CRC = 64;
    static final int HEADER_BYTES = 72;

    /** {@code BMA3}. */
    static final long MAGIC = 0x424D4133;
    /** No block map is higher: 2^48 extents at the least fan-out fit. */
    static final int MAX_LEVEL = 9;

    private static final int KEY_BYTES = 8;
    private static final int POINTER_BYTES = 8;

    /** The root, in the data fork of an inode. */
    static BmapBlock root(MemorySegment fork, Where where) throws XfsException {
        where.check(fork.byteSize() >= ROOT_BYTES, "forkoff", fork.byteSize() >> 3, "room for a B-tree's root");
        int level = OnDisk.u16(fork, ROOT_LEVEL);
        where.check(level >= 1 && level <= MAX_LEVEL, "bmdr level", level, "1 to " + MAX_LEVEL);
        return new BmapBlock(level, OnDisk.u16(fork, ROOT_NUMRECS), fork, ROOT_BYTES).checked(where, "bmdr numrecs");
    }

    /**
     * A block beneath the root.
     *
     * @param owner the inode that must own it
     * @param level that it must have, one less than its parent's
     */
    static BmapBlock parse(Geometry geometry, long owner, int level, MemorySegment s, Where where) throws XfsException {
        where.magic(OnDisk.u32(s, MAGIC_FIELD), MAGIC);
        where.crc(s, CRC);
        where.uuid(s, UUID, geometry.uuid());
        where.self(OnDisk.i64(s, BLKNO));
        where.check(OnDisk.i64(s, OWNER) == owner, "owner", OnDisk.i64(s, OWNER), "inode " + owner);
        where.check(OnDisk.u16(s, LEVEL) == level, "level", OnDisk.u16(s, LEVEL), "" + level);
        return new BmapBlock(level, OnDisk.u16(s, NUMRECS), s, HEADER_BYTES).checked(where, "numrecs");
    }

    private BmapBlock checked(Where where, String field) throws XfsException {
        where.check(records >= 1 && records <= room(), field, records, "1 to " + room());
        return this;
    }

    /** How many records, or pairs of key and block number, there is room for: both have the same size. */
    private int room() {
        return (int) (s.byteSize() - header) / ExtentRecord.BYTES;
    }

    /** Where an extent record of a leaf begins in {@link #s}. */
    long recordOffset(int index) {
        return header + (long) index * ExtentRecord.BYTES;
    }

    /** The file system block of a child. */
    long child(int index) {
        return OnDisk.i64(s, header + (long) room() * KEY_BYTES + (long) index * POINTER_BYTES);
    }
}
