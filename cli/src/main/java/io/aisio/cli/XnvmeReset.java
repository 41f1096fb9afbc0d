package io.aisio.cli;

import io.aisio.linux.Sysfs;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.spec.Registers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code xnvme reset}: a controller reset. */
@Command(
        name = "reset",
        header = "Resets a controller (CC.EN) and brings it up again; what it holds stays.",
        description = {
            "%nA controller of the kernel's is named by itself, such as /dev/nvme0, and must not be in use: commands under way"
                    + " would be given up and tried again."
        },
        footer = {"  ./aisio xnvme reset 0000:82:00.0", "  sudo ./aisio xnvme reset --dry-run /dev/nvme0"})
final class XnvmeReset implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private XnvmeOptions.Target options;

    @Option(names = "--dry-run", description = "Check, and do not reset it.")
    private boolean dryRun;

    @Override
    public Integer call() throws IOException {
        if (XnvmeTarget.isKernelNamespace(options.device)) {
            throw new IOException(options.device + " is a namespace: name its controller, such as "
                    + options.device.replaceFirst("/dev/(nvme|ng)(\\d+)n\\d+", "/dev/nvme$2"));
        }
        if (XnvmeTarget.isKernelController(options.device)) {
            XnvmeGuard.refuseIfUsed(options.device, true);
        }
        try (XnvmeTarget target = options.open()) {
            long begun = System.nanoTime();
            if (XnvmeTarget.isKernelController(options.device)) {
                kernel();
            } else {
                NvmeController controller = target.controller("reset");
                if (!dryRun) {
                    controller.reset();
                }
            }
            XnvmeReport report = target.report("reset").put("dry_run", dryRun);
            if (!dryRun) {
                report.put("milliseconds", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun));
            }
            if (!XnvmeTarget.isKernelController(options.device)) {
                long csts = target.controller("reset").register(Registers.CSTS, Integer.BYTES);
                report.put("ready", (csts & Registers.CSTS_RDY) != 0);
            }
            report.print(options.output);
            return Exit.DONE;
        }
    }

    /** The kernel's driver does it, and returns when it is done. */
    private void kernel() throws IOException {
        Path attribute = Sysfs.ROOT
                .resolve("class/nvme")
                .resolve(String.valueOf(Path.of(options.device).getFileName()))
                .resolve("reset_controller");
        if (!dryRun) {
            Root.require("resetting a controller of the kernel's");
            Sysfs.write(attribute, "1");
        }
    }
}
