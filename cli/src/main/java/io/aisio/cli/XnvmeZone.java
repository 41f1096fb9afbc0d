package io.aisio.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/** {@code xnvme zone}: zones of a zoned namespace. */
@Command(
        name = "zone",
        header = "Tells and changes the zones of a zoned namespace, and appends to one.",
        footer = {"  ./aisio xnvme zone report /dev/ng0n1", "  ./aisio xnvme zone finish --zone 0x8000 /dev/ng0n1"},
        scope = ScopeType.INHERIT,
        subcommands = {
            XnvmeZoneReport.class,
            XnvmeZoneSend.Open.class,
            XnvmeZoneSend.Close.class,
            XnvmeZoneSend.Finish.class,
            XnvmeZoneReset.class,
            XnvmeZoneAppend.class
        })
final class XnvmeZone {}
