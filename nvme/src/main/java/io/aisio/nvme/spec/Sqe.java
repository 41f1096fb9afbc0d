package io.aisio.nvme.spec;

/**
 * A submission queue entry: 64 bytes (section 4.2, figure 105), here also as eight 64-bit words, which is how the driver
 * writes and the software controller reads it.
 *
 * <pre>
 *   word 0   opcode (7:0), FUSE (9:8), PSDT (15:14), CID (31:16), NSID (63:32)
 *   word 1   command dwords 2 and 3
 *   word 2   metadata pointer (MPTR)
 *   word 3   PRP entry 1
 *   word 4   PRP entry 2
 *   word 5   command dwords 10 and 11: starting LBA, for I/O
 *   word 6   command dwords 12 and 13: for I/O, number of logical blocks, 0's based (15:0) and flags
 *   word 7   command dwords 14 and 15
 * </pre>
 */
public final class Sqe {
    /** Size of an entry in bytes. */
    public static final int BYTES = 64;
    /** Size as a power of two, as CC.IOSQES takes it. */
    public static final int SHIFT = 6;

    /** Offset of word 0: opcode, flags, CID, NSID. */
    public static final long DW0 = 0;
    /** Offset of word 1: command dwords 2 and 3. */
    public static final long CDW2 = 8;
    /** Offset of the metadata pointer. */
    public static final long MPTR = 16;
    /** Offset of PRP entry 1. */
    public static final long PRP1 = 24;
    /** Offset of PRP entry 2. */
    public static final long PRP2 = 32;
    /** Offset of command dwords 10 and 11. */
    public static final long CDW10 = 40;
    /** Offset of command dwords 12 and 13. */
    public static final long CDW12 = 48;
    /** Offset of command dwords 14 and 15. */
    public static final long CDW14 = 56;

    /** Where the CID stands in word 0. */
    public static final int CID_SHIFT = 16;
    /** Where the NSID stands in word 0. */
    public static final int NSID_SHIFT = 32;

    private Sqe() {}

    /** Word 0 without a CID. */
    public static long word0(int opcode, int nsid) {
        return (opcode & 0xFFL) | (nsid & 0xFFFF_FFFFL) << NSID_SHIFT;
    }

    /** Word 0 with PSDT. */
    public static long withPsdt(long word0, int psdt) {
        return word0 | (long) psdt << 14;
    }

    /** The opcode in word 0. */
    public static int opcode(long word0) {
        return (int) word0 & 0xFF;
    }

    /** FUSE in word 0: 0 for a command of its own. */
    public static int fuse(long word0) {
        return (int) (word0 >>> 8) & 3;
    }

    /** PSDT in word 0: 0 where PRPs describe the data, else SGLs. */
    public static int psdt(long word0) {
        return (int) (word0 >>> 14) & 3;
    }

    /** The command identifier in word 0. */
    public static int cid(long word0) {
        return (int) (word0 >>> CID_SHIFT) & 0xFFFF;
    }

    /** The namespace identifier in word 0. */
    public static int nsid(long word0) {
        return (int) (word0 >>> NSID_SHIFT);
    }
}
