package io.aisio.nvme.spec;

/** The Commands Supported and Effects log page (section 5.14.1.5): 32 bits an opcode, {@value #BYTES} bytes. */
public final class EffectsLog {
    /** Size in bytes. */
    public static final int BYTES = 4096;
    /** The first admin command's; they follow one another by opcode. */
    public static final long ADMIN = 0;
    /** The first I/O command's; they follow one another by opcode. */
    public static final long IO = 1024;
    /** Opcodes of each. */
    public static final int OPCODES = 256;

    /** The command is supported. */
    public static final int SUPPORTED = 1;
    /** It may change the content of logical blocks. */
    public static final int BLOCK_CONTENT = 1 << 1;
    /** It may change a namespace's capabilities. */
    public static final int NAMESPACE_CAPABILITY = 1 << 2;
    /** It may change the number of namespaces. */
    public static final int NAMESPACE_INVENTORY = 1 << 3;
    /** It may change the controller's capabilities. */
    public static final int CONTROLLER_CAPABILITY = 1 << 4;
    /** Where CSE stands: 1 for no other command to the namespace meanwhile, 2 for none to any namespace. */
    public static final int EXCLUSION_SHIFT = 16;

    private EffectsLog() {}
}
