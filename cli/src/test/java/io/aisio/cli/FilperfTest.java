package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.ExitCode;

/** How filperf's command line is understood, and what it refuses before it opens a place. */
class FilperfTest {
    private static void assertRefused(String options, String message) {
        StringWriter err = new StringWriter();
        int exit = Aisio.commandLine(new Aisio(), new Failures(() -> false))
                .setErr(new PrintWriter(err, true))
                .execute(("filperf " + options).split(" ", -1));
        assertThat(err.toString()).contains(message);
        assertThat(exit).isEqualTo(ExitCode.USAGE);
    }

    @Test
    void refusesOptionsThatMakeNoSense() {
        String run = "--data-dir /set emu:1GiB ";
        assertRefused("emu:1GiB", "issing required option: '--data-dir=FOLDER'");
        assertRefused("--data-dir /set", "issing required parameter: 'PLACE'");
        assertRefused(run + "--batch-size 0", "--batch-size 0: a batch has at least 1 file");
        assertRefused(run + "--batch-size many", "'many' is no whole number");
        assertRefused(run + "--batches 0", "--batches 0: at least 1");
        assertRefused(run + "--epochs 0", "--epochs 0: at least 1");
        assertRefused(run + "--warmup -1", "--warmup -1: batches, 0 or more");
        assertRefused(run + "--prefetch 0", "--prefetch 0: at least 1 batch");
        assertRefused(run + "--queue-depth 0", "--queue-depth 0: at least 1");
        assertRefused(run + "--queues 0", "--queues 0: at least 1");
        assertRefused(run + "--iosize 4k", "'4k' is no size: ");
        assertRefused(run + "--shard 4/4", "--shard 4/4: shards are counted from 0");
        assertRefused(run + "--shard half", "'half' is no shard such as 0/4");
        assertRefused(run + "--max-file-size 0", "--max-file-size 0: at least 1 byte");
        assertRefused(run + "--path never", "--path");
        assertRefused(run + "--output xml", "--output");
        assertRefused(run + "--gpu-nqueues 0", "--gpu-nqueues 0: at least 1");
        assertRefused(run + "--gpu-id first", "'first' is no whole number");
        assertRefused(run + "--async --batch-io", "--async and --batch-io: cufile is called in one way");
        assertRefused("compare --async --batch-io", "--async and --batch-io: cufile is called in one way");
        assertRefused(run + "--backend posix --mnt /a,/b", "--mnt names 2 folders, and there are 1 places");
    }

    @Test
    void takesWhatNamesNoCommandForARun() {
        assertRefused("run --data-dir /set emu:1GiB --batches 0", "--batches 0: at least 1");
        assertRefused("--debug --data-dir /set emu:1GiB --batches 0", "--batches 0: at least 1");
    }

    @Test
    void leavesThePlaceBehindAShuffleAlone() {
        assertRefused("--data-dir /set --batches 0 --shuffle emu:1GiB", "--batches 0: at least 1");
        assertRefused("--data-dir /set --shuffle=seven emu:1GiB", "'seven' is no whole number");
    }
}
