package io.aisio.cli;

import picocli.CommandLine.Command;

/** The tool {@code xal}: the files of a file system and where their bytes lie. */
@Command(
        name = "xal",
        header = "Tells where files' bytes lie, from a file system's blocks or through the kernel.",
        usageHelpWidth = 100,
        synopsisHeading = "%nUsage: ",
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        subcommands = {
            XalFind.class,
            XalBmap.class,
            XalStat.class,
            XalInfo.class,
            XalIndex.class,
            XalVerify.class,
            XalBench.class
        },
        mixinStandardHelpOptions = true)
final class XalCommand {}
