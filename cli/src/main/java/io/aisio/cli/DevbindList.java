package io.aisio.cli;

import io.aisio.linux.block.DeviceUse;
import io.aisio.upcie.BoundBefore;
import io.aisio.upcie.FunctionUses;
import io.aisio.upcie.IommuGroup;
import io.aisio.upcie.KernelController;
import io.aisio.upcie.PciBus;
import io.aisio.upcie.PciDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;
import tools.jackson.core.JsonGenerator;

/** {@code devbind list}: the PCI functions, their drivers, and what is on them. */
@Command(
        name = "list",
        header = "Lists devices, their drivers, and what is on them.",
        description = {
            "%nOf a device that the kernel drives: mounts, swap, volumes, open nodes, and what its blocks hold, for which"
                    + " root is needed. Nothing is changed."
        },
        footer = {"  ./aisio devbind list", "  sudo ./aisio devbind list --all --output json"})
final class DevbindList implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.devbind.list/1";

    /** Base class and subclass of non-volatile memory controllers. */
    private static final int NVME = PciDevice.NVME >>> 8;

    @Option(names = "--all", description = "List the devices of every class.")
    private boolean all;

    @Option(
            names = "--class",
            defaultValue = "nvme",
            paramLabel = "CLASS",
            converter = Subclass.class,
            description = "nvme, or a class and subclass such as 0x0200 (nvme).")
    private int subclass;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    /** {@code nvme} or {@code 0x0108}. */
    static final class Subclass implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            if (value.equalsIgnoreCase("nvme")) {
                return NVME;
            }
            if (!value.matches("0x[0-9a-fA-F]{4}")) {
                throw new TypeConversionException("'" + value + "' is no class; try nvme or 0x0108");
            }
            return Integer.parseInt(value, 2, 6, 16);
        }
    }

    /** One device with all that is told of it. */
    private record Row(
            PciDevice device,
            @Nullable KernelController controller,
            @Nullable IommuGroup group,
            List<DeviceUse> uses,
            BoundBefore.@Nullable Binding before) {}

    @Override
    public Integer call() throws IOException {
        PciBus bus = new PciBus();
        FunctionUses uses = FunctionUses.look();
        PciBus.Scan scan = bus.scan();
        DevbindMemory memory = DevbindMemory.read();
        List<Row> rows = new ArrayList<>();
        for (PciDevice device : scan.devices()) {
            if (all || device.subclass() == subclass) {
                List<KernelController> controllers = KernelController.of(bus, device.address());
                rows.add(new Row(
                        device,
                        controllers.isEmpty() ? null : controllers.getFirst(),
                        device.iommuGroup() < 0 ? null : IommuGroup.read(bus, device.iommuGroup()),
                        uses.of(device),
                        memory.of(device.address())));
            }
        }
        List<String> notes = new ArrayList<>(scan.unreadable());
        uses.unseen().forEach(unseen -> notes.add("not all that is on the devices could be looked at: " + unseen));
        notes.addAll(memory.notes());
        if (output == Output.json) {
            json(rows, notes);
        } else {
            human(rows);
            notes.forEach(note -> System.err.println("note: " + Printable.of(note)));
        }
        return Exit.DONE;
    }

    private void human(List<Row> rows) throws IOException {
        TextTable table =
                new TextTable("ADDRESS", "ID", "DRIVER", "GROUP", "NODE", "NAME", "MODEL", "SERIAL", "WHAT IS ON IT");
        for (Row row : rows) {
            PciDevice device = row.device();
            KernelController controller = row.controller();
            table.add(
                    device.address().toString(),
                    ids(device),
                    text(device.driver()),
                    device.iommuGroup() < 0 ? "" : Integer.toString(device.iommuGroup()),
                    device.numaNode() < 0 ? "" : Integer.toString(device.numaNode()),
                    controller == null ? "" : controller.name(),
                    controller == null ? "" : controller.model(),
                    controller == null ? "" : controller.serial(),
                    on(row));
        }
        try (StandardOutput out = new StandardOutput()) {
            if (table.isEmpty()) {
                out.line(
                        all
                                ? "This machine has no PCI devices."
                                : String.format(
                                        Locale.ROOT,
                                        "This machine has no device of class 0x%04x%s; --all lists all classes.",
                                        subclass,
                                        subclass == NVME ? " (NVMe)" : ""));
            } else {
                table.print(out);
            }
        }
    }

    private static String on(Row row) {
        String uses = row.uses().stream().map(DeviceUse::toString).distinct().collect(Collectors.joining(", "));
        PciDevice physical = row.device();
        String virtual =
                physical.physicalFunction() == null ? "" : "virtual function of " + physical.physicalFunction();
        String before = row.before() == null
                ? ""
                : "had "
                        + (row.before().driver() == null
                                ? "no driver"
                                : row.before().driver());
        return List.of(virtual, uses, before).stream()
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining("; "));
    }

    private static String ids(PciDevice device) {
        return String.format(Locale.ROOT, "%04x:%04x", device.vendor(), device.device());
    }

    private static String text(@Nullable String text) {
        return text == null ? "" : text;
    }

    private static void json(List<Row> rows, List<String> notes) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeArrayPropertyStart("devices");
            for (Row row : rows) {
                device(json, row);
            }
            json.writeEndArray();
            json.writeArrayPropertyStart("notes");
            notes.forEach(json::writeString);
            json.writeEndArray();
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }

    private static void device(JsonGenerator json, Row row) {
        PciDevice device = row.device();
        json.writeStartObject();
        json.writeStringProperty("address", device.address().toString());
        hex(json, "vendor", device.vendor(), 4);
        hex(json, "device", device.device(), 4);
        hex(json, "subsystem_vendor", device.subsystemVendor(), 4);
        hex(json, "subsystem_device", device.subsystemDevice(), 4);
        hex(json, "class", device.classCode(), 6);
        json.writeNumberProperty("revision", device.revision());
        orNull(json, "driver", device.driver());
        orNull(json, "driver_override", device.driverOverride());
        orNull(json, "had_driver", row.before() == null ? null : row.before().driver());
        IommuGroup group = row.group();
        if (group == null) {
            json.writeNullProperty("iommu_group");
        } else {
            json.writeObjectPropertyStart("iommu_group");
            json.writeNumberProperty("number", group.number());
            json.writeStringProperty("type", group.type());
            json.writeArrayPropertyStart("in_the_way");
            group.inTheWayOf(device.address())
                    .forEach(other -> json.writeString(other.address().toString()));
            json.writeEndArray();
            json.writeEndObject();
        }
        if (device.numaNode() < 0) {
            json.writeNullProperty("numa_node");
        } else {
            json.writeNumberProperty("numa_node", device.numaNode());
        }
        KernelController controller = row.controller();
        orNull(json, "name", controller == null ? null : controller.name());
        orNull(json, "model", controller == null ? null : controller.model());
        orNull(json, "serial", controller == null ? null : controller.serial());
        json.writeArrayPropertyStart("bars");
        for (PciDevice.Region bar : device.regions()) {
            json.writeStartObject();
            json.writeNumberProperty("index", bar.index());
            json.writeNumberProperty("bytes", bar.size());
            json.writeBooleanProperty("memory", bar.memory());
            json.writeBooleanProperty("64_bit", bar.wide());
            json.writeBooleanProperty("prefetchable", bar.prefetchable());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeNumberProperty("virtual_functions", device.numVfs());
        json.writeNumberProperty("virtual_functions_possible", device.totalVfs());
        orNull(
                json,
                "physical_function",
                device.physicalFunction() == null
                        ? null
                        : device.physicalFunction().toString());
        json.writeArrayPropertyStart("uses");
        for (DeviceUse use : row.uses()) {
            json.writeStartObject();
            json.writeStringProperty("kind", use.kind().name().toLowerCase(Locale.ROOT));
            json.writeStringProperty("device", use.device());
            json.writeStringProperty("what", use.what());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private static void hex(JsonGenerator json, String name, int value, int digits) {
        json.writeStringProperty(name, String.format(Locale.ROOT, "0x%0" + digits + "x", value));
    }

    private static void orNull(JsonGenerator json, String name, @Nullable String value) {
        if (value == null) {
            json.writeNullProperty(name);
        } else {
            json.writeStringProperty(name, value);
        }
    }
}
