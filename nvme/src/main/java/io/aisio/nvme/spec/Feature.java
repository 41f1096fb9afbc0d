package io.aisio.nvme.spec;

/** Feature identifiers (section 5.21.1, figure 271). */
public final class Feature {
    /** Arbitration. */
    public static final int ARBITRATION = 0x01;
    /** Power Management. */
    public static final int POWER_MANAGEMENT = 0x02;
    /** Temperature Threshold. */
    public static final int TEMPERATURE_THRESHOLD = 0x04;
    /** Error Recovery. */
    public static final int ERROR_RECOVERY = 0x05;
    /** Volatile Write Cache. */
    public static final int VOLATILE_WRITE_CACHE = 0x06;
    /** Number of Queues: submission (15:0) and completion (31:16) queues, 0's based. */
    public static final int NUMBER_OF_QUEUES = 0x07;
    /** Interrupt Coalescing. */
    public static final int INTERRUPT_COALESCING = 0x08;
    /** Interrupt Vector Configuration. */
    public static final int INTERRUPT_VECTOR_CONFIGURATION = 0x09;
    /** Write Atomicity Normal. */
    public static final int WRITE_ATOMICITY = 0x0A;
    /** Asynchronous Event Configuration. */
    public static final int ASYNC_EVENT_CONFIGURATION = 0x0B;

    /** Autonomous Power State Transition; its data are 256 bytes. */
    public static final int AUTONOMOUS_POWER_STATE_TRANSITION = 0x0C;
    /** Timestamp; its data are {@value #TIMESTAMP_BYTES} bytes. */
    public static final int TIMESTAMP = 0x0E;
    /** Keep Alive Timer, in milliseconds. */
    public static final int KEEP_ALIVE_TIMER = 0x0F;
    /** Host Behavior Support; its data are {@value #HOST_BEHAVIOR_BYTES} bytes. */
    public static final int HOST_BEHAVIOR = 0x16;
    /** Sanitize Config. */
    public static final int SANITIZE_CONFIG = 0x17;
    /** I/O Command Set Profile. */
    public static final int COMMAND_SET_PROFILE = 0x19;
    /** Flexible Data Placement, of an endurance group (version 2.1, section 5.1.25.1.20). */
    public static final int DATA_PLACEMENT = 0x1D;
    /** Flexible Data Placement Events, of a placement handle (version 2.1, section 5.1.25.1.21). */
    public static final int DATA_PLACEMENT_EVENTS = 0x1E;
    /** Software Progress Marker. */
    public static final int SOFTWARE_PROGRESS_MARKER = 0x80;
    /** Host Identifier. */
    public static final int HOST_IDENTIFIER = 0x81;
    /** Namespace Write Protection Config. */
    public static final int WRITE_PROTECTION = 0x84;

    /** Bytes of Timestamp: milliseconds since 1970 (47:0), where they came from (59:57). */
    public static final int TIMESTAMP_BYTES = 8;
    /** Bytes of Host Behavior Support. */
    public static final int HOST_BEHAVIOR_BYTES = 512;
    /** Host Behavior Support: advanced command retry enable, a byte: 1 to be told of retry delays. */
    public static final long HOST_BEHAVIOR_ACRE = 0;
    /** Host Behavior Support: LBA format extension enable, a byte: more than 16 LBA formats, and larger guards. */
    public static final long HOST_BEHAVIOR_LBAFEE = 2;

    /** Where Temperature Threshold has which sensor it means (TMPSEL), 4 bits; 0 for the composite temperature. */
    public static final int TEMPERATURE_SENSOR_SHIFT = 16;
    /** TMPSEL: every sensor. */
    public static final int TEMPERATURE_ALL_SENSORS = 0xF;
    /** Where Temperature Threshold has which threshold it means (THSEL), 2 bits; 0 for the upper one. */
    public static final int TEMPERATURE_SELECT_SHIFT = 20;
    /** THSEL: the lower threshold. */
    public static final int TEMPERATURE_UNDER = 1;

    /** SEL of Get Features: the current value. */
    public static final int SELECT_CURRENT = 0;
    /** SEL: the default. */
    public static final int SELECT_DEFAULT = 1;
    /** SEL: what was saved. */
    public static final int SELECT_SAVED = 2;
    /** SEL: what the feature can; the {@code CAPABLE_…} bits. */
    public static final int SELECT_SUPPORTED = 3;
    /** Where SEL stands in command dword 10 of Get Features. */
    public static final int SELECT_SHIFT = 8;
    /** Command dword 10 of Set Features: the value survives a reset. */
    public static final int SAVE = 1 << 31;

    /** Capability: it can be saved. */
    public static final int CAPABLE_SAVEABLE = 1;
    /** Capability: each namespace has its own. */
    public static final int CAPABLE_NAMESPACE_SPECIFIC = 1 << 1;
    /** Capability: it can be changed. */
    public static final int CAPABLE_CHANGEABLE = 1 << 2;

    private Feature() {}

    /** The specification's name of a feature. */
    public static String name(int id) {
        return switch (id) {
            case ARBITRATION -> "Arbitration";
            case POWER_MANAGEMENT -> "Power Management";
            case TEMPERATURE_THRESHOLD -> "Temperature Threshold";
            case ERROR_RECOVERY -> "Error Recovery";
            case VOLATILE_WRITE_CACHE -> "Volatile Write Cache";
            case NUMBER_OF_QUEUES -> "Number of Queues";
            case INTERRUPT_COALESCING -> "Interrupt Coalescing";
            case INTERRUPT_VECTOR_CONFIGURATION -> "Interrupt Vector Configuration";
            case WRITE_ATOMICITY -> "Write Atomicity Normal";
            case ASYNC_EVENT_CONFIGURATION -> "Asynchronous Event Configuration";
            case AUTONOMOUS_POWER_STATE_TRANSITION -> "Autonomous Power State Transition";
            case TIMESTAMP -> "Timestamp";
            case KEEP_ALIVE_TIMER -> "Keep Alive Timer";
            case HOST_BEHAVIOR -> "Host Behavior Support";
            case SANITIZE_CONFIG -> "Sanitize Config";
            case COMMAND_SET_PROFILE -> "I/O Command Set Profile";
            case DATA_PLACEMENT -> "Flexible Data Placement";
            case DATA_PLACEMENT_EVENTS -> "Flexible Data Placement Events";
            case SOFTWARE_PROGRESS_MARKER -> "Software Progress Marker";
            case HOST_IDENTIFIER -> "Host Identifier";
            case WRITE_PROTECTION -> "Namespace Write Protection Config";
            default -> "feature 0x%02x".formatted(id);
        };
    }
}
