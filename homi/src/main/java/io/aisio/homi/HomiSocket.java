package io.aisio.homi;

import io.aisio.linux.FileStatus;
import java.nio.file.Path;

/** Where the daemon listens unless it is told. */
public final class HomiSocket {
    /** The environment's variable that names it. */
    public static final String VARIABLE = "AISIO_HOMI_SOCKET";

    private HomiSocket() {}

    /**
     * {@value #VARIABLE}, else {@code /run/homi/homi.sock} for root and {@code $XDG_RUNTIME_DIR/homi/homi.sock} for others.
     *
     * @throws IllegalArgumentException if none of them says it; one sentence for the person who typed
     */
    public static Path byDefault() {
        String named = System.getenv(VARIABLE);
        if (named != null && !named.isEmpty()) {
            return Path.of(named);
        }
        if (FileStatus.effectiveUser() == 0) {
            return Path.of("/run/homi/homi.sock");
        }
        String folder = System.getenv("XDG_RUNTIME_DIR");
        if (folder == null || folder.isEmpty()) {
            throw new IllegalArgumentException(
                    "there is no XDG_RUNTIME_DIR, where the daemon's socket would be; next: set " + VARIABLE
                            + " to its path");
        }
        return Path.of(folder, "homi", "homi.sock");
    }
}
