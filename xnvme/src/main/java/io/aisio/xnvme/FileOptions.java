package io.aisio.xnvme;

import org.jspecify.annotations.Nullable;

/**
 * How a file, a block device or a namespace of the kernel's is to be opened.
 *
 * @param uri the name that this comes from
 * @param lbaBytes the logical block, or null for what is usual
 * @param readOnly whether writes are refused
 * @param path {@code uring} or {@code pread}, or null for what can be had
 * @param direct whether past the page cache, or null for what can be had
 * @param submissionPolled whether a thread of the kernel's takes commands
 * @param devicePolled whether the kernel polls the device
 */
record FileOptions(
        DeviceUri uri,
        @Nullable Integer lbaBytes,
        boolean readOnly,
        @Nullable String path,
        @Nullable Boolean direct,
        boolean submissionPolled,
        boolean devicePolled) {
    /** The paths that can be asked for. */
    static final String URING = "uring";

    static final String PREAD = "pread";

    static FileOptions of(DeviceUri uri) {
        uri.requireOptions("readonly", "lba", "path", "direct", "buffered", "sqpoll", "iopoll");
        String path = uri.options().get("path");
        if (path != null && !path.equals(URING) && !path.equals(PREAD)) {
            throw new IllegalArgumentException("'" + uri + "': path=" + path + "; there is path=uring and path=pread");
        }
        boolean direct = uri.flag("direct");
        boolean buffered = uri.flag("buffered");
        if (direct && buffered) {
            throw new IllegalArgumentException("'" + uri + "': data goes past the page cache (direct) or through it"
                    + " (buffered); give one of both");
        }
        boolean sqpoll = uri.flag("sqpoll");
        boolean iopoll = uri.flag("iopoll");
        if ((sqpoll || iopoll) && PREAD.equals(path)) {
            throw new IllegalArgumentException(
                    "'" + uri + "': only io_uring polls; leave out path=pread, or " + (sqpoll ? "sqpoll" : "iopoll"));
        }
        if (iopoll && buffered) {
            throw new IllegalArgumentException(
                    "'" + uri + "': what goes through the page cache is not polled for; leave out buffered, or iopoll");
        }
        return new FileOptions(
                uri,
                lba(uri),
                uri.flag("readonly"),
                sqpoll || iopoll ? URING : path,
                direct(direct || iopoll, buffered),
                sqpoll,
                iopoll);
    }

    private static @Nullable Boolean direct(boolean direct, boolean buffered) {
        if (direct) {
            return Boolean.TRUE;
        }
        return buffered ? Boolean.FALSE : null;
    }

    private static @Nullable Integer lba(DeviceUri uri) {
        String text = uri.options().get("lba");
        if (text == null) {
            return null;
        }
        long lba = ByteSize.parse(text);
        if (Long.bitCount(lba) != 1 || lba < 512 || lba > 65536) {
            throw new IllegalArgumentException("'" + uri + "': a logical block of " + lba
                    + " bytes; a power of two from 512 to 65536 is possible");
        }
        return (int) lba;
    }

    boolean wantsUring() {
        return !PREAD.equals(path);
    }

    boolean forcesUring() {
        return URING.equals(path);
    }

    boolean wantsDirect() {
        return direct == null || direct;
    }

    boolean forcesDirect() {
        return direct != null && direct;
    }
}
