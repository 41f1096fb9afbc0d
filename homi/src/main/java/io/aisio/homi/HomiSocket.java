package io.aisio.homi;

import io.aisio.linux.FileStatus;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where the daemon listens unless it is told. */
public final class HomiSocket {
    /** The environment's variable that names it. */
    public static final String VARIABLE = "AISIO_HOMI_SOCKET";

    /** Where a daemon of root's listens. */
    private static final Path SYSTEM = Path.of("/run/homi/homi.sock");

    private HomiSocket() {}

    /**
     * Where a daemon of this user's listens: {@value #VARIABLE}, else {@code /run/homi/homi.sock} for root and
     * {@code $XDG_RUNTIME_DIR/homi/homi.sock} for others.
     *
     * @throws IllegalArgumentException if none of them says it; one sentence for the person who typed
     */
    public static Path ofDaemon() {
        return ofDaemon(FileStatus.effectiveUser() == 0, System.getenv());
    }

    static Path ofDaemon(boolean root, Map<String, String> environment) {
        Path named = named(environment);
        if (named != null) {
            return named;
        }
        if (root) {
            return SYSTEM;
        }
        Path own = own(environment);
        if (own == null) {
            throw new IllegalArgumentException(
                    "there is no XDG_RUNTIME_DIR, where the daemon's socket would be; next: set " + VARIABLE
                            + " to its path, or give it with --socket");
        }
        return own;
    }

    /**
     * Where the daemon listens that this user's programs mean: {@value #VARIABLE}, else that of a daemon of this user's, else,
     * where there is none, that of root's daemon, if its folder is there.
     *
     * @throws IllegalArgumentException if none of them says it; one sentence for the person who typed
     */
    public static Path byDefault() {
        return byDefault(FileStatus.effectiveUser() == 0, System.getenv(), SYSTEM);
    }

    static Path byDefault(boolean root, Map<String, String> environment, Path system) {
        if (!root && named(environment) == null) {
            Path own = own(environment);
            // The folder: who may not enter it cannot see the socket, and is told how he may.
            if ((own == null || !Files.exists(own)) && Files.exists(system.getParent())) {
                return system;
            }
        }
        return ofDaemon(root, environment);
    }

    private static @Nullable Path named(Map<String, String> environment) {
        String named = environment.getOrDefault(VARIABLE, "");
        return named.isEmpty() ? null : Path.of(named);
    }

    private static @Nullable Path own(Map<String, String> environment) {
        String folder = environment.getOrDefault("XDG_RUNTIME_DIR", "");
        return folder.isEmpty() ? null : Path.of(folder, "homi", "homi.sock");
    }
}
