package io.aisio.nvme.spec;

/**
 * Flexible Data Placement: its four log pages (version 2.1, sections 5.1.12.1.28 to 31) and what I/O Management Receive
 * returns of reclaim unit handles (NVM Command Set 1.1, section 3.3.3).
 */
public final class DataPlacementLog {
    /** Configurations: how many, 16 bits, 0's based. */
    public static final long CONFIGURATIONS = 0;
    /** Configurations: size of the log in bytes, 32 bits. */
    public static final long CONFIGURATIONS_SIZE = 4;
    /** Configurations: the first; each has its own size. */
    public static final long CONFIGURATION = 16;
    /** Configuration: its size in bytes, 16 bits. */
    public static final long DESCRIPTOR_SIZE = 0;
    /** Configuration: attributes: reclaim group identifier's bits (3:0), bit 4 volatile write cache, bit 7 valid. */
    public static final long FDPA = 2;
    /** Configuration: reclaim groups, 32 bits. */
    public static final long NRG = 4;
    /** Configuration: reclaim unit handles, 16 bits. */
    public static final long NRUH = 8;
    /** Configuration: the most placement identifiers of a namespace, 16 bits, 0's based. */
    public static final long MAXPIDS = 10;
    /** Configuration: namespaces, 32 bits. */
    public static final long NNSS = 12;
    /** Configuration: nominal size of a reclaim unit in bytes, 64 bits. */
    public static final long RUNS = 16;
    /** Configuration: estimated time in seconds before the controller moves data, 32 bits; 0 where it is not told. */
    public static final long ERUTL = 24;
    /** Configuration: the first reclaim unit handle, 4 bytes each: its type, a byte. */
    public static final long RUH = 64;
    /** Bytes of a reclaim unit handle in a configuration. */
    public static final int RUH_BYTES = 4;
    /** FDPA: the configuration is valid. */
    public static final int FDPA_VALID = 1 << 7;
    /** Type of a reclaim unit handle: data are kept apart at first, and may be mixed when the controller moves them. */
    public static final int INITIALLY_ISOLATED = 1;
    /** Type of a reclaim unit handle: data are kept apart for good. */
    public static final int PERSISTENTLY_ISOLATED = 2;

    /** Usage: reclaim unit handles, 16 bits. */
    public static final long USAGE_NRUH = 0;
    /** Usage: the first handle; they follow one another, {@value #USAGE_BYTES} bytes each: attributes, a byte. */
    public static final long USAGE = 8;
    /** Bytes of a handle's usage. */
    public static final int USAGE_BYTES = 8;

    /** Statistics: bytes that the host wrote, 128 bits. */
    public static final long HBMW = 0;
    /** Statistics: bytes that were written to the media, 128 bits. */
    public static final long MBMW = 16;
    /** Statistics: bytes of media that were erased, 128 bits. */
    public static final long MBE = 32;
    /** Size of the statistics. */
    public static final int STATISTICS_BYTES = 64;

    /** Events: how many, 32 bits. */
    public static final long EVENTS = 0;
    /** Events: the newest; they follow one another, {@value #EVENT_BYTES} bytes each. */
    public static final long EVENT = 64;
    /** Bytes of an event. */
    public static final int EVENT_BYTES = 64;
    /** The most events in the log. */
    public static final int EVENTS_MAX = 63;
    /** Event: type. */
    public static final long EVENT_TYPE = 0;
    /** Event: flags: bit 0 placement identifier valid, bit 1 NSID, bit 2 location. */
    public static final long EVENT_FLAGS = 1;
    /** Event: placement identifier, 16 bits. */
    public static final long EVENT_PID = 2;
    /** Event: timestamp, 64 bits, as the Timestamp feature has it. */
    public static final long EVENT_TIMESTAMP = 4;
    /** Event: namespace, 32 bits. */
    public static final long EVENT_NSID = 12;
    /** Event: reclaim group, 16 bits. */
    public static final long EVENT_RGID = 32;
    /** Event: reclaim unit handle. */
    public static final long EVENT_RUHID = 34;
    /** Event type: a reclaim unit was not fully written when the host asked for another. */
    public static final int EVENT_NOT_FULLY_WRITTEN = 0;
    /** Event type: a reclaim unit's time limit was exceeded. */
    public static final int EVENT_TIME_LIMIT = 1;
    /** Event type: a reset changed reclaim unit handles. */
    public static final int EVENT_RESET = 2;
    /** Event type: a write named an invalid placement identifier. */
    public static final int EVENT_INVALID_PID = 3;
    /** Event type: the controller moved data. */
    public static final int EVENT_MEDIA_REALLOCATED = 0x80;
    /** Event type: a reclaim unit handle was implicitly modified. */
    public static final int EVENT_IMPLICITLY_MODIFIED = 0x81;
    /** Event flag: the placement identifier is valid. */
    public static final int EVENT_FLAG_PID = 1;
    /** Event flag: the NSID is valid. */
    public static final int EVENT_FLAG_NSID = 1 << 1;
    /** Event flag: reclaim group and handle are valid. */
    public static final int EVENT_FLAG_LOCATION = 1 << 2;
    /** LSP of Get Log Page: events of the host, else of the controller. */
    public static final int EVENTS_OF_HOST = 1;

    /** MO of I/O Management Receive: status of the reclaim unit handles. */
    public static final int RECEIVE_STATUS = 1;
    /** MO of I/O Management Send: update of reclaim unit handles; its data are placement identifiers of 16 bits. */
    public static final int SEND_UPDATE = 1;
    /** Status: how many handles follow, 16 bits. */
    public static final long STATUS_COUNT = 14;
    /** Status: the first handle; they follow one another, {@value #STATUS_BYTES} bytes each. */
    public static final long STATUS = 16;
    /** Bytes of a handle's status. */
    public static final int STATUS_BYTES = 32;
    /** Handle: placement identifier, 16 bits. */
    public static final long STATUS_PID = 0;
    /** Handle: reclaim unit handle, 16 bits. */
    public static final long STATUS_RUHID = 2;
    /** Handle: estimated seconds for which its reclaim unit remains, 32 bits. */
    public static final long STATUS_EARUTR = 4;
    /** Handle: blocks that can still be written to its reclaim unit, 64 bits. */
    public static final long STATUS_RUAMW = 8;

    private DataPlacementLog() {}
}
