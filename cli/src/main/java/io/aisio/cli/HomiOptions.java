package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.HomiSocket;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What the commands of {@code homi} have in common: which daemon. */
final class HomiOptions {
    @Option(
            names = "--socket",
            paramLabel = "PATH",
            description = "Where the daemon listens ($AISIO_HOMI_SOCKET; else /run/homi/homi.sock for root, and"
                    + " $XDG_RUNTIME_DIR/homi/homi.sock for others, or where there is none, root's).")
    private @Nullable Path socket;

    /** Where the daemon listens. */
    Path socket() {
        return socket == null ? HomiSocket.byDefault() : socket;
    }

    /**
     * Connects to the daemon.
     *
     * @throws IOException if there is none, or it refuses; with the next step
     */
    HomiControl open(String command) throws IOException {
        return HomiControl.open(socket(), "homi " + command);
    }
}
