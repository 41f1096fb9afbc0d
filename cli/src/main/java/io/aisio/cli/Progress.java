package io.aisio.cli;

import io.aisio.linux.Terminal;
import java.io.PrintStream;

/**
 * One line on standard error that says how far a command is, written over itself. Only on a terminal: a log or a
 * pipe gets nothing of it.
 *
 * <p>Any thread may write; closing wipes the line, so that what is printed next begins on a clean one.
 */
final class Progress implements AutoCloseable {
    /** What moves to the line's start and wipes it: ECMA-48 EL. */
    private static final String WIPE = "\r\u001b[K";
    /** A line longer than the terminal would not be wiped whole; no terminal in use is narrower. */
    private static final int WIDTH = 79;

    private final PrintStream err;
    private final boolean shown;
    private boolean dirty;

    private Progress(PrintStream err, boolean shown) {
        this.err = err;
        this.shown = shown;
    }

    /** On standard error, if that is a terminal. */
    static Progress onStandardError() {
        return new Progress(System.err, Terminal.onStandardError());
    }

    /** On any stream, for tests. */
    static Progress on(PrintStream err, boolean terminal) {
        return new Progress(err, terminal);
    }

    /** Replaces the line. What does not fit into {@value #WIDTH} characters is cut. */
    synchronized void show(String line) {
        if (shown) {
            err.print(WIPE + (line.length() > WIDTH ? line.substring(0, WIDTH - 1) + "…" : line));
            err.flush();
            dirty = true;
        }
    }

    /** Wipes the line. */
    @Override
    public synchronized void close() {
        if (dirty) {
            err.print(WIPE);
            err.flush();
            dirty = false;
        }
    }
}
