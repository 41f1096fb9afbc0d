package io.aisio.cli;

import io.aisio.linux.Sysfs;
import io.aisio.linux.block.BlockDevice;
import io.aisio.linux.block.BlockDevices;
import io.aisio.upcie.KernelController;
import io.aisio.upcie.PciBus;
import io.aisio.upcie.PciDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code xnvme enum}: the controllers that there are. */
@Command(
        name = "enum",
        header = "Lists NVMe controllers, who drives them, and the names by which the other commands open them.",
        footer = {"  ./aisio xnvme enum", "  ./aisio xnvme enum --output yaml"})
final class XnvmeEnum implements Callable<Integer> {
    /** Drivers that give a controller to user space. */
    private static final Set<String> USER_SPACE = Set.of("vfio-pci", "uio_pci_generic");

    @Option(
            names = "--output",
            defaultValue = "text",
            paramLabel = "FORMAT",
            description = "text, yaml or json (text).")
    @SuppressWarnings("NullAway.Init")
    private XnvmeReport.Format output;

    @Override
    public Integer call() throws IOException {
        PciBus bus = new PciBus();
        PciBus.Scan scan = bus.scan();
        List<Object> controllers = new ArrayList<>();
        for (PciDevice device : scan.devices()) {
            if (device.isNvme()) {
                controllers.add(controller(bus, device));
            }
        }
        for (Path fabric : fabrics()) {
            controllers.add(row(
                    text(fabric, "address"),
                    text(fabric, "transport"),
                    fabric.getFileName().toString(),
                    text(fabric, "model"),
                    text(fabric, "serial"),
                    nodes(fabric)));
        }
        XnvmeReport report =
                new XnvmeReport("enum").put("controllers", controllers).put("notes", scan.unreadable());
        if (output == XnvmeReport.Format.text) {
            print(controllers);
            scan.unreadable().forEach(note -> System.err.println("note: " + Printable.of(note)));
        } else {
            report.print(output);
        }
        return Exit.DONE;
    }

    private static void print(List<Object> controllers) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            if (controllers.isEmpty()) {
                out.line("This machine has no NVMe controller; emu:1GiB is one in software.");
                return;
            }
            TextTable table = new TextTable("ADDRESS", "DRIVER", "NAME", "MODEL", "SERIAL", "OPENED AS");
            for (Object controller : controllers) {
                List<String> cells = new ArrayList<>();
                ((Map<?, ?>) controller)
                        .values()
                        .forEach(value -> cells.add(
                                value instanceof List<?> list
                                        ? String.join(
                                                ", ",
                                                list.stream()
                                                        .map(String::valueOf)
                                                        .toList())
                                        : value == null ? "" : value.toString()));
                table.add(cells.toArray(String[]::new));
            }
            table.print(out);
        }
    }

    private static Map<String, @Nullable Object> controller(PciBus bus, PciDevice device) throws IOException {
        String address = device.address().toString();
        List<KernelController> kernel = KernelController.of(bus, device.address());
        if (kernel.isEmpty()) {
            boolean open = device.driver() != null && USER_SPACE.contains(device.driver());
            return row(address, device.driver(), null, null, null, open ? List.of(address) : List.of());
        }
        KernelController controller = kernel.getFirst();
        List<String> names = nodes(bus.folder(device.address()).resolve("nvme").resolve(controller.name()));
        for (BlockDevice block : new BlockDevices(Sysfs.ROOT).below(bus.folder(device.address()))) {
            String node = "/dev/" + block.name();
            if (!names.contains(node)) {
                names.add(node);
            }
        }
        return row(address, device.driver(), controller.name(), controller.model(), controller.serial(), names);
    }

    /** The controller's own node, and those of its namespaces. */
    private static List<String> nodes(Path controller) throws IOException {
        List<String> names = new ArrayList<>(List.of("/dev/" + controller.getFileName()));
        for (Path entry : Sysfs.list(controller)) {
            String name = String.valueOf(entry.getFileName());
            if (name.matches("(nvme|ng)\\d+n\\d+")) {
                names.add("/dev/" + name);
            }
        }
        return names;
    }

    /** Controllers of the kernel's that are not on the PCI bus. */
    private static List<Path> fabrics() throws IOException {
        List<Path> found = new ArrayList<>();
        for (Path controller : Sysfs.list(Sysfs.ROOT.resolve("class/nvme"))) {
            if (!"pcie".equals(Sysfs.text(controller.resolve("transport")))) {
                found.add(controller);
            }
        }
        return found;
    }

    private static @Nullable String text(Path folder, String attribute) throws IOException {
        String text = Sysfs.text(folder.resolve(attribute));
        return text == null ? null : text.strip();
    }

    private static Map<String, @Nullable Object> row(
            @Nullable String address,
            @Nullable String driver,
            @Nullable String name,
            @Nullable String model,
            @Nullable String serial,
            List<String> names) {
        Map<String, @Nullable Object> row = new LinkedHashMap<>();
        row.put("address", address);
        row.put("driver", driver);
        row.put("name", name);
        row.put("model", model);
        row.put("serial", serial);
        row.put("devices", names);
        return row;
    }
}
