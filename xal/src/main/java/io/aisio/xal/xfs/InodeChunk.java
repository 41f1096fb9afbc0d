package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;

/**
 * A record of an allocation group's inode B-tree, {@code struct xfs_inobt_rec}: 64 inodes that lie one after another,
 * which of them exist, and which of those are free.
 *
 * @param first inode number in the allocation group
 * @param holes bit {@code i}: inode {@code first + i} does not exist, its place is somebody else's
 * @param free bit {@code i}: inode {@code first + i} is not in use, or does not exist
 */
record InodeChunk(long first, long holes, long free) {
    static final long STARTINO = 0;
    /** Of a file system with sparse chunks: bit {@code i} is set if inodes {@code 4 i} to {@code 4 i + 3} do not exist. */
    static final long HOLEMASK = 4;
    /** Of a file system with sparse chunks: how many inodes exist. */
    static final long COUNT = 6;
    /** How many of those that exist are free, of a file system with sparse chunks: 1 byte. */
    static final long SPARSE_FREECOUNT = 7;
    /** How many are free, of a file system without sparse chunks: 4 bytes. */
    static final long FREECOUNT = 4;

    static final long FREE = 8;
    static final int RECORD_BYTES = 16;

    /** {@code IAB3}. */
    static final long MAGIC = 0x49414233;
    /** The tree of all inodes of an allocation group. */
    static final AgBtree TREE = new AgBtree("inode B-tree", MAGIC, RECORD_BYTES, 4);

    /** Inodes of a chunk. */
    static final int INODES = 64;

    private static final int HOLE_INODES = 4;

    /** Reads and checks a record. */
    static InodeChunk parse(Geometry geometry, long ag, MemorySegment s, long at, Where where) throws XfsException {
        long first = OnDisk.u32(s, at + STARTINO);
        long free = OnDisk.i64(s, at + FREE);
        long holes = geometry.sparseInodes() ? spread(OnDisk.u16(s, at + HOLEMASK)) : 0;
        InodeChunk chunk = new InodeChunk(first, holes, free);
        where.check(chunk.liesIn(geometry, ag), "startino", first, "64 inodes inside the allocation group");
        if ((holes & ~free) != 0) {
            throw where.bad("holemask of startino " + first, holes, "no inode that is in use");
        }
        if (geometry.sparseInodes() && OnDisk.u8(s, at + COUNT) != chunk.count()) {
            throw where.bad(
                    "count of startino " + first, OnDisk.u8(s, at + COUNT), chunk.count() + ", as holemask has it");
        }
        long freecount = geometry.sparseInodes() ? OnDisk.u8(s, at + SPARSE_FREECOUNT) : OnDisk.u32(s, at + FREECOUNT);
        if (freecount != chunk.freeCount()) {
            throw where.bad("freecount of startino " + first, freecount, chunk.freeCount() + ", as free has it");
        }
        return chunk;
    }

    private static long spread(int holemask) {
        long holes = 0;
        for (int i = 0; i < Short.SIZE; i++) {
            if ((holemask >>> i & 1) != 0) {
                holes |= ((1L << HOLE_INODES) - 1) << (i * HOLE_INODES);
            }
        }
        return holes;
    }

    /** Whether the inodes that exist lie in the allocation group: the holes of its last chunk may lie behind its end. */
    private boolean liesIn(Geometry geometry, long ag) {
        if (holes == -1) {
            return false;
        }
        long begin = first + Long.numberOfTrailingZeros(~holes);
        long last = first + INODES - 1 - Long.numberOfLeadingZeros(~holes);
        long block = begin >>> geometry.inodesPerBlockLog();
        long count = (last >>> geometry.inodesPerBlockLog()) - block + 1;
        return block < 1L << geometry.agBlockLog() && geometry.holds((ag << geometry.agBlockLog()) | block, count);
    }

    /** How many of its inodes exist. */
    int count() {
        return INODES - Long.bitCount(holes);
    }

    /** How many of those that exist are not in use. */
    int freeCount() {
        return Long.bitCount(free & ~holes);
    }
}
