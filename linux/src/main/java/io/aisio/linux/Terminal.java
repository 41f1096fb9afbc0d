package io.aisio.linux;

/** Whether somebody is watching: progress and colours are for terminals only. */
public final class Terminal {
    private Terminal() {}

    /** Whether standard output goes to a terminal. */
    public static boolean onStandardOutput() {
        return Libc.isatty(1);
    }

    /** Whether standard error goes to a terminal. */
    public static boolean onStandardError() {
        return Libc.isatty(2);
    }
}
