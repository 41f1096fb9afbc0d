package io.aisio.cli;

import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.ControllerData;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.command.NamespaceData;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code xnvme info}: what a device is, in short. */
@Command(
        name = "info",
        header = "Tells what a device is: its shape, what the path to it can, its controller and namespace.",
        footer = {"  ./aisio xnvme info emu:1GiB?lba=4096", "  ./aisio xnvme info --output json /dev/nvme0n1"})
final class XnvmeInfo implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Override
    public Integer call() throws IOException {
        if (XnvmeTarget.isKernelController(options.device)) {
            try (XnvmeTarget target = options.open()) {
                XnvmeReport report = target.report("info");
                identify(report, target.commands());
                report.print(options.output);
            }
            return Exit.DONE;
        }
        try (XnvmeTarget target = XnvmeTarget.openDevice(options.device, false)) {
            XnvmeReport report = target.report("info");
            Device device = target.device();
            if (device != null) {
                describe(report, device);
            }
            if (XnvmeTarget.isKernelNamespace(options.device)) {
                try (XnvmeTarget commands = options.open()) {
                    identify(report, commands.commands());
                }
            } else if (target.takesCommands()) {
                identify(report, target.commands());
            }
            report.print(options.output);
        }
        return Exit.DONE;
    }

    private static void describe(XnvmeReport report, Device device) {
        Geometry geometry = device.geometry();
        report.put("capabilities", device.capabilities().toString());
        report.put("bytes", geometry.bytes());
        report.put("lba_bytes", geometry.lbaBytes());
        report.put("lba_count", geometry.lbaCount());
        report.put("max_transfer_bytes", geometry.maxTransferBytes());
        report.put("max_queue_depth", geometry.maxQueueDepth());
        report.put("max_queues", geometry.maxQueues());
    }

    private static void identify(XnvmeReport report, Passthrough commands) throws IOException {
        Identities identities = new Identities(commands);
        ControllerData data = identities.controller();
        Map<String, @Nullable Object> controller = new LinkedHashMap<>();
        controller.put("model", data.model());
        controller.put("serial", data.serial());
        controller.put("firmware", data.firmware());
        controller.put("version", XnvmeIdfy.version(data.version()));
        controller.put("subsystem", data.subsystem());
        controller.put("namespaces", identities.namespaces());
        report.put("controller", controller);
        if (commands.nsid() != 0) {
            NamespaceData of = identities.namespace(commands.nsid());
            Map<String, @Nullable Object> namespace = new LinkedHashMap<>();
            namespace.put("nsid", of.nsid());
            namespace.put("command_set", XnvmeIdfy.commandSet(of.commandSet()));
            namespace.put("blocks", of.size());
            namespace.put("used_blocks", of.utilization());
            namespace.put("lba_bytes", of.lbaBytes());
            namespace.put("metadata_bytes", of.metadataBytes());
            namespace.put("protection_type", of.protectionType());
            namespace.put("write_protected", of.writeProtected());
            report.put("namespace", namespace);
        }
    }
}
