package io.aisio.nvme.spec;

/**
 * A completion queue entry: 16 bytes (section 4.6, figure 123), as two 64-bit words.
 *
 * <pre>
 *   word 0   command specific (31:0), reserved (63:32)
 *   word 1   SQ head (15:0), SQ identifier (31:16), CID (47:32), phase tag (48), status (63:49)
 * </pre>
 *
 * Word 1 is written and read as one: the phase tag in it tells that the whole entry is there.
 */
public final class Cqe {
    /** Size of an entry in bytes. */
    public static final int BYTES = 16;
    /** Size as a power of two, as CC.IOCQES takes it. */
    public static final int SHIFT = 4;

    /** Offset of word 0: the command's result. */
    public static final long RESULT = 0;
    /** Offset of word 1: SQ head, SQ identifier, CID, phase tag and status. */
    public static final long WORD1 = 8;

    /** Where the SQ identifier stands in word 1. */
    public static final int SQID_SHIFT = 16;
    /** Where the CID stands in word 1. */
    public static final int CID_SHIFT = 32;
    /** Where the phase tag stands in word 1. */
    public static final int PHASE_SHIFT = 48;
    /** Where the status stands in word 1. */
    public static final int STATUS_SHIFT = 49;

    private Cqe() {}

    /** Word 1, made of its parts; {@code phase} is 0 or 1, {@code status} as {@link Status} has it. */
    public static long word1(int sqHead, int sqid, int cid, int phase, int status) {
        return (sqHead & 0xFFFFL)
                | (sqid & 0xFFFFL) << SQID_SHIFT
                | (cid & 0xFFFFL) << CID_SHIFT
                | (long) phase << PHASE_SHIFT
                | (long) status << STATUS_SHIFT;
    }

    /** SQ head: how far the controller has fetched. */
    public static int sqHead(long word1) {
        return (int) word1 & 0xFFFF;
    }

    /** The submission queue that the command came from. */
    public static int sqid(long word1) {
        return (int) (word1 >>> SQID_SHIFT) & 0xFFFF;
    }

    /** The command identifier. */
    public static int cid(long word1) {
        return (int) (word1 >>> CID_SHIFT) & 0xFFFF;
    }

    /** The phase tag, 0 or 1. */
    public static int phase(long word1) {
        return (int) (word1 >>> PHASE_SHIFT) & 1;
    }

    /** The status field: 15 bits, 0 for success. */
    public static int status(long word1) {
        return (int) (word1 >>> STATUS_SHIFT);
    }
}
