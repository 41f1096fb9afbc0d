package io.aisio.nvme;

import io.aisio.nvme.spec.Status;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A command that the controller completed with an error, or a controller that does not do what the specification asks. */
public final class NvmeException extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient @Nullable Status status;
    private final boolean retryable;
    private final Duration retryDelay;

    /**
     * A command's error, as final as the controller says (DNR).
     *
     * @param what device, queue and command, such as {@code 0000:82:00.0: queue 1: Read at LBA 8}
     * @param status what the controller answered
     */
    public NvmeException(String what, Status status) {
        this(what, status, !status.doNotRetry(), Duration.ZERO);
    }

    /**
     * A command's error, as final as the driver knows.
     *
     * @param retryable whether the same command may succeed if it is submitted again
     * @param retryDelay how long to wait before that
     */
    NvmeException(String what, Status status, boolean retryable, Duration retryDelay) {
        super(what + ": " + status);
        this.status = status;
        this.retryable = retryable;
        this.retryDelay = retryDelay;
    }

    /**
     * An error of the controller itself.
     *
     * @param what the device and what is wrong with it
     */
    public NvmeException(String what) {
        super(what);
        this.status = null;
        this.retryable = false;
        this.retryDelay = Duration.ZERO;
    }

    /** The command's status, or null if it was not a command that failed. */
    public @Nullable Status status() {
        return status;
    }

    /**
     * Whether the same command may succeed if it is submitted again: the controller did not rule that out (DNR clear), or it
     * never answered, was reset, and works again. A caller tries a bounded number of times, each after {@link #retryDelay()}.
     */
    public boolean retryable() {
        return retryable;
    }

    /** How long to wait before the command is submitted again, as the controller asks (CRD); zero for not at all. */
    public Duration retryDelay() {
        return retryDelay;
    }
}
