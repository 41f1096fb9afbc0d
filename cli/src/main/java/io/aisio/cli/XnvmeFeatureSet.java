package io.aisio.cli;

import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.Features;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code xnvme feature set}. */
@Command(
        name = "set",
        header = "Sets a feature, until the controller's next reset unless it is saved.",
        description = {
            "%nA controller that is driven from here is reset when it is opened, and forgets: there only a setting that is"
                    + " saved outlives the command. A controller of the kernel's must not be in use."
        },
        footer = {
            "  ./aisio xnvme feature set --dry-run emu:1GiB temperature-threshold 350",
            "  ./aisio xnvme feature set --save /dev/nvme0 volatile-write-cache 1"
        })
final class XnvmeFeatureSet implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Parameters(
            index = "1",
            converter = XnvmeFeature.Id.class,
            paramLabel = "FEATURE",
            description = "By name or number, such as 0x04.")
    private int feature;

    @Parameters(
            index = "2",
            converter = XnvmeOptions.Whole.class,
            paramLabel = "VALUE",
            description = "What it is set to: command dword 11.")
    private long value;

    @Option(
            names = "--dword12",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "What it takes in command dword 12 (0).")
    private long dword12;

    @Option(
            names = "--nsid",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "The namespace, of features that one has (none).")
    private long nsid;

    @Option(names = "--data", paramLabel = "FILE", description = "Bytes that the feature takes as its data.")
    private @Nullable Path data;

    @Option(names = "--save", description = "Keep it when the controller is reset or switched off.")
    private boolean save;

    @Option(names = "--dry-run", description = "Print the command instead of sending it.")
    private boolean dryRun;

    @Override
    public Integer call() throws IOException {
        MemorySegment bytes = data == null ? MemorySegment.NULL : MemorySegment.ofArray(Files.readAllBytes(data));
        if (!dryRun) {
            XnvmeGuard.refuseIfUsed(options.device, true);
        }
        try (XnvmeTarget target = XnvmeTarget.open(options.device, !dryRun)) {
            Passthrough commands = dryRun ? new XnvmeTrial(target.commands()) : target.commands();
            int result = new Features(commands).set(feature, (int) value, (int) dword12, (int) nsid, save, bytes);
            XnvmeReport report = target.report("feature.set")
                    .put("feature", XnvmeFeatureGet.name(feature))
                    .put("value", XnvmeReport.hex(value, 4))
                    .put("meaning", XnvmeFeature.meaning(feature, (int) value))
                    .put("saved", save)
                    .put("result", XnvmeReport.hex(result, 4))
                    .put("dry_run", dryRun);
            if (commands instanceof XnvmeTrial trial) {
                report.put("commands", trial.held());
            }
            report.print(options.output);
            return Exit.DONE;
        }
    }
}
