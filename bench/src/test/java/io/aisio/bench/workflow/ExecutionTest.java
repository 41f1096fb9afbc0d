package io.aisio.bench.workflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.networknt.schema.InputFormat;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExecutionTest {
    @TempDir
    Path folder;

    private final List<String> told = new CopyOnWriteArrayList<>();

    private final Execution.Listener listener = new Execution.Listener() {
        @Override
        public void begins(TaskRecord task, int of, Duration remaining) {
            assertThat(remaining).isGreaterThanOrEqualTo(Duration.ZERO);
        }

        @Override
        public void ended(TaskRecord task, int of) {
            told.add(task.label() + " " + task.state());
        }

        @Override
        public void note(String line) {
            told.add(line);
        }
    };

    private RunFolder begin(String steps) throws IOException {
        Workflow workflow =
                Workflow.parse("test", "test.yaml", "title: A test\nparameters: {}\nsteps:\n" + steps.indent(2));
        Target target = Target.of("", folder, "");
        MachineFacts machine = target.facts(MachineFacts.questions(workflow));
        Instant at = Instant.parse("2026-11-29T00:00:00Z");
        String id = Plan.id(workflow, at);
        Workflow.Choices choices = Workflow.Choices.none();
        Plan plan = Plan.of(workflow, choices, id, machine, target);
        return RunFolder.create(
                folder.resolve("runs"), plan.record(workflow, choices, id, at, machine, target), workflow.text());
    }

    private RunRecord run(RunFolder run) throws IOException {
        return new Execution(run, Target.of("", folder, ""), listener).run();
    }

    private String log() {
        return folder.resolve("log").toString();
    }

    /** A step that adds its name to a file, so that it is seen how often it ran. */
    private String adds(String name, String then) {
        return "- {name: %s, run: [sh, -c, 'echo %s >>\"$1\"; %s', sh, %s]}\n".formatted(name, name, then, log());
    }

    @Test
    void keepsRawOutputNumbersAndWhatTheMachineIs() throws IOException {
        try (RunFolder run = begin(
                "- {name: one, run: [sh, -c, 'echo {\\\"a\\\": 5}; echo said >&2'], result: {json: {most: /a}}}\n")) {
            RunRecord record = run(run);
            assertThat(record.isOk()).isTrue();
            Path step = run.path().resolve("steps/0001-one");
            assertThat(step.resolve("stdout")).hasContent("{\"a\": 5}");
            assertThat(step.resolve("stderr")).hasContent("said");
            assertThat(step.resolve("result.json")).exists();
            assertThat(step.resolve("process")).doesNotExist();
            assertThat(run.path().resolve("facts.json")).content().contains("\"kernel\"");
            assertThat(run.path().resolve("workflow.yaml")).content().startsWith("title: A test");
            RunRecord read = RunFolder.read(run.path());
            assertThat(read).isEqualTo(record);
            assertThat(read.tasks().getFirst().outcome().values()).containsEntry("most", 5.0);
            assertThat(read.finished()).isNotEmpty();
        }
    }

    @Test
    void stopsAtAFailureAndGoesOnFromThere() throws IOException {
        Path ready = folder.resolve("ready");
        String steps = adds("one", ":") + adds("two", "echo broken >&2; test -e " + ready) + adds("three", ":");
        Path path;
        try (RunFolder run = begin(steps)) {
            path = run.path();
            RunRecord record = run(run);
            assertThat(record.isOk()).isFalse();
            TaskRecord failed = record.tasks().get(1);
            assertThat(failed.state()).isEqualTo(TaskRecord.State.FAILED);
            assertThat(failed.reason()).isEqualTo("exit status 1");
            assertThat(Execution.logEnd(path, failed)).containsExactly("broken");
            assertThat(record.tasks().get(2).state()).isEqualTo(TaskRecord.State.WAITING);
            assertThatThrownBy(() -> RunFolder.open(run.path())).hasMessageContaining("another process is running it");
        }
        Files.createFile(ready);
        try (RunFolder run = RunFolder.open(path)) {
            assertThat(run(run).isOk()).isTrue();
        }
        assertThat(Path.of(log())).hasContent("one\ntwo\ntwo\nthree");
    }

    @Test
    void aStepThatIsDoneCountsAlsoIfRunJsonDoesNotKnow() throws IOException {
        Path path;
        String before;
        try (RunFolder run = begin(adds("one", ":") + adds("two", ":"))) {
            path = run.path();
            before = Files.readString(path.resolve(RunFolder.RUN));
            run(run);
        }
        // As a kill leaves it: the second step had begun, and run.json is that of the beginning.
        Files.writeString(path.resolve(RunFolder.RUN), before);
        Files.delete(path.resolve("steps/0002-two/result.json"));
        Files.writeString(
                path.resolve("steps/0002-two/process"), ProcessHandle.current().pid() + " another time");
        try (RunFolder run = RunFolder.open(path)) {
            assertThat(run(run).isOk()).isTrue();
        }
        assertThat(Path.of(log())).hasContent("one\ntwo\ntwo");
    }

    @Test
    void waitsForWhatAKilledRunLeftRunning() throws Exception {
        Path path;
        try (RunFolder run = begin(adds("one", ":"))) {
            path = run.path();
        }
        Process left = new ProcessBuilder("sh", "-c", "read x; echo left >>" + log()).start();
        Path step = Files.createDirectories(path.resolve("steps/0001-one"));
        Files.writeString(
                step.resolve("process"),
                left.pid() + " " + left.info().startInstant().orElseThrow());
        CompletableFuture<RunRecord> resumed = CompletableFuture.supplyAsync(() -> {
            try (RunFolder run = RunFolder.open(path)) {
                return run(run);
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        String note = "the run before left process " + left.pid() + " running; waiting for it to end";
        while (!told.contains(note)) {
            assertThat(resumed).isNotDone();
            Thread.onSpinWait();
        }
        assertThat(Path.of(log())).doesNotExist();
        left.getOutputStream().write('\n');
        left.getOutputStream().close();
        assertThat(resumed.get().isOk()).isTrue();
        assertThat(Path.of(log())).hasContent("left\none");
    }

    @Test
    void aCheckThatFailsSaysWhatToDoAndStopsNothing() throws IOException {
        String steps = "- {name: one, check: ['false'], otherwise: install it}\n- {name: two, run: ['true']}\n"
                + "- {name: three, run: ['false'], unless: ['true']}\n";
        try (RunFolder run = begin(steps)) {
            RunRecord record = run(run);
            assertThat(record.isOk()).isFalse();
            assertThat(record.tasks().stream().map(TaskRecord::state))
                    .containsExactly(TaskRecord.State.FAILED, TaskRecord.State.DONE, TaskRecord.State.SKIPPED);
            assertThat(record.tasks().getFirst().reason()).isEqualTo("install it");
        }
    }

    @Test
    void aStepThatFailsSaysWhatToDoToo() throws IOException {
        String steps = "- {name: one, check: [sleep, '1000'], timeout: 1, otherwise: install it}\n"
                + "- {name: two, run: ['false'], otherwise: install that}\n";
        Path path;
        try (RunFolder run = begin(steps)) {
            path = run.path();
            assertThat(run(run).tasks().stream().map(TaskRecord::reason))
                    .containsExactly("not done within 1 s; next: install it", "exit status 1; next: install that");
        }
        try (RunFolder run = RunFolder.open(path)) {
            assertThat(run(run).tasks().getFirst().reason()).isEqualTo("not done within 1 s; next: install it");
        }
    }

    /** That ssh failed says nothing of the machine: not that a check's advice is due, nor that the next may run. */
    @Test
    void aConnectionThatIsLostEndsTheRunAndLeavesWhatCanBeGoneOnWith() throws IOException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/ssh")), "needs ssh");
        // Nothing listens there.
        Target lost = Target.of("ssh://127.0.0.1:1", folder, "");
        for (String step : List.of("check: ['true'], otherwise: install it", "optional: true, run: ['true']")) {
            Path path;
            try (RunFolder run = begin("- {name: one, " + step + "}\n" + adds("two", ":"))) {
                path = run.path();
                assertThatThrownBy(() -> new Execution(run, lost, listener).run())
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("ssh://127.0.0.1:1: the connection ended while one ran: ")
                        .hasMessageEndingWith("next: try 'ssh ssh://127.0.0.1:1 true' until it asks for nothing");
            }
            assertThat(RunFolder.read(path).count(TaskRecord.State.WAITING)).isEqualTo(2);
            try (RunFolder run = RunFolder.open(path)) {
                assertThat(run(run).isOk()).isTrue();
            }
            Files.move(path, path.resolveSibling("before"));
            Files.delete(Path.of(log()));
            deleteTree(path.resolveSibling("before"));
        }
    }

    private static void deleteTree(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path one : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(one);
            }
        }
    }

    @Test
    void anOptionalStepThatFailsIsToldAndTriedAgain() throws IOException {
        Path ready = folder.resolve("ready");
        String steps = "- {name: one, optional: true, run: [test, -e, " + ready + "]}\n" + adds("two", ":");
        Path path;
        try (RunFolder run = begin(steps)) {
            path = run.path();
            RunRecord record = run(run);
            assertThat(record.isOk()).isFalse();
            assertThat(record.finished()).isNotEmpty();
            assertThat(record.tasks().stream().map(TaskRecord::state))
                    .containsExactly(TaskRecord.State.FAILED, TaskRecord.State.DONE);
            assertThat(told).containsExactly("one FAILED", "two DONE");
        }
        Files.createFile(ready);
        try (RunFolder run = RunFolder.open(path)) {
            assertThat(run(run).isOk()).isTrue();
        }
        assertThat(Path.of(log())).hasContent("two");
    }

    @Test
    void takesAnyBytesButNotAnyNumberOfThem() throws IOException {
        try (RunFolder run = begin("- {name: one, run: [printf, '\\377 {\"a\": 5}'], result: {json: {most: /a}}}\n"
                + "- {name: two, run: [printf, '\\377']}\n"
                + "- {name: three, run: [sh, -c, 'truncate -s 65M /dev/stdout'], result: fio}\n")) {
            RunRecord record = run(run);
            assertThat(record.tasks().get(0).outcome().values()).containsEntry("most", 5.0);
            assertThat(record.tasks().get(1).state()).isEqualTo(TaskRecord.State.DONE);
            assertThat(record.tasks().get(2).reason())
                    .isEqualTo("its standard output has 68157440 bytes; numbers are looked for in 67108864 at most");
        }
    }

    @Test
    void measuresAgainWhatHasNoResultThatCanBeRead() throws IOException {
        Path path;
        String before;
        try (RunFolder run = begin(adds("one", ":") + adds("two", ":") + adds("three", ":"))) {
            path = run.path();
            before = Files.readString(path.resolve(RunFolder.RUN));
            run(run);
        }
        Files.writeString(path.resolve(RunFolder.RUN), before);
        Files.writeString(path.resolve("steps/0001-one/result.json"), "{\"number\": 1");
        Files.copy(
                path.resolve("steps/0003-three/result.json"),
                path.resolve("steps/0002-two/result.json"),
                StandardCopyOption.REPLACE_EXISTING);
        try (RunFolder run = RunFolder.open(path)) {
            assertThat(run(run).isOk()).isTrue();
        }
        assertThat(Path.of(log())).hasContent("one\ntwo\nthree\none\ntwo");
    }

    @Test
    void endsWhatTakesTooLongAndNamesAProgramThatIsMissing() throws IOException {
        try (RunFolder run = begin("- {name: one, run: [sh, -c, 'sleep 1000; true'], timeout: 1}\n")) {
            assertThat(run(run).tasks().getFirst().reason()).isEqualTo("not done within 1 s");
        }
        try (RunFolder run = RunFolder.open(folder.resolve("runs/test-20261129T000000Z"))) {
            assertThat(run.record().count(TaskRecord.State.FAILED)).isEqualTo(1);
        }
    }

    @Test
    void namesAProgramThatIsMissing() throws IOException {
        try (RunFolder run = begin("- {name: one, run: [no-such-program-of-ours]}\n")) {
            TaskRecord failed = run(run).tasks().getFirst();
            assertThat(failed.reason()).isEqualTo("exit status 127");
            assertThat(Execution.logEnd(run.path(), failed).getFirst()).contains("no-such-program-of-ours");
        }
    }

    @Test
    void theEndOfALogIsNarrow() throws IOException {
        try (RunFolder run = begin("- {name: one, run: [sh, -c, 'head -c 5000 /dev/zero | tr \"\\0\" x; exit 1']}\n")) {
            assertThat(Execution.logEnd(run.path(), run(run).tasks().getFirst()))
                    .containsExactly("x".repeat(240) + "…");
        }
    }

    @Test
    void anInterruptEndsTheProcessAndLeavesWhatCanBeGoneOnWith() throws Exception {
        Path path;
        try (RunFolder run = begin("- {name: one, run: [sh, -c, 'echo on; exec sleep 1000']}\n" + adds("two", ":"))) {
            path = run.path();
            CompletableFuture<Throwable> thrown = new CompletableFuture<>();
            Thread thread = Thread.ofPlatform().start(() -> {
                try {
                    run(run);
                    thrown.complete(new AssertionError("it ended"));
                } catch (Throwable t) {
                    thrown.complete(t);
                }
            });
            Path process = path.resolve("steps/0001-one/process");
            Path stdout = path.resolve("steps/0001-one/stdout");
            while (!Files.exists(process) || Files.readString(process).isEmpty() || Files.size(stdout) == 0) {
                Thread.onSpinWait();
            }
            long pid = Long.parseLong(Files.readString(process).split(" ", 2)[0]);
            thread.interrupt();
            assertThat(thrown.get()).isInstanceOf(InterruptedIOException.class);
            assertThat(ProcessHandle.of(pid).filter(ProcessHandle::isAlive)).isEmpty();
        }
        RunRecord record = RunFolder.read(path);
        assertThat(record.count(TaskRecord.State.WAITING)).isEqualTo(2);
        assertThat(record.finished()).isEmpty();
    }

    @Test
    void writesWhatThePublishedSchemaSays() throws IOException {
        Path schema = Path.of(System.getProperty("basedir", ".")).resolve("../docs/workflow-run.schema.json");
        assumeTrue(Files.exists(schema), "needs the sources");
        var validator = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
                .getSchema(Files.readString(schema), InputFormat.JSON);
        try (RunFolder run =
                begin("- {name: one, run: [echo, '{\"a\": 5}'], matrix: {x: [1, b]}, result: {json: {most: /a}}}\n"
                        + "- {name: two, run: [p], needs: [gpu]}\n- {name: three, check: ['false']}\n")) {
            assertThat(validator.validate(Files.readString(run.path().resolve(RunFolder.RUN)), InputFormat.JSON))
                    .isEmpty();
            run(run);
            String text = Files.readString(run.path().resolve(RunFolder.RUN));
            assertThat(validator.validate(text, InputFormat.JSON)).isEmpty();
            assertThat(text).contains("\"state\" : \"done\"");
            assertThat(validator.validate(text.replace("\"done\"", "\"finished\""), InputFormat.JSON))
                    .isNotEmpty();
        }
    }

    @Test
    void refusesADamagedRun() throws IOException {
        Path path;
        try (RunFolder run = begin("- {name: one, run: ['true']}\n")) {
            path = run.path();
        }
        String whole = Files.readString(path.resolve(RunFolder.RUN));
        assertThat(whole).contains("\"optional\" : false,");
        Files.writeString(path.resolve(RunFolder.RUN), whole.replace("\"optional\" : false,", ""));
        assertThat(RunFolder.read(path).tasks()).hasSize(1);
        for (List<String> change : List.of(
                List.of("\"step\" : \"one\"", "\"step\" : \"../../one\""),
                List.of("\"number\" : 1", "\"number\" : 0"),
                List.of("\"number\" : 1", "\"number\" : 2"),
                List.of("\"state\" : \"waiting\"", "\"state\" : null"),
                List.of("\"command\" : [ \"true\" ]", "\"command\" : null"),
                List.of("\"finished\" : \"\"", "\"finished\" : null"))) {
            assertThat(whole).contains(change.getFirst());
            Files.writeString(path.resolve(RunFolder.RUN), whole.replace(change.getFirst(), change.getLast()));
            assertThatThrownBy(() -> RunFolder.read(path))
                    .as(change.getLast())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("run.json: ");
        }
        Files.writeString(path.resolve(RunFolder.RUN), whole.replace("\"state\" : \"waiting\"", "\"state\" : 7"));
        assertThatThrownBy(() -> RunFolder.read(path))
                .hasMessageContaining("damaged: /tasks/0/state: something else stands there than a run has; next: ");
        Files.writeString(path.resolve(RunFolder.RUN), whole.replace("\"title\" : \"A test\",", ""));
        assertThatThrownBy(() -> RunFolder.read(path)).hasMessageContaining("damaged: 'title' is missing; next: ");
        Files.writeString(path.resolve(RunFolder.RUN), "{\"schema\": \"aisio.workflow.run/2\"}");
        assertThatThrownBy(() -> RunFolder.read(path))
                .hasMessageEndingWith("run.json: schema 'aisio.workflow.run/2'; expected aisio.workflow.run/1");
        Files.write(path.resolve(RunFolder.RUN), new byte[] {'{', (byte) 0xff});
        assertThatThrownBy(() -> RunFolder.open(path)).hasMessageContaining("damaged: no JSON object in UTF-8");
        Files.writeString(path.resolve(RunFolder.RUN), "{\"schema\": ");
        assertThatThrownBy(() -> RunFolder.open(path))
                .hasMessageContaining("run.json: damaged: no JSON from line 1, column ");
        Files.writeString(path.resolve(RunFolder.RUN), "null");
        assertThatThrownBy(() -> RunFolder.open(path)).hasMessageContaining("damaged");
        Files.delete(path.resolve(RunFolder.RUN));
        assertThatThrownBy(() -> RunFolder.open(path)).hasMessageContaining("no run, it has no run.json");
    }
}
