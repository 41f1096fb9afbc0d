package io.aisio.cli;

import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.ControllerData;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.command.NamespaceData;
import io.aisio.nvme.spec.Identify;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code xnvme idfy}: Identify. */
@Command(
        name = "idfy",
        header = "Tells what a controller and a namespace say of themselves (Identify).",
        footer = {"  ./aisio xnvme idfy emu:1GiB", "  ./aisio xnvme idfy --cns 0x06 --csi 0x02 /dev/ng0n1"})
final class XnvmeIdfy implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Option(
            names = "--nsid",
            converter = XnvmeOptions.Whole.class,
            paramLabel = "N",
            description = "The namespace (the device's).")
    private @Nullable Long nsid;

    @Option(
            names = "--cns",
            converter = XnvmeOptions.Whole.class,
            paramLabel = "N",
            description = "A structure by its number, such as 0x06, byte by byte; otherwise those of controller and"
                    + " namespace.")
    private @Nullable Long cns;

    @Option(
            names = "--csi",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "With --cns, the command set: 0 NVM, 2 zoned (0).")
    private long csi;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = options.open()) {
            Passthrough commands = target.commands();
            Identities identities = new Identities(commands);
            int namespace = nsid == null ? commands.nsid() : nsid.intValue();
            XnvmeReport report = target.report("idfy");
            if (cns != null) {
                report.put("cns", XnvmeReport.hex(cns, 1))
                        .put("csi", XnvmeReport.hex(csi, 1))
                        .put("nsid", namespace);
                HexDump.put(
                        report, identities.raw(namespace, Math.toIntExact(cns), Math.toIntExact(csi)), options.output);
            } else {
                report.put("controller", controller(identities.controller()));
                report.put("namespaces", identities.namespaces());
                if (namespace != 0) {
                    NamespaceData data = identities.namespace(namespace);
                    report.put("namespace", namespace(data));
                    report.put("descriptors", identities.descriptors(namespace));
                    if (data.commandSet() == Identify.CSI_ZONED) {
                        report.put("zones", identities.zones(namespace));
                    }
                }
            }
            report.print(options.output);
            return Exit.DONE;
        }
    }

    private static Map<String, @Nullable Object> controller(ControllerData data) {
        Map<String, @Nullable Object> all = XnvmeReport.components(data);
        all.put("vendor", XnvmeReport.hex(data.vendor(), 2));
        all.put("subsystem_vendor", XnvmeReport.hex(data.subsystemVendor(), 2));
        all.put("version", version(data.version()));
        all.put("attributes", XnvmeReport.hex(data.attributes(), 4));
        all.put("optional_admin_commands", XnvmeReport.hex(data.optionalAdminCommands(), 2));
        all.put("optional_nvm_commands", XnvmeReport.hex(data.optionalNvmCommands(), 2));
        all.put("optional_events", XnvmeReport.hex(data.optionalEvents(), 4));
        all.put("log_attributes", XnvmeReport.hex(data.logAttributes(), 1));
        all.put("sanitize", XnvmeReport.hex(data.sanitize(), 4));
        all.put("format_attributes", XnvmeReport.hex(data.formatAttributes(), 1));
        all.put("write_cache", XnvmeReport.hex(data.writeCache(), 1));
        all.put("copy_formats", XnvmeReport.hex(data.copyFormats(), 2));
        all.put("sgl", XnvmeReport.hex(data.sgl(), 4));
        return all;
    }

    private static Map<String, @Nullable Object> namespace(NamespaceData data) {
        Map<String, @Nullable Object> all = new LinkedHashMap<>(XnvmeReport.components(data));
        all.put("features", XnvmeReport.hex(data.features(), 1));
        all.put("metadata_capabilities", XnvmeReport.hex(data.metadataCapabilities(), 1));
        all.put("protection_capabilities", XnvmeReport.hex(data.protectionCapabilities(), 1));
        all.put("deallocation", XnvmeReport.hex(data.deallocation(), 1));
        all.put("command_set", commandSet(data.commandSet()));
        all.put("format", data.format().index());
        // A table: behind what is a line each.
        Object formats = all.remove("formats");
        all.put("formats", formats);
        return all;
    }

    /** VS and VER: major, minor and tertiary version. */
    static String version(int version) {
        return (version >>> 16) + "." + (version >>> 8 & 0xFF) + "." + (version & 0xFF);
    }

    /** A command set by its name. */
    static String commandSet(int identifier) {
        return switch (identifier) {
            case Identify.CSI_NVM -> "nvm";
            case Identify.CSI_ZONED -> "zoned";
            default -> XnvmeReport.hex(identifier, 1);
        };
    }
}
