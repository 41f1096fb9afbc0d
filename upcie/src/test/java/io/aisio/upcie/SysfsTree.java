package io.aisio.upcie;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A sysfs of files in a folder, as far as PCI goes. */
final class SysfsTree {
    private final Path root;

    SysfsTree(Path root) throws IOException {
        this.root = root;
        Files.createDirectories(root.resolve("bus/pci/devices"));
        Files.createDirectories(root.resolve("bus/pci/drivers"));
    }

    Path root() {
        return root;
    }

    PciBus bus() {
        return new PciBus(root);
    }

    /** An NVMe controller as QEMU has it, below the folder of a root complex, as the kernel has it. */
    Path nvme(String address) throws IOException {
        Path folder = Files.createDirectories(root.resolve("devices/pci0000:00/" + address));
        Files.createSymbolicLink(
                root.resolve("bus/pci/devices/" + address), Path.of("../../../devices/pci0000:00/" + address));
        write(folder.resolve("vendor"), "0x1b36");
        write(folder.resolve("device"), "0x0010");
        write(folder.resolve("subsystem_vendor"), "0x1af4");
        write(folder.resolve("subsystem_device"), "0x1100");
        write(folder.resolve("class"), "0x010802");
        write(folder.resolve("revision"), "0x02");
        write(folder.resolve("numa_node"), "-1");
        write(folder.resolve("driver_override"), "(null)");
        write(folder.resolve("resource"), """
                0x00000000febd0000 0x00000000febd3fff 0x0000000000140204
                0x0000000000000000 0x0000000000000000 0x0000000000000000
                0x0000000000000000 0x0000000000000000 0x0000000000000000
                0x0000000000000000 0x0000000000000000 0x0000000000000000
                0x0000000000000000 0x0000000000000000 0x0000000000000000
                0x0000000000000000 0x0000000000000000 0x0000000000000000
                0x0000000000000000 0x0000000000000000 0x0000000000000000""");
        return folder;
    }

    void driver(Path function, String name) throws IOException {
        Path driver = Files.createDirectories(root.resolve("bus/pci/drivers/" + name));
        Files.deleteIfExists(function.resolve("driver"));
        Files.createSymbolicLink(function.resolve("driver"), driver);
    }

    void group(Path function, int number) throws IOException {
        Path group = Files.createDirectories(root.resolve("kernel/iommu_groups/" + number + "/devices"));
        Files.createSymbolicLink(function.resolve("iommu_group"), group.getParent());
        Files.createSymbolicLink(group.resolve(function.getFileName()), function);
    }

    static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text + "\n");
    }
}
