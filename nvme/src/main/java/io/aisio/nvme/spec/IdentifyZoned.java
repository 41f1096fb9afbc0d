package io.aisio.nvme.spec;

/**
 * Offsets of the fields that the Zoned Namespace command set adds to Identify (Zoned Namespace Command Set 1.1, sections
 * 4.1.5.1 and 4.1.5.2): CNS 05h and 06h with CSI 02h, {@value Identify#BYTES} bytes each. Read with {@link Wire}.
 */
public final class IdentifyZoned {
    /** Namespace: zone operation characteristics, 16 bits. */
    public static final long ZOC = 0;
    /** Namespace: optional zoned command support, 16 bits. */
    public static final long OZCS = 2;
    /** Namespace: zones that may be active at once, 32 bits, 0's based; all ones for no limit. */
    public static final long MAR = 4;
    /** Namespace: zones that may be open at once, 32 bits, 0's based; all ones for no limit. */
    public static final long MOR = 8;
    /** Namespace: the first LBA format's extension; they follow one another, {@value #LBAFE_BYTES} bytes each. */
    public static final long LBAFE = 2816;
    /** Bytes of an LBA format extension. */
    public static final int LBAFE_BYTES = 16;
    /** LBA format extension: blocks from the start of a zone to the next one's, 64 bits. */
    public static final long LBAFE_ZSZE = 0;
    /** LBA format extension: zone descriptor extension, in 64 bytes. */
    public static final long LBAFE_ZDES = 8;

    /** Controller: largest Zone Append as a power of two of the smallest memory page size; 0 for MDTS. */
    public static final long ZASL = 0;

    /** OZCS: reads may cross from one zone to the next. */
    public static final int OZCS_READ_ACROSS_ZONES = 1;
    /** MAR and MOR: no limit. */
    public static final int NO_LIMIT = 0xFFFF_FFFF;

    /** ZOC: zones' capacity may change. */
    public static final int ZOC_VARIABLE_CAPACITY = 1;

    private IdentifyZoned() {}
}
