package io.aisio.nvme;

import io.aisio.nvme.spec.Status;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A command that the controller completed with an error, or a controller that does not do what the specification asks. */
public final class NvmeException extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient @Nullable Status status;

    /**
     * A command's error.
     *
     * @param what device, queue and command, such as {@code 0000:82:00.0: queue 1: Read at LBA 8}
     * @param status what the controller answered
     */
    public NvmeException(String what, Status status) {
        super(what + ": " + status);
        this.status = status;
    }

    /**
     * An error of the controller itself.
     *
     * @param what the device and what is wrong with it
     */
    public NvmeException(String what) {
        super(what);
        this.status = null;
    }

    /** The command's status, or null if it was not a command that failed. */
    public @Nullable Status status() {
        return status;
    }
}
