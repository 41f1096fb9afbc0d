package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A B-tree inside one allocation group ({@code struct xfs_btree_block}, short form): inodes, shared blocks. Leaves, at
 * level 0, hold records; the nodes above hold keys, room for as many as fit, and then as many block numbers.
 *
 * @param structure as messages name it
 * @param magic of each of its blocks
 * @param recordBytes of a record in a leaf
 * @param keyBytes of a key in a node
 */
record AgBtree(String structure, long magic, int recordBytes, int keyBytes) {
    static final long MAGIC_FIELD = 0;
    static final long LEVEL = 4;
    static final long NUMRECS = 6;
    static final long BLKNO = 16;
    static final long UUID = 32;
    static final long OWNER = 48;
    static final long CRC = 52;
    static final int HEADER_BYTES = 56;

    /** None is higher: {@code XFS_BTREE_MAXLEVELS}. */
    static final int MAX_LEVELS = 9;

    private static final int POINTER_BYTES = 4;

    /** Takes the records of a tree. */
    @FunctionalInterface
    interface Records {
        /**
         * Takes one record. The first field of all trees orders them, and must be behind that of the record before: so
         * that a tree that runs in circles is found at its second turn.
         *
         * @param s the block that holds it
         * @param at where it begins in the block
         * @param where the block lies
         */
        void record(MemorySegment s, long at, Where where) throws XfsException;
    }

    /**
     * Reads all records of a tree, in order.
     *
     * @param root the block of its root, in the allocation group
     * @param levels how many levels it has, as the head of the allocation group says
     * @param head the head of the allocation group, for messages
     */
    void read(Geometry geometry, MetadataReader reader, long ag, long root, long levels, Where head, Records records)
            throws IOException {
        head.check(levels >= 1 && levels <= MAX_LEVELS, structure + " levels", levels, "1 to " + MAX_LEVELS);
        descend(geometry, reader, ag, root, (int) levels - 1, head, records);
    }

    private void descend(
            Geometry geometry, MetadataReader reader, long ag, long block, int level, Where parent, Records records)
            throws IOException {
        long whole = ag << geometry.agBlockLog() | block;
        parent.check(
                block < geometry.agLength(ag) && geometry.holds(whole, 1),
                structure + " block",
                block,
                "a block of the allocation group, behind its headers");
        long position = geometry.position(whole);
        Where where = geometry.where(structure + " of AG", ag, position);
        MemorySegment s = reader.read(position, geometry.blockSize());
        int count = check(geometry, ag, level, s, where);
        if (level == 0) {
            for (int i = 0; i < count; i++) {
                records.record(s, HEADER_BYTES + (long) i * recordBytes, where);
            }
        } else {
            long pointers = HEADER_BYTES + (long) room(s, keyBytes + POINTER_BYTES) * keyBytes;
            for (int i = 0; i < count; i++) {
                long child = OnDisk.u32(s, pointers + (long) i * POINTER_BYTES);
                descend(geometry, reader, ag, child, level - 1, where, records);
            }
        }
    }

    private int check(Geometry geometry, long ag, int level, MemorySegment s, Where where) throws XfsException {
        where.magic(OnDisk.u32(s, MAGIC_FIELD), magic);
        where.crc(s, CRC);
        where.uuid(s, UUID, geometry.uuid());
        where.self(OnDisk.i64(s, BLKNO));
        where.check(OnDisk.u32(s, OWNER) == ag, "owner", OnDisk.u32(s, OWNER), "AG " + ag);
        where.check(OnDisk.u16(s, LEVEL) == level, "level", OnDisk.u16(s, LEVEL), "" + level);
        int count = OnDisk.u16(s, NUMRECS);
        int room = room(s, level == 0 ? recordBytes : keyBytes + POINTER_BYTES);
        where.check(count <= room && (count > 0 || level == 0), "numrecs", count, "1 to " + room);
        return count;
    }

    private static int room(MemorySegment s, int bytes) {
        return ((int) s.byteSize() - HEADER_BYTES) / bytes;
    }
}
