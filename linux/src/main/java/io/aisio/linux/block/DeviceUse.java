package io.aisio.linux.block;

/**
 * One thing that a device is used for.
 *
 * @param kind of it
 * @param device the kernel's name of the device, which may be a partition of the one asked for, or built upon it
 * @param what it is used for, such as {@code is mounted at /data (xfs)}
 */
public record DeviceUse(Kind kind, String device, String what) {
    /** Kinds of use, the gravest first. */
    public enum Kind {
        /** The running system lies on it. */
        ROOT,
        /** A file system of it is mounted. */
        MOUNTED,
        /** It is swapped to. */
        SWAP,
        /** It is part of another device, or somebody has it for himself. */
        HELD,
        /** A process has it open. */
        OPEN,
        /** Nothing uses it now, and its blocks hold something. */
        SIGNATURE
    }

    /** Whether it is in use now, and does not only hold something. */
    public boolean isNow() {
        return kind != Kind.SIGNATURE;
    }

    /** The whole sentence. */
    @Override
    public String toString() {
        return device + " " + what;
    }
}
