package io.aisio.xal.watch;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.linux.XfsGeometry;
import io.aisio.xal.Extent;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * What {@link ExtentProgram} puts into the ring: the inode, and the extent as it is in XFS's tree of extents in memory,
 * {@code struct xfs_iext_rec} of {@code libxfs/xfs_iext_tree.c}.
 *
 * <pre>
 *   lo  63 … 54 low 10 bits of the block │ 53 … 0 offset in the file
 *   hi  63 … 22 high 42 bits of the block │ 21 unwritten │ 20 … 0 length      all in file system blocks
 * </pre>
 *
 * @param kind what happens to the extent
 * @param inode number
 * @param flags of the inode, {@code XFS_DIFLAG_*}
 * @param low the first word
 * @param high the second word
 */
record ExtentRecord(Kind kind, long inode, int flags, long low, long high) {
    static final int INODE = 0;
    static final int LOW = 8;
    static final int HIGH = 16;
    static final int KIND = 24;
    static final int FLAGS = 28;
    static final int BYTES = 32;

    private static final long OFFSET = (1L << 54) - 1;
    private static final int BLOCK_SHIFT = 54;
    private static final int BLOCK_LOW_BITS = 10;
    private static final int BLOCK_HIGH_SHIFT = 22;
    private static final long LENGTH = (1L << 21) - 1;
    private static final long UNWRITTEN = 1L << 21;

    /** {@code libxfs/xfs_format.h}: STARTBLOCKMASK, a block number that says how much is reserved for none yet. */
    private static final long NO_BLOCK = ((1L << 35) - 1) << 17;
    /** XFS_DIFLAG_REALTIME: its blocks lie on the real-time device. */
    private static final int REALTIME = 1;

    /** What happens to it, and at which tracepoint of {@code fs/xfs/xfs_trace.h} that is seen. */
    enum Kind {
        /** It is now in the tree of extents of an inode. */
        INSERT(1, "xfs_iext_insert"),
        /** It is about to leave the tree. */
        REMOVE(2, "xfs_iext_remove"),
        /** It is about to become another one, which is told next of this inode. */
        PRE_UPDATE(3, "xfs_bmap_pre_update"),
        /** It is what the one before became. */
        POST_UPDATE(4, "xfs_bmap_post_update"),
        /** There is none: two files have exchanged their trees, and this inode is one of them. */
        SWAP(5, "xfs_swap_extent_after");

        private final int number;
        private final String tracepoint;

        Kind(int number, String tracepoint) {
            this.number = number;
            this.tracepoint = tracepoint;
        }

        /** As it is in a record. */
        int number() {
            return number;
        }

        String tracepoint() {
            return tracepoint;
        }

        private static Kind of(int number) throws IOException {
            for (Kind kind : values()) {
                if (kind.number == number) {
                    return kind;
                }
            }
            throw new IOException("a record of XFS's extents is of kind " + number);
        }
    }

    /**
     * Reads a record.
     *
     * @throws IOException if it is none
     */
    static ExtentRecord of(MemorySegment record) throws IOException {
        if (record.byteSize() != BYTES) {
            throw new IOException("a record of XFS's extents has " + record.byteSize() + " bytes, not " + BYTES);
        }
        return new ExtentRecord(
                Kind.of(record.get(JAVA_INT, KIND)),
                record.get(JAVA_LONG, INODE),
                record.get(JAVA_INT, FLAGS),
                record.get(JAVA_LONG, LOW),
                record.get(JAVA_LONG, HIGH));
    }

    private long block() {
        return low >>> BLOCK_SHIFT | high >>> BLOCK_HIGH_SHIFT << BLOCK_LOW_BITS;
    }

    /** Whether it is in memory only, and has no block yet. */
    private boolean isDelayed() {
        return (block() & NO_BLOCK) == NO_BLOCK;
    }

    /** Whether its block is one of the real-time device. */
    private boolean isRealTime() {
        return (flags & REALTIME) != 0;
    }

    /** Whether it lies behind all allocation groups: the file system has grown, or the record is wrong. */
    boolean isBehind(XfsGeometry geometry) {
        return kind != Kind.SWAP && !isDelayed() && !isRealTime() && group(geometry) >= geometry.groups();
    }

    private long group(XfsGeometry geometry) {
        return block() >>> groupShift(geometry);
    }

    /**
     * The extent in bytes, with the flags that FIEMAP gives it, as far as the tree of extents knows: not whether it is
     * shared.
     *
     * @throws IOException if it is none that a file can have
     */
    Extent extent(XfsGeometry geometry) throws IOException {
        long blockBytes = geometry.blockBytes();
        long offset = low & OFFSET;
        long length = high & LENGTH;
        if (length == 0 || offset > Long.MAX_VALUE / blockBytes - length) {
            throw new IOException("XFS told " + length + " blocks from block " + offset + " of inode " + inode);
        }
        if (isDelayed()) {
            return new Extent(offset * blockBytes, 0, length * blockBytes, Extent.DELAYED | Extent.UNKNOWN);
        }
        int told = (high & UNWRITTEN) != 0 ? Extent.UNWRITTEN : 0;
        if (isRealTime()) {
            return new Extent(offset * blockBytes, 0, length * blockBytes, told | Extent.UNKNOWN);
        }
        long inGroup = block() & ((1L << groupShift(geometry)) - 1);
        if (group(geometry) >= geometry.groups() || inGroup + length > geometry.groupBlocks()) {
            throw new IOException("XFS told " + length + " blocks from block " + inGroup + " of allocation group "
                    + group(geometry) + " for inode " + inode + ", where there are " + geometry.groups() + " groups of "
                    + geometry.groupBlocks() + " blocks");
        }
        long position = (group(geometry) * geometry.groupBlocks() + inGroup) * blockBytes;
        return new Extent(offset * blockBytes, position, length * blockBytes, told);
    }

    /** {@code sb_agblklog}: the bits of a block's number in its group. */
    private static int groupShift(XfsGeometry geometry) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(geometry.groupBlocks() - 1);
    }
}
