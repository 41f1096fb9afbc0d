package io.aisio.linux.block;

import io.aisio.linux.FileStatus;
import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The block devices of this machine ({@code /sys/class/block}). One that vanishes meanwhile is left out. */
public final class BlockDevices {
    /** Sysfs has sizes in units of 512 bytes, whatever the device's blocks are. */
    private static final long SECTOR_BYTES = 512;

    /**
     * {@code nvme1c2n3}: the path by controller 2 to namespace 3 of subsystem 1, whose node is {@code nvme1n3}
     * ({@code nvme_mpath_set_disk_name}).
     */
    private static final Pattern MULTIPATH = Pattern.compile("(nvme\\d+)c\\d+(n\\d+)");

    private final Path sysfs;

    /** @param sysfs where sysfs is, {@link Sysfs#ROOT} but in tests */
    public BlockDevices(Path sysfs) {
        this.sysfs = sysfs;
    }

    /**
     * All of them, partitions too, by name.
     *
     * @throws IOException if sysfs cannot be read
     */
    public List<BlockDevice> all() throws IOException {
        return read(Sysfs.list(sysfs.resolve("class/block")));
    }

    /**
     * The one of a name, or null.
     *
     * @throws IOException if sysfs cannot be read
     */
    public @Nullable BlockDevice named(String name) throws IOException {
        String entry = name.replace('/', '!');
        return entry.isEmpty() || entry.startsWith(".")
                ? null
                : read(sysfs.resolve("class/block").resolve(entry));
    }

    /**
     * The one whose node has these numbers, or null.
     *
     * @throws IOException if sysfs cannot be read
     */
    public @Nullable BlockDevice of(FileStatus.Device numbers) throws IOException {
        return read(sysfs.resolve("dev/block").resolve(numbers.toString()));
    }

    /**
     * Whole devices that a piece of hardware provides. Of a multipath namespace, whose own node belongs to no
     * controller, it is that node's.
     *
     * @param folder of the hardware in sysfs
     * @throws IOException if sysfs cannot be read
     */
    public List<BlockDevice> below(Path folder) throws IOException {
        Path real;
        try {
            real = folder.toRealPath();
        } catch (FileSystemException _) {
            return List.of();
        }
        List<BlockDevice> below = new ArrayList<>();
        for (BlockDevice device : all()) {
            if (device.partition() == 0 && device.folder().startsWith(real)) {
                Matcher path = MULTIPATH.matcher(device.name());
                BlockDevice head = path.matches() ? named(path.group(1) + path.group(2)) : null;
                below.add(head == null ? device : head);
            }
        }
        return List.copyOf(below);
    }

    /**
     * A device's partitions.
     *
     * @throws IOException if sysfs cannot be read
     */
    public List<BlockDevice> partitions(BlockDevice device) throws IOException {
        List<Path> folders = new ArrayList<>();
        for (Path entry : Sysfs.list(device.folder())) {
            if (Files.exists(entry.resolve("partition"))) {
                folders.add(entry);
            }
        }
        return read(folders);
    }

    /**
     * What is built upon a device: device mapper, MD, bcache.
     *
     * @throws IOException if sysfs cannot be read
     */
    public List<BlockDevice> holders(BlockDevice device) throws IOException {
        return read(Sysfs.list(device.folder().resolve("holders")));
    }

    /**
     * What a device is built upon, of a partition the whole device too.
     *
     * @throws IOException if sysfs cannot be read
     */
    List<BlockDevice> beneath(BlockDevice device) throws IOException {
        List<BlockDevice> beneath =
                new ArrayList<>(read(Sysfs.list(device.folder().resolve("slaves"))));
        BlockDevice whole =
                device.partition() == 0 ? null : read(device.folder().resolve(".."));
        if (whole != null) {
            beneath.add(whole);
        }
        return beneath;
    }

    private static List<BlockDevice> read(List<Path> folders) throws IOException {
        List<BlockDevice> devices = new ArrayList<>();
        for (Path folder : folders) {
            BlockDevice device = read(folder);
            if (device != null) {
                devices.add(device);
            }
        }
        return devices;
    }

    private static @Nullable BlockDevice read(Path folder) throws IOException {
        Path real;
        try {
            real = folder.toRealPath();
        } catch (FileSystemException _) {
            // It is not there, its link leads nowhere, or in a circle.
            return null;
        }
        if (!Files.isDirectory(real) || real.getFileName() == null) {
            return null;
        }
        String numbers = Sysfs.text(real.resolve("dev"));
        return new BlockDevice(
                real.getFileName().toString(),
                real,
                numbers == null ? null : numbers(real.resolve("dev"), numbers),
                Math.multiplyExact(sectors(real.resolve("size")), SECTOR_BYTES),
                Sysfs.number(real.resolve("partition"), 0, 0, Integer.MAX_VALUE));
    }

    private static long sectors(Path attribute) throws IOException {
        long sectors = Sysfs.number(attribute, 0L);
        if (sectors < 0 || sectors > Long.MAX_VALUE / SECTOR_BYTES) {
            throw new IOException(attribute + ": " + sectors + " is no size");
        }
        return sectors;
    }

    private static FileStatus.Device numbers(Path attribute, String text) throws IOException {
        String[] parts = text.split(":", -1);
        try {
            if (parts.length == 2) {
                return new FileStatus.Device(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
            }
        } catch (NumberFormatException e) {
            throw new IOException(attribute + ": '" + text + "' are no device numbers", e);
        }
        throw new IOException(attribute + ": '" + text + "' are no device numbers");
    }
}
