package io.aisio.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/** The tool {@code homi}: asks the daemon, and tells it what to do. */
@Command(
        name = "homi",
        header = "Shows what the daemon homid does, and tells it what to do.",
        footer = {
            "  ./aisio homi status",
            "  ./aisio homi dashboard",
            "  ./aisio xnvmeperf run --iopattern randread --qdepth 128 --iosize 512 --runtime 3 homi:nvme0"
        },
        // What is the same in each of its commands.
        scope = ScopeType.INHERIT,
        subcommands = {
            HomiStatus.class,
            HomiList.class,
            HomiLease.class,
            HomiRelease.class,
            HomiExport.class,
            HomiUnexport.class,
            HomiExtentsCommand.class,
            HomiEvents.class,
            HomiDrain.class,
            HomiShutdown.class,
            HomiDashboard.class,
            HomiDemo.class
        })
final class HomiCommand {}
