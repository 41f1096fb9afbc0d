package io.aisio.nvme.spec;

/**
 * The status field of a completion (section 4.6.1): 15 bits, 0 for success.
 *
 * <pre>
 *   bits 7:0 SC   10:8 SCT   12:11 CRD   13 M   14 DNR
 * </pre>
 *
 * Constants hold SCT and SC, that is {@code SCT << 8 | SC}; {@link #code()} gives the same of a completion.
 *
 * @param bits the field as the controller wrote it, the phase tag shifted out
 */
public record Status(int bits) {
    /** Do Not Retry, the bit. */
    public static final int DNR_BIT = 1 << 14;

    /** Generic: success. */
    public static final int SUCCESS = 0x000;
    /** Generic. */
    public static final int INVALID_OPCODE = 0x001;
    /** Generic. */
    public static final int INVALID_FIELD = 0x002;
    /** Generic. */
    public static final int CID_CONFLICT = 0x003;
    /** Generic. */
    public static final int DATA_TRANSFER_ERROR = 0x004;
    /** Generic. */
    public static final int INTERNAL_ERROR = 0x006;
    /** Generic. */
    public static final int ABORT_REQUESTED = 0x007;
    /** Generic. */
    public static final int ABORTED_SQ_DELETION = 0x008;
    /** Generic. */
    public static final int INVALID_NAMESPACE_OR_FORMAT = 0x00B;
    /** Generic. */
    public static final int COMMAND_SEQUENCE_ERROR = 0x00C;
    /** Generic: an SGL's descriptor of its next segment is not the last of its segment, or has a wrong length. */
    public static final int INVALID_SGL_SEGMENT = 0x00D;
    /** Generic: an SGL has more descriptors than the controller takes. */
    public static final int INVALID_SGL_COUNT = 0x00E;
    /** Generic: an SGL's data blocks do not have the length of the command's data. */
    public static final int INVALID_SGL_LENGTH = 0x00F;
    /** Generic: an SGL has a descriptor of a type that is not supported. */
    public static final int INVALID_SGL_TYPE = 0x011;
    /** Generic. */
    public static final int INVALID_PRP_OFFSET = 0x013;
    /** Generic. */
    public static final int SANITIZE_FAILED = 0x01C;
    /** Generic. */
    public static final int SANITIZE_IN_PROGRESS = 0x01D;
    /** Generic, Flexible Data Placement. */
    public static final int FDP_DISABLED = 0x029;
    /** Generic, Flexible Data Placement. */
    public static final int INVALID_PLACEMENT_HANDLE_LIST = 0x02A;
    /** Generic. */
    public static final int NAMESPACE_WRITE_PROTECTED = 0x020;
    /** Generic: the command was interrupted, and is to be sent again. */
    public static final int COMMAND_INTERRUPTED = 0x021;
    /** Generic, since version 2.0. */
    public static final int INVALID_COMMAND_SET = 0x02C;
    /** Generic, NVM command set. */
    public static final int LBA_OUT_OF_RANGE = 0x080;
    /** Generic, NVM command set. */
    public static final int CAPACITY_EXCEEDED = 0x081;
    /** Generic, NVM command set. */
    public static final int NAMESPACE_NOT_READY = 0x082;

    /** Command specific. */
    public static final int CQ_INVALID = 0x100;
    /** Command specific. */
    public static final int INVALID_QID = 0x101;
    /** Command specific. */
    public static final int INVALID_QUEUE_SIZE = 0x102;
    /** Command specific. */
    public static final int ABORT_LIMIT_EXCEEDED = 0x103;
    /** Command specific. */
    public static final int AER_LIMIT_EXCEEDED = 0x105;
    /** Command specific. */
    public static final int INVALID_INTERRUPT_VECTOR = 0x108;
    /** Command specific. */
    public static final int INVALID_LOG_PAGE = 0x109;
    /** Command specific. */
    public static final int INVALID_FORMAT = 0x10A;
    /** Command specific. */
    public static final int INVALID_QUEUE_DELETION = 0x10C;
    /** Command specific. */
    public static final int FEATURE_NOT_SAVEABLE = 0x10D;
    /** Command specific. */
    public static final int FEATURE_NOT_CHANGEABLE = 0x10E;
    /** Command specific. */
    public static final int FEATURE_NOT_NAMESPACE_SPECIFIC = 0x10F;
    /** Command specific. */
    public static final int SELF_TEST_IN_PROGRESS = 0x11D;
    /** Command specific. */
    public static final int INVALID_CONTROLLER_IDENTIFIER = 0x11F;
    /** Command specific. */
    public static final int INVALID_SECONDARY_STATE = 0x120;
    /** Command specific. */
    public static final int INVALID_NUMBER_OF_RESOURCES = 0x121;
    /** Command specific. */
    public static final int INVALID_RESOURCE_IDENTIFIER = 0x122;
    /** Command specific, NVM command set. */
    public static final int CONFLICTING_ATTRIBUTES = 0x180;
    /** Command specific, NVM command set. */
    public static final int WRITE_TO_READ_ONLY_RANGE = 0x182;
    /** Command specific, NVM command set. */
    public static final int INVALID_PROTECTION = 0x181;
    /** Command specific, NVM command set. */
    public static final int COMMAND_SIZE_LIMIT_EXCEEDED = 0x183;
    /** Command specific, Zoned Namespace command set. */
    public static final int ZONE_BOUNDARY_ERROR = 0x1B8;
    /** Command specific, Zoned Namespace command set. */
    public static final int ZONE_IS_FULL = 0x1B9;
    /** Command specific, Zoned Namespace command set. */
    public static final int ZONE_IS_READ_ONLY = 0x1BA;
    /** Command specific, Zoned Namespace command set. */
    public static final int ZONE_IS_OFFLINE = 0x1BB;
    /** Command specific, Zoned Namespace command set. */
    public static final int ZONE_INVALID_WRITE = 0x1BC;
    /** Command specific, Zoned Namespace command set. */
    public static final int TOO_MANY_ACTIVE_ZONES = 0x1BD;
    /** Command specific, Zoned Namespace command set. */
    public static final int TOO_MANY_OPEN_ZONES = 0x1BE;
    /** Command specific, Zoned Namespace command set. */
    public static final int INVALID_ZONE_STATE_TRANSITION = 0x1BF;

