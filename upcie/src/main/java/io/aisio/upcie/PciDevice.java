package io.aisio.upcie;

import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A PCI function as the kernel shows it in sysfs ({@code Documentation/ABI/testing/sysfs-bus-pci}); nothing is opened or
 * held, and it may be another a moment later.
 *
 * @param address where it is
 * @param vendor of the function, 16 bits
 * @param device which of the vendor's, 16 bits
 * @param subsystemVendor who built the card, 16 bits
 * @param subsystemDevice which of that vendor's, 16 bits
 * @param classCode base class, subclass and programming interface, 8 bits each: {@link #NVME}
 * @param revision 8 bits
 * @param driver that is bound to it; null if none is
 * @param iommuGroup the number of its IOMMU group; -1 if it has none
 * @param numaNode that is near to it; -1 if the machine does not tell
 * @param regions what its base address registers decode, by index; those without a size are left out
 * @param driverOverride the only driver that may bind to it; null if any may
 * @param totalVfs virtual functions that it can have at most; 0 if it has no SR-IOV
 * @param numVfs virtual functions that it has now
 * @param physicalFunction whose virtual function this is; null if it is none
 */
public record PciDevice(
        PciAddress address,
        int vendor,
        int device,
        int subsystemVendor,
        int subsystemDevice,
        int classCode,
        int revision,
        @Nullable String driver,
        int iommuGroup,
        int numaNode,
        List<Region> regions,
        @Nullable String driverOverride,
        int totalVfs,
        int numVfs,
        @Nullable PciAddress physicalFunction) {

    /** Class code of an NVMe I/O controller: mass storage, non-volatile memory, NVM Express (PCI Code and ID Assignment). */
    public static final int NVME = 0x010802;

    /** Base address registers of a function with a type 0 header. */
    private static final int BARS = 6;

    // linux/ioport.h.
    private static final long IORESOURCE_IO = 0x100;
    private static final long IORESOURCE_MEM = 0x200;
    private static final long IORESOURCE_PREFETCH = 0x2000;
    private static final long IORESOURCE_MEM_64 = 0x0010_0000;
    private static final long IORESOURCE_UNSET = 0x2000_0000;

    /**
     * What a base address register decodes.
     *
     * @param index 0 to 5
     * @param start physical address, or I/O port; 0 where the kernel could not assign one, or hides it from this user
     * @param size in bytes
     * @param memory whether it is memory, not I/O ports
     * @param wide whether the register is one of 64 bits, which takes the next index too
     * @param prefetchable whether reading has no side effects
     * @param assigned whether it has an address, without which it cannot be reached
     */
    public record Region(
            int index, long start, long size, boolean memory, boolean wide, boolean prefetchable, boolean assigned) {}

    /** The base class and subclass, such as 0x0108. */
    public int subclass() {
        return classCode >>> 8;
    }

    /** Whether it is an NVMe controller. */
    public boolean isNvme() {
        return classCode == NVME;
    }

    /** What a base address register decodes, or null if nothing. */
    public @Nullable Region region(int index) {
        return regions.stream()
                .filter(region -> region.index() == index)
                .findFirst()
                .orElse(null);
    }

    /**
     * Reads a function's folder.
     *
     * @throws IOException if an attribute cannot be read, or says what makes no sense
     */
    static PciDevice read(PciAddress address, Path folder) throws IOException {
        String group = Sysfs.link(folder.resolve("iommu_group"));
        String physical = Sysfs.link(folder.resolve("physfn"));
        String override = Sysfs.text(folder.resolve("driver_override"));
        return new PciDevice(
                address,
                required(folder.resolve("vendor"), 0xFFFF),
                required(folder.resolve("device"), 0xFFFF),
                Sysfs.number(folder.resolve("subsystem_vendor"), 0, 0, 0xFFFF),
                Sysfs.number(folder.resolve("subsystem_device"), 0, 0, 0xFFFF),
                required(folder.resolve("class"), 0xFF_FFFF),
                Sysfs.number(folder.resolve("revision"), 0, 0, 0xFF),
                Sysfs.link(folder.resolve("driver")),
                group == null ? -1 : inRange(folder.resolve("iommu_group"), group),
                Sysfs.number(folder.resolve("numa_node"), -1, -1, Integer.MAX_VALUE),
                regions(folder.resolve("resource")),
                // The kernel prints a null pointer where none is set.
                override == null || override.isEmpty() || override.equals("(null)") ? null : override,
                Sysfs.number(folder.resolve("sriov_totalvfs"), 0, 0, 0xFFFF),
                Sysfs.number(folder.resolve("sriov_numvfs"), 0, 0, 0xFFFF),
                physical == null || !PciAddress.isAddress(physical) ? null : PciAddress.parse(physical));
    }

    private static int required(Path attribute, int most) throws IOException {
        String text = Sysfs.text(attribute);
        if (text == null) {
            throw new IOException(attribute + ": not there");
        }
        long number = Sysfs.number(attribute, text);
        if (number < 0 || number > most) {
            throw new IOException(attribute + ": '" + text + "' is out of range");
        }
        return (int) number;
    }

    private static int inRange(Path link, String group) throws IOException {
        long number = Sysfs.number(link, group);
        if (number < 0 || number > Integer.MAX_VALUE) {
            throw new IOException(link + ": '" + group + "' is out of range");
        }
        return (int) number;
    }

    /** A line each: first address, last address, flags. What follows the six is the ROM, and what belongs to SR-IOV. */
    private static List<Region> regions(Path attribute) throws IOException {
        String text = Sysfs.text(attribute);
        if (text == null) {
            return List.of();
        }
        List<Region> regions = new ArrayList<>();
        List<String> lines = text.lines().limit(BARS).toList();
        for (int i = 0; i < lines.size(); i++) {
            String[] words = lines.get(i).split(" ", -1);
            if (words.length != 3) {
                throw new IOException(attribute + ": line " + (i + 1) + " is '" + lines.get(i) + "'");
            }
            long start = Sysfs.number(attribute, words[0]);
            long end = Sysfs.number(attribute, words[1]);
            long flags = Sysfs.number(attribute, words[2]);
            long size = end - start + 1;
            if ((flags & (IORESOURCE_MEM | IORESOURCE_IO)) == 0 || end == 0) {
                continue;
            }
            if (size <= 0 || Long.compareUnsigned(end, start) < 0) {
                throw new IOException(attribute + ": line " + (i + 1) + " ends before it begins");
            }
            regions.add(new Region(
                    i,
                    start,
                    size,
                    (flags & IORESOURCE_MEM) != 0,
                    (flags & IORESOURCE_MEM_64) != 0,
                    (flags & IORESOURCE_PREFETCH) != 0,
                    (flags & IORESOURCE_UNSET) == 0));
        }
        return List.copyOf(regions);
    }
}
