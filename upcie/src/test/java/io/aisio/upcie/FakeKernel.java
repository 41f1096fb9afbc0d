package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Does to a {@link SysfsTree} what the kernel does when an attribute of a driver is written. */
final class FakeKernel implements DriverBinding.Writer {
    final List<String> written = new ArrayList<>();
    /** Drivers that refuse every function. */
    final Set<String> unwilling = new HashSet<>();
    /** Attributes that fail, by their last name. */
    final Set<String> failing = new HashSet<>();

    private final SysfsTree tree;
    private final String natural;

    /** @param natural the driver that takes a function which asks for none */
    FakeKernel(SysfsTree tree, String natural) {
        this.tree = tree;
        this.natural = natural;
    }

    @Override
    public void write(Path attribute, String text) throws LinuxException {
        String name = String.valueOf(attribute.getFileName());
        written.add(name + "=" + text.strip());
        if (failing.contains(name)) {
            throw new LinuxException("pwrite", attribute.toString(), Errno.EBUSY);
        }
        try {
            switch (name) {
                case "driver_override" -> SysfsTree.write(attribute, text.isBlank() ? "(null)" : text);
                case "unbind" -> Files.delete(attribute.getParent());
                case "drivers_probe" -> probe(text);
                default -> throw new LinuxException("open", attribute.toString(), Errno.ENOENT);
            }
        } catch (LinuxException e) {
            throw e;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void probe(String address) throws IOException {
        Path function = tree.root().resolve("bus/pci/devices").resolve(address);
        PciDevice device = tree.bus().device(PciAddress.parse(address));
        String wanted = device.driverOverride() == null ? natural : device.driverOverride();
        boolean there = Files.isDirectory(tree.root().resolve("bus/pci/drivers").resolve(wanted));
        if (device.driver() == null && there && !unwilling.contains(wanted)) {
            tree.driver(function, wanted);
        }
    }
}
