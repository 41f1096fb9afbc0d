package io.aisio.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Test;

class ProgressTest {
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();
    private final PrintStream err = new PrintStream(written, true, UTF_8);

    @Test
    void writesEachLineOverTheOneBefore() {
        try (Progress progress = Progress.on(err, true)) {
            progress.show("1 of 2");
            progress.show("2 of 2");
        }
        assertThat(written.toString(UTF_8)).isEqualTo("\r\u001b[K1 of 2\r\u001b[K2 of 2\r\u001b[K");
    }

    @Test
    void cutsALineThatATerminalWouldWrap() {
        try (Progress progress = Progress.on(err, true)) {
            progress.show("x".repeat(200));
        }
        assertThat(written.toString(UTF_8)).isEqualTo("\r\u001b[K" + "x".repeat(78) + "…\r\u001b[K");
    }

    @Test
    void writesNothingWithoutATerminal() {
        try (Progress progress = Progress.on(err, false)) {
            progress.show("1 of 2");
        }
        assertThat(written.toString(UTF_8)).isEmpty();
    }

    @Test
    void leavesACleanLineAlone() {
        Progress.on(err, true).close();
        assertThat(written.toString(UTF_8)).isEmpty();
    }
}
