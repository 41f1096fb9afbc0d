package io.aisio.nvme.spec;

/** A range of Dataset Management (NVM Command Set 1.0, section 3.2.3): {@value #BYTES} bytes. */
public final class DatasetRange {
    /** Size in bytes. */
    public static final int BYTES = 16;
    /** Context attributes, 32 bits: hints. */
    public static final long ATTRIBUTES = 0;
    /** Number of logical blocks, 32 bits. */
    public static final long NLB = 4;
    /** First LBA, 64 bits. */
    public static final long SLBA = 8;
    /** The most ranges of one command. */
    public static final int MAX = 256;

    /** Command dword 11: the ranges will be read as a whole. */
    public static final int INTEGRAL_READ = 1;
    /** Command dword 11: the ranges will be written as a whole. */
    public static final int INTEGRAL_WRITE = 1 << 1;
    /** Command dword 11: the ranges are deallocated. */
    public static final int DEALLOCATE = 1 << 2;

    private DatasetRange() {}
}
