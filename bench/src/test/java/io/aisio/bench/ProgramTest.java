package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a program leaves behind. */
class ProgramTest {
    @TempDir
    private Path folder;

    @Test
    void whatItStartedIsGoneOnceItIsInterrupted() throws Exception {
        Path pid = folder.resolve("pid");
        Program shell = Program.require("sh", "apt-get install dash");
        Thread caller = Thread.currentThread();
        Thread interrupter = Thread.ofPlatform().start(() -> {
            try {
                awaitContent(pid);
            } catch (IOException | InterruptedException e) {
                throw new AssertionError(e);
            } finally {
                caller.interrupt();
            }
        });
        try {
            assertThatThrownBy(() -> shell.run(
                            "-c",
                            "sleep 600 & echo $! > \"$1.part\"; mv \"$1.part\" \"$1\"; wait",
                            "sh",
                            pid.toString()))
                    .isInstanceOf(InterruptedIOException.class);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
            interrupter.join();
        }
        assertThat(isRunning(Files.readString(pid).strip())).isFalse();
    }

    private static void awaitContent(Path file) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (Files.notExists(file)) {
            assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
            Thread.sleep(5);
        }
    }

    /** Not if it waits only for somebody to ask for its exit status: its command line is empty then. */
    private static boolean isRunning(String pid) throws IOException {
        Path command = Path.of("/proc", pid, "cmdline");
        return Files.exists(command) && Files.readAllBytes(command).length > 0;
    }
}
