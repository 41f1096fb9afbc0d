package io.aisio.nvme.spec;

/**
 * Offsets of the fields of the Identify Controller data structure (section 5.15.2.2, figure 247), {@value
 * Identify#BYTES} bytes. Read and written with {@link Wire}.
 */
public final class IdentifyController {
    /** PCI vendor identifier, 16 bits. */
    public static final long VID = 0;
    /** PCI subsystem vendor identifier, 16 bits. */
    public static final long SSVID = 2;
    /** Serial number, ASCII. */
    public static final long SN = 4;
    /** Bytes of {@link #SN}. */
    public static final int SN_BYTES = 20;
    /** Model number, ASCII. */
    public static final long MN = 24;
    /** Bytes of {@link #MN}. */
    public static final int MN_BYTES = 40;
    /** Firmware revision, ASCII. */
    public static final long FR = 64;
    /** Bytes of {@link #FR}. */
    public static final int FR_BYTES = 8;
    /** Recommended arbitration burst, a power of two. */
    public static final long RAB = 72;
    /** Largest transfer, as a power of two of the smallest memory page size; 0 for no limit. */
    public static final long MDTS = 77;
    /** Controller identifier, 16 bits. */
    public static final long CNTLID = 78;
    /** Version, as the VS register has it, 32 bits. */
    public static final long VER = 80;
    /** RTD3 entry latency: what a shutdown may take, in microseconds, 32 bits; 0 where it is not told. */
    public static final long RTD3E = 88;
    /** Optional asynchronous events supported, 32 bits. */
    public static final long OAES = 92;
    /** Controller attributes, 32 bits. */
    public static final long CTRATT = 96;
    /** Controller type: 1 for an I/O controller. */
    public static final long CNTRLTYPE = 111;
    /** Command retry delay times 1 to 3, 16 bits each, in 100 ms. */
    public static final long CRDT1 = 128;
    /** Optional admin commands supported, 16 bits. Bit 1: Format NVM. */
    public static final long OACS = 256;
    /** Aborts that may be outstanding, 0's based. */
    public static final long ACL = 258;
    /** Asynchronous event requests that may be outstanding, 0's based. */
    public static final long AERL = 259;
    /** Firmware updates: bit 0 slot 1 read only, bits 3:1 number of slots. */
    public static final long FRMW = 260;
    /** Log page attributes. Bit 2: extended data (a log page offset). */
    public static final long LPA = 261;
    /** Entries of the error log, 0's based. */
    public static final long ELPE = 262;
    /** Power states, 0's based. */
    public static final long NPSS = 263;
    /** Warning composite temperature, 16 bits, in kelvin. */
    public static final long WCTEMP = 266;
    /** Critical composite temperature, 16 bits, in kelvin. */
    public static final long CCTEMP = 268;
    /** Keep alive support: the unit of the timer in 100 ms, 16 bits; 0 if there is none. */
    public static final long KAS = 320;
    /** Sanitize capabilities, 32 bits. */
    public static final long SANICAP = 328;
    /** The largest endurance group identifier, 16 bits. */
    public static final long ENDGIDMAX = 340;
    /** Submission queue entry size: required (3:0) and largest (7:4), powers of two. */
    public static final long SQES = 512;
    /** Completion queue entry size: required (3:0) and largest (7:4), powers of two. */
    public static final long CQES = 513;
    /** Commands that may be outstanding, 16 bits; 0 where it is not told. */
    public static final long MAXCMD = 514;
    /** Number of namespaces: the largest valid NSID, 32 bits. */
    public static final long NN = 516;
    /** Optional NVM commands supported, 16 bits. */
    public static final long ONCS = 520;
    /** Format NVM attributes. */
    public static final long FNA = 524;
    /** Volatile write cache: bit 0 present, bits 2:1 behaviour of Flush with all namespaces. */
    public static final long VWC = 525;
    /** Atomic write unit, normal, 16 bits, 0's based, in logical blocks. */
    public static final long AWUN = 526;
    /** Atomic write unit, power fail, 16 bits, 0's based, in logical blocks. */
    public static final long AWUPF = 528;
    /** Copy descriptor formats supported, 16 bits: a bit a format. */
    public static final long OCFS = 534;
    /** SGL support, 32 bits. */
    public static final long SGLS = 536;
    /** SGLS: SGLs are supported, with no alignment asked for. */
    public static final int SGLS_SUPPORTED = 1;
    /** SGLS: bits that say whether SGLs are supported; 2 stands for data that is aligned to 4 bytes. */
    public static final int SGLS_MASK = 3;
    /** NVM subsystem qualified name, UTF-8 ended by 0. */
    public static final long SUBNQN = 768;
    /** Bytes of {@link #SUBNQN}. */
    public static final int SUBNQN_BYTES = 256;
    /** Power state 0's descriptor, 32 bytes; its maximum power, 16 bits, comes first. */
    public static final long PSD0 = 2048;

