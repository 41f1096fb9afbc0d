package io.aisio.bench.workflow;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What a target runs, as the shell runs it that sshd starts. */
class TargetTest {
    private static final Target BOX = Target.of("box", Path.of("/"), "aisio");

    private static Process there(String... words) throws IOException {
        return new ProcessBuilder("sh", "-c", BOX.command(List.of(words)).getLast())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    /** The process whose number a program tells in its first line. */
    private static ProcessHandle told(Process program) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(program.getInputStream(), UTF_8));
        return ProcessHandle.of(Long.parseLong(lines.readLine())).orElseThrow();
    }

    @Test
    void whatAStepStartedEndsWithTheConnection() throws Exception {
        Process program = there("sh", "-c", "sleep 1000 & echo $!; wait");
        ProcessHandle started = told(program);
        assertThat(started.isAlive()).isTrue();
        program.getOutputStream().close();
        started.onExit().get(30, TimeUnit.SECONDS);
        assertThat(program.waitFor(30, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void whatDoesNotListenIsKilledAlsoIfItsParentIsGone() throws Exception {
        Process program = there("sh", "-c", "(trap '' TERM; exec sleep 1000) & echo $!; wait");
        ProcessHandle deaf = told(program);
        program.getOutputStream().close();
        assertThat(program.waitFor(30, TimeUnit.SECONDS)).isTrue();
        deaf.onExit().get(30, TimeUnit.SECONDS);
    }

    @Test
    void anExitStatusIsThePrograms() throws Exception {
        for (int status : List.of(0, 3, 127)) {
            assertThat(there("sh", "-c", "exit " + status).waitFor()).isEqualTo(status);
            assertThat(BOX.isLost(status)).isFalse();
        }
        // 255 is ssh's alone.
        assertThat(there("sh", "-c", "exit 255").waitFor()).isEqualTo(254);
        assertThat(BOX.isLost(255)).isTrue();
        assertThat(Target.of("", Path.of("/"), "").isLost(255)).isFalse();
    }

    @Test
    void aMachineWithoutOurToolsIsRefusedWhereAWorkflowUsesThem() throws IOException {
        Workflow ours = Workflow.parse("t", "t.yaml", "{title: t, steps: [{name: a, aisio: [model]}]}");
        Workflow others = Workflow.parse("t", "t.yaml", "{title: t, steps: [{name: a, run: ['true']}]}");
        MachineFacts bare = MachineFacts.of("kernel\t6.12");
        assertThatThrownBy(() -> BOX.requireLauncher(ours, bare))
                .hasMessage("box: there is no aisio/aisio; next: bring AiSIO there and start it once, or say where it"
                        + " lies by --ssh-home");
        BOX.requireLauncher(others, bare);
        BOX.requireLauncher(ours, MachineFacts.of("kernel\t6.12", "aisio.launcher\tyes"));
    }

    @Test
    void wordsAreShownAsAShellTakesThem() throws Exception {
        List<String> words = List.of("a", "it's", "", "x y", "$HOME", "emu:null?a=1&b=2", "--n=1,2", "*");
        String shown = ShellWords.shown(words);
        assertThat(shown).startsWith("a 'it'\\''s' '' 'x y' ").contains(" --n=1,2 ");
        Process shell = new ProcessBuilder("sh", "-c", "printf '%s\\n' " + shown).start();
        assertThat(new String(shell.getInputStream().readAllBytes(), UTF_8).lines())
                .containsExactlyElementsOf(new ArrayList<>(words));
    }
}
