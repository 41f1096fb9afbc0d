package io.aisio.bench.workflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlanTest {
    private static final MachineFacts MACHINE = MachineFacts.of(
            "user\t1000",
            "kernel\t6.12",
            "cpus.allowed\t0-3",
            "cpus.topology\t0/0/0 1/0/1 2/0/0 3/0/1",
            "program.fio\t/usr/bin/fio");

    static final String START = """
            title: A test
            parameters:
              devices: []
              counts: [1, 2, 3]
              half: ${devices[0:1]}
            software:
              devices: [a, "b,c"]
            quick:
              counts: [1]
            steps:
            """;

    private static Plan plan(String steps, Workflow.Choices choices) {
        Workflow workflow = Workflow.parse("test", "test.yaml", START + steps.indent(2));
        return Plan.of(workflow, choices, "test-1", MACHINE, Target.of("", Path.of("/opt/aisio"), ""));
    }

    private static List<List<String>> commands(Plan plan) {
        return plan.tasks().stream().map(TaskRecord::command).toList();
    }

    @Test
    void combinesRepeatsAndLeavesOutWhatIsNotWanted() {
        Plan plan = plan("""
                - name: one
                  run: [p, "-n=${cores}", "${counts}"]
                  matrix: {depth: [8, 9], cores: "${counts}"}
                  only: [cores < depth, cores != 2]
                  repeat: 2
                """, Workflow.Choices.none());
        assertThat(plan.tasks().stream().map(TaskRecord::label))
                .containsExactly(
                        "one depth=8 cores=1",
                        "one depth=8 cores=3",
                        "one depth=9 cores=1",
                        "one depth=9 cores=3",
                        "one depth=8 cores=1 (2)",
                        "one depth=8 cores=3 (2)",
                        "one depth=9 cores=1 (2)",
                        "one depth=9 cores=3 (2)");
        assertThat(plan.tasks().getFirst().command()).containsExactly("p", "-n=1", "1", "2", "3");
        assertThat(plan.tasks().getLast().number()).isEqualTo(8);
    }

    @Test
    void aListIsSeveralWordsAloneAndOneWithCommasWithinAWord() {
        String steps =
                "- {name: one, run: [p, '${devices[0:n]}', 'x${devices}', '${devices[1]}', '${half}', '${run}'], matrix: {n: [2, 3]}}";
        Plan plan = plan(steps, Workflow.Choices.none());
        assertThat(commands(plan).getFirst()).containsExactly("p", "a", "b,c", "xa,b,c", "b,c", "a", "test-1");
        assertThat(plan.tasks().getLast().state()).isEqualTo(TaskRecord.State.SKIPPED);
        assertThat(plan.tasks().getLast().reason()).isEqualTo("needs 3 of devices, there are 2");
    }

    @Test
    void aWordWithAStarIsThereOnceForEach() {
        assertThat(commands(plan(
                        "- {name: one, run: [p, '-r${devices[*]}/${half}', '${counts[*]}']}", Workflow.Choices.none())))
                .containsExactly(List.of("p", "-ra/a", "-rb,c/a", "1", "2", "3"));
        Workflow empty = Workflow.parse(
                "test", "test.yaml", "{title: t, parameters: {d: []}, steps: [{name: x, run: ['-r${d[*]}']}]}");
        TaskRecord skipped = Plan.of(empty, Workflow.Choices.none(), "x", MACHINE, new Target.Local(Path.of("/")))
                .tasks()
                .getFirst();
        assertThat(skipped.reason()).isEqualTo("needs 1 of d, there are 0");
    }

    @Test
    void aListIsComparedByHowManyItHas() {
        Plan plan =
                plan("- {name: one, run: [p], matrix: {n: [1, 2, 3]}, only: [n <= devices]}", Workflow.Choices.none());
        assertThat(plan.tasks().stream().map(TaskRecord::label)).containsExactly("one n=1", "one n=2");
    }

    @Test
    void refusesWhatWouldNotFitIntoMemory() {
        StringBuilder axes = new StringBuilder();
        for (char axis = 'a'; axis < 'z'; axis++) {
            axes.append(axis).append(": '${counts}', ");
        }
        assertThatThrownBy(() -> plan("- {name: one, run: [p], matrix: {" + axes + "z: 1}}", Workflow.Choices.none()))
                .hasMessageContaining("ask for too many runs");
        Map<String, List<String>> longer = Map.of("counts", List.of("x".repeat(40_000), "y".repeat(40_000)));
        assertThatThrownBy(() -> plan(
                        "- {name: one, run: ['n=${counts}']}", new Workflow.Choices(List.of(), false, longer, false)))
                .hasMessageContaining("becomes longer than 65536 characters");
    }

    /** Real devices under the name of software would be reported as what they are not, and the other way round. */
    @Test
    void knowsSoftwareByTheDevicesThatAreMeasured() {
        assertThat(Workflow.isSoftware(Map.of("devices", List.of("emu:1GiB", "gpu:null,1GiB"), "runtime", 3)))
                .isTrue();
        assertThat(Workflow.isSoftware(Map.of("devices", List.of("emu:1GiB", "0000:82:00.0"))))
                .isFalse();
        assertThat(Workflow.isSoftware(Map.of("devices", List.of("emu:1GiB"), "tool_devices", List.of("0000:82:00.0"))))
                .isFalse();
        assertThat(Workflow.isSoftware(Map.of("packages", List.of("git")))).isFalse();
        String steps = "- {name: one, run: [p], needs: [devices]}";
        assertThat(plan(steps, new Workflow.Choices(List.of("emu:1GiB"), false, Map.of(), false))
                        .tasks()
                        .getFirst()
                        .reason())
                .startsWith("needs real devices");
        Map<String, List<String>> set = Map.of("devices", List.of("0000:82:00.0"));
        assertThatThrownBy(() -> plan(steps, new Workflow.Choices(List.of(), false, set, false)))
                .hasMessage("--set devices: devices stand behind the workflow's name; next: ./aisio workflow run test"
                        + " DEVICE…");
    }

    @Test
    void aPersonsDevicesAndValuesComeBeforeTheFiles() {
        String steps = "- {name: one, run: [p, '${devices}', '${counts}']}";
        assertThat(commands(plan(steps, new Workflow.Choices(List.of("x"), true, Map.of(), false))))
                .containsExactly(List.of("p", "x", "1"));
        assertThat(commands(plan(steps, new Workflow.Choices(List.of(), true, Map.of("counts", List.of("7")), false))))
                .containsExactly(List.of("p", "a", "b,c", "7"));
        assertThatThrownBy(() -> plan(steps, new Workflow.Choices(List.of(), false, Map.of("x", List.of("1")), false)))
                .hasMessage("test: no parameter 'x'; there are devices, counts, half");
    }

    @Test
    void skipsWhatThisMachineCannotAndSaysWhatToDo() {
        Plan plan = plan("""
                - {name: a, run: [p], needs: [root]}
                - {name: b, run: [p], needs: [gpu]}
                - {name: c, run: [p], needs: [{program: spdk, get: build it}]}
                - {name: d, run: [p], needs: [{program: fio}]}
                - {name: e, run: [p], needs: [devices]}
                """, Workflow.Choices.none());
        assertThat(plan.tasks().stream().map(TaskRecord::reason))
                .containsExactly(
                        "needs root; next: put sudo before the command",
                        "needs a GPU that CUDA can use; next: run it on a machine with a GPU and NVIDIA's driver",
                        "needs the program spdk; next: build it",
                        "",
                        "needs real devices; next: name them on the command line");
        assertThat(plan.skipped()).hasSize(4);
    }

    @Test
    void destroysNothingUnlessAskedTo() {
        String steps = "- {name: fill, destructive: true, aisio: [xnvmeperf, '${devices}']}";
        TaskRecord held = plan(steps, Workflow.Choices.none()).tasks().getFirst();
        assertThat(held.state()).isEqualTo(TaskRecord.State.SKIPPED);
        assertThat(held.command()).isEmpty();
        assertThat(held.reason()).contains("--destroy-data");
        assertThat(commands(plan(steps, new Workflow.Choices(List.of("x"), false, Map.of(), true))))
                .containsExactly(List.of("/opt/aisio/aisio", "xnvmeperf", "x", "--destroy-data"));
        assertThatThrownBy(() -> plan("- {name: fill, destructive: true, run: [dd]}", Workflow.Choices.none()))
                .hasMessageContaining("only our own tools may be destructive");
    }

    @Test
    void takesAThreadOfEachCoreBeforeTheSecondThreads() {
        assertThat(MACHINE.cores()).containsExactly(0, 1);
        assertThat(MACHINE.threads()).containsExactly(0, 2, 1, 3);
        MachineFacts half = MachineFacts.of("kernel\t6", "cpus.allowed\t1,3", "cpus.topology\t0/0/0 1/0/1 2/0/0 3/0/1");
        assertThat(half.cores()).containsExactly(1);
        assertThat(half.threads()).containsExactly(1, 3);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "- {name: a, run: p}                                 | 'run' is a list of words",
                "- {name: a, run: [p], aisio: [q]}                   | has one of 'run', 'aisio' and 'check'",
                "- {name: A b, run: [p]}                             | a name is of small letters",
                "- {name: a, run: [p], matirx: {x: 1}}               | test.yaml, line 11, steps 1: no key 'matirx' is known here",
                "- {name: a, run: ['${nothing}']}                    | no parameter 'nothing'; there are",
                "- {name: a, run: ['${devices[1:2]}']}               | is not understood",
                "- {name: a, run: [p], only: [x about y]}            | is no comparison",
                "- {name: a, run: [p], result: numbers}              | no result 'numbers'",
                "- {name: a, run: [p], repeat: many}                 | 'repeat' is 'many'; expected a whole number",
                "- {name: a, run: [p], needs: [money]}               | test.yaml, line 11, steps 1 'a': no need 'money'",
                "- {name: a, run: [p], timeout: 0}                   | expected a whole number from 1",
                "- {name: a, run: [p], matrix: {x: {y: 1}}}          | expected a word, a number or a list",
                "- {name: a, run: ['${devices[n]}'], matrix: {n: [-1]}}    | expected a whole number from 0",
                "- {name: a, run: ['${devices[0:n]}'], matrix: {n: [-1]}}  | devices[-1]: expected a whole number from 0",
                "- {name: a, run: ['${devices[*]}${half[*]}']}       | one list with [*] in a word",
                "- {name: a, run: [p], repeat: 100001}               | expected a whole number from 1 to 100000",
                "- {name: a, run: [p], repeat: 40000, matrix: {x: '${counts}'}} | ask for too many runs",
                "- {name: a, run: [p], optional: 1}                  | expected true or false",
                "- {name: a, run: [p], run: [q]}                     | line 11: found duplicate key run",
                "- {name: a, run: [p}                                | line 11",
            })
    void saysWhatIsWrongWithAFile(String steps, String message) {
        assertThatThrownBy(() -> plan(steps, Workflow.Choices.none()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @Test
    void findsAValueThatStandsForItself() {
        Workflow workflow = Workflow.parse(
                "test", "test.yaml", "{title: t, parameters: {a: '${b}', b: '${a}'}, steps: [{name: x, run: [p]}]}");
        assertThatThrownBy(
                        () -> Plan.of(workflow, Workflow.Choices.none(), "x", MACHINE, new Target.Local(Path.of("/"))))
                .hasMessageContaining("stands for itself");
    }

    @Test
    void refusesAFileThatIsNoText(@TempDir Path folder) throws IOException {
        Path file = Files.write(folder.resolve("x.yaml"), new byte[] {(byte) 0xff, 0});
        assertThatThrownBy(() -> Workflow.read(file)).hasMessage(file + ": no text in UTF-8");
    }

    @Test
    void quotesWordsForTheShellThatSshStarts() {
        assertThat(new Target.Ssh("box", "aisio")
                        .command(List.of("p", "a b", "it's; rm"))
                        .getLast())
                .startsWith("'env' 'AISIO_BUILD=never' 'sh' '-c' ")
                .endsWith("'sh' 'p' 'a b' 'it'\\''s; rm'");
        assertThatThrownBy(() -> Target.of("-oProxyCommand=x", Path.of("/"), ""))
                .hasMessageContaining("--ssh '-oProxy");
    }
}