    /** CNTRLTYPE: an I/O controller. */
    public static final int CNTRLTYPE_IO = 1;
    /** FRMW: slot 1 is read only. */
    public static final int FRMW_SLOT_1_READ_ONLY = 1;
    /** Where the number of firmware slots stands in FRMW. */
    public static final int FRMW_SLOTS_SHIFT = 1;
    /** VWC: there is a volatile write cache. */
    public static final int VWC_PRESENT = 1;
    /** VWC: Flush takes all namespaces at once. */
    public static final int VWC_FLUSH_ALL = 3 << 1;
    /** OACS: Format NVM. */
    public static final int OACS_FORMAT = 1 << 1;
    /** OACS: Doorbell Buffer Config. */
    public static final int OACS_DOORBELL_BUFFER = 1 << 8;
    /** CTRATT: endurance groups. */
    public static final int CTRATT_ENDURANCE_GROUPS = 1 << 4;
    /** CTRATT: extended LBA formats: more than 16, and guards of 32 and 64 bits. */
    public static final int CTRATT_EXTENDED_LBA_FORMATS = 1 << 15;
    /** CTRATT: Flexible Data Placement. */
    public static final int CTRATT_DATA_PLACEMENT = 1 << 19;
    /** LPA: the Commands Supported and Effects log page. */
    public static final int LPA_COMMAND_EFFECTS = 1 << 1;
    /** LPA: Get Log Page takes an offset and 32-bit lengths. */
    public static final int LPA_EXTENDED = 1 << 2;
    /** LPA: the Supported Log Pages log page, and others of version 2.0. */
    public static final int LPA_SUPPORTED_LOG_PAGES = 1 << 5;
    /** FNA: Format NVM takes all namespaces at once. */
    public static final int FNA_ALL_NAMESPACES = 1;
    /** FNA: cryptographic erase. */
    public static final int FNA_CRYPTOGRAPHIC_ERASE = 1 << 2;
    /** SANICAP: crypto erase. */
    public static final int SANICAP_CRYPTO_ERASE = 1;
    /** SANICAP: block erase. */
    public static final int SANICAP_BLOCK_ERASE = 1 << 1;
    /** SANICAP: overwrite. */
    public static final int SANICAP_OVERWRITE = 1 << 2;
    /** SANICAP: blocks are deallocated after it, whatever the command says. */
    public static final int SANICAP_NO_DEALLOCATE_INHIBITED = 1 << 29;
    /** OACS: Device Self-test. */
    public static final int OACS_SELF_TEST = 1 << 4;
    /** OACS: directives. */
    public static final int OACS_DIRECTIVES = 1 << 5;
    /** OACS: Virtualization Management. */
    public static final int OACS_VIRTUALIZATION = 1 << 7;
    /** ONCS: Compare. */
    public static final int ONCS_COMPARE = 1;
    /** ONCS: Write Uncorrectable. */
    public static final int ONCS_WRITE_UNCORRECTABLE = 1 << 1;
    /** ONCS: Dataset Management. */
    public static final int ONCS_DATASET_MANAGEMENT = 1 << 2;
    /** ONCS: Write Zeroes. */
    public static final int ONCS_WRITE_ZEROES = 1 << 3;
    /** ONCS: Save and Select fields in features. */
    public static final int ONCS_SAVE_SELECT = 1 << 4;
    /** ONCS: Verify. */
    public static final int ONCS_VERIFY = 1 << 7;
    /** ONCS: Copy. */
    public static final int ONCS_COPY = 1 << 8;

    private IdentifyController() {}
}
