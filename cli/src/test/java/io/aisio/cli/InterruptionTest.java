package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ctrl-C, pressed on a JVM of its own. */
class InterruptionTest {
    /** A command that waits for ever, with a worker and a resource, as long commands have them. */
    static final class Forever {
        public static void main(String[] args) {
            System.exit(Interruption.guard(() -> {
                CountDownLatch stopped = new CountDownLatch(1);
                Thread worker = new Thread(() -> {
                    while (stopped.getCount() > 0) {
                        Thread.onSpinWait();
                    }
                    System.out.println("worker stopped");
                });
                worker.start();
                AutoCloseable worked = () -> {
                    worker.join();
                    System.out.println("resource closed");
                };
                try (AutoCloseable resource = worked;
                        Interruption onCtrlC = Interruption.stops(stopped::countDown)) {
                    System.out.println("running with " + resource + " and " + onCtrlC);
                    worker.join();
                    Thread.sleep(Duration.ofMinutes(1));
                    return Exit.DONE;
                } catch (InterruptedException e) {
                    System.out.println("interrupted, requested: " + Interruption.requested());
                    return Exit.FAILED;
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            }));
        }
    }

    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    void stopsWorkersInterruptsTheCommandAndClosesWhatItHolds(String signal, int exit) {
        // A parent that runs in the background may have set SIGINT to be ignored, which children inherit.
        Shell.Running forever = Shell.program(
                        "env",
                        "--default-signal=INT",
                        System.getProperty("java.home") + "/bin/java",
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Forever.class.getName())
                .start();
        Instant deadline = Instant.now().plusSeconds(30);
        while (!forever.outSoFar().contains("running")) {
            assertThat(Instant.now())
                    .as("still waiting for: %s", forever.errSoFar())
                    .isBefore(deadline);
            Thread.onSpinWait();
        }
        Instant pressed = Instant.now();
        forever.signal(signal);
        Shell.Result result = forever.await().exits(exit);
        result.prints("worker stopped", "interrupted, requested: true", "resource closed");
        assertThat(Duration.between(pressed, Instant.now())).isLessThan(Interruption.PATIENCE);
        assertThat(result.err()).isEmpty();
    }
}