    /** Media and data integrity. */
    public static final int WRITE_FAULT = 0x280;
    /** Media and data integrity. */
    public static final int UNRECOVERED_READ_ERROR = 0x281;
    /** Media and data integrity. */
    public static final int GUARD_CHECK_ERROR = 0x282;
    /** Media and data integrity. */
    public static final int APPLICATION_TAG_CHECK_ERROR = 0x283;
    /** Media and data integrity. */
    public static final int REFERENCE_TAG_CHECK_ERROR = 0x284;
    /** Media and data integrity. */
    public static final int COMPARE_FAILURE = 0x285;
    /** Media and data integrity. */
    public static final int DEALLOCATED_BLOCK = 0x287;
    /** Media and data integrity. */
    public static final int STORAGE_TAG_CHECK_ERROR = 0x288;

    /** Path related: what the host itself completes when it gives a command up. */
    public static final int ABORTED_BY_HOST = 0x371;

    /** Status code, 0 to 255. */
    public int sc() {
        return bits & 0xFF;
    }

    /** Status code type, 0 to 7. */
    public int sct() {
        return bits >>> 8 & 7;
    }

    /** {@code SCT << 8 | SC}: what the constants hold. */
    public int code() {
        return bits & 0x7FF;
    }

    /** Command retry delay: 0 for none, else the index (1 to 3) of a delay that Identify Controller gives. */
    public int crd() {
        return bits >>> 11 & 3;
    }

    /** Whether the error log holds more about it. */
    public boolean more() {
        return (bits >>> 13 & 1) != 0;
    }

    /** Do Not Retry: the same command would fail again. */
    public boolean doNotRetry() {
        return (bits & DNR_BIT) != 0;
    }

    /** Whether the command succeeded. */
    public boolean isSuccess() {
        return code() == SUCCESS;
    }

