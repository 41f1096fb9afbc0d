package io.aisio.linux;

import java.io.IOException;

/** A system call that failed: which call, on what, and the errno. */
public final class LinuxException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String call;
    private final int errno;

    /**
     * @param call the system call, such as {@code open}
     * @param subject what it was tried on, such as a path
     * @param errno the error number that the call left
     */
    public LinuxException(String call, String subject, int errno) {
        super(subject + ": " + Errno.explain(errno) + " (" + call + ": " + Errno.name(errno) + ")");
        this.call = call;
        this.errno = errno;
    }

    /** The system call that failed. */
    public String call() {
        return call;
    }

    /** The error number, one of {@link Errno}'s. */
    public int errno() {
        return errno;
    }
}
