package io.aisio.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/** The tool {@code devbind}: which driver a PCI function has. */
@Command(
        name = "devbind",
        header = "Tells and changes which driver PCI devices have; refuses those in use.",
        parameterListHeading = "%nDevices:%n",
        footer = {"  ./aisio devbind list", "  sudo ./aisio devbind bind --driver vfio-pci 0000:82:00.0"},
        // What is the same in each of its commands.
        scope = ScopeType.INHERIT,
        subcommands = {DevbindList.class, DevbindBind.class, DevbindUnbind.class, DevbindRestore.class})
final class DevbindCommand {}
