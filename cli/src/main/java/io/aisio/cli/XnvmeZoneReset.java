package io.aisio.cli;

import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.ZonedCommandSet;
import io.aisio.nvme.spec.ZoneReport;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code xnvme zone reset}. */
@Command(
        name = "reset",
        header = "Makes a zone empty: what it holds is lost.",
        footer = {
            "  ./aisio xnvme zone reset --zone 0x8000 --destroy-data /dev/ng0n1",
            "  ./aisio xnvme zone reset --all --dry-run /dev/ng0n1"
        })
final class XnvmeZoneReset implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private XnvmeOptions.Target options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Destroying destroying;

    @ArgGroup(multiplicity = "1")
    @SuppressWarnings("NullAway.Init")
    private XnvmeZoneSend.Which which;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = destroying.open(options)) {
            Passthrough commands = destroying.commands(target);
            XnvmeReport report = target.report("zone.reset");
            which.send(ZonedCommandSet.of(commands), ZoneReport.ACTION_RESET, report, destroying.dryRun);
            destroying.tell(report, commands);
            report.print(options.output);
            return Exit.DONE;
        }
    }
}
