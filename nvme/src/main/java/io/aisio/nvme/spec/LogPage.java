package io.aisio.nvme.spec;

/** Log page identifiers and the offsets of their fields (section 5.14.1). */
public final class LogPage {
    /** Error Information, entries of {@value #ERROR_ENTRY_BYTES} bytes. */
    public static final int ERROR_INFORMATION = 0x01;
    /** SMART / Health Information, {@value #SMART_BYTES} bytes. */
    public static final int SMART = 0x02;
    /** Firmware Slot Information, {@value #FIRMWARE_BYTES} bytes. */
    public static final int FIRMWARE_SLOT = 0x03;
    /** Changed Namespace List, {@value Identify#BYTES} bytes. */
    public static final int CHANGED_NAMESPACES = 0x04;

    /** Supported Log Pages (version 2.0), 32 bits a page. */
    public static final int SUPPORTED = 0x00;
    /** Commands Supported and Effects, {@link EffectsLog}. */
    public static final int COMMAND_EFFECTS = 0x05;
    /** Device Self-test, {@link SelfTestLog}. */
    public static final int SELF_TEST = 0x06;
    /** FDP Configurations, {@link DataPlacementLog}; of an endurance group, like the next three. */
    public static final int FDP_CONFIGURATIONS = 0x20;
    /** Reclaim Unit Handle Usage, {@link DataPlacementLog}. */
    public static final int RECLAIM_UNIT_HANDLE_USAGE = 0x21;
    /** FDP Statistics, {@link DataPlacementLog}. */
    public static final int FDP_STATISTICS = 0x22;
    /** FDP Events, {@link DataPlacementLog}. */
    public static final int FDP_EVENTS = 0x23;
    /** Sanitize Status, {@link SanitizeLog}. */
    public static final int SANITIZE_STATUS = 0x81;
    /** Changed Zone List of the Zoned Namespace command set, {@value Identify#BYTES} bytes. */
    public static final int CHANGED_ZONES = 0xBF;

    /** Bytes of the Supported Log Pages log. */
    public static final int SUPPORTED_BYTES = 1024;
    /** Changed zones: how many are told, 16 bits; all ones for more than there is room for. */
    public static final long CHANGED_ZONES_COUNT = 0;
    /** Changed zones: the first zone's first LBA; they follow one another, 64 bits each. */
    public static final long CHANGED_ZONES_FIRST = 8;
    /** Changed zones: the most that are told. */
    public static final int CHANGED_ZONES_MAX = 511;

    /** Command dword 10 of Get Log Page: the asynchronous event that the page belongs to stays (RAE). */
    public static final int RETAIN_EVENT = 1 << 15;

    /** Size of one error entry. */
    public static final int ERROR_ENTRY_BYTES = 64;
    /** Size of the SMART log. */
    public static final int SMART_BYTES = 512;
    /** Size of the firmware slot log. */
    public static final int FIRMWARE_BYTES = 512;

    /** Error entry: error count, 64 bits; 0 marks an empty entry. */
    public static final long ERROR_COUNT = 0;
    /** Error entry: submission queue identifier, 16 bits. */
    public static final long ERROR_SQID = 8;
    /** Error entry: command identifier, 16 bits. */
    public static final long ERROR_CID = 10;
    /** Error entry: status field with the phase tag, 16 bits. */
    public static final long ERROR_STATUS = 12;
    /** Error entry: byte and bit of the parameter in error, 16 bits; all ones where it is not told. */
    public static final long ERROR_PARAMETER = 14;
    /** Error entry: first LBA in error, 64 bits. */
    public static final long ERROR_LBA = 16;
    /** Error entry: namespace, 32 bits. */
    public static final long ERROR_NSID = 24;

    /** SMART: critical warning bits. */
    public static final long SMART_CRITICAL_WARNING = 0;
    /** SMART: composite temperature in kelvin, 16 bits. */
    public static final long SMART_TEMPERATURE = 1;
    /** SMART: available spare, percent. */
    public static final long SMART_AVAILABLE_SPARE = 3;
    /** SMART: available spare threshold, percent. */
    public static final long SMART_SPARE_THRESHOLD = 4;
    /** SMART: percentage used. */
    public static final long SMART_PERCENTAGE_USED = 5;
    /** SMART: data units read, in thousands of 512 bytes, 128 bits. */
    public static final long SMART_DATA_UNITS_READ = 32;
    /** SMART: data units written, in thousands of 512 bytes, 128 bits. */
    public static final long SMART_DATA_UNITS_WRITTEN = 48;
    /** SMART: host read commands, 128 bits. */
    public static final long SMART_HOST_READS = 64;
    /** SMART: host write commands, 128 bits. */
    public static final long SMART_HOST_WRITES = 80;
    /** SMART: controller busy time in minutes, 128 bits. */
    public static final long SMART_BUSY_TIME = 96;
    /** SMART: minutes beyond the warning temperature, 32 bits. */
    public static final long SMART_WARNING_TIME = 192;
    /** SMART: minutes beyond the critical temperature, 32 bits. */
    public static final long SMART_CRITICAL_TIME = 196;
    /** SMART: the first of 8 temperature sensors in kelvin, 16 bits each, 0 for none. */
    public static final long SMART_SENSORS = 200;
    /** SMART: power cycles, 128 bits. */
    public static final long SMART_POWER_CYCLES = 112;
    /** SMART: power on hours, 128 bits. */
    public static final long SMART_POWER_ON_HOURS = 128;
    /** SMART: unsafe shutdowns, 128 bits. */
    public static final long SMART_UNSAFE_SHUTDOWNS = 144;
    /** SMART: media and data integrity errors, 128 bits. */
    public static final long SMART_MEDIA_ERRORS = 160;
    /** SMART: number of error log entries over the controller's life, 128 bits. */
    public static final long SMART_ERROR_ENTRIES = 176;

    /** Firmware slot: active firmware information. */
    public static final long FIRMWARE_AFI = 0;
    /** Firmware slot: revision in slot 1, 8 bytes of ASCII. */
    public static final long FIRMWARE_FRS1 = 8;

    private LogPage() {}

    /** The specification's name of a log page. */
    public static String name(int id) {
        return switch (id) {
            case SUPPORTED -> "Supported Log Pages";
            case ERROR_INFORMATION -> "Error Information";
            case SMART -> "SMART / Health Information";
            case FIRMWARE_SLOT -> "Firmware Slot Information";
            case CHANGED_NAMESPACES -> "Changed Namespace List";
            case COMMAND_EFFECTS -> "Commands Supported and Effects";
            case SELF_TEST -> "Device Self-test";
            case FDP_CONFIGURATIONS -> "FDP Configurations";
            case RECLAIM_UNIT_HANDLE_USAGE -> "Reclaim Unit Handle Usage";
            case FDP_STATISTICS -> "FDP Statistics";
            case FDP_EVENTS -> "FDP Events";
            case SANITIZE_STATUS -> "Sanitize Status";
            case CHANGED_ZONES -> "Changed Zone List";
            default -> "log page 0x%02x".formatted(id);
        };
    }
}
