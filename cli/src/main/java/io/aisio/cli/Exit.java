package io.aisio.cli;

/** The exit codes of {@code ./aisio}, as README.md lists them. */
final class Exit {
    /** Done, and everything that was checked was right. */
    static final int DONE = 0;
    /** Something failed: an I/O, a comparison, a file that is not there. One line on standard error says what. */
    static final int FAILED = 1;
    /** The command line was wrong; nothing was tried. */
    static final int USAGE = 2;
    /** A fault of AiSIO's own, as {@code EX_SOFTWARE} of {@code sysexits.h}. */
    static final int INTERNAL = 70;
    /** Stopped by Ctrl-C, as a shell reports it: 128 and the signal's number. The JVM itself exits with it. */
    static final int INTERRUPTED = 130;

    private Exit() {}
}
