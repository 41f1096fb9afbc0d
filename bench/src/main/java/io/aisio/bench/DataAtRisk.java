package io.aisio.bench;

import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.DeviceUri;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Stands before everything that writes: a device whose contents outlive the program is written only if that was asked
 * for in so many words, and never while the machine uses it.
 */
public final class DataAtRisk {
    /** What a person adds to a command to say that the device's contents do not matter. */
    public static final String FLAG = "--destroy-data";

    private static final Pattern GENERIC = Pattern.compile("ng(\\d+n\\d+)");
    private static final int TYPE_MASK = 0170000;
    private static final int BLOCK_DEVICE = 0060000;

    private final Path root;

    /** @param root where {@code proc} and {@code sys} are, {@code /} but in tests */
    DataAtRisk(Path root) {
        this.root = root;
    }

    /**
     * Checks devices that are about to be written.
     *
     * @param devices their names
     * @param meant whether {@value #FLAG} was given
     * @throws IllegalArgumentException if a device keeps data and that was not given, or is named read-only
     * @throws IOException if a device is in use: mounted, swapped to, or part of something that may be
     */
    public static void check(List<String> devices, boolean meant) throws IOException {
        for (String device : devices) {
            DeviceUri uri = DeviceUri.parse(device);
            if (uri.options().containsKey("readonly") && uri.flag("readonly")) {
                throw new IllegalArgumentException(
                        device + ": it is named 'readonly', and this writes; leave that out to write");
            }
            if (keepsData(uri)) {
                if (!meant) {
                    throw new IllegalArgumentException(
                            device + ": this writes all over it; add " + FLAG + " if what it holds may be destroyed");
                }
                new DataAtRisk(Path.of("/")).refuseIfUsed(uri);
            }
        }
    }

    /**
     * Whether what the device holds is there before the program and after it. Only the software controller's own memory
     * is not; a file that does not exist holds nothing.
     */
    public static boolean keepsData(DeviceUri uri) {
        return switch (uri.scheme()) {
            case "emu" -> !volatileMedia(uri.target()) && Files.exists(Path.of(uri.target()));
            case "file" -> Files.exists(Path.of(uri.target()));
            default -> true;
        };
    }

    private static boolean volatileMedia(String target) {
        if (target.equals("null") || target.startsWith("null,")) {
            return true;
        }
        try {
            return ByteSize.parse(target) >= 0;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private void refuseIfUsed(DeviceUri uri) throws IOException {
        if (!uri.scheme().equals("file") && !uri.scheme().equals("emu")) {
            // A controller that is driven from here is not the kernel's, and what is behind a socket is its owner's.
            return;
        }
        Path path = Path.of(uri.target()).toRealPath();
        String use = use(path);
        if (use != null) {
            throw new IOException(uri.text() + ": in use, " + use + "; it is not written while that is so");
        }
    }

    /** What uses a device node or a file, or {@code null}. */
    private @Nullable String use(Path path) throws IOException {
        Matcher generic = GENERIC.matcher(String.valueOf(path.getFileName()));
        if (generic.matches()) {
            return useOfBlockDevice(root.resolve("sys/class/block/nvme" + generic.group(1)));
        }
        int mode = (int) Files.getAttribute(path, "unix:mode");
        if ((mode & TYPE_MASK) == BLOCK_DEVICE) {
            long device = (long) Files.getAttribute(path, "unix:rdev");
            return useOfBlockDevice(root.resolve("sys/dev/block/" + numbers(device)));
        }
        return useOfFile(path);
    }

    /** A {@code dev_t} as the kernel writes it in text; the layout is glibc's {@code gnu_dev_major}, {@code …_minor}. */
    static String numbers(long device) {
        long major = (device >>> 8 & 0xfff) | (device >>> 32 & 0xfffff000L);
        long minor = (device & 0xff) | (device >>> 12 & 0xffffff00L);
        return major + ":" + minor;
    }

    /**
     * What uses a block device, one of its partitions, or what was built upon them.
     *
     * @param sysfs its folder in sysfs
     */
    @Nullable
    String useOfBlockDevice(Path sysfs) throws IOException {
        if (!Files.isDirectory(sysfs)) {
            return null;
        }
        Path folder = sysfs.toRealPath();
        String name = String.valueOf(folder.getFileName());
        String numbers = Files.readString(folder.resolve("dev")).strip();
        for (String line : Files.readAllLines(root.resolve("proc/self/mountinfo"))) {
            String[] fields = line.split(" ", -1);
            // proc_pid_mountinfo(5): the third field is the device, the fifth where; btrfs tells its device by name
            // only.
            if (fields[2].equals(numbers) || line.contains(" /dev/" + name + " ")) {
                return name + " is mounted at " + fields[4];
            }
        }
        if (swaps().contains("/dev/" + name)) {
            return name + " is swapped to";
        }
        for (Path holder : list(folder.resolve("holders"))) {
            return name + " is part of " + holder.getFileName();
        }
        for (Path part : list(folder)) {
            if (Files.exists(part.resolve("partition"))) {
                String use = useOfBlockDevice(part);
                if (use != null) {
                    return use;
                }
            }
        }
        return null;
    }

    /** What uses a file: a loop device, or swapping. */
    @Nullable
    String useOfFile(Path file) throws IOException {
        for (Path block : list(root.resolve("sys/block"))) {
            Path backing = block.resolve("loop/backing_file");
            if (Files.exists(backing) && Files.readString(backing).strip().equals(file.toString())) {
                return "attached to " + block.getFileName();
            }
        }
        return swaps().contains(file.toString()) ? "swapped to" : null;
    }

    private List<String> swaps() throws IOException {
        Path swaps = root.resolve("proc/swaps");
        return Files.exists(swaps)
                ? Files.readAllLines(swaps).stream()
                        .map(line -> line.split("\\s+", 2)[0])
                        .toList()
                : List.of();
    }

    private static List<Path> list(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            List<Path> found = new java.util.ArrayList<>();
            entries.forEach(found::add);
            found.sort(null);
            return found;
        }
    }
}
