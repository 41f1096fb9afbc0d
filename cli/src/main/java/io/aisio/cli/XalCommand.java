package io.aisio.cli;

import picocli.CommandLine.Command;

/** The tool {@code xal}: the files of a file system and where their bytes lie, without mounting it. */
@Command(
        name = "xal",
        header = "Lists a file system's files and where their bytes lie, without mounting it.",
        usageHelpWidth = 100,
        synopsisHeading = "%nUsage: ",
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        subcommands = {XalFind.class, XalBmap.class},
        mixinStandardHelpOptions = true)
final class XalCommand {}
