package io.aisio.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/** The tool {@code emu}: software controllers for other programs. */
@Command(
        name = "emu",
        header = "Offers NVMe controllers in software to other programs.",
        footer = {"  ./aisio emu serve --socket /tmp/nvme.sock 1GiB"},
        // What is the same in each of its commands.
        scope = ScopeType.INHERIT,
        subcommands = {EmuServe.class})
final class EmuCommand {}
