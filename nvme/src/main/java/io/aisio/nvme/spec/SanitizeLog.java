package io.aisio.nvme.spec;

/** The Sanitize Status log page (section 5.14.1.16.2), {@value #BYTES} bytes. */
public final class SanitizeLog {
    /** Size in bytes. */
    public static final int BYTES = 512;
    /** Progress in 65536ths, 16 bits; all ones while none runs. */
    public static final long SPROG = 0;
    /** Status, 16 bits: how the last one ended (2:0), overwrite passes done (7:3), bit 8: nothing was written since. */
    public static final long SSTAT = 2;
    /** Command dword 10 of the last Sanitize, 32 bits. */
    public static final long SCDW10 = 4;
    /** Estimated seconds of an overwrite, 32 bits; all ones where that is not told, like the others. */
    public static final long ETO = 8;
    /** Estimated seconds of a block erase, 32 bits. */
    public static final long ETBE = 12;
    /** Estimated seconds of a crypto erase, 32 bits. */
    public static final long ETCE = 16;

    /** SSTAT: there was none. */
    public static final int NEVER = 0;
    /** SSTAT: the last one succeeded. */
    public static final int SUCCEEDED = 1;
    /** SSTAT: one runs. */
    public static final int IN_PROGRESS = 2;
    /** SSTAT: the last one failed. */
    public static final int FAILED = 3;
    /** SSTAT: the last one succeeded, and deallocated though it was asked not to. */
    public static final int SUCCEEDED_DEALLOCATED = 4;
    /** SSTAT: no block was written since the last one. */
    public static final int GLOBAL_DATA_ERASED = 1 << 8;

    private SanitizeLog() {}
}
