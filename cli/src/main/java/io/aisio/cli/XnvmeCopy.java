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

/** {@code xnvme copy}. */
@Command(
        name = "copy",
        header = "Lets the controller copy logical blocks, one range behind the other, to a place (Copy).",
        description = {"%nA device that keeps data is written only with --destroy-data, and never while it is in use."},
        footer = {
            "  ./aisio xnvme copy --from 0:8 --to 64 --destroy-data emu:/data/scratch.img",
            "  ./aisio xnvme copy --from 0:8 --from 128:8 --to 4096 --dry-run /dev/ng0n1"
        })
final class XnvmeCopy implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Destroying destroying;

    @Option(
            names = "--from",
            required = true,
            converter = XnvmeOptions.Blocks.class,
            paramLabel = "LBA:BLOCKS",
            description = "What is copied, such as 0:8; may be repeated.")
    @SuppressWarnings("NullAway.Init")
    private List<LbaRange> from;

    @Option(
            names = "--to",
            required = true,
            converter = XnvmeOptions.Whole.class,
            paramLabel = "LBA",
            description = "Where the first of it goes.")
    private long to;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = destroying.open(options)) {
            Passthrough commands = destroying.commands(target);
            NvmCommandSet.of(commands).copy(from, to);
            XnvmeReport report =
                    target.report("copy").put("from", XnvmeOptions.ranges(from)).put("to", to);
            destroying.tell(report, commands);
            report.print(options.output);
            return Exit.DONE;
        }
    }
}
