package io.aisio.linux;

/**
 * Names for the error numbers of {@code asm-generic/errno-base.h} and {@code asm-generic/errno.h}, which x86-64 and
 * aarch64 share.
 */
public final class Errno {
    /** Operation not permitted. */
    public static final int EPERM = 1;
    /** No such file or directory. */
    public static final int ENOENT = 2;
    /** No such process. */
    public static final int ESRCH = 3;
    /** Interrupted by a signal before anything was done. */
    public static final int EINTR = 4;
    /** Input/output error. */
    public static final int EIO = 5;
    /** No such device or address; also one that is there, and not ready for this. */
    public static final int ENXIO = 6;
    /** Argument list too long; bpf(2): the attributes are larger than the kernel knows. */
    public static final int E2BIG = 7;
    /** Bad file descriptor. */
    public static final int EBADF = 9;
    /** Somebody else has it; the same number as EWOULDBLOCK. */
    public static final int EAGAIN = 11;
    /** Out of memory. */
    public static final int ENOMEM = 12;
    /** Permission denied. */
    public static final int EACCES = 13;
    /** Device or resource busy. */
    public static final int EBUSY = 16;
    /** It is there already. */
    public static final int EEXIST = 17;
    /** It lies on another mount. */
    public static final int EXDEV = 18;
    /** No such device. */
    public static final int ENODEV = 19;
    /** No directory. */
    public static final int ENOTDIR = 20;
    /** Invalid argument. */
    public static final int EINVAL = 22;
    /** Too many descriptors are open in this process, or inotify instances by this user. */
    public static final int EMFILE = 24;
    /** The thing knows no such request. */
    public static final int ENOTTY = 25;
    /** File too large. */
    public static final int EFBIG = 27;
    /** No space left on the device. */
    public static final int ENOSPC = 28;
    /** Read-only file system. */
    public static final int EROFS = 30;
    /** Nobody reads at the other end. */
    public static final int EPIPE = 32;
    /** A path or name is longer than the kernel or the file system takes. */
    public static final int ENAMETOOLONG = 36;
    /** No such system call: the kernel is too old, or a filter hides it. */
    public static final int ENOSYS = 38;
    /** Too many symbolic links, or one where none is followed. */
    public static final int ELOOP = 40;
    /** Out of time; what io_uring says of a wait. */
    public static final int ETIME = 62;
    /** There is no data: how the kernel tells of a medium that lost it. */
    public static final int ENODATA = 61;
    /** The way to the device is broken. */
    public static final int ENOLINK = 67;
    /** Data that does not fit its checksum. */
    public static final int EILSEQ = 84;
    /** The device itself refuses. */
    public static final int EREMOTEIO = 121;
    /** What a buffer is too small for. */
    public static final int EOVERFLOW = 75;
    /** Protocol not available: such an option is not known. */
    public static final int ENOPROTOOPT = 92;
    /** Operation not supported. */
    public static final int EOPNOTSUPP = 95;
    /** It is in use by a socket already. */
    public static final int EADDRINUSE = 98;
    /** There was no room for what came. */
    public static final int ENOBUFS = 105;
    /** The other end went away with something unread. */
    public static final int ECONNRESET = 104;
    /** Nothing happened in time. */
    public static final int ETIMEDOUT = 110;
    /** Nobody listens there. */
    public static final int ECONNREFUSED = 111;
    /** The file that the handle stood for is gone. */
    public static final int ESTALE = 116;
    /** It was given up before it was done. */
    public static final int ECANCELED = 125;
    /** Disk quota exceeded. */
    public static final int EDQUOT = 122;

    private static final String[] NAMES = {
        "0",
        "EPERM",
        "ENOENT",
        "ESRCH",
        "EINTR",
        "EIO",
        "ENXIO",
        "E2BIG",
        "ENOEXEC",
        "EBADF",
        "ECHILD",
        "EAGAIN",
        "ENOMEM",
        "EACCES",
        "EFAULT",
        "ENOTBLK",
        "EBUSY",
        "EEXIST",
        "EXDEV",
        "ENODEV",
        "ENOTDIR",
        "EISDIR",
        "EINVAL",
        "ENFILE",
        "EMFILE",
        "ENOTTY",
        "ETXTBSY",
        "EFBIG",
        "ENOSPC",
        "ESPIPE",
        "EROFS",
        "EMLINK",
        "EPIPE",
        "EDOM",
        "ERANGE",
        "EDEADLK",
        "ENAMETOOLONG",
        "ENOLCK",
        "ENOSYS",
        "ENOTEMPTY",
        "ELOOP",
    };

    private Errno() {}

    /** The symbolic name, such as {@code ENOSPC}; {@code errno 123} for one that is not listed here. */
    public static String name(int errno) {
        return switch (errno) {
            case EDQUOT -> "EDQUOT";
            case ETIME -> "ETIME";
            case ENODATA -> "ENODATA";
            case ENOLINK -> "ENOLINK";
            case EILSEQ -> "EILSEQ";
            case EREMOTEIO -> "EREMOTEIO";
            case EOPNOTSUPP -> "EOPNOTSUPP";
            case EOVERFLOW -> "EOVERFLOW";
            case EADDRINUSE -> "EADDRINUSE";
            case ENOBUFS -> "ENOBUFS";
            case ECONNRESET -> "ECONNRESET";
            case ETIMEDOUT -> "ETIMEDOUT";
            case ECONNREFUSED -> "ECONNREFUSED";
            case ECANCELED -> "ECANCELED";
            case ESTALE -> "ESTALE";
            default -> errno >= 0 && errno < NAMES.length ? NAMES[errno] : "errno " + errno;
        };
    }

    /** What the error means to a person, for the few that a user can do something about; otherwise the name. */
    static String explain(int errno) {
        return switch (errno) {
            case EPERM, EACCES -> "permission denied";
            case ENOENT -> "no such file";
            case EIO -> "input/output error";
            case EAGAIN -> "in use by somebody else";
            case ENOMEM -> "out of memory";
            case EBUSY -> "in use";
            case ENODEV -> "no such device";
            case EEXIST -> "it exists already";
            case ELOOP -> "a symbolic link, which is not followed";
            case EINVAL -> "invalid argument";
            case EFBIG -> "file too large";
            case ENOSPC -> "no space left on the device";
            case EROFS -> "read-only file system";
            case EPIPE, ECONNRESET -> "the other end has left";
            case ETIMEDOUT -> "no answer in time";
            case ECONNREFUSED -> "nobody listens there";
            case EDQUOT -> "disk quota exceeded";
            default -> name(errno);
        };
    }
}
