package io.aisio.bench;

import io.aisio.linux.FileStatus;
import io.aisio.linux.block.BlockDevice;
import io.aisio.linux.block.BlockUses;
import io.aisio.linux.block.DeviceUse;
import io.aisio.linux.block.Signature;
import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.DeviceUri;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
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
                DataAtRisk here = new DataAtRisk(Path.of("/"));
                here.refuseIfUsed(uri);
                if (!meant) {
                    throw new IllegalArgumentException(device + ": this writes all over it" + here.held(uri) + "; add "
                            + FLAG + " if what it holds may be destroyed");
                }
            }
        }
    }

    /**
     * Whether what the device holds is there before the program and after it. Only the software controllers' own memory
     * is not; a file that does not exist holds nothing.
     */
    public static boolean keepsData(DeviceUri uri) {
        return switch (uri.scheme()) {
            // The latter is a software controller that runs on a GPU.
            case "emu", "gpu" -> !volatileMedia(uri.target()) && Files.exists(Path.of(uri.target()));
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

    /** What a device is known to hold, in brackets; empty if nothing is known. */
    private String held(DeviceUri uri) throws IOException {
        List<DeviceUse> held = uses(uri);
        return held.isEmpty()
                ? ""
                : held.stream().map(DeviceUse::toString).collect(Collectors.joining(", ", " (", ")"));
    }

    private void refuseIfUsed(DeviceUri uri) throws IOException {
        List<DeviceUse> uses = uses(uri).stream().filter(DeviceUse::isNow).toList();
        if (!uses.isEmpty()) {
            throw new IOException(uri.text() + ": in use, "
                    + uses.stream().map(DeviceUse::toString).collect(Collectors.joining(", "))
                    + "; it is not written while that is so");
        }
    }

    /** What a device or an image is used for, and holds. */
    List<DeviceUse> uses(DeviceUri uri) throws IOException {
        if (!List.of("file", "emu", "gpu").contains(uri.scheme())) {
            // A controller that is driven from here is not the kernel's, and what is behind a socket is its owner's.
            return List.of();
        }
        Path path = Path.of(uri.target()).toRealPath();
        BlockUses uses = BlockUses.look(root);
        BlockDevice device = device(path, uses);
        if (device != null) {
            return uses.of(device);
        }
        if (!Files.isRegularFile(path)) {
            return List.of();
        }
        List<DeviceUse> found = new ArrayList<>();
        DeviceUse use = uses.of(path);
        if (use != null) {
            found.add(use);
        }
        for (Signature signature : Signature.of(path)) {
            found.add(new DeviceUse(DeviceUse.Kind.SIGNATURE, path.toString(), "carries " + signature.name()));
        }
        return found;
    }

    /** The block device that a node stands for, of a generic character device its namespace's; null if it is a file. */
    private static @Nullable BlockDevice device(Path path, BlockUses uses) throws IOException {
        Matcher generic = GENERIC.matcher(String.valueOf(path.getFileName()));
        if (generic.matches()) {
            return uses.devices().named("nvme" + generic.group(1));
        }
        int mode = (int) Files.getAttribute(path, "unix:mode");
        return (mode & TYPE_MASK) == BLOCK_DEVICE
                ? uses.devices().of(FileStatus.Device.of((long) Files.getAttribute(path, "unix:rdev")))
                : null;
    }
}
