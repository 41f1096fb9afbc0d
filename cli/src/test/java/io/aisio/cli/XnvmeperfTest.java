package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;

/** What xnvmeperf refuses before it opens a device. */
class XnvmeperfTest {
    @TempDir
    Path folder;

    private static void assertRefused(String commandLine, String message) {
        StringWriter err = new StringWriter();
        int exit = new CommandLine(new Xnvmeperf())
                .setErr(new PrintWriter(err, true))
                .execute(commandLine.split(" ", -1));
        assertThat(err.toString()).contains(message);
        assertThat(exit).isEqualTo(ExitCode.USAGE);
    }

    private static void assertRunRefuses(String options, String message) {
        assertRefused("run " + options + " emu:1GiB", message);
    }

    @Test
    void refusesOptionsThatMakeNoSense() {
        String run = "--iopattern randread --iosize 4KiB --runtime 1 ";
        assertRunRefuses(run + "--qdepth 0", "--qdepth 0: a queue holds at least 1 I/O; try --qdepth 32");
        assertRunRefuses(run + "--qdepth -4", "--qdepth -4: ");
        assertRunRefuses(run + "--qdepth many", "'many' is no whole number");
        assertRunRefuses(run + "--qdepth 8 --nqueues 0", "--nqueues 0: a device needs at least 1 queue");
        assertRunRefuses(run + "--qdepth 8 --rwmix 70", "--iopattern randread does not mix; use --iopattern randrw");
        assertRunRefuses(run + "--qdepth 8 --cpumask 0x0", "the processor mask '0x0' names no processor");
        assertRunRefuses(run + "--qdepth 8 --cpulist 3-1", "'3-1' is no list of processors such as 0-3,8");
        assertRunRefuses(run + "--qdepth 8 --interval 0", "--interval 0: ");
        assertRunRefuses(run + "--qdepth 8 --warmup -1", "--warmup -1: ");
        assertRunRefuses(
                "--iopattern rnd --iosize 4KiB --runtime 1 --qdepth 8", "'rnd' is no I/O pattern; there is read,");
        assertRunRefuses("--iopattern read --iosize 4k --runtime 1 --qdepth 8", "'4k' is no size: ");
        assertRunRefuses("--iopattern read --iosize 0 --runtime 1 --qdepth 8", "--iosize 0: ");
        assertRunRefuses("--iopattern read --iosize 4KiB --runtime 0 --qdepth 8", "--runtime 0: ");
        assertRunRefuses("--iopattern read --iosize 4KiB --runtime soon --qdepth 8", "'soon' is no number of seconds");
        assertRefused("verify --iosize 4KiB --count 0 emu:1GiB", "--count 0: ");
        assertRefused("verify --iosize 4KiB --count 1 --generations 0 emu:1GiB", "--generations 0: ");
        assertRefused("verify --iosize 4KiB --count 1", "Missing required parameter: 'DEVICE");
    }

    @Test
    void refusesTwoWaysToSayTheProcessors() {
        assertRunRefuses(
                "--iopattern read --iosize 4KiB --runtime 1 --qdepth 8 --cpumask 1 --cpulist 0", "mutually exclusive");
    }

    @Test
    void leavesAFileAloneUnlessToldThatItMayBeDestroyed() throws IOException {
        Path image = Files.writeString(folder.resolve("image"), "precious");
        for (String command : new String[] {
            "verify --iosize 512 --count 1 ", "run --iopattern randrw --qdepth 1 --iosize 512 --runtime 1 "
        }) {
            for (String device : new String[] {image.toString(), "emu:" + image}) {
                StringWriter err = new StringWriter();
                int exit = new CommandLine(new Xnvmeperf())
                        .setErr(new PrintWriter(err, true))
                        .execute((command + device).split(" ", -1));
                assertThat(exit).isEqualTo(ExitCode.SOFTWARE);
                assertThat(err.toString()).contains(device + ": this writes all over it; add --destroy-data");
            }
        }
        assertThat(image).hasContent("precious");
    }
}
