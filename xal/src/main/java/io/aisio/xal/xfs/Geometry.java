package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.util.List;

/**
 * The sizes of a file system, as its superblock gives them and as they were checked there, and the arithmetic on its
 * addresses. Logs are of base 2.
 *
 * <p>A file system block number holds the allocation group above {@code agBlockLog} bits of block within the group; an
 * inode number holds the block number above {@code inodesPerBlockLog} bits of inode within the block.
 *
 * @param source what is read, as messages name it
 * @param directoryBlockLog of a directory block, at least that of a block
 * @param agBlocks blocks of an allocation group, except that the last may be shorter
 * @param blocks of the whole file system
 * @param uuid that all metadata carries
 * @param largeExtentCounts inodes may say (in flags2) that they count extents in 64 bits
 * @param reflink files may share blocks
 * @param sparseInodes chunks of inodes may lack some
 * @param internalInodes those that no directory names, of the real-time device and of quotas
 */
record Geometry(
        String source,
        int sectorLog,
        int blockLog,
        int inodeLog,
        int inodesPerBlockLog,
        int directoryBlockLog,
        long agBlocks,
        int agBlockLog,
        long agCount,
        long blocks,
        long rootInode,
        Uuid uuid,
        boolean largeExtentCounts,
        boolean reflink,
        boolean sparseInodes,
        List<Long> internalInodes) {

    /** Blocks carry their own address in units of 2 to the power of this: 512 bytes, whatever the sector size. */
    static final int BASIC_SHIFT = 9;
    /** Superblock, AGF, AGI and AGFL: the sectors at the head of each allocation group. */
    private static final int HEADER_SECTORS = 4;

    int blockSize() {
        return 1 << blockLog;
    }

    int inodeSize() {
        return 1 << inodeLog;
    }

    int directoryBlockSize() {
        return 1 << directoryBlockLog;
    }

    /** Blocks of an allocation group. */
    long agLength(long ag) {
        return Math.min(agBlocks, blocks - ag * agBlocks);
    }

    /** Where an allocation group begins, in bytes. */
    long agPosition(long ag) {
        return (ag * agBlocks) << blockLog;
    }

    /** Whether a run of blocks may belong to a file: inside one allocation group, behind its headers. */
    boolean holds(long block, long count) {
        long ag = block >>> agBlockLog;
        long first = blockInAg(block);
        long headers = (((long) HEADER_SECTORS << sectorLog) + blockSize() - 1) >> blockLog;
        return ag < agCount && first >= headers && count > 0 && count <= agLength(ag) - first;
    }

    /** Where a block that {@link #holds} begins, in bytes. */
    long position(long block) {
        return ((block >>> agBlockLog) * agBlocks + blockInAg(block)) << blockLog;
    }

    /** The file system block at a position in bytes, the other way round. */
    long block(long position) {
        long block = position >> blockLog;
        return ((block / agBlocks) << agBlockLog) | (block % agBlocks);
    }

    /** Whether an inode is the file system's own, so that no directory names it. */
    boolean internal(long inode) {
        return internalInodes.contains(inode);
    }

    /** Where an inode lies, in bytes. */
    long inodePosition(long inode) throws XfsException {
        long block = inode >>> inodesPerBlockLog;
        if (inode <= 0 || !holds(block, 1)) {
            throw where("inode", inode, -1).bad("no allocation group has a place for this number");
        }
        return position(block) + ((inode & ((1L << inodesPerBlockLog) - 1)) << inodeLog);
    }

    /** A structure to be read at a position. */
    Where where(String structure, long number, long position) {
        return new Where(source, structure, number, position, this);
    }

    /** The allocation group and the block in it of a position in bytes, as xfs_db takes them. */
    String place(long position) {
        long block = position >> blockLog;
        return "AG " + block / agBlocks + " block " + block % agBlocks;
    }

    private long blockInAg(long block) {
        return block & ((1L << agBlockLog) - 1);
    }
}
