package io.aisio.upcie;

import io.aisio.linux.Sysfs;
import io.aisio.linux.Udmabuf;
import io.aisio.linux.UdmabufImport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The ways in which the kernel lends a PCI function to a process. */
public enum Access {
    /** VFIO by the device's own file, its memory mapped in an address space of {@code /dev/iommu}. */
    IOMMUFD("VFIO with iommufd"),
    /** VFIO by the IOMMU group's file, its memory mapped by the type 1 driver. */
    TYPE1("VFIO with a type 1 container"),
    /**
     * VFIO by the group's file, but no IOMMU: the function reaches all memory of the machine, so that a mistake of the
     * driver's may destroy anything. Needs huge pages and root.
     */
    NOIOMMU("VFIO without an IOMMU, unsafe"),
    /**
     * {@code uio_pci_generic}: registers by sysfs, no IOMMU of its own. Needs huge pages and root; behind an
     * IOMMU that translates, the kernel's driver {@code udmabuf} and the module {@code udmabuf-import} instead of huge pages.
     */
    UIO("UIO");

    private static final String VFIO_DRIVER = "vfio-pci";
    private static final String UIO_DRIVER = "uio_pci_generic";

    /** Where the kernel's drivers have their nodes. */
    private static final Path NODES = Path.of("/dev");

    private final String description;

    Access(String description) {
        this.description = description;
    }

    /** For people. */
    public String description() {
        return description;
    }

    /**
     * By its name, in lower case.
     *
     * @throws IllegalArgumentException if there is none of this name; the message is one sentence
     */
    public static Access parse(String text) {
        for (Access access : values()) {
            if (access.toString().equals(text)) {
                return access;
            }
        }
        throw new IllegalArgumentException("no access by '" + text + "'; there is iommufd, type1, noiommu and uio");
    }

    /**
     * The way to a function that was asked for, or else the best that the binding allows.
     *
     * @throws IOException if it allows none, or not that one
     */
    static Access of(PciBus bus, PciDevice device, FunctionOptions options) throws IOException {
        return of(bus, device, options, NODES);
    }

    /**
     * The same.
     *
     * @param nodes {@code /dev} but in tests
     */
    static Access of(PciBus bus, PciDevice device, FunctionOptions options, Path nodes) throws IOException {
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
        if (access == NOIOMMU && !options.unsafe()) {
            throw new IOException(
                    "%s: no IOMMU keeps this device from any of the machine's memory; next: turn the IOMMU on, or"
                                    .formatted(device.address())
                            + " allow it by the option unsafe: " + device.address() + "?unsafe");
        }
        if (access == UIO) {
            requireAddresses(bus, device, options, nodes);
        }
        return access;
    }

    /** With UIO the function is given physical addresses, which an IOMMU that translates does not know, or imported ones. */
    private static void requireAddresses(PciBus bus, PciDevice device, FunctionOptions options, Path nodes)
            throws IOException {
        if (!translates(bus, device)) {
            return;
        }
        for (Path node : List.of(Udmabuf.PATH, UdmabufImport.PATH)) {
            if (Files.notExists(nodes.resolve(node.getFileName()))) {
                throw new IOException(
                        "%s: the IOMMU translates for it (%s), which UIO cannot serve without %s; next: ./aisio devbind bind --driver vfio-pci %s,"
                                        .formatted(device.address(), translation(bus, device), node, device.address())
                                + " or load the kernel modules udmabuf and udmabuf-import, or iommu=pt on the kernel's"
                                + " command line");
            }
        }
        if (options.hugePageBytes() != FunctionOptions.DEFAULT.hugePageBytes()) {
            throw new IOException(
                    "%s: the IOMMU translates for it (%s), and UIO takes ordinary pages there; next: leave out hugepages"
                            .formatted(device.address(), translation(bus, device)));
        }
    }

    /** Whether an IOMMU translates for the function while no program has it by VFIO. */
    static boolean translates(PciBus bus, PciDevice device) throws IOException {
        String type = translation(bus, device);
        return type != null && !type.equals("identity");
    }

    private static @Nullable String translation(PciBus bus, PciDevice device) throws IOException {
        return Sysfs.text(bus.folder(device.address()).resolve("iommu_group/type"));
    }

    /** The best first. */
    private static List<Access> possible(PciBus bus, PciDevice device) throws IOException {
        String driver = device.driver();
        if (UIO_DRIVER.equals(driver)) {
            return List.of(UIO);
        }
        if (!VFIO_DRIVER.equals(driver)) {
            return List.of();
        }
        Path group = bus.folder(device.address()).resolve("iommu_group");
        if ("vfio-noiommu".equals(Sysfs.text(group.resolve("name")))) {
            return List.of(NOIOMMU);
        }
        return VfioFunction.hasDeviceFile(bus, device) ? List.of(IOMMUFD, TYPE1) : List.of(TYPE1);
    }

    /** {@code iommufd}, {@code type1}, {@code noiommu} or {@code uio}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
