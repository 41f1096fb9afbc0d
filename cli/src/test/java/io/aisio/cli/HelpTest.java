package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.HelpCommand;

/** What every command's {@code --help} must be. */
class HelpTest {
    static Stream<String> commands() {
        return all(root()).map(command -> command.getCommandSpec().qualifiedName());
    }

    @ParameterizedTest
    @MethodSource("commands")
    void isOneScreenWithTwoExamples(String name) {
        CommandLine command = all(root())
                .filter(one -> one.getCommandSpec().qualifiedName().equals(name))
                .findFirst()
                .orElseThrow();
        String help = command.getUsageMessage(Ansi.OFF);
        assertThat(help.lines()).hasSizeLessThanOrEqualTo(50).allMatch(line -> line.length() <= 100);
        assertThat(help).contains("Usage: " + name);
        // A group's examples are those of the commands in it.
        if (command.getSubcommands().isEmpty() || command.getParent() == null) {
            assertThat(help.lines().filter(line -> line.matches("  (sudo )?\\./aisio .*")))
                    .hasSizeGreaterThanOrEqualTo(2);
        }
        assertThat(command.getCommandSpec().usageMessage().header())
                .as("the line that stands for it in the list of commands")
                .hasSize(1);
    }

    @Test
    void theWordsOfACommandAreThoseBeforeItsArguments() {
        assertThat(Aisio.words(root(), "--debug", "xnvmeperf", "run", "--iosize", "512", "homi:nvme0"))
                .isEqualTo("xnvmeperf run");
        assertThat(Aisio.words(root(), "doctor", "list")).isEqualTo("doctor");
        assertThat(Aisio.words(root())).isEmpty();
    }

    private static CommandLine root() {
        return Aisio.commandLine(new Aisio(), new Failures(() -> false));
    }

    private static Stream<CommandLine> all(CommandLine command) {
        return Stream.concat(
                Stream.of(command),
                command.getSubcommands().values().stream()
                        .filter(sub -> !(sub.getCommand() instanceof HelpCommand))
                        .flatMap(HelpTest::all));
    }
}
