package io.aisio.nvme.spec;

/**
 * What Report Zones returns (Zoned Namespace Command Set 1.1, section 3.4.2.2): a header of {@value #HEADER_BYTES} bytes,
 * then a descriptor of {@value #DESCRIPTOR_BYTES} bytes a zone. And the values of the Zone Management commands' fields.
 */
public final class ZoneReport {
    /** Size of the header in bytes. */
    public static final int HEADER_BYTES = 64;
    /** Size of a zone descriptor in bytes, without its extension. */
    public static final int DESCRIPTOR_BYTES = 64;

    /** Header: number of zones, 64 bits. */
    public static final long NUMBER_OF_ZONES = 0;
    /** Descriptor: zone type, bits 3:0. */
    public static final long ZT = 0;
    /** Descriptor: zone state, bits 7:4. */
    public static final long ZS = 1;
    /** Descriptor: zone attributes. */
    public static final long ZA = 2;
    /** Descriptor: zone capacity in blocks, 64 bits. */
    public static final long ZCAP = 8;
    /** Descriptor: first LBA, 64 bits. */
    public static final long ZSLBA = 16;
    /** Descriptor: write pointer, an LBA, 64 bits. */
    public static final long WP = 24;

    /** ZT: writes must be sequential. */
    public static final int TYPE_SEQUENTIAL_WRITE_REQUIRED = 2;

    /** ZS: empty. */
    public static final int STATE_EMPTY = 0x1;
    /** ZS: implicitly opened, by a write. */
    public static final int STATE_IMPLICITLY_OPENED = 0x2;
    /** ZS: explicitly opened. */
    public static final int STATE_EXPLICITLY_OPENED = 0x3;
    /** ZS: closed. */
    public static final int STATE_CLOSED = 0x4;
    /** ZS: read only. */
    public static final int STATE_READ_ONLY = 0xD;
    /** ZS: full. */
    public static final int STATE_FULL = 0xE;
    /** ZS: offline. */
    public static final int STATE_OFFLINE = 0xF;

    /** ZSA of Zone Management Send: close. */
    public static final int ACTION_CLOSE = 0x01;
    /** ZSA of Zone Management Send: finish. */
    public static final int ACTION_FINISH = 0x02;
    /** ZSA of Zone Management Send: open. */
    public static final int ACTION_OPEN = 0x03;
    /** ZSA of Zone Management Send: reset. */
    public static final int ACTION_RESET = 0x04;
    /** ZSA of Zone Management Send: take offline. */
    public static final int ACTION_OFFLINE = 0x05;
    /** Command dword 13 of Zone Management Send: all zones. */
    public static final int SELECT_ALL = 1 << 8;

    /** ZRA of Zone Management Receive: report zones. */
    public static final int RECEIVE_REPORT = 0x00;
    /** Where ZRASF, which zones to report, stands in command dword 13 of Zone Management Receive. */
    public static final int OPTION_SHIFT = 8;
    /** Command dword 13 of Zone Management Receive: the number of zones counts those returned, not those that match. */
    public static final int PARTIAL = 1 << 16;
    /** ZRASF: all zones. */
    public static final int OPTION_ALL = 0x0;
    /** ZRASF: empty zones. */
    public static final int OPTION_EMPTY = 0x1;
    /** ZRASF: implicitly opened zones. */
    public static final int OPTION_IMPLICITLY_OPENED = 0x2;
    /** ZRASF: explicitly opened zones. */
    public static final int OPTION_EXPLICITLY_OPENED = 0x3;
    /** ZRASF: closed zones. */
    public static final int OPTION_CLOSED = 0x4;
    /** ZRASF: full zones. */
    public static final int OPTION_FULL = 0x5;

    private ZoneReport() {}

    /** The specification's name of a zone state. */
    public static String stateName(int state) {
        return switch (state) {
            case STATE_EMPTY -> "Empty";
            case STATE_IMPLICITLY_OPENED -> "Implicitly Opened";
            case STATE_EXPLICITLY_OPENED -> "Explicitly Opened";
            case STATE_CLOSED -> "Closed";
            case STATE_READ_ONLY -> "Read Only";
            case STATE_FULL -> "Full";
            case STATE_OFFLINE -> "Offline";
            default -> "zone state 0x%x".formatted(state);
        };
    }
}
