package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ./aisio workflow}, as a person runs it. */
class WorkflowIT {
    @TempDir
    Path folder;

    private Path write(String steps) throws IOException {
        return Files.writeString(
                folder.resolve("mine.yaml"), "title: Mine\nparameters: {}\nsteps:\n" + steps.indent(2));
    }

    private Path runFolder() throws IOException {
        try (Stream<Path> runs = Files.list(folder.resolve("runs"))) {
            return runs.findFirst().orElseThrow();
        }
    }

    private Shell aisio(String... arguments) {
        return Shell.aisio(arguments).in(folder).within(Duration.ofMinutes(2));
    }

    @Test
    void listsTheSevenStepsAndTheExperiments() {
        aisio("workflow", "list")
                .run()
                .succeeds()
                .prints(
                        "setup_ubuntu",
                        "setup_udmabuf_import",
                        "setup_nvstack",
                        "setup_aisio",
                        "bench_io",
                        "bench_tools",
                        "bench_pcie",
                        "experiments",
                        "no runs in runs");
    }

    /** A file that is wrong, or names what there is not, fails here. */
    @Test
    void everyWorkflowCanBePlanned() throws IOException {
        assumeTrue(Files.exists(Shell.ROOT.resolve("workflows")), "needs the sources");
        List<Path> files;
        try (Stream<Path> all = Files.list(Shell.ROOT.resolve("workflows"))) {
            files = all.sorted().toList();
        }
        assertThat(files).hasSizeGreaterThanOrEqualTo(8);
        for (Path file : files) {
            aisio("workflow", "run", file.toString(), "--quick", "--dry-run")
                    .run()
                    .succeeds();
        }
        assertThat(folder.resolve("runs")).doesNotExist();
        aisio("workflow", "run", "experiments", "--dry-run", "0000:82:00.0", "0000:83:00.0", "0000:84:00.0")
                .run()
                .succeeds()
                .prints(
                        "--iosize 4096 --qdepth 128 --runtime 10",
                        "0000:82:00.0 0000:83:00.0 0000:84:00.0\n",
                        "--ssds 3 --ssd gen5x4 --gpu none --iosize 512 --output json\n",
                        "skipped: needs 4 of bandwidth_devices, there are 3",
                        " skipped; nothing was run");
    }

    @Test
    void measuresOnASoftwareControllerAndReports() throws IOException {
        Path file = write("""
                - name: iops
                  aisio: [xnvmeperf, run, --iopattern, randread, --iosize, "512", --qdepth, "${depth}", --runtime, "0.2",
                          --latency, --output, json, "emu:null,1TiB"]
                  matrix: {depth: [4, 32]}
                  result: xnvmeperf
                """);
        Files.writeString(
                file,
                "figures:\n  - {experiment: E, title: T, chart: lines, steps: [iops], x: depth, y: iops}\n",
                java.nio.file.StandardOpenOption.APPEND);
        aisio("workflow", "run", "mine.yaml").run().succeeds().prints("2/2  iops depth=32", "IOPS", "2 done, 0 failed");
        String run = Files.readString(runFolder().resolve("run.json"));
        assertThat(run).contains("\"iops\" : ", "\"latency_p99_ns\" : ", "\"cpu_ns_per_io\" : ");
        assertThat(runFolder().resolve("report.html")).content().contains("<svg", "queue depth");
        aisio("workflow", "report", "--compare", runFolder().toString(), "--to", "both.html")
                .run()
                .succeeds()
                .prints("both.html");
        assertThat(folder.resolve("both.html")).content().contains(">1.00<");
        aisio("workflow", "list").run().succeeds().prints("finished");
    }

    @Test
    void aKilledRunGoesOnWhereItWas() throws IOException {
        Path ready = folder.resolve("ready");
        write(
                "- {name: one, run: [sh, -c, 'echo one >>log']}\n- {name: two, run: [sh, -c, 'echo two >>log; until test -e "
                        + ready + "; do sleep 0.1; done']}\n- {name: three, run: [sh, -c, 'echo three >>log']}\n");
        Shell.Running running = aisio("workflow", "run", "mine.yaml").start();
        await(() -> Files.exists(folder.resolve("log"))
                && Files.readString(folder.resolve("log")).contains("two"));
        running.signal("KILL");
        running.await();
        aisio("workflow", "list").run().succeeds().prints("unfinished");
        Files.createFile(ready);
        aisio("workflow", "resume").run().succeeds().prints("3/3  three", "3 done, 0 failed, 0 skipped, 0 not run");
        assertThat(folder.resolve("log")).hasContent("one\ntwo\ntwo\nthree");
        String finished = Files.readString(runFolder().resolve("run.json"));
        aisio("workflow", "resume").run().failsWith(Exit.FAILED, "no run waits to be gone on with; next: ");
        aisio("workflow", "resume", runFolder().toString()).run().succeeds().prints("nothing is left to be done");
        assertThat(runFolder().resolve("run.json")).hasContent(finished);
        // A folder that is damaged hinders none of the others.
        Path damaged = Files.createDirectory(folder.resolve("runs/mine-29991231T000000Z"));
        Files.writeString(damaged.resolve("run.json"), "{");
        aisio("workflow", "list").run().succeeds().prints("finished").says("run.json: damaged: ");
        aisio("workflow", "resume")
                .run()
                .exits(Exit.FAILED)
                .says("note: ", "run.json: damaged: ", "no run waits to be gone on with");
    }

