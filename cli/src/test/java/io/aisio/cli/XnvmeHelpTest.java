package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** The help of {@code xnvme} and of each of its verbs. */
class XnvmeHelpTest {
    static Stream<CommandLine> verbs() {
        List<CommandLine> all = new ArrayList<>();
        collect(
                Aisio.commandLine(new Aisio(), new Failures(() -> false))
                        .getSubcommands()
                        .get("xnvme"),
                all);
        assertThat(all).hasSizeGreaterThan(22);
        return all.stream();
    }

    private static void collect(CommandLine command, List<CommandLine> all) {
        if (!command.getCommandName().equals("help")) {
            all.add(command);
            command.getSubcommands().values().forEach(sub -> collect(sub, all));
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void isOneScreenWithTwoExamples(CommandLine verb) {
        String help = verb.getUsageMessage();
        assertThat(help.lines().count()).as(help).isLessThanOrEqualTo(45);
        assertThat(help.lines()).allMatch(line -> line.length() <= 100);
        String name = verb.getCommandSpec().qualifiedName();
        assertThat(help.lines().filter(line -> line.matches("  (sudo )?\\./aisio xnvme .*")))
                .as(help)
                .hasSize(2);
        assertThat(help).as(help).contains(name.startsWith("./aisio") ? name : "./aisio");
        assertThat(help).contains("Examples:");
    }
}
