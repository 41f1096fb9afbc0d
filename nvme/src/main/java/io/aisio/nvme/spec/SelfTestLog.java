package io.aisio.nvme.spec;

/** The Device Self-test log page (section 5.14.1.6), {@value #BYTES} bytes: what runs, and the last results. */
public final class SelfTestLog {
    /** Size in bytes. */
    public static final int BYTES = 564;
    /** What runs: 0 for nothing, 1 for a short test, 2 for an extended one. */
    public static final long OPERATION = 0;
    /** How much of it is done, in percent. */
    public static final long COMPLETION = 1;
    /** The newest result; they follow one another, {@value #RESULT_BYTES} bytes each. */
    public static final long RESULT = 4;
    /** Size of a result. */
    public static final int RESULT_BYTES = 28;
    /** How many results there are. */
    public static final int RESULTS = 20;

    /** Result: how it ended (3:0) and what was run (7:4). */
    public static final long STATUS = 0;
    /** Result: the segment that failed. */
    public static final long SEGMENT = 1;
    /** Result: which of the next fields are valid: bit 0 NSID, bit 1 LBA, bits 2 and 3 the status code's type and code. */
    public static final long VALID = 2;
    /** Result: power on hours when it ended, 64 bits. */
    public static final long POWER_ON_HOURS = 4;
    /** Result: namespace in which it failed, 32 bits. */
    public static final long NSID = 12;
    /** Result: the LBA at which it failed, 64 bits. */
    public static final long FAILING_LBA = 16;

    /** Code of Device Self-test: a short test. */
    public static final int SHORT = 0x1;
    /** Code of Device Self-test: an extended test. */
    public static final int EXTENDED = 0x2;
    /** Code of Device Self-test: the one that runs is aborted. */
    public static final int ABORT = 0xF;

    /** How a test ended: without error. */
    public static final int ENDED_WELL = 0x0;
    /** How a test ended: no result. */
    public static final int ENDED_UNUSED = 0xF;

    private SelfTestLog() {}
}