    @Test
    void ctrlCLeavesARunAndSaysHowToGoOn() throws IOException {
        write("- {name: one, run: [sh, -c, 'echo one >>log; exec sleep 1000']}\n");
        Shell.Running running = aisio("workflow", "run", "mine.yaml").start();
        await(() -> Files.exists(folder.resolve("log")));
        running.signal("INT");
        running.await().exits(Exit.INTERRUPTED).says("to go on: ./aisio workflow resume ");
        assertThat(Files.readString(runFolder().resolve("run.json"))).contains("\"state\" : \"waiting\"");
    }

    /** A terminal's Ctrl-C goes to all processes of the group: a step must not end by it before the run knows. */
    @Test
    void ctrlCOfATerminalIsNoStepsFailure() throws IOException {
        write("- {name: one, optional: true, run: [sh, -c, 'echo one >>log; exec sleep 1000']}\n"
                + "- {name: two, run: [sh, -c, 'echo two >>log']}\n");
        Shell.Running running = Shell.program(
                        "setsid", Shell.ROOT.resolve("aisio").toString(), "workflow", "run", "mine.yaml")
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .in(folder)
                .within(Duration.ofMinutes(2))
                .start();
        await(() -> Files.exists(folder.resolve("log")));
        Shell.program("kill", "-INT", "--", "-" + running.process().pid()).run().succeeds();
        running.await().exits(Exit.INTERRUPTED).says("to go on: ./aisio workflow resume ");
        assertThat(folder.resolve("log")).hasContent("one");
        assertThat(Files.readString(runFolder().resolve("run.json")))
                .contains("\"state\" : \"waiting\"")
                .doesNotContain("\"failed\"");
    }

    @Test
    void aStepThatFailsEndsTheRunWithTheEndOfItsLog() throws IOException {
        write("- {name: one, run: [sh, -c, 'echo it is broken >&2; exit 3']}\n- {name: two, run: ['true']}\n");
        aisio("workflow", "run", "mine.yaml")
                .run()
                .exits(Exit.FAILED)
                .says(
                        "one: exit status 3",
                        "| it is broken",
                        "log:     ",
                        "/steps/0001-one",
                        "to go on: ./aisio workflow resume")
                .prints("0 done, 1 failed, 0 skipped, 1 not run");
    }

    @Test
    void anOptionalStepThatFailsShowsInTheExitStatus() throws IOException {
        write("- {name: one, optional: true, run: [sh, -c, 'exit 3']}\n- {name: two, run: ['true']}\n");
        aisio("workflow", "run", "mine.yaml")
                .run()
                .exits(Exit.FAILED)
                .says("one: exit status 3")
                .prints("2/2  two  done", "1 done, 1 failed, 0 skipped, 0 not run");
    }

    @Test
    void saysWhatIsWrongWithWhatWasTyped() {
        aisio("workflow", "run", "nothing").run().failsWith(Exit.FAILED, "no workflow 'nothing'; there are bench_io");
        aisio("workflow", "run", "experiments", "--set", "runtime").run().failsWith(Exit.USAGE, "NAME=VALUE");
        aisio("workflow", "run", "experiments", "--set", "rumtime=1")
                .run()
                .failsWith(Exit.FAILED, "no parameter 'rumtime'; there are");
        aisio("workflow", "run", "experiments", "--set", "devices=0000:82:00.0")
                .run()
                .failsWith(Exit.FAILED, "next: ./aisio workflow run experiments DEVICE…");
        aisio("workflow", "resume")
                .run()
                .failsWith(Exit.FAILED, "no run; next: ./aisio workflow run experiments --quick");
        aisio("workflow", "report", "none")
                .run()
                .failsWith(Exit.FAILED, "runs/none: no run, it has no run.json; './aisio workflow list' shows");
        aisio("workflow", "run", "experiments", "--ssh", "-x").run().failsWith(Exit.USAGE, "a host as ssh takes it");
    }

    @FunctionalInterface
    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void await(Condition condition) throws IOException {
        long end = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        while (!condition.holds()) {
            assertThat(System.nanoTime()).as("two minutes have passed").isLessThan(end);
            Thread.onSpinWait();
        }
    }
}
