package io.aisio.xal.xfs;

import io.aisio.xal.Extent;
import io.aisio.xal.XfsException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Collects the extents of one inode, in order, and checks each against the one before and against the geometry. */
final class BlockMap {
    private final Geometry geometry;
    private final MetadataReader reader;
    private final InodeCore inode;
    private final List<Extent> extents = new ArrayList<>();
    /** Where the extents so far end in the file, in blocks. */
    private long end;

    private BlockMap(Geometry geometry, MetadataReader reader, InodeCore inode) {
        this.geometry = geometry;
        this.reader = reader;
        this.inode = inode;
    }

    /**
     * Reads the extents of an inode, and which of them other files have too.
     *
     * @param shared knows it
     * @throws XfsException if the block map is damaged, has a block twice that cannot be shared, or lies on a real-time
     *     device
     */
    static List<Extent> read(Geometry geometry, MetadataReader reader, SharedBlocks shared, InodeCore inode)
            throws IOException {
        if (inode.realtime()) {
            throw inode.where()
                    .bad("flags has realtime (bit 0): the file lies on a real-time device, which is not read");
        }
        List<Extent> extents = read(geometry, reader, inode);
        if (!inode.reflink()) {
            checkDisjoint(extents, inode.where());
        } else {
            for (int i = 0; i < extents.size(); i++) {
                Extent e = extents.get(i);
                if (shared.any(geometry.block(e.position()), e.length() >> geometry.blockLog())) {
                    extents.set(i, new Extent(e.offset(), e.position(), e.length(), e.flags() | Extent.SHARED));
                }
            }
        }
        return extents;
    }

    /**
     * Reads the extents of an inode.
     *
     * @return empty if its fork holds none but its data or a device number
     */
    static List<Extent> read(Geometry geometry, MetadataReader reader, InodeCore inode) throws IOException {
        BlockMap map = new BlockMap(geometry, reader, inode);
        switch (inode.format()) {
            case DEVICE, LOCAL -> {}
            case EXTENTS -> map.inline();
            case BTREE -> map.tree(BmapBlock.root(inode.fork(), inode.where()));
        }
        return map.extents;
    }

    /** Makes sure that no two extents of an inode have a block together: only with shared blocks they may. */
    static void checkDisjoint(List<Extent> extents, Where where) throws XfsException {
        List<Extent> sorted = extents;
        for (int i = 1; i < extents.size(); i++) {
            if (extents.get(i).position() < extents.get(i - 1).position()) {
                sorted = new ArrayList<>(extents);
                sorted.sort(Comparator.comparingLong(Extent::position));
                break;
            }
        }
        long end = 0;
        for (Extent extent : sorted) {
            if (extent.position() < end) {
                throw where.bad("two of its extents overlap at byte " + extent.position() + " of the device");
            }
            end = extent.position() + extent.length();
        }
    }

    private void inline() throws XfsException {
        long room = inode.fork().byteSize() / ExtentRecord.BYTES;
        inode.where()
                .check(
                        inode.extents() >= 0 && inode.extents() <= room,
                        "nextents",
                        inode.extents(),
                        "at most " + room + ", as many as fit into the inode");
        for (int i = 0; i < inode.extents(); i++) {
            add(inode.fork(), (long) i * ExtentRecord.BYTES, inode.where());
        }
    }

    /** Every leaf adds extents behind those before, so that a tree that runs in circles is found at its second turn. */
    private void tree(BmapBlock root) throws IOException {
        descend(root);
        inode.where().check(extents.size() == inode.extents(), "nextents", inode.extents(), "" + extents.size());
    }

    private void descend(BmapBlock node) throws IOException {
        for (int i = 0; i < node.records(); i++) {
            long block = node.child(i);
            if (!geometry.holds(block, 1)) {
                throw inode.where().badHex("block map pointer", block, "a block inside an allocation group");
            }
            long position = geometry.position(block);
            Where where = geometry.where("block map of inode", inode.inode().number(), position);
            BmapBlock child = BmapBlock.parse(
                    geometry,
                    inode.inode().number(),
                    node.level() - 1,
                    reader.read(position, geometry.blockSize()),
                    where);
            if (child.level() > 0) {
                descend(child);
            } else {
                leaf(child, where);
            }
        }
    }

    private void leaf(BmapBlock leaf, Where where) throws XfsException {
        for (int i = 0; i < leaf.records(); i++) {
            add(leaf.s(), leaf.recordOffset(i), where);
        }
    }

    private void add(MemorySegment s, long at, Where where) throws XfsException {
        long l0 = OnDisk.i64(s, at + ExtentRecord.L0);
        long l1 = OnDisk.i64(s, at + ExtentRecord.L1);
        long offset = ExtentRecord.startOffset(l0);
        long block = ExtentRecord.startBlock(l0, l1);
        long count = ExtentRecord.blockCount(l1);
        if (offset < end) {
            throw where.bad("startoff", offset, end + " or more, behind the extent before");
        }
        where.check(
                offset + count <= Long.MAX_VALUE >> geometry.blockLog(),
                "startoff",
                offset,
                "one that 63 bits of bytes can express");
        if (!geometry.holds(block, count)) {
            throw where.bad("startblock is 0x" + Long.toHexString(block) + " and blockcount " + count
                    + ", expected blocks inside an allocation group");
        }
        end = offset + count;
        extents.add(new Extent(
                offset << geometry.blockLog(),
                geometry.position(block),
                count << geometry.blockLog(),
                ExtentRecord.unwritten(l0) ? Extent.UNWRITTEN : 0));
    }
}
