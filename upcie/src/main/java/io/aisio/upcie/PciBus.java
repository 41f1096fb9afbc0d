package io.aisio.upcie;

import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The PCI functions of this machine, as sysfs shows them. Looking changes nothing, and needs no rights. */
public final class PciBus {
    private final Path sysfs;

    /** @param sysfs where sysfs is, {@link Sysfs#ROOT} but in tests */
    public PciBus(Path sysfs) {
        this.sysfs = sysfs;
    }

    /** The bus of this machine. */
    public PciBus() {
        this(Sysfs.ROOT);
    }

    /**
     * What is on the bus.
     *
     * @param devices by address
     * @param unreadable what could not be made sense of, a sentence each
     */
    public record Scan(List<PciDevice> devices, List<String> unreadable) {}

    /**
     * Looks at every function. One that vanishes meanwhile is left out.
     *
     * @throws IOException if the bus itself cannot be listed
     */
    public Scan scan() throws IOException {
        List<PciDevice> devices = new ArrayList<>();
        List<String> unreadable = new ArrayList<>();
        for (Path folder : Sysfs.list(devices())) {
            String name = String.valueOf(folder.getFileName());
            if (!PciAddress.isAddress(name)) {
                unreadable.add(folder + ": no PCI address");
                continue;
            }
            try {
                devices.add(PciDevice.read(PciAddress.parse(name), folder));
            } catch (IOException e) {
                if (Files.exists(folder.resolve("vendor"))) {
                    unreadable.add(String.valueOf(e.getMessage()));
                }
            }
        }
        devices.sort(Comparator.comparing(PciDevice::address));
        return new Scan(List.copyOf(devices), List.copyOf(unreadable));
    }

    /**
     * Every function that makes sense.
     *
     * @throws IOException if the bus itself cannot be listed
     */
    public List<PciDevice> list() throws IOException {
        return scan().devices();
    }

    /**
     * Every function of a class.
     *
     * @param subclass base class and subclass, such as 0x0108 for non-volatile memory
     * @throws IOException if the bus itself cannot be listed
     */
    public List<PciDevice> ofClass(int subclass) throws IOException {
        return list().stream().filter(device -> device.subclass() == subclass).toList();
    }

    /**
     * One function.
     *
     * @throws IOException if there is none at this address, or it makes no sense
     */
    public PciDevice device(PciAddress address) throws IOException {
        Path folder = folder(address);
        if (!Files.isDirectory(folder)) {
            throw new IOException(
                    address + ": no such PCI function; './aisio devbind list --all' shows those there are");
        }
        return PciDevice.read(address, folder);
    }

    /** The function's folder in sysfs. */
    public Path folder(PciAddress address) {
        return devices().resolve(address.toString());
    }

    /** Where sysfs is. */
    Path sysfs() {
        return sysfs;
    }

    /** Where the bus has its drivers and devices. */
    Path bus() {
        return sysfs.resolve("bus/pci");
    }

    private Path devices() {
        return bus().resolve("devices");
    }
}
