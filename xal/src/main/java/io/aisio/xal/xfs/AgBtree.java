package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

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
    /** Problems told of one tree, so that a hostile one whose nodes have the same bad blocks again ends soon. */
    private static final int MAX_PROBLEMS = 64;

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
     * Reads all records of a tree, in order. A block or record that is damaged hides no other; what is beneath a block is
     * missing.
     *
     * @param root the block of its root, in the allocation group
     * @param levels how many levels it has, as the head of the allocation group says
     * @param head the head of the allocation group, for messages
     * @param problems takes what kept records from being read; without any, all were
     * @throws InterruptedIOException if this thread is interrupted
     */
    void read(
            Geometry geometry,
            MetadataReader reader,
            long ag,
            long root,
            long levels,
            Where head,
            Records records,
            Consumer<IOException> problems)
            throws InterruptedIOException {
        try {
            head.check(levels >= 1 && levels <= MAX_LEVELS, structure + " levels", levels, "1 to " + MAX_LEVELS);
            new Reading(geometry, reader, ag, (int) levels - 1, records, problems).block(root, (int) levels - 1, head);
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            problems.accept(e);
        }
    }

    /** One tree being read. */
    private final class Reading {
        private final Geometry geometry;
        private final MetadataReader reader;
        private final long ag;
        private final int rootLevel;
        private final Records records;
        private final Consumer<IOException> problems;
        private int bad;

        Reading(
                Geometry geometry,
                MetadataReader reader,
                long ag,
                int rootLevel,
                Records records,
                Consumer<IOException> problems) {
            this.geometry = geometry;
            this.reader = reader;
            this.ag = ag;
            this.rootLevel = rootLevel;
            this.records = records;
            this.problems = problems;
        }

        void block(long block, int level, Where parent) throws IOException {
            long whole = ag << geometry.agBlockLog() | block;
            parent.check(
                    block < geometry.agLength(ag) && geometry.holds(whole, 1),
                    structure + " block",
                    block,
                    "a block of the allocation group, behind its headers");
            long position = geometry.position(whole);
            Where where = geometry.where(structure + " of AG", ag, position);
            MemorySegment s = reader.read(position, geometry.blockSize());
            int count = check(s, level, where);
            if (level == 0) {
                records(s, count, where);
            } else {
                children(s, count, level, where);
            }
        }

        /** A record that is damaged hides no other either. */
        private void records(MemorySegment s, int count, Where where) throws IOException {
            for (int i = 0; i < count; i++) {
                try {
                    records.record(s, HEADER_BYTES + (long) i * recordBytes, where);
                } catch (XfsException e) {
                    tell(e);
                }
            }
        }

        private void tell(IOException e) throws IOException {
            if (++bad > MAX_PROBLEMS) {
                throw e;
            }
            problems.accept(e);
        }

        private void children(MemorySegment s, int count, int level, Where where) throws IOException {
            long pointers = HEADER_BYTES + (long) room(s, keyBytes + POINTER_BYTES) * keyBytes;
            for (int i = 0; i < count; i++) {
                try {
                    block(OnDisk.u32(s, pointers + (long) i * POINTER_BYTES), level - 1, where);
                } catch (InterruptedIOException e) {
                    throw e;
                } catch (IOException e) {
                    tell(e);
                }
            }
        }

        private int check(MemorySegment s, int level, Where where) throws XfsException {
            where.magic(OnDisk.u32(s, MAGIC_FIELD), magic);
            where.crc(s, CRC);
            where.uuid(s, UUID, geometry.uuid());
            where.self(OnDisk.i64(s, BLKNO));
            where.check(OnDisk.u32(s, OWNER) == ag, "owner", OnDisk.u32(s, OWNER), "AG " + ag);
            where.check(OnDisk.u16(s, LEVEL) == level, "level", OnDisk.u16(s, LEVEL), "" + level);
            int count = OnDisk.u16(s, NUMRECS);
            int room = room(s, level == 0 ? recordBytes : keyBytes + POINTER_BYTES);
            // Only a tree without records has an empty block: its root. So every block adds to what was read.
            int least = level == 0 && rootLevel == 0 ? 0 : 1;
            where.check(count >= least && count <= room, "numrecs", count, least + " to " + room);
            for (int i = 1; level > 0 && i < count; i++) {
                long key = OnDisk.u32(s, HEADER_BYTES + (long) i * keyBytes);
                long before = OnDisk.u32(s, HEADER_BYTES + (long) (i - 1) * keyBytes);
                where.check(key > before, "key " + i, key, "more than " + before + ", the key before");
            }
            return count;
        }
    }

    private static int room(MemorySegment s, int bytes) {
        return ((int) s.byteSize() - HEADER_BYTES) / bytes;
    }
}
