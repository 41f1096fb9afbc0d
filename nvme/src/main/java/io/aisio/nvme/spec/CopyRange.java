package io.aisio.nvme.spec;

/** A source range of Copy, format 0 (NVM Command Set 1.0, section 3.2.2): {@value #BYTES} bytes. */
public final class CopyRange {
    /** Size in bytes. */
    public static final int BYTES = 32;
    /** First LBA, 64 bits. */
    public static final long SLBA = 8;
    /** Number of logical blocks, 16 bits, 0's based. */
    public static final long NLB = 16;

    private CopyRange() {}
}
