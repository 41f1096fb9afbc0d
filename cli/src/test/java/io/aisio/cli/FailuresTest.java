package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What a person is told when a command throws. */
class FailuresTest {
    private final StringWriter err = new StringWriter();
    private boolean debug;

    @Command(name = "tool")
    record Tool(Exception thrown) implements Callable<Integer> {
        @Option(names = "--qdepth")
        void queueDepth(int depth) {
            assertThat(depth).isPositive();
        }

        @Override
        public Integer call() throws Exception {
            throw thrown;
        }
    }

    @Test
    void anInputErrorIsItsMessageInOneLine() {
        assertThat(run(new IllegalArgumentException("'12x' is no size"))).isEqualTo(Exit.FAILED);
        assertThat(err).hasToString("aisio: '12x' is no size\n");
    }

    @Test
    void aSystemCallErrorNamesTheCallAndItsSubject() {
        assertThat(run(new LinuxException("pwrite", "/data/set.img", Errno.ENOSPC)))
                .isEqualTo(Exit.FAILED);
        assertThat(err).hasToString("aisio: /data/set.img: no space left on the device (pwrite: ENOSPC)\n");
    }

    @Test
    void aFileExceptionThatSaysOnlyThePathGetsItsReason() {
        run(new NoSuchFileException("/no/image"));
        run(new AccessDeniedException("/root/image"));
        assertThat(err).hasToString("aisio: /no/image: no such file\naisio: /root/image: permission denied\n");
    }

    @Test
    void anExceptionThatOnlyCarriesAnotherIsTakenOff() {
        IOException cause = new IOException("disk gone");
        assertThat(run(new ExecutionException(new UncheckedIOException(cause)))).isEqualTo(Exit.FAILED);
        assertThat(err).hasToString("aisio: disk gone\n");
    }

    @Test
    void aMessageOfSeveralLinesIsCutToItsFirst() {
        run(new IOException("first\nsecond"));
        assertThat(err).hasToString("aisio: first\n");
    }

    @Test
    void anythingElseIsAFaultOfOurOwnAndTellsHowToGetTheTrace() {
        assertThat(run(new IllegalStateException("slot 3 is in flight"))).isEqualTo(Exit.INTERNAL);
        assertThat(err)
                .hasToString("aisio: a fault of its own: java.lang.IllegalStateException: slot 3 is in flight;"
                        + " run it again with --debug for the trace, and report it\n");
    }

    @Test
    void whatCouldNotBeGivenBackIsALineOfItsOwn() {
        IOException failed = new IOException("disk gone");
        failed.addSuppressed(new IOException("/tmp/mount is still mounted"));
        failed.addSuppressed(new IOException("a log\nof several lines"));
        failed.addSuppressed(new IOException("disk gone"));
        failed.addSuppressed(new IllegalStateException("of no use to a person"));
        assertThat(run(new UncheckedIOException(failed))).isEqualTo(Exit.FAILED);
        assertThat(err).hasToString("aisio: disk gone\naisio: /tmp/mount is still mounted\n");
    }

    @Test
    void whatAFaultOfOurOwnLeavesIsToldToo() {
        IllegalStateException fault = new IllegalStateException("slot 3 is in flight");
        fault.addSuppressed(new IOException("/tmp/mount is still mounted"));
        assertThat(run(fault)).isEqualTo(Exit.INTERNAL);
        assertThat(err.toString()).endsWith("report it\naisio: /tmp/mount is still mounted\n");
    }

    @Test
    void tracesAreShownOnRequest() {
        debug = true;
        run(new IOException("disk gone"));
        assertThat(err.toString())
                .startsWith("aisio: disk gone\njava.io.IOException: disk gone\n\tat ")
                .contains("FailuresTest");
    }

    @Test
    void aWrongValueIsAUsageErrorThatNamesTheOption() {
        assertThat(run(new IOException("not reached"), "--qdepth", "many")).isEqualTo(Exit.USAGE);
        assertThat(err.toString())
                .startsWith("aisio: invalid value for option '--qdepth'")
                .contains("'many'")
                .endsWith("see tool --help\n")
                .hasLineCount(1);
    }

    @Test
    void aSurplusWordIsAnArgumentWhereThereAreNoCommands() {
        CommandLine root = new CommandLine(new Group());
        root.addSubcommand(new Tool(new IOException("not reached")));
        root.setParameterExceptionHandler(new Failures(() -> debug)).setErr(new PrintWriter(err, true));
        assertThat(root.execute("tool", "surplus")).isEqualTo(Exit.USAGE);
        assertThat(err).hasToString("aisio: no argument 'surplus'; see group tool --help\n");
    }

    @Command(name = "group")
    private static final class Group {}

    private int run(Exception thrown, String... arguments) {
        Failures failures = new Failures(() -> debug);
        return new CommandLine(new Tool(thrown))
                .setExecutionExceptionHandler(failures)
                .setParameterExceptionHandler(failures)
                .setErr(new PrintWriter(err, true))
                .execute(arguments);
    }
}
