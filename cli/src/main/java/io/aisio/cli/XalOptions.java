package io.aisio.cli;

import java.io.IOException;
import java.io.InterruptedIOException;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What the commands of {@code xal} that read files have in common: where the file system is, and who reads the output. */
final class XalOptions {
    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Option(names = "--ignore-log", description = "Read blocks that the log holds newer ones of.")
    private boolean ignoreLog;

    @Parameters(
            index = "0",
            paramLabel = "WHERE",
            description =
                    "An image or device (/dev/nvme0n1, emu:/path/to/image), whose XFS is read from its blocks; or a"
                            + " directory of a mounted file system, whose kernel is asked.")
    @SuppressWarnings("NullAway.Init")
    private String where;

    /** Where the file system is, as it was given. */
    String where() {
        return where;
    }

    /** Whether a program reads the output. */
    boolean json() {
        return output == Output.json;
    }

    /**
     * Opens the file system.
     *
     * @throws IOException if it cannot be opened, or is none that can be read
     */
    XalVolume open() throws IOException {
        return XalVolume.open(where, ignoreLog);
    }

    /** To be asked in loops: Ctrl-C ends them. */
    static void stopIfInterrupted() throws InterruptedIOException {
        if (Interruption.requested()) {
            throw new InterruptedIOException("interrupted");
        }
    }
}
