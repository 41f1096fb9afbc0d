package io.aisio.upcie;

import io.aisio.linux.Sysfs;
import io.aisio.linux.block.BlockDevice;
import io.aisio.linux.block.BlockUses;
import io.aisio.linux.block.DeviceUse;
import io.aisio.linux.block.DeviceUse.Kind;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What PCI functions are used for: their block devices, a controller's own nodes, network interfaces, virtual functions,
 * and those who drive one from user space.
 */
public final class FunctionUses {
    /** {@code linux/if.h}: IFF_UP. */
    private static final long IFF_UP = 1;

    private final PciBus bus;
    private final BlockUses blocks;

    /**
     * @param bus where the functions are
     * @param blocks what block devices are used for on the same machine
     */
    public FunctionUses(PciBus bus, BlockUses blocks) {
        this.bus = bus;
        this.blocks = blocks;
    }

    /** Looks at this machine. */
    public static FunctionUses look() throws IOException {
        return new FunctionUses(new PciBus(), BlockUses.look());
    }

    /**
     * The block devices that a function provides, without partitions.
     *
     * @throws IOException if sysfs cannot be read
     */
    public List<BlockDevice> blockDevices(PciDevice device) throws IOException {
        return blocks.devices().below(bus.folder(device.address()));
    }

    /**
     * What a function is used for, and what its block devices hold.
     *
     * @throws IOException if sysfs cannot be read
     */
    public List<DeviceUse> of(PciDevice device) throws IOException {
        Path folder = bus.folder(device.address());
        List<DeviceUse> uses = new ArrayList<>();
        Set<String> nodes = new LinkedHashSet<>();
        for (BlockDevice block : blockDevices(device)) {
            blocks.of(block).stream().filter(use -> !uses.contains(use)).forEach(uses::add);
            if (block.name().startsWith("nvme")) {
                // The same namespace's generic character device (nvme_cdev_add).
                nodes.add("ng" + block.name().substring("nvme".length()));
            }
        }
        nodes.addAll(names(folder.resolve("nvme")));
        uses.addAll(blocks.openNodes(List.copyOf(nodes)));
        for (Path network : networks(folder)) {
            if ((Sysfs.number(network.resolve("flags"), 0L) & IFF_UP) != 0) {
                uses.add(new DeviceUse(
                        Kind.HELD, String.valueOf(network.getFileName()), "is a network interface that is up"));
            }
        }
        if (device.numVfs() > 0) {
            uses.add(new DeviceUse(
                    Kind.HELD,
                    device.address().toString(),
                    "has " + device.numVfs() + " virtual functions, which go with it"));
        }
        uses.addAll(driven(device));
        return List.copyOf(uses);
    }

    /**
     * Processes that drive a function from user space. Its driver is not unbound before they end: the kernel would wait.
     *
     * @throws IOException if sysfs cannot be read
     */
    public List<DeviceUse> driven(PciDevice device) throws IOException {
        Path folder = bus.folder(device.address());
        List<String> nodes = new ArrayList<>();
        if (device.driver() != null && device.driver().contains("vfio") && device.iommuGroup() >= 0) {
            nodes.add("vfio/" + device.iommuGroup());
            nodes.add("vfio/noiommu-" + device.iommuGroup());
        }
        names(folder.resolve("vfio-dev")).forEach(name -> nodes.add("vfio/devices/" + name));
        nodes.addAll(names(folder.resolve("uio")));
        return blocks.openNodes(nodes);
    }

    /** What could not be looked at, a sentence each; known once it has been asked. */
    public List<String> unseen() {
        return blocks.unseen();
    }

    /** A network interface may lie deeper, as below the function of virtio. */
    private List<Path> networks(Path folder) throws IOException {
        List<Path> below = new ArrayList<>();
        for (Path network : Sysfs.list(bus.sysfs().resolve("class/net"))) {
            try {
                if (network.toRealPath().startsWith(folder.toRealPath())) {
                    below.add(network.toRealPath());
                }
            } catch (FileSystemException _) {
                // One of them has vanished.
            }
        }
        return below;
    }

    private static List<String> names(Path folder) throws IOException {
        List<String> names = new ArrayList<>();
        for (Path entry : Sysfs.list(folder)) {
            names.add(String.valueOf(entry.getFileName()));
        }
        return names;
    }
}
