package io.aisio.cli;

import picocli.CommandLine.Command;

/** The tool {@code xnvmeperf}: how fast a device is, and whether it keeps what it is given. */
@Command(
        name = "xnvmeperf",
        header = "Measures a device, and verifies that it keeps what it is given.",
        footer = {
            "  ./aisio xnvmeperf run --iopattern randread --qdepth 128 --iosize 512 --runtime 3 emu:null,1TiB",
            "  ./aisio xnvmeperf verify --iosize 4096 --count 4096 emu:1GiB"
        },
        subcommands = {
            XnvmeperfRun.class,
            XnvmeperfVerify.class,
            XnvmeperfCudaRun.class,
            XnvmeperfCudaVerify.class,
            XnvmeperfCompare.class
        })
final class Xnvmeperf {}
