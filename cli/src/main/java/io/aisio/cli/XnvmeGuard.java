package io.aisio.cli;

import io.aisio.linux.Sysfs;
import io.aisio.linux.block.DeviceUse;
import io.aisio.upcie.FunctionUses;
import io.aisio.upcie.PciAddress;
import io.aisio.upcie.PciBus;
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
 * Stands before commands that change what a controller of the kernel's holds: whatever of it is mounted, swapped to, held
 * or open keeps them from being sent. {@link io.aisio.bench.DataAtRisk} does so for one namespace.
 */
final class XnvmeGuard {
    private static final Pattern NODE = Pattern.compile("/dev/(?:nvme(\\d+)(?:n\\d+)?|ng(\\d+)n\\d+)");

    private XnvmeGuard() {}

    /**
     * Refuses a controller of the kernel's that is in use.
     *
     * @param device as it was named
     * @param whole whether the command may touch more than the namespace that is named
     * @throws IOException if it is, or that could not be found out, and why exactly
     */
    static void refuseIfUsed(String device, boolean whole) throws IOException {
        Matcher node = NODE.matcher(device);
        if (!node.matches() || !(whole || XnvmeTarget.isKernelController(device))) {
            return;
        }
        PciBus bus = new PciBus();
        FunctionUses uses = FunctionUses.look();
        List<DeviceUse> found = new ArrayList<>();
        for (Path controller : controllers(device, node)) {
            PciAddress address = function(controller);
            if (address == null) {
                throw new IOException(device + ": refused: " + controller.getFileName()
                        + " is not on the PCI bus, and what is on it could not be looked at");
            }
            uses.of(bus.device(address)).stream().filter(DeviceUse::isNow).forEach(found::add);
        }
        if (!uses.unseen().isEmpty()) {
            throw new IOException(device + ": refused: what is on it could not be looked at: "
                    + uses.unseen().getFirst());
        }
        if (!found.isEmpty()) {
            throw new IOException(device + ": refused: "
                    + found.stream().map(DeviceUse::toString).distinct().collect(Collectors.joining(", "))
                    + "; end that first");
        }
    }

    /** The controllers that a node leads to: several where a namespace has more than one path. */
    private static List<Path> controllers(String device, Matcher node) throws IOException {
        Path named = Path.of(device).getFileName();
        Path block = Sysfs.ROOT
                .resolve("class/block")
                .resolve(named.toString().replaceFirst("^ng", "nvme"))
                .resolve("device");
        List<Path> found = new ArrayList<>();
        if (!XnvmeTarget.isKernelController(device) && Files.exists(block)) {
            Path owner = block.toRealPath();
            if (owner.getFileName().toString().startsWith("nvme-subsys")) {
                for (Path entry : Sysfs.list(owner)) {
                    if (entry.getFileName().toString().matches("nvme\\d+")) {
                        found.add(entry.toRealPath());
                    }
                }
                return found;
            }
            return List.of(owner);
        }
        String number = node.group(1) == null ? node.group(2) : node.group(1);
        Path controller = Sysfs.ROOT.resolve("class/nvme/nvme" + number);
        if (!Files.exists(controller)) {
            throw new IOException(device + ": no such controller");
        }
        return List.of(controller.toRealPath());
    }

    private static @Nullable PciAddress function(Path controller) throws IOException {
        Path device = controller.resolve("device");
        if (!Files.exists(device)) {
            return null;
        }
        try {
            return PciAddress.parse(device.toRealPath().getFileName().toString());
        } catch (IllegalArgumentException e) {
            return null;
        }
    }
}
