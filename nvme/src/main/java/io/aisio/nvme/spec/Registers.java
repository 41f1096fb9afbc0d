package io.aisio.nvme.spec;

/** Controller registers in BAR 0 and their fields (section 3.1). */
public final class Registers {
    /** Controller Capabilities, 64 bits, read only. */
    public static final long CAP = 0x00;
    /** Version, read only. */
    public static final long VS = 0x08;
    /** Interrupt Mask Set. */
    public static final long INTMS = 0x0C;
    /** Interrupt Mask Clear. */
    public static final long INTMC = 0x10;
    /** Controller Configuration. */
    public static final long CC = 0x14;
    /** Controller Status, read only but for NSSRO. */
    public static final long CSTS = 0x1C;
    /** NVM Subsystem Reset. */
    public static final long NSSR = 0x20;
    /** Admin Queue Attributes. */
    public static final long AQA = 0x24;
    /** Admin Submission Queue Base Address, 64 bits. */
    public static final long ASQ = 0x28;
    /** Admin Completion Queue Base Address, 64 bits. */
    public static final long ACQ = 0x30;
    /** The first doorbell: submission queue 0's tail. */
    public static final long DOORBELLS = 0x1000;

    /** CAP.CSS bit 6: command sets beside NVM are supported (version 2.0, section 3.1.3.1). */
    public static final long CAP_CSS_ALL = 1L << 43;

    /** CC.EN: the controller processes commands. */
    public static final int CC_EN = 1;
    /** CC.SHN, as a mask. */
    public static final int CC_SHN_MASK = 3 << 14;
    /** CC.SHN: normal shutdown. */
    public static final int CC_SHN_NORMAL = 1 << 14;

    /** CSTS.RDY: ready to process commands. */
    public static final int CSTS_RDY = 1;
    /** CSTS.CFS: a fatal error that could not be told in a completion. */
    public static final int CSTS_CFS = 1 << 1;
    /** CSTS.SHST, as a mask. */
    public static final int CSTS_SHST_MASK = 3 << 2;
    /** CSTS.SHST: shutdown is under way. */
    public static final int CSTS_SHST_OCCURRING = 1 << 2;
    /** CSTS.SHST: shutdown is complete. */
    public static final int CSTS_SHST_COMPLETE = 2 << 2;

    /** CC.CSS: all command sets that the controller supports, each namespace with its own. */
    public static final int CC_CSS_ALL = 6 << 4;

    /** What a load returns when the function is gone from the bus. */
    public static final int ALL_ONES = 0xFFFF_FFFF;

    private Registers() {}

    /** The offset of a submission queue's tail doorbell (section 3.1.16). */
    public static long sqTailDoorbell(int qid, int stride) {
        return DOORBELLS + (2L * qid) * (4L << stride);
    }

    /** The offset of a completion queue's head doorbell (section 3.1.17). */
    public static long cqHeadDoorbell(int qid, int stride) {
        return DOORBELLS + (2L * qid + 1) * (4L << stride);
    }

    /** CAP.MQES: the most entries that an I/O queue can have, at least 2. Here as a count, in the register 0's based. */
    public static int maxQueueEntries(long cap) {
        return (int) (cap & 0xFFFF) + 1;
    }

    /** CAP.TO: the longest that enabling or disabling takes, in milliseconds. */
    public static int timeoutMillis(long cap) {
        return (int) (cap >>> 24 & 0xFF) * 500;
    }

    /** CAP.DSTRD: doorbells are {@code 4 << DSTRD} bytes apart. */
    public static int doorbellStride(long cap) {
        return (int) (cap >>> 32 & 0xF);
    }

    /** CAP.CSS bit 0: the NVM command set is supported. */
    public static boolean supportsNvmCommandSet(long cap) {
        return (cap >>> 37 & 1) != 0;
    }

    /** CAP.CSS bit 6: command sets beside NVM are supported, with CC.CSS 110b (version 2.0, section 3.1.3.1). */
    public static boolean supportsCommandSets(long cap) {
        return (cap >>> 43 & 1) != 0;
    }

    /** CAP.MPSMIN, as the smallest memory page size in bytes. */
    public static long minPageSize(long cap) {
        return 1L << (12 + (int) (cap >>> 48 & 0xF));
    }

    /** CAP.MPSMAX, as the largest memory page size in bytes. */
    public static long maxPageSize(long cap) {
        return 1L << (12 + (int) (cap >>> 52 & 0xF));
    }

    /**
     * CC with the NVM command set, round-robin arbitration, 64-byte submission and 16-byte completion entries.
     *
     * @param pageSize memory page size in bytes, a power of two of at least 4096
     */
    public static int configuration(long pageSize) {
        int mps = Long.numberOfTrailingZeros(pageSize) - 12;
        return 4 << 20 | 6 << 16 | mps << 7;
    }

    /**
     * AQA for an admin queue pair.
     *
     * @param entries of each of both queues, 2 to 4096
     */
    public static int adminQueueAttributes(int entries) {
        return (entries - 1) << 16 | (entries - 1);
    }

    /**
     * CAP of a controller with contiguous queues, the NVM command set, and memory pages of 4096 bytes.
     *
     * @param entries the most entries of an I/O queue, 2 to 65536
     * @param timeoutMillis the longest that enabling or disabling takes, rounded up to half seconds
     * @param stride DSTRD, 0 to 15
     */
    public static long capabilities(int entries, int timeoutMillis, int stride) {
        long timeout = Math.ceilDiv(timeoutMillis, 500);
        return (entries - 1) | 1L << 16 | timeout << 24 | (long) stride << 32 | 1L << 37;
    }

    /** CC.CSS: the command set, 0 for NVM. */
    public static int commandSet(int cc) {
        return cc >>> 4 & 7;
    }

    /** CC.MPS, as the memory page size in bytes. */
    public static long pageSize(int cc) {
        return 1L << (12 + (cc >>> 7 & 0xF));
    }

    /** CC.AMS: the arbitration, 0 for round robin. */
    public static int arbitration(int cc) {
        return cc >>> 11 & 7;
    }

    /** CC.IOSQES: size of an I/O submission queue entry as a power of two. */
    public static int submissionEntryShift(int cc) {
        return cc >>> 16 & 0xF;
    }

    /** CC.IOCQES: size of an I/O completion queue entry as a power of two. */
    public static int completionEntryShift(int cc) {
        return cc >>> 20 & 0xF;
    }

    /** AQA.ASQS as a count. */
    public static int adminSubmissionEntries(int aqa) {
        return (aqa & 0xFFF) + 1;
    }

    /** AQA.ACQS as a count. */
    public static int adminCompletionEntries(int aqa) {
        return (aqa >>> 16 & 0xFFF) + 1;
    }
}
