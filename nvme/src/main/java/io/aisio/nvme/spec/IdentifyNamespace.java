package io.aisio.nvme.spec;

/**
 * Offsets of the fields of the Identify Namespace data structure (section 5.15.2.1, figure 245), {@value
 * Identify#BYTES} bytes. Read and written with {@link Wire}.
 */
public final class IdentifyNamespace {
    /** Size in logical blocks, 64 bits. */
    public static final long NSZE = 0;
    /** Capacity in logical blocks, 64 bits. */
    public static final long NCAP = 8;
    /** Utilization in logical blocks, 64 bits. */
    public static final long NUSE = 16;
    /** Features. Bit 0: thin provisioning; bit 2: deallocated blocks error. */
    public static final long NSFEAT = 24;
    /** Number of LBA formats, 0's based. */
    public static final long NLBAF = 25;
    /** Formatted LBA size: index of the format (3:0), bit 4: metadata follows the data of each block. */
    public static final long FLBAS = 26;
    /** Metadata capabilities: bit 0 at the end of each block, bit 1 in a buffer of its own. */
    public static final long MC = 27;
    /** End-to-end data protection capabilities. */
    public static final long DPC = 28;
    /** End-to-end data protection settings. */
    public static final long DPS = 29;
    /** Copy: the most blocks of one source range, 16 bits; 0 where there is no Copy. */
    public static final long MSSRL = 74;
    /** Copy: the most blocks of one command, 32 bits. */
    public static final long MCL = 76;
    /** Copy: the most source ranges, 0's based. */
    public static final long MSRC = 80;
    /** Endurance group identifier, 16 bits; 0 for none. */
    public static final long ENDGID = 102;
    /** Namespace attributes. Bit 0: write protected. */
    public static final long NSATTR = 99;
    /** What a deallocated block reads as: bits 2:0, 1 for zeroes. */
    public static final long DLFEAT = 33;
    /** Namespace globally unique identifier, 16 bytes, big-endian. */
    public static final long NGUID = 104;
    /** IEEE extended unique identifier, 8 bytes, big-endian. */
    public static final long EUI64 = 120;
    /** The first LBA format; they follow one another, {@value #LBAF_BYTES} bytes each. */
    public static final long LBAF = 128;
    /** Bytes of an LBA format. */
    public static final int LBAF_BYTES = 4;
    /** LBA formats that the structure has room for. */
    public static final int LBAF_MAX = 16;
    /** LBA formats that the structure has room for since version 2.0. */
    public static final int LBAF_MAX_2_0 = 64;

    /** MC: metadata at the end of each block. */
    public static final int MC_EXTENDED = 1;
    /** MC: metadata in a buffer of its own. */
    public static final int MC_SEPARATE = 1 << 1;
    /** DPC: type 1; types 2 and 3 have the next two bits. */
    public static final int DPC_TYPE_1 = 1;
    /** DPC: protection information as the first bytes of the metadata. */
    public static final int DPC_FIRST = 1 << 3;
    /** DPC: protection information as the last bytes of the metadata. */
    public static final int DPC_LAST = 1 << 4;
    /** DLFEAT: deallocated blocks read as zeroes. */
    public static final int DLFEAT_ZEROES = 1;
    /** DLFEAT: Write Zeroes may deallocate. */
    public static final int DLFEAT_WRITE_ZEROES = 1 << 3;
    /** FLBAS: the metadata follows the data of each block. */
    public static final int FLBAS_EXTENDED = 1 << 4;

    /** NSATTR: write protected. */
    public static final int NSATTR_WRITE_PROTECTED = 1;

    private IdentifyNamespace() {}

    /**
     * Index of the LBA format in use, 0 to 63. Bits 6:5 of FLBAS belong to it since version 2.0, where there are more than
     * 16 formats.
     */
    public static int formatIndex(int flbas, int nlbaf) {
        return (flbas & 0xF) | (nlbaf >= LBAF_MAX ? (flbas >>> 5 & 3) << 4 : 0);
    }

    /** An LBA format: metadata bytes (15:0), data size as a power of two (23:16). */
    public static int lbaFormat(int dataShift, int metadataBytes) {
        return dataShift << 16 | metadataBytes;
    }

    /** Data size of an LBA format as a power of two; below 9 the format is not available. */
    public static int dataShift(int lbaFormat) {
        return lbaFormat >>> 16 & 0xFF;
    }

    /** Metadata bytes of an LBA format. */
    public static int metadataBytes(int lbaFormat) {
        return lbaFormat & 0xFFFF;
    }
}
