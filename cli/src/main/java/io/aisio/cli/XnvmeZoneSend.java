package io.aisio.cli;

import io.aisio.bench.DataAtRisk;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.ZonedCommandSet;
import io.aisio.nvme.spec.ZoneReport;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code xnvme zone open}, {@code close} and {@code finish}: what changes a zone's state and leaves its data. */
abstract class XnvmeZoneSend implements Callable<Integer> {
    private final String verb;
    private final int action;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private XnvmeOptions.Target options;

    @ArgGroup(multiplicity = "1")
    @SuppressWarnings("NullAway.Init")
    private Which which;

    @Option(names = "--dry-run", description = "Check, and print the commands instead of sending them.")
    private boolean dryRun;

    /** Which zones: one, or all. */
    static final class Which {
        @Option(
                names = "--zone",
                converter = XnvmeOptions.Whole.class,
                paramLabel = "LBA",
                description = "The zone that begins there.")
        private @Nullable Long zone;

        @Option(names = "--all", description = "Every zone for which it makes sense.")
        private boolean all;

        /** Sends an action to them, and tells what became of them. */
        void send(ZonedCommandSet zoned, int action, XnvmeReport report, boolean trial) throws IOException {
            if (all) {
                zoned.sendToAll(action);
                report.put("zone", "all");
            } else if (zone != null) {
                zoned.send(zone, action);
                report.put("zone", trial ? zone : XnvmeZoneReport.row(zoned.zone(zone)));
            }
        }
    }

    private XnvmeZoneSend(String verb, int action) {
        this.verb = verb;
        this.action = action;
    }

    @Override
    public Integer call() throws IOException {
        XnvmeGuard.refuseIfUsed(options.device, false);
        DataAtRisk.check(List.of(options.device), true);
        try (XnvmeTarget target = XnvmeTarget.open(options.device, !dryRun)) {
            Passthrough commands = dryRun ? new XnvmeTrial(target.commands()) : target.commands();
            XnvmeReport report = target.report("zone." + verb);
            which.send(ZonedCommandSet.of(commands), action, report, dryRun);
            report.put("dry_run", dryRun);
            if (commands instanceof XnvmeTrial trial) {
                report.put("commands", trial.held());
            }
            report.print(options.output);
            return Exit.DONE;
        }
    }

    /** {@code xnvme zone open}. */
    @Command(
            name = "open",
            header = "Opens a zone explicitly: the controller keeps what writing to it takes.",
            footer = {
                "  ./aisio xnvme zone open --zone 0x8000 /dev/ng0n1",
                "  ./aisio xnvme zone open --all --dry-run /dev/ng0n1"
            })
    static final class Open extends XnvmeZoneSend {
        Open() {
            super("open", ZoneReport.ACTION_OPEN);
        }
    }

    /** {@code xnvme zone close}. */
    @Command(
            name = "close",
            header = "Closes an open zone; it can be written on.",
            footer = {
                "  ./aisio xnvme zone close --zone 0x8000 /dev/ng0n1",
                "  ./aisio xnvme zone close --all /dev/ng0n1"
            })
    static final class Close extends XnvmeZoneSend {
        Close() {
            super("close", ZoneReport.ACTION_CLOSE);
        }
    }

    /** {@code xnvme zone finish}. */
    @Command(
            name = "finish",
            header = "Makes a zone full: it cannot be written on until it is reset.",
            footer = {
                "  ./aisio xnvme zone finish --zone 0x8000 /dev/ng0n1",
                "  ./aisio xnvme zone finish --all --dry-run /dev/ng0n1"
            })
    static final class Finish extends XnvmeZoneSend {
        Finish() {
            super("finish", ZoneReport.ACTION_FINISH);
        }
    }
}
