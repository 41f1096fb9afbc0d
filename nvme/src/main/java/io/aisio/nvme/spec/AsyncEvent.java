package io.aisio.nvme.spec;

/** Asynchronous events: what dword 0 of an Asynchronous Event Request's completion says (section 5.2.1). */
public final class AsyncEvent {
    /** Type: an error. Its log page is {@link LogPage#ERROR_INFORMATION}. */
    public static final int TYPE_ERROR = 0;
    /** Type: SMART / Health status. Its log page is {@link LogPage#SMART}. */
    public static final int TYPE_SMART = 1;
    /** Type: a notice. */
    public static final int TYPE_NOTICE = 2;

    /** Type: of an I/O command set, or of the NVM command set. */
    public static final int TYPE_IO_COMMAND_SET = 6;

    /** I/O command set: a sanitize operation completed. Its log page is {@link LogPage#SANITIZE_STATUS}. */
    public static final int IO_SANITIZE_COMPLETED = 1;

    /** Error: a write to the doorbell of a queue that does not exist. */
    public static final int ERROR_INVALID_DOORBELL_REGISTER = 0;
    /** Error: a value that the doorbell's queue does not have. */
    public static final int ERROR_INVALID_DOORBELL_VALUE = 1;
    /** SMART: a temperature crossed its threshold. */
    public static final int SMART_TEMPERATURE_THRESHOLD = 1;
    /** Notice: a namespace's attributes changed. Its log page is {@link LogPage#CHANGED_NAMESPACES}. */
    public static final int NOTICE_NAMESPACE_ATTRIBUTE = 0;

    /** OAES and the Asynchronous Event Configuration feature: namespace attribute notices. */
    public static final int NAMESPACE_ATTRIBUTE_NOTICES = 1 << 8;

    /** Notice: firmware starts to be activated. Its log page is {@link LogPage#FIRMWARE_SLOT}. */
    public static final int NOTICE_FIRMWARE_ACTIVATION = 1;

    /** OAES and the Asynchronous Event Configuration feature: firmware activation notices. */
    public static final int FIRMWARE_ACTIVATION_NOTICES = 1 << 9;
    /** The Asynchronous Event Configuration feature: every critical warning of the SMART log. */
    public static final int ALL_HEALTH_EVENTS = 0x1F;

    private AsyncEvent() {}

    /** Dword 0, made of its parts. */
    public static int dword0(int type, int information, int logPage) {
        return type | information << 8 | logPage << 16;
    }

    /** The event's type. */
    public static int type(int dword0) {
        return dword0 & 7;
    }

    /** What of its type happened. */
    public static int information(int dword0) {
        return dword0 >>> 8 & 0xFF;
    }

    /** The log page that tells more. */
    public static int logPage(int dword0) {
        return dword0 >>> 16 & 0xFF;
    }
}
