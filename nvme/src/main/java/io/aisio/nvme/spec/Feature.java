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

    /** Keep Alive Timer, in milliseconds. */
    public static final int KEEP_ALIVE_TIMER = 0x0F;
    /** Host Behavior Support, {@value #HOST_BEHAVIOR_BYTES} bytes of data. */
    public static final int HOST_BEHAVIOR = 0x16;

    /** Size of the data of Host Behavior Support. */
    public static final int HOST_BEHAVIOR_BYTES = 512;
    /** Host Behavior Support: advanced command retry enable, a byte: 1 to be told of retry delays. */
    public static final long HOST_BEHAVIOR_ACRE = 0;

    private Feature() {}
}
