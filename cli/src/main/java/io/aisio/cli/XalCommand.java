package io.aisio.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/** The tool {@code xal}: the files of a file system and where their bytes lie. */
@Command(
        name = "xal",
        header = "Tells where files' bytes lie, from a file system's blocks or through the kernel.",
        parameterListHeading = "%nWhere:%n",
        footer = {"  ./aisio xal find /data/set.img", "  ./aisio xal bmap /mnt/data /train/0001.jpg"},
        // What is the same in each of its commands.
        scope = ScopeType.INHERIT,
        subcommands = {
            XalFind.class,
            XalBmap.class,
            XalStat.class,
            XalInfo.class,
            XalIndex.class,
            XalVerify.class,
            XalWatch.class,
            XalPin.class,
            XalBench.class
        })
final class XalCommand {}
