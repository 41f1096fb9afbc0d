package io.aisio.cli;

import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.LbaRange;
import io.aisio.nvme.command.NvmCommandSet;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code xnvme dsm}. */
@Command(
        name = "dsm",
        header = "Gives blocks back to the controller (Dataset Management, deallocate): what they hold is lost.",
        description = {"%nA device that keeps data is changed only with --destroy-data, and never while it is in use."},
        footer = {
            "  ./aisio xnvme dsm --deallocate 0:2048 --destroy-data emu:/data/scratch.img",
            "  ./aisio xnvme dsm --deallocate 0:8 --deallocate 64:8 --dry-run /dev/ng0n1"
        })
final class XnvmeDsm implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Destroying destroying;

    @Option(
            names = "--deallocate",
            required = true,
            converter = XnvmeOptions.Blocks.class,
            paramLabel = "LBA:BLOCKS",
            description = "Which, such as 0:8; may be repeated.")
    @SuppressWarnings("NullAway.Init")
    private List<LbaRange> ranges;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = destroying.open(options)) {
            Passthrough commands = destroying.commands(target);
            NvmCommandSet.of(commands).deallocate(ranges);
            XnvmeReport report = target.report("dsm").put("deallocate", XnvmeOptions.ranges(ranges));
            destroying.tell(report, commands);
            report.print(options.output);
            return Exit.DONE;
        }
    }
}
