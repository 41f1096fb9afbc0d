package io.aisio.upcie;

import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Which ways there are to a function, by what it is bound to. */
final class Binding {
    private static final String VFIO = "vfio-pci";
    private static final String UIO = "uio_pci_generic";

    private Binding() {}

    /**
     * The way that was asked for, or else the best that the binding allows.
     *
     * @throws IOException if it allows none, or not that one
     */
    static Access access(PciBus bus, PciDevice device, FunctionOptions options) throws IOException {
        List<Access> possible = possible(bus, device);
        if (possible.isEmpty()) {
            throw new IOException("%s: %s; next: as root, ./aisio devbind bind --driver vfio-pci %s"
                    .formatted(
                            device.address(),
                            device.driver() == null
                                    ? "bound to no driver"
                                    : "bound to the kernel's driver " + device.driver(),
                            device.address()));
        }
        Access wanted = options.access();
        Access access = wanted == null ? possible.getFirst() : wanted;
        if (!possible.contains(access)) {
            throw new IOException("%s: bound to %s, there is no access by %s; there is %s"
                    .formatted(device.address(), device.driver(), access, possible));
        }
        if (access == Access.NOIOMMU && !options.unsafe()) {
            throw new IOException(
                    "%s: no IOMMU keeps this device from any of the machine's memory; next: turn the IOMMU on, or"
                                    .formatted(device.address())
                            + " allow it by the option unsafe: " + device.address() + "?unsafe");
        }
        if (access == Access.UIO) {
            requireNoTranslation(bus, device);
        }
        return access;
    }

    /** With UIO the function is given physical addresses, which an IOMMU that translates does not know. */
    private static void requireNoTranslation(PciBus bus, PciDevice device) throws IOException {
        String type = Sysfs.text(bus.folder(device.address()).resolve("iommu_group/type"));
        if (type != null && !type.equals("identity")) {
            throw new IOException(
                    "%s: the IOMMU translates for it (%s), which UIO cannot serve; next: ./aisio devbind bind --driver vfio-pci %s,"
                                    .formatted(device.address(), type, device.address())
                            + " or iommu=pt on the kernel's command line");
        }
    }

    /** The best first. */
    private static List<Access> possible(PciBus bus, PciDevice device) throws IOException {
        String driver = device.driver();
        if (UIO.equals(driver)) {
            return List.of(Access.UIO);
        }
        if (!VFIO.equals(driver)) {
            return List.of();
        }
        Path group = bus.folder(device.address()).resolve("iommu_group");
        if ("vfio-noiommu".equals(Sysfs.text(group.resolve("name")))) {
            return List.of(Access.NOIOMMU);
        }
        return VfioFunction.hasDeviceFile(bus, device) ? List.of(Access.IOMMUFD, Access.TYPE1) : List.of(Access.TYPE1);
    }
}
