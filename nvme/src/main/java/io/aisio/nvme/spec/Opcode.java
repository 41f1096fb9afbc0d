package io.aisio.nvme.spec;

/**
 * Command opcodes: admin (section 5, figure 139), NVM command set (section 6, figure 346; Copy came with version 2.0), and
 * what the Zoned Namespace command set adds (its section 3.1).
 */
public final class Opcode {
    /** Admin: Delete I/O Submission Queue. */
    public static final int DELETE_IO_SQ = 0x00;
    /** Admin: Create I/O Submission Queue. */
    public static final int CREATE_IO_SQ = 0x01;
    /** Admin: Get Log Page. */
    public static final int GET_LOG_PAGE = 0x02;
    /** Admin: Delete I/O Completion Queue. */
    public static final int DELETE_IO_CQ = 0x04;
    /** Admin: Create I/O Completion Queue. */
    public static final int CREATE_IO_CQ = 0x05;
    /** Admin: Identify. */
    public static final int IDENTIFY = 0x06;
    /** Admin: Abort. */
    public static final int ABORT = 0x08;
    /** Admin: Set Features. */
    public static final int SET_FEATURES = 0x09;
    /** Admin: Get Features. */
    public static final int GET_FEATURES = 0x0A;
    /** Admin: Asynchronous Event Request. */
    public static final int ASYNC_EVENT_REQUEST = 0x0C;
    /** Admin: Device Self-test. */
    public static final int DEVICE_SELF_TEST = 0x14;
    /** Admin: Keep Alive. */
    public static final int KEEP_ALIVE = 0x18;
    /** Admin: Directive Send. */
    public static final int DIRECTIVE_SEND = 0x19;
    /** Admin: Directive Receive. */
    public static final int DIRECTIVE_RECEIVE = 0x1A;
    /** Admin: Virtualization Management. */
    public static final int VIRTUALIZATION_MANAGEMENT = 0x1C;
    /** Admin: Doorbell Buffer Config. */
    public static final int DOORBELL_BUFFER_CONFIG = 0x7C;
    /** Admin: Format NVM. */
    public static final int FORMAT_NVM = 0x80;
    /** Admin: Sanitize. */
    public static final int SANITIZE = 0x84;

    /** NVM: Flush. */
    public static final int FLUSH = 0x00;
    /** NVM: Write. */
    public static final int WRITE = 0x01;
    /** NVM: Read. */
    public static final int READ = 0x02;
    /** NVM: Write Uncorrectable. */
    public static final int WRITE_UNCORRECTABLE = 0x04;
    /** NVM: Compare. */
    public static final int COMPARE = 0x05;
    /** NVM: Write Zeroes. */
    public static final int WRITE_ZEROES = 0x08;
    /** NVM: Dataset Management. */
    public static final int DATASET_MANAGEMENT = 0x09;
    /** NVM: Verify. */
    public static final int VERIFY = 0x0C;
    /** I/O Management Receive (TP4146, version 2.1). */
    public static final int IO_MANAGEMENT_RECEIVE = 0x12;
    /** I/O Management Send (TP4146, version 2.1). */
    public static final int IO_MANAGEMENT_SEND = 0x1D;
    /** NVM: Copy. */
    public static final int COPY = 0x19;

    /** Zoned: Zone Management Send. */
    public static final int ZONE_MANAGEMENT_SEND = 0x79;
    /** Zoned: Zone Management Receive. */
    public static final int ZONE_MANAGEMENT_RECEIVE = 0x7A;
    /** Zoned: Zone Append. */
    public static final int ZONE_APPEND = 0x7D;

    private Opcode() {}

    /** The specification's name of an admin command. */
    public static String adminName(int opcode) {
        return switch (opcode) {
            case DELETE_IO_SQ -> "Delete I/O Submission Queue";
            case CREATE_IO_SQ -> "Create I/O Submission Queue";
            case GET_LOG_PAGE -> "Get Log Page";
            case DELETE_IO_CQ -> "Delete I/O Completion Queue";
            case CREATE_IO_CQ -> "Create I/O Completion Queue";
            case IDENTIFY -> "Identify";
            case ABORT -> "Abort";
            case SET_FEATURES -> "Set Features";
            case GET_FEATURES -> "Get Features";
            case ASYNC_EVENT_REQUEST -> "Asynchronous Event Request";
            case DEVICE_SELF_TEST -> "Device Self-test";
            case KEEP_ALIVE -> "Keep Alive";
            case DIRECTIVE_SEND -> "Directive Send";
            case DIRECTIVE_RECEIVE -> "Directive Receive";
            case SANITIZE -> "Sanitize";
            case VIRTUALIZATION_MANAGEMENT -> "Virtualization Management";
            case DOORBELL_BUFFER_CONFIG -> "Doorbell Buffer Config";
            case FORMAT_NVM -> "Format NVM";
            default -> "admin opcode 0x%02x".formatted(opcode);
        };
    }

    /** The specification's name of a command of the NVM or the Zoned Namespace command set. */
    public static String nvmName(int opcode) {
        return switch (opcode) {
            case FLUSH -> "Flush";
            case WRITE -> "Write";
            case READ -> "Read";
            case WRITE_UNCORRECTABLE -> "Write Uncorrectable";
            case COMPARE -> "Compare";
            case WRITE_ZEROES -> "Write Zeroes";
            case DATASET_MANAGEMENT -> "Dataset Management";
            case VERIFY -> "Verify";
            case COPY -> "Copy";
            case IO_MANAGEMENT_RECEIVE -> "I/O Management Receive";
            case IO_MANAGEMENT_SEND -> "I/O Management Send";
            case ZONE_MANAGEMENT_SEND -> "Zone Management Send";
            case ZONE_MANAGEMENT_RECEIVE -> "Zone Management Receive";
            case ZONE_APPEND -> "Zone Append";
            default -> "NVM opcode 0x%02x".formatted(opcode);
        };
    }
}
