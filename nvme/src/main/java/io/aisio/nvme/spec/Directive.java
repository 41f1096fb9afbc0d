package io.aisio.nvme.spec;

/** Directives (section 9): what Directive Send and Receive, and writes, say of them. */
public final class Directive {
    /** DTYPE: identify. */
    public static final int TYPE_IDENTIFY = 0x00;
    /** DTYPE: streams. */
    public static final int TYPE_STREAMS = 0x01;
    /** DTYPE: data placement (version 2.1). */
    public static final int TYPE_DATA_PLACEMENT = 0x02;
    /** DOPER of Directive Receive, type identify: return parameters. */
    public static final int RECEIVE_PARAMETERS = 0x01;
    /** DOPER of Directive Send, type identify: enable or disable a directive. */
    public static final int SEND_ENABLE = 0x01;
    /** Where DTYPE stands in command dword 11 of Directive Send and Receive. */
    public static final int TYPE_SHIFT = 8;
    /** Where DTYPE stands in command dword 12 of a write. */
    public static final int WRITE_TYPE_SHIFT = 20;
    /** Where DSPEC stands in command dword 13 of a write. */
    public static final int WRITE_SPECIFIC_SHIFT = 16;

    /** Size of what return parameters gives. */
    public static final int PARAMETERS_BYTES = 4096;
    /** Parameters: directives supported, a bit a type, 32 bytes. */
    public static final long SUPPORTED = 0;
    /** Parameters: directives enabled, a bit a type, 32 bytes. */
    public static final long ENABLED = 32;

    private Directive() {}
}
