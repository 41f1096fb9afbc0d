package io.aisio.xal;

import io.aisio.linux.FileStatus;
import io.aisio.xal.mount.MountedTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where a file system's device lies on its disk, so that an extent's position can be told for the whole disk.
 *
 * @param device by the kernel's name, such as {@code nvme0n1p2}
 * @param disk by the kernel's name, such as {@code nvme0n1}; the device itself if it is no partition
 * @param offset of the device's first byte on the disk, in bytes; {@link #NOWHERE} if it does not lie on one disk
 * @param reason why not, in words; empty if it does
 */
public record Placement(String device, String disk, long offset, String reason) {
    /** The offset of what does not lie on one disk in one piece. */
    public static final long NOWHERE = -1;

    private static final Path SYSFS = Path.of("/sys/dev/block");
    /** Of sysfs's {@code start}, whatever the disk's logical blocks are. */
    private static final int SECTOR_BYTES = 512;

    /**
     * Of the device that a mounted file system lies on.
     *
     * @throws IllegalArgumentException if it is not read through a mount
     * @throws IOException if sysfs does not know the device
     */
    public static Placement of(Xal mounted) throws IOException {
        if (!(mounted.backend() instanceof MountedTree tree)) {
            throw new IllegalArgumentException(mounted.volume().source() + " is read from its device, not mounted");
        }
        return of(tree.device());
    }

    /**
     * Of a block device.
     *
     * @throws IOException if sysfs does not know it
     */
    public static Placement of(FileStatus.Device number) throws IOException {
        Path entry = SYSFS.resolve(number.toString());
        if (!Files.exists(entry)) {
            throw new IOException(entry + " does not exist: " + number + " is no block device of this machine");
        }
        Path device = entry.toRealPath();
        String name = device.getFileName().toString();
        if (Files.exists(device.resolve("partition"))) {
            Path disk = device.resolve("..").toRealPath();
            Placement whole = whole(disk, disk.getFileName().toString());
            long start = Math.multiplyExact(number(device.resolve("start")), SECTOR_BYTES);
            return new Placement(name, whole.disk(), whole.reason().isEmpty() ? start : NOWHERE, whole.reason());
        }
        return whole(device, name);
    }

    private static Placement whole(Path device, String name) throws IOException {
        Path backing = device.resolve("loop/backing_file");
        if (Files.exists(backing)) {
            return new Placement(name, name, NOWHERE, "a loop device: it lies in the file " + text(backing));
        }
        if (Files.exists(device.resolve("dm"))) {
            return new Placement(name, name, NOWHERE, "made by the device mapper: " + text(device.resolve("dm/name")));
        }
        if (Files.exists(device.resolve("md"))) {
            return new Placement(name, name, NOWHERE, "an array of disks: " + text(device.resolve("md/level")));
        }
        return new Placement(name, name, 0, "");
    }

    private static long number(Path file) throws IOException {
        try {
            return Long.parseLong(text(file));
        } catch (NumberFormatException e) {
            throw new IOException(file + " holds no number", e);
        }
    }

    private static String text(Path file) throws IOException {
        return Files.readString(file).strip();
    }
}
