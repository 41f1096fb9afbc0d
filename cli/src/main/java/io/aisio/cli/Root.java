package io.aisio.cli;

import io.aisio.linux.FileStatus;
import java.io.IOException;

/** Whether the user may do what only root may. */
final class Root {
    private Root() {}

    /** Whether it is root. */
    static boolean is() {
        return FileStatus.effectiveUser() == 0;
    }

    /**
     * Ends a command that only root can carry out.
     *
     * @param what is done, such as {@code changing drivers}
     * @throws IOException if the user is not root, with the next step
     */
    static void require(String what) throws IOException {
        if (!is()) {
            throw new IOException(what + " takes root; put sudo before it, or add --dry-run to see what it would do");
        }
    }
}
