package io.aisio.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/** The tool {@code hugepages}: memory in large pieces, for devices to reach. */
@Command(
        name = "hugepages",
        header = "Tells, sets up and mounts huge pages.",
        footer = {"  ./aisio hugepages info", "  sudo ./aisio hugepages setup --size 2MiB --count 1024"},
        // What is the same in each of its commands.
        scope = ScopeType.INHERIT,
        subcommands = {HugepagesInfo.class, HugepagesSetup.class, HugepagesMount.class})
final class HugepagesCommand {}
