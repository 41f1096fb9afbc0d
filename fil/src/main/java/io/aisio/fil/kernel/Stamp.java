package io.aisio.fil.kernel;

import io.aisio.linux.ReadableFiles;

/**
 * What tells, most likely, whether a file is still the one that it was: it is compared with that of the listing when a file
 * was read, and with that of its beginning, so that what was read is of one moment.
 */
final class Stamp {
    /** Spreads the parts over the bits: 2^64 divided by the golden ratio. */
    private static final long MIX = 0x9E37_79B9_7F4A_7C15L;

    private Stamp() {}

    /** Of the file that was looked at last: from its device, inode, size and the time of its last change (ctime). */
    static int of(ReadableFiles files) {
        long stamp = files.device();
        stamp = stamp * MIX ^ files.inode();
        stamp = stamp * MIX ^ files.changedNanos();
        stamp = stamp * MIX ^ files.size();
        return (int) ((stamp * MIX) >>> 32);
    }
}
