package io.aisio.cli;

import io.aisio.nvme.Zone;
import io.aisio.nvme.command.ZonedCommandSet;
import io.aisio.nvme.spec.ZoneReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code xnvme zone report}. */
@Command(
        name = "report",
        header = "Tells the state of each zone.",
        footer = {
            "  ./aisio xnvme zone report /dev/ng0n1",
            "  ./aisio xnvme zone report --lba 0x8000 --most 1 --output json /dev/ng0n1"
        })
final class XnvmeZoneReport implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Option(
            names = "--lba",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "From the zone on that holds it (0).")
    private long lba;

    @Option(
            names = "--most",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "1048576",
            paramLabel = "N",
            description = "How many zones at most (1048576).")
    private long most;

    @Override
    public Integer call() throws IOException {
        if (most < 1 || most > Integer.MAX_VALUE) {
            throw new ParameterException(spec.commandLine(), "--most " + most + ": at least one zone is told");
        }
        try (XnvmeTarget target = options.open()) {
            ZonedCommandSet zoned = ZonedCommandSet.of(target.commands());
            XnvmeTarget.requireInside(target.name(), lba, 1, zoned.namespace().size());
            List<Object> rows = new ArrayList<>();
            for (Zone zone : zoned.report(lba, ZoneReport.OPTION_ALL, (int) most)) {
                rows.add(row(zone));
            }
            target.report("zone.report")
                    .put("zone_blocks", zoned.zones().zoneBlocks())
                    .put(
                            "max_open",
                            zoned.zones().maxOpen() == 0 ? null : zoned.zones().maxOpen())
                    .put(
                            "max_active",
                            zoned.zones().maxActive() == 0
                                    ? null
                                    : zoned.zones().maxActive())
                    .put("count", zoned.count())
                    .put("zones", rows)
                    .print(options.output);
            return Exit.DONE;
        }
    }

    /** A zone for a report. */
    static Map<String, @Nullable Object> row(Zone zone) {
        Map<String, @Nullable Object> row = new LinkedHashMap<>();
        row.put("start", zone.start());
        row.put("capacity", zone.capacity());
        boolean points = zone.state() != ZoneReport.STATE_FULL
                && zone.state() != ZoneReport.STATE_READ_ONLY
                && zone.state() != ZoneReport.STATE_OFFLINE;
        row.put("write_pointer", points ? zone.writePointer() : null);
        row.put(
                "state",
                switch (zone.state()) {
                    case ZoneReport.STATE_EMPTY -> "empty";
                    case ZoneReport.STATE_IMPLICITLY_OPENED -> "implicitly opened";
                    case ZoneReport.STATE_EXPLICITLY_OPENED -> "explicitly opened";
                    case ZoneReport.STATE_CLOSED -> "closed";
                    case ZoneReport.STATE_READ_ONLY -> "read only";
                    case ZoneReport.STATE_FULL -> "full";
                    case ZoneReport.STATE_OFFLINE -> "offline";
                    default -> XnvmeReport.hex(zone.state(), 1);
                });
        return row;
    }
}
