package io.aisio.cli;

import picocli.CommandLine.Command;

/** The tool {@code dataset}: files to benchmark with. */
@Command(
        name = "dataset",
        header = "Makes data sets to benchmark with, in a folder or straight in an XFS image.",
        footer = {"  ./aisio dataset list", "  ./aisio dataset make imagenetish --scale 0.01 --image /data/set.img"},
        subcommands = {DatasetList.class, DatasetMake.class, DatasetVerify.class})
final class DatasetCommand {}
