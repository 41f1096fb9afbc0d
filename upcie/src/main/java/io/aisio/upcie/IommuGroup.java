package io.aisio.upcie;

import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * An IOMMU group: functions that the IOMMU cannot keep apart, so that VFIO gives them to user space together or not at
 * all ({@code Documentation/driver-api/vfio.rst}).
 *
 * @param number of the group
 * @param type of its default domain, {@code DMA}, {@code DMA-FQ} or {@code identity}; empty if the kernel does not tell
 * @param devices that are in it
 */
public record IommuGroup(int number, String type, List<PciDevice> devices) {
    /** Drivers that do no DMA of their own: what {@code driver_managed_dma} marks, and VFIO's own allow list. */
    private static final Set<String> HARMLESS = Set.of("pcieport", "pci-stub");

    /**
     * Looks at a group.
     *
     * @throws IOException if sysfs cannot be read
     */
    public static IommuGroup read(PciBus bus, int number) throws IOException {
        Path folder = bus.sysfs().resolve("kernel/iommu_groups").resolve(Integer.toString(number));
        List<PciDevice> devices = new ArrayList<>();
        for (Path entry : Sysfs.list(folder.resolve("devices"))) {
            String name = String.valueOf(entry.getFileName());
            if (PciAddress.isAddress(name)) {
                devices.add(bus.device(PciAddress.parse(name)));
            }
        }
        String type = Sysfs.text(folder.resolve("type"));
        return new IommuGroup(number, type == null ? "" : type, List.copyOf(devices));
    }

    /** Those of the group whose kernel driver keeps VFIO from giving the function away. */
    public List<PciDevice> inTheWayOf(PciAddress function) {
        return devices.stream()
                .filter(device -> !device.address().equals(function))
                .filter(device -> {
                    String driver = device.driver();
                    return driver != null && !driver.contains("vfio") && !HARMLESS.contains(driver);
                })
                .toList();
    }
}