    /** The specification's name of {@link #code()}. */
    public String name() {
        return switch (code()) {
            case 0x000 -> "Successful Completion";
            case 0x001 -> "Invalid Command Opcode";
            case 0x002 -> "Invalid Field in Command";
            case 0x003 -> "Command ID Conflict";
            case 0x004 -> "Data Transfer Error";
            case 0x005 -> "Commands Aborted due to Power Loss Notification";
            case 0x006 -> "Internal Error";
            case 0x007 -> "Command Abort Requested";
            case 0x008 -> "Command Aborted due to SQ Deletion";
            case 0x009 -> "Command Aborted due to Failed Fused Command";
            case 0x00A -> "Command Aborted due to Missing Fused Command";
            case 0x00B -> "Invalid Namespace or Format";
            case 0x00C -> "Command Sequence Error";
            case 0x00D -> "Invalid SGL Segment Descriptor";
            case 0x00E -> "Invalid Number of SGL Descriptors";
            case 0x00F -> "Data SGL Length Invalid";
            case 0x010 -> "Metadata SGL Length Invalid";
            case 0x011 -> "SGL Descriptor Type Invalid";
            case 0x012 -> "Invalid Use of Controller Memory Buffer";
            case 0x013 -> "PRP Offset Invalid";
            case 0x014 -> "Atomic Write Unit Exceeded";
            case 0x015 -> "Operation Denied";
            case 0x016 -> "SGL Offset Invalid";
            case 0x018 -> "Host Identifier Inconsistent Format";
            case 0x019 -> "Keep Alive Timer Expired";
            case 0x01A -> "Keep Alive Timeout Invalid";
            case 0x01B -> "Command Aborted due to Preempt and Abort";
            case 0x01C -> "Sanitize Failed";
            case 0x01D -> "Sanitize In Progress";
            case 0x01E -> "SGL Data Block Granularity Invalid";
            case 0x01F -> "Command Not Supported for Queue in CMB";
            case 0x020 -> "Namespace is Write Protected";
            case 0x021 -> "Command Interrupted";
            case 0x022 -> "Transient Transport Error";
            case 0x029 -> "FDP Disabled";
            case 0x02A -> "Invalid Placement Handle List";
            case 0x02C -> "Invalid I/O Command Set";
            case 0x080 -> "LBA Out of Range";
            case 0x081 -> "Capacity Exceeded";
            case 0x082 -> "Namespace Not Ready";
            case 0x083 -> "Reservation Conflict";
            case 0x084 -> "Format In Progress";
            case 0x100 -> "Completion Queue Invalid";
            case 0x101 -> "Invalid Queue Identifier";
            case 0x102 -> "Invalid Queue Size";
            case 0x103 -> "Abort Command Limit Exceeded";
            case 0x105 -> "Asynchronous Event Request Limit Exceeded";
            case 0x106 -> "Invalid Firmware Slot";
            case 0x107 -> "Invalid Firmware Image";
            case 0x108 -> "Invalid Interrupt Vector";
            case 0x109 -> "Invalid Log Page";
            case 0x10A -> "Invalid Format";
            case 0x10B -> "Firmware Activation Requires Conventional Reset";
            case 0x10C -> "Invalid Queue Deletion";
            case 0x10D -> "Feature Identifier Not Saveable";
            case 0x10E -> "Feature Not Changeable";
            case 0x10F -> "Feature Not Namespace Specific";
            case 0x110 -> "Firmware Activation Requires NVM Subsystem Reset";
            case 0x111 -> "Firmware Activation Requires Controller Level Reset";
            case 0x112 -> "Firmware Activation Requires Maximum Time Violation";
            case 0x113 -> "Firmware Activation Prohibited";
            case 0x114 -> "Overlapping Range";
            case 0x115 -> "Namespace Insufficient Capacity";
            case 0x116 -> "Namespace Identifier Unavailable";
            case 0x118 -> "Namespace Already Attached";
            case 0x119 -> "Namespace Is Private";
            case 0x11A -> "Namespace Not Attached";
            case 0x11B -> "Thin Provisioning Not Supported";
            case 0x11C -> "Controller List Invalid";
            case 0x11D -> "Device Self-test In Progress";
            case 0x11E -> "Boot Partition Write Prohibited";
            case 0x11F -> "Invalid Controller Identifier";
            case 0x120 -> "Invalid Secondary Controller State";
            case 0x121 -> "Invalid Number of Controller Resources";
            case 0x122 -> "Invalid Resource Identifier";
            case 0x123 -> "Sanitize Prohibited While Persistent Memory Region is Enabled";
            case 0x124 -> "ANA Group Identifier Invalid";
            case 0x125 -> "ANA Attach Failed";
            case 0x129 -> "I/O Command Set Not Supported";
            case 0x12A -> "I/O Command Set Not Enabled";
            case 0x12B -> "I/O Command Set Combination Rejected";
            case 0x180 -> "Conflicting Attributes";
            case 0x181 -> "Invalid Protection Information";
            case 0x182 -> "Attempted Write to Read Only Range";
            case 0x183 -> "Command Size Limit Exceeded";
            case 0x1B6 -> "Invalid Zone Operation Request";
            case 0x1B7 -> "ZRWA Resources Unavailable";
            case 0x1B8 -> "Zone Boundary Error";
            case 0x1B9 -> "Zone Is Full";
            case 0x1BA -> "Zone Is Read Only";
            case 0x1BB -> "Zone Is Offline";
            case 0x1BC -> "Zone Invalid Write";
            case 0x1BD -> "Too Many Active Zones";
            case 0x1BE -> "Too Many Open Zones";
            case 0x1BF -> "Invalid Zone State Transition";
            case 0x280 -> "Write Fault";
            case 0x281 -> "Unrecovered Read Error";
            case 0x282 -> "End-to-end Guard Check Error";
            case 0x283 -> "End-to-end Application Tag Check Error";
            case 0x284 -> "End-to-end Reference Tag Check Error";
            case 0x285 -> "Compare Failure";
            case 0x286 -> "Access Denied";
            case 0x287 -> "Deallocated or Unwritten Logical Block";
            case 0x288 -> "End-to-end Storage Tag Check Error";
            case 0x300 -> "Internal Path Error";
            case 0x301 -> "Asymmetric Access Persistent Loss";
            case 0x302 -> "Asymmetric Access Inaccessible";
            case 0x303 -> "Asymmetric Access Transition";
            case 0x360 -> "Controller Pathing Error";
            case 0x370 -> "Host Pathing Error";
            case 0x371 -> "Command Aborted By Host";
            default -> sct() == 7 ? "Vendor Specific Status" : "Unknown Status";
        };
    }

    /** Name, SCT and SC in hexadecimal, and what else is set: {@code LBA Out of Range (sct 0x0, sc 0x80, DNR)}. */
    @Override
    public String toString() {
        return "%s (sct 0x%x, sc 0x%02x%s%s%s)"
                .formatted(
                        name(),
                        sct(),
                        sc(),
                        crd() == 0 ? "" : ", CRD " + crd(),
                        more() ? ", M" : "",
                        doNotRetry() ? ", DNR" : "");
    }
}
