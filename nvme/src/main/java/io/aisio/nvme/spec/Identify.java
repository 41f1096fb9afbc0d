package io.aisio.nvme.spec;

/** The Identify command's Controller or Namespace Structure values, CNS (section 5.15.1, figure 244). */
public final class Identify {
    /** Size of every structure that Identify returns, in bytes. */
    public static final int BYTES = 4096;

    /** CNS: the namespace's own structure, {@link IdentifyNamespace}. */
    public static final int CNS_NAMESPACE = 0x00;
    /** CNS: the controller's structure, {@link IdentifyController}. */
    public static final int CNS_CONTROLLER = 0x01;
    /** CNS: up to 1024 active NSIDs greater than the one given, ascending, ended by 0. */
    public static final int CNS_ACTIVE_NAMESPACES = 0x02;
    /** CNS: the namespace's identification descriptors: EUI64, NGUID, UUID. */
    public static final int CNS_DESCRIPTORS = 0x03;
    /** CNS: what a command set, {@code CSI} in command dword 11, adds to the namespace's structure. */
    public static final int CNS_COMMAND_SET_NAMESPACE = 0x05;
    /** CNS: what a command set, {@code CSI} in command dword 11, adds to the controller's structure. */
    public static final int CNS_COMMAND_SET_CONTROLLER = 0x06;
    /** CNS: a primary controller's capabilities, {@link VirtualizationManagement}. */
    public static final int CNS_PRIMARY_CONTROLLER = 0x14;
    /** CNS: secondary controllers from an identifier on, {@link VirtualizationManagement}. */
    public static final int CNS_SECONDARY_CONTROLLERS = 0x15;

    /** Command set: NVM. */
    public static final int CSI_NVM = 0x00;
    /** Command set: Zoned Namespace. */
    public static final int CSI_ZONED = 0x02;
    /** Where the command set stands in command dword 11 (version 2.0, section 5.17.1). */
    public static final int CSI_SHIFT = 24;

    /** NSIDs in one list of active namespaces. */
    public static final int LIST_ENTRIES = BYTES / 4;

    /** The largest NSID that a namespace can have, unsigned: the next has no meaning, the last stands for all. */
    public static final int LAST_NAMESPACE = 0xFFFF_FFFD;

    /** The NSID that stands for every namespace. */
    public static final int ALL_NAMESPACES = 0xFFFF_FFFF;

    /** Identification descriptor type: IEEE Extended Unique Identifier, 8 bytes. */
    public static final int NIDT_EUI64 = 1;
    /** Identification descriptor type: Namespace Globally Unique Identifier, 16 bytes. */
    public static final int NIDT_NGUID = 2;
    /** Identification descriptor type: Namespace UUID, 16 bytes. */
    public static final int NIDT_UUID = 3;
    /** Identification descriptor type: the namespace's command set, 1 byte (version 2.0, section 5.17.2.3). */
    public static final int NIDT_CSI = 4;
    /** Identification descriptor: its type. */
    public static final long NIDT = 0;
    /** Identification descriptor: bytes of the identifier. */
    public static final long NIDL = 1;
    /** Identification descriptor: the identifier. */
    public static final long NID = 4;

    private Identify() {}
}
