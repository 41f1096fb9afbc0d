package io.aisio.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/** The tool {@code xnvme}: what NVMe controllers and namespaces say, and single commands to them, over any path. */
@Command(
        name = "xnvme",
        header = "Tells what NVMe devices are and hold, and sends single commands, over any path to them.",
        parameterListHeading = "%nDevices:%n",
        footer = {"  ./aisio xnvme enum", "  ./aisio xnvme info emu:1GiB"},
        // What is the same in each of its commands.
        scope = ScopeType.INHERIT,
        subcommands = {
            XnvmeEnum.class,
            XnvmeInfo.class,
            XnvmeIdfy.class,
            XnvmeLog.class,
            XnvmeFeature.class,
            XnvmeRead.class,
            XnvmeWrite.class,
            XnvmeCompare.class,
            XnvmeCopy.class,
            XnvmeDsm.class,
            XnvmeFormat.class,
            XnvmeSanitize.class,
            XnvmeZone.class,
            XnvmeRegs.class,
            XnvmeReset.class
        })
final class XnvmeCommand {}
