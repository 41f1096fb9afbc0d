package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The virtual functions of a physical one (PCI Express Base 5.0, section 9; {@code PCI/pci-iov-howto}): they come and go all
 * at once, and the physical function's driver has to agree.
 */
public final class VirtualFunctions {
    private final PciBus bus;
    private final PciAddress physical;
    private final Path folder;

    /** @param physical the physical function's address */
    public VirtualFunctions(PciBus bus, PciAddress physical) {
        this.bus = bus;
        this.physical = physical;
        folder = bus.folder(physical);
    }

    /**
     * Makes virtual functions, none of which the kernel gives to a driver by itself: what is to drive them is bound later.
     *
     * @param count 1 to {@link PciDevice#totalVfs}
     * @return their addresses, by their numbers from 1 on
     * @throws IOException if the function has not so many, or has some already, or the kernel refuses
     */
    public List<PciAddress> enable(int count) throws IOException {
        PciDevice device = bus.device(physical);
        if (count < 1 || count > device.totalVfs()) {
            throw new IOException("%s: %d virtual functions; %s"
                    .formatted(
                            physical,
                            count,
                            device.totalVfs() == 0
                                    ? "it has no SR-IOV"
                                    : "1 to " + device.totalVfs() + " are possible"));
        }
        if (device.numVfs() != 0) {
            throw new IOException(physical + ": has " + device.numVfs()
                    + " virtual functions already; they are taken away before others are made");
        }
        // Without this the kernel's driver would take each, and fail: it has no queues yet.
        Path autoprobe = folder.resolve("sriov_drivers_autoprobe");
        String before = Sysfs.text(autoprobe);
        Sysfs.write(autoprobe, "0");
        try {
            write(count);
        } catch (IOException e) {
            try {
                putBack(autoprobe, before);
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
        putBack(autoprobe, before);
        return addresses();
    }

    /** A driver that is asked for by driver_override is found whatever it is ({@code pci_device_can_probe}). */
    private static void putBack(Path autoprobe, @Nullable String before) throws LinuxException {
        if (before != null) {
            Sysfs.write(autoprobe, before);
        }
    }

    /** Takes all virtual functions away. Whoever drives one is asked to give it back, and waited for. */
    public void disable() throws IOException {
        write(0);
    }

    private void write(int count) throws IOException {
        try {
            Sysfs.write(folder.resolve("sriov_numvfs"), Integer.toString(count));
        } catch (LinuxException e) {
            throw e.errno() == Errno.ENOENT
                    ? new IOException(
                            physical + ": its driver knows no virtual functions; next: bind it to nvme, or to"
                                    + " vfio-pci loaded with enable_sriov=1",
                            e)
                    : e;
        }
    }

    /** Their addresses, by their numbers from 1 on. */
    public List<PciAddress> addresses() throws IOException {
        List<PciAddress> addresses = new ArrayList<>();
        while (true) {
            String target = Sysfs.link(folder.resolve("virtfn" + addresses.size()));
            if (target == null) {
                return addresses;
            }
            addresses.add(PciAddress.parse(target));
        }
    }
}
