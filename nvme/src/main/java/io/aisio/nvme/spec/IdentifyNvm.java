package io.aisio.nvme.spec;

/**
 * What the NVM command set adds to Identify (NVM Command Set 1.0, sections 4.1.5.2 and 4.1.5.4): CNS 05h and 06h with CSI
 * 00h, {@value Identify#BYTES} bytes each.
 */
public final class IdentifyNvm {
    /** Namespace: storage tag mask, 64 bits: those that are compared. */
    public static final long LBSTM = 0;
    /** Namespace: protection information capabilities. */
    public static final long PIC = 8;
    /** PIC: Copy checks storage tags of what it reads. */
    public static final int PIC_CHECK_STORAGE_TAG_READ = 1 << 2;
    /** Namespace: the first LBA format's extension; they follow one another, {@value #ELBAF_BYTES} bytes each. */
    public static final long ELBAF = 12;
    /** Bytes of an LBA format extension: storage tag size in bits (6:0), protection information format (8:7). */
    public static final int ELBAF_BYTES = 4;
    /** Where the protection information format stands in an LBA format extension. */
    public static final int PIF_SHIFT = 7;
    /** LBA format extension: storage tag size, as a mask. */
    public static final int STS_MASK = 0x7F;

    /** Controller: Verify Size Limit: the most bytes of a Verify, as a power of two of the smallest memory page; 0 for none. */
    public static final long VSL = 0;

    private IdentifyNvm() {}
}
