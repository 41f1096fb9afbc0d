package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.cuda.Cuda;
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
    void refusesForAGpuWhatItCannotDo() {
        String run = "cuda-run --iopattern randread --iosize 4KiB --runtime 1 ";
        assertRefused(run + "--qdepth 33 gpu:null,1TiB", "--qdepth 33: one command for each thread");
        assertRefused(run + "--qdepth 64 --role warp gpu:null,1TiB", "--qdepth 64: a warp has");
        assertRefused(run + "--qdepth 32 --mode slow gpu:null,1TiB", "sliding");
        assertRefused(run + "--qdepth 32 --gpu_id -1 gpu:null,1TiB", "--gpu-id -1: GPUs are counted from 0");
        assertRefused(run + "--qdepth 32 --repeat 0 gpu:null,1TiB", "--repeat 0: ");
        assertRefused(run + "--qdepth 32 /dev/nvme0n1", "/dev/nvme0n1: a GPU drives queue pairs of a controller");
        assertRefused(
                "cuda-run --iopattern rw --iosize 4KiB --runtime 1 --qdepth 32 gpu:1GiB",
                "--iopattern rw: a kernel reads or writes");
        assertRefused("cuda-verify --iosize 4KiB --qdepth 32 --count 0 gpu:1GiB", "--count 0: ");
        assertRefused(
                "cuda-verify --iosize 4KiB --qdepth 32 --mode LOCKSTEP gpu:1GiB", "--mode lockstep: verifying slides");
        assertRefused("cuda-verify --iosize 4KiB gpu:1GiB", "Missing required option: '--qdepth=N'");
    }

    @Test
    void saysWhatToDoWhereThereIsNoGpu() {
        assumeTrue(Cuda.missing() != null, "needs a machine without a GPU");
        for (String command : new String[] {
            "cuda-run --iopattern randread --qdepth 512 --iosize 512 --runtime 1 gpu:null,1TiB",
            "cuda-verify --qdepth 64 --iosize 4096 --queue-memory host gpu:1GiB emu:1GiB"
        }) {
            StringWriter err = new StringWriter();
            Aisio root = new Aisio();
            CommandLine aisio =
                    Aisio.commandLine(root, new Failures(() -> false)).setErr(new PrintWriter(err, true));
            assertThat(aisio.execute(("xnvmeperf " + command).split(" ", -1))).isEqualTo(Exit.FAILED);
            assertThat(err.toString())
                    .startsWith("aisio: cuda-")
                    .contains(" needs a GPU: " + Cuda.missing())
                    .hasLineCount(1);
        }
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
