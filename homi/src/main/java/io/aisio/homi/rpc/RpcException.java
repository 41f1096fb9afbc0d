package io.aisio.homi.rpc;

import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Status;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A request that was refused, or could not be carried out: the error object of a response (JSON-RPC 2.0, section 5.1). */
public final class RpcException extends IOException {
    private static final long serialVersionUID = 1L;

    /** No JSON. */
    public static final int PARSE_ERROR = -32700;
    /** JSON, but no request. */
    public static final int INVALID_REQUEST = -32600;
    /** No such method. */
    public static final int METHOD_NOT_FOUND = -32601;
    /** Parameters that are missing, unknown, of another kind or out of range; descriptors that nobody asked for. */
    public static final int INVALID_PARAMS = -32602;
    /** A fault of the daemon's own. */
    public static final int INTERNAL_ERROR = -32603;
    /** More than the user or the client may have, or than is left. */
    public static final int QUOTA = -32001;
    /** The user may not. */
    public static final int NOT_PERMITTED = -32002;
    /** No such device, lease, queue, memory or export, of this client's. */
    public static final int NO_SUCH = -32003;
    /** In use, being drained or ending. */
    public static final int BUSY = -32004;
    /** The device or the system failed. */
    public static final int DEVICE = -32005;

    private final int code;
    private final @Nullable String next;
    private final int status;

    /**
     * @param code one of the constants
     * @param message what is wrong, one sentence for people
     * @param next the next step, for people; null if there is none
     */
    public RpcException(int code, String message, @Nullable String next) {
        this(code, message, next, -1);
    }

    /**
     * The same, of a command that the controller failed.
     *
     * @param status what it answered ({@link io.aisio.nvme.spec.Status#bits}); −1 if it is no command's
     */
    public RpcException(int code, String message, @Nullable String next, int status) {
        super(message);
        this.code = code;
        this.next = next;
        this.status = status;
    }

    /** The same, with what it comes from. */
    public RpcException(int code, String message, @Nullable String next, Throwable cause) {
        super(message, cause);
        this.code = code;
        this.next = next;
        Status answered = cause instanceof NvmeException nvme ? nvme.status() : null;
        status = answered == null ? -1 : answered.bits();
    }

    /** Of the constants here. */
    public int code() {
        return code;
    }

    /** What is wrong, without the next step. */
    public String what() {
        return String.valueOf(super.getMessage());
    }

    /** The status of the command that the controller failed; −1 if it is no command's. */
    public int status() {
        return status;
    }

    /** The next step; null if there is none. */
    public @Nullable String next() {
        return next;
    }

    @Override
    public String getMessage() {
        return next == null ? what() : what() + "; next: " + next;
    }
}
