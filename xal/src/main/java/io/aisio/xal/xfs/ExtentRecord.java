package io.aisio.xal.xfs;

/**
 * An extent record, {@code struct xfs_bmbt_rec}: 128 bits, of which the highest is the flag for unwritten, then 54 bits
 * of file offset, 52 of block number and 21 of length, all in blocks.
 */
final class ExtentRecord {
    static final int BYTES = 16;
    static final long L0 = 0;
    static final long L1 = 8;

    private static final int COUNT_BITS = 21;
    private static final int OFFSET_SHIFT = 9;
    private static final long OFFSET_MASK = (1L << 54) - 1;
    private static final long BLOCK_HIGH_MASK = (1L << OFFSET_SHIFT) - 1;
    private static final int BLOCK_HIGH_SHIFT = Long.SIZE - COUNT_BITS;
    private static final long COUNT_MASK = (1L << COUNT_BITS) - 1;

    private ExtentRecord() {}

    /** Whether the blocks read as zeros: bit 63 of the first word. */
    static boolean unwritten(long l0) {
        return l0 < 0;
    }

    /** Offset in the file, in blocks. */
    static long startOffset(long l0) {
        return (l0 >>> OFFSET_SHIFT) & OFFSET_MASK;
    }

    /** File system block number. */
    static long startBlock(long l0, long l1) {
        return (l0 & BLOCK_HIGH_MASK) << BLOCK_HIGH_SHIFT | (l1 >>> COUNT_BITS);
    }

    /** Length in blocks. */
    static long blockCount(long l1) {
        return l1 & COUNT_MASK;
    }
}
