package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which blocks belong to several files: the reference counts above one, {@code struct xfs_refcount_rec}, of each
 * allocation group, read when it is first asked for. Any thread may call it.
 */
final class SharedBlocks {
    static final long STARTBLOCK = 0;
    static final long BLOCKCOUNT = 4;
    static final long REFCOUNT = 8;
    static final int RECORD_BYTES = 12;

    /** {@code R3FC}. */
    static final long MAGIC = 0x52334643;
    /** STARTBLOCK: no file has the blocks yet, they wait for a copy on write. */
    static final long COPY_ON_WRITE = 1L << 31;

    private static final int KEY_BYTES = 4;
    private static final AgBtree TREE = new AgBtree("refcount B-tree", MAGIC, RECORD_BYTES, KEY_BYTES);

    private final Geometry geometry;
    private final MetadataReader reader;
    private final @Nullable Runs[] runs;
    /** Why those of an allocation group cannot be told, so that it is found out once, and not for every file. */
    private final @Nullable XfsException[] damage;

    SharedBlocks(Geometry geometry, MetadataReader reader) {
        this.geometry = geometry;
        this.reader = reader;
        runs = new Runs[geometry.reflink() ? Math.toIntExact(geometry.agCount()) : 0];
        damage = new XfsException[runs.length];
    }

    /**
     * Whether several files have any of these blocks.
     *
     * @param block file system block number, of blocks that the geometry holds
     * @throws XfsException if the counts of the allocation group are damaged
     */
    boolean any(long block, long count) throws IOException {
        if (runs.length == 0) {
            return false;
        }
        int ag = (int) (block >>> geometry.agBlockLog());
        return runs(ag).intersects(block & ((1L << geometry.agBlockLog()) - 1), count);
    }

    private synchronized Runs runs(int ag) throws IOException {
        Runs known = runs[ag];
        if (known == null) {
            XfsException before = damage[ag];
            if (before != null) {
                throw before;
            }
            try {
                known = read(ag);
            } catch (XfsException e) {
                damage[ag] = e;
                throw e;
            }
            runs[ag] = known;
        }
        return known;
    }

    private Runs read(int ag) throws IOException {
        int sector = 1 << geometry.sectorLog();
        long position = geometry.agPosition(ag) + (long) AgFreeHeader.SECTOR * sector;
        Where head = geometry.where("AGF", ag, position);
        MemorySegment agf = reader.read(position, sector);
        AgFreeHeader.check(geometry, ag, agf, head);
        Runs found = new Runs();
        List<IOException> problems = new ArrayList<>();
        TREE.read(
                geometry,
                reader,
                ag,
                OnDisk.u32(agf, AgFreeHeader.REFCOUNT_ROOT),
                OnDisk.u32(agf, AgFreeHeader.REFCOUNT_LEVEL),
                head,
                new Reading(geometry.agLength(ag), found),
                problems::add);
        if (!problems.isEmpty()) {
            throw problems.getFirst();
        }
        return found;
    }

    /** Checks the records of one tree, and keeps those of blocks that files share. */
    private static final class Reading implements AgBtree.Records {
        private final long agBlocks;
        private final Runs found;
        /** The field by which the tree is ordered, of the record before; copies on write come behind all others. */
        private long last = -1;

        private long end;

        Reading(long agBlocks, Runs found) {
            this.agBlocks = agBlocks;
            this.found = found;
        }

        @Override
        public void record(MemorySegment s, long at, Where where) throws XfsException {
            long start = OnDisk.u32(s, at + STARTBLOCK);
            long count = OnDisk.u32(s, at + BLOCKCOUNT);
            long references = OnDisk.u32(s, at + REFCOUNT);
            where.check(start > last, "startblock", start, "more than " + last + ", that of the record before");
            boolean waiting = (start & COPY_ON_WRITE) != 0;
            if (waiting && (last & COPY_ON_WRITE) == 0) {
                end = 0;
            }
            last = start;
            long first = start & ~COPY_ON_WRITE;
            where.check(first >= end, "startblock", first, end + " or more, behind the blocks of the record before");
            where.check(
                    count > 0 && count <= agBlocks - first, "blockcount", count, "blocks inside the allocation group");
            where.check(references >= (waiting ? 1 : 2), "refcount", references, waiting ? "1" : "2 or more");
            end = first + count;
            if (!waiting) {
                found.add(first, end);
            }
        }
    }

    /** Runs of blocks in one allocation group, in order, without overlap. */
    private static final class Runs {
        private int count;
        private int[] start = new int[8];
        private int[] end = new int[8];

        /** An allocation group has less than 2^31 blocks: 1 TiB of 1 KiB. */
        void add(long first, long behind) {
            if (count > 0 && end[count - 1] == first) {
                end[count - 1] = (int) behind;
                return;
            }
            if (count == start.length) {
                start = Arrays.copyOf(start, 2 * count);
                end = Arrays.copyOf(end, 2 * count);
            }
            start[count] = (int) first;
            end[count++] = (int) behind;
        }

        boolean intersects(long first, long blocks) {
            int at = Arrays.binarySearch(start, 0, count, (int) first);
            int run = at >= 0 ? at : -at - 2;
            // The run that begins at or before, and the one behind it.
            return (run >= 0 && end[run] > first) || (run + 1 < count && start[run + 1] < first + blocks);
        }
    }
}
