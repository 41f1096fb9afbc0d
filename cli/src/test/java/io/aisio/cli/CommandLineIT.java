package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The root command through the real {@code ./aisio}. */
class CommandLineIT {
    @Test
    void showsOneScreenOfHelpWithEveryCommandAndTwoExamples() {
        Shell.Result help = Shell.aisio("--help").run().succeeds();
        help.prints("Usage: ./aisio", "Commands:", "Examples:", "emu:1GiB");
        assertThat(help.out().lines()).hasSizeLessThanOrEqualTo(40).allMatch(line -> line.length() <= 100);
        assertThat(help.out().lines().filter(line -> line.startsWith("  ./aisio ")))
                .hasSizeGreaterThanOrEqualTo(2);
        assertThat(help.out()).doesNotContain("\u001b");
        assertThat(help.err()).isEmpty();
    }

    @Test
    void tellsTheVersionsThatABugReportNeeds() {
        Shell.aisio("--version")
                .run()
                .succeeds()
                .prints("aisio 0.", "Java " + Runtime.version(), System.getProperty("os.arch"));
    }

    @Test
    void asksForACommandWhenThereIsNone() {
        Shell.Result result = Shell.aisio().run().exits(Exit.USAGE).says("Usage: ./aisio", "Commands:");
        assertThat(result.out()).isEmpty();
    }

    @Test
    void namesACommandThatItDoesNotKnow() {
        Shell.aisio("frobnicate").run().failsWith(Exit.USAGE, "no command 'frobnicate'", "see ./aisio --help");
    }

    @Test
    void namesAnOptionThatItDoesNotKnowAndOneThatIsNear() {
        Shell.aisio("--versoin")
                .run()
                .failsWith(Exit.USAGE, "no option '--versoin'", "perhaps --version", "see ./aisio --help");
    }

    @Test
    void showsATraceOnlyWhenAskedTo() {
        String trace = "\tat io.aisio.cli";
        assertThat(Shell.aisio("nonsense").run().exits(Exit.USAGE).err()).doesNotContain(trace);
        Shell.aisio("--debug", "nonsense").run().exits(Exit.USAGE).says(trace);
        Shell.aisio("nonsense").with("AISIO_DEBUG", "1").run().exits(Exit.USAGE).says(trace);
    }

    @Test
    void failsWhenItsOutputCannotBeWritten() {
        Shell.program(
                        "bash",
                        "-c",
                        "exec \"$0\" --help > /dev/full",
                        Shell.ROOT.resolve("aisio").toString())
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .run()
                .failsWith(Exit.FAILED, "standard output");
    }

    @Test
    void worksWhereNothingSaysThatNamesAreUtf8(@TempDir Path folder) {
        Shell.aisio("größe")
                .without("LANG")
                .without("LC_ALL")
                .without("LC_CTYPE")
                .in(folder)
                .run()
                .failsWith(Exit.USAGE, "no command 'größe'");
    }
}
