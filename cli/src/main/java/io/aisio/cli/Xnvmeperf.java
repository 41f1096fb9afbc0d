package io.aisio.cli;

import picocli.CommandLine.Command;

/** The tool {@code xnvmeperf}: how fast a device is, and whether it keeps what it is given. */
@Command(
        name = "xnvmeperf",
        header = "Measures a device, and verifies that it keeps what it is given.",
        usageHelpWidth = 100,
        synopsisHeading = "%nUsage: ",
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        subcommands = {XnvmeperfRun.class, XnvmeperfVerify.class},
        mixinStandardHelpOptions = true)
final class Xnvmeperf {}
