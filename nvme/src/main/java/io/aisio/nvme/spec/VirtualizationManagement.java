package io.aisio.nvme.spec;

/**
 * Virtualization enhancements (section 8.5): fields of the Virtualization Management command (section 5.22), and offsets
 * of the structures that Identify returns of primary and secondary controllers (figures 251 and 252).
 */
public final class VirtualizationManagement {
    /** ACT: the primary controller's flexible resources, from its next reset on. */
    public static final int ACTION_PRIMARY_FLEXIBLE = 0x1;
    /** ACT: take a secondary controller offline. */
    public static final int ACTION_OFFLINE = 0x7;
    /** ACT: assign resources to a secondary controller that is offline. */
    public static final int ACTION_ASSIGN = 0x8;
    /** ACT: take a secondary controller online. */
    public static final int ACTION_ONLINE = 0x9;

    /** RT: VQ resources, a submission and a completion queue each, the admin queues' included. */
    public static final int RESOURCE_VQ = 0;
    /** RT: VI resources, an interrupt vector each. */
    public static final int RESOURCE_VI = 1;

    /** Primary: controller identifier, 16 bits. */
    public static final long CNTLID = 0;
    /** Primary: port identifier, 16 bits. */
    public static final long PORTID = 2;
    /** Primary: resource types. Bit 0: VQ, bit 1: VI. */
    public static final long CRT = 4;
    /** Primary: first of the fields on VQ resources, which {@link #FRT} to {@link #GRAN} are relative to. */
    public static final long VQ = 32;
    /** Primary: first of the fields on VI resources, which {@link #FRT} to {@link #GRAN} are relative to. */
    public static final long VI = 64;
    /** Of a resource: flexible ones in all, 32 bits. */
    public static final long FRT = 0;
    /** Of a resource: flexible ones assigned to secondary controllers, 32 bits. */
    public static final long RFA = 4;
    /** Of a resource: flexible ones allocated to the primary controller, 16 bits. */
    public static final long RFAP = 8;
    /** Of a resource: private ones of the primary controller, 16 bits. */
    public static final long PRT = 10;
    /** Of a resource: the most that a secondary controller can have, 16 bits. */
    public static final long FRSM = 12;
    /** Of a resource: the granularity preferred, 16 bits. */
    public static final long GRAN = 14;

    /** Secondary list: number of entries. */
    public static final long SECONDARIES = 0;
    /** Secondary list: the first entry; they follow one another, {@value #SECONDARY_BYTES} bytes each. */
    public static final long SECONDARY = 32;
    /** Bytes of an entry. */
    public static final int SECONDARY_BYTES = 32;
    /** Entries in one list. */
    public static final int SECONDARIES_MAX = 127;
    /** Secondary: its controller identifier, 16 bits. */
    public static final long SCID = 0;
    /** Secondary: its primary controller's identifier, 16 bits. */
    public static final long PCID = 2;
    /** Secondary: state. Bit 0: online. */
    public static final long SCS = 4;
    /** Secondary: number of its virtual function, 16 bits; 0 where it is none. */
    public static final long VFN = 8;
    /** Secondary: VQ resources assigned, 16 bits. */
    public static final long NVQ = 10;
    /** Secondary: VI resources assigned, 16 bits. */
    public static final long NVI = 12;

    private VirtualizationManagement() {}
}
