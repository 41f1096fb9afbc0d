package io.aisio.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Runs a program as a person would, and tells its exit code and what it wrote.
 *
 * <pre>{@code
 * Shell.aisio("xal", "find", "/no/such/image").run().failsWith(Exit.FAILED, "/no/such/image: no such file");
 * }</pre>
 *
 * What it starts is the real {@code ./aisio} of this build, with {@code AISIO_BUILD=never}: call it from tests named
 * {@code …IT}, which run after the app is packaged. It has no terminal and nothing to read on standard input. A program
 * that runs longer than its deadline is killed, and that is a failure.
 */
final class Shell {
    /** The folder of the project. */
    static final Path ROOT =
            Path.of(System.getProperty("aisio.root", "..")).toAbsolutePath().normalize();

    private final List<String> command;
    private final Map<String, String> environment = new HashMap<>();
    private final List<String> unset = new ArrayList<>();
    private Path folder = ROOT;
    private Duration deadline = Duration.ofSeconds(60);

    private Shell(List<String> command) {
        this.command = command;
    }

    /** The real {@code ./aisio}, on the Java that runs the tests. */
    static Shell aisio(String... arguments) {
        return program(ROOT.resolve("aisio").toString(), arguments)
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .without("AISIO_JAVA_OPTS")
                .without("AISIO_DEBUG");
    }

    /** Any program. */
    static Shell program(String name, String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(name);
        Collections.addAll(command, arguments);
        return new Shell(command);
    }

    /** Sets a variable of the environment. */
    Shell with(String variable, String value) {
        environment.put(variable, value);
        unset.remove(variable);
        return this;
    }

    /** Takes a variable out of the environment. */
    Shell without(String variable) {
        environment.remove(variable);
        unset.add(variable);
        return this;
    }

    /** The working folder; the project's by default. */
    Shell in(Path workingFolder) {
        folder = workingFolder;
        return this;
    }

    /** How long it may run; 60 s by default. */
    Shell within(Duration limit) {
        deadline = limit;
        return this;
    }

    /** Runs it to its end. */
    Result run() {
        return start().await();
    }

    /** Starts it, for tests that do something meanwhile. */
    Running start() {
        try {
            // Files, not pipes: no thread is needed to drain them, and nothing that outlives the program holds us up.
            Path out = Files.createTempFile("aisio-out", ".txt");
            Path err = Files.createTempFile("aisio-err", ".txt");
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile());
            unset.forEach(builder.environment()::remove);
            builder.environment().putAll(environment);
            return new Running(String.join(" ", command), builder.start(), deadline, out, err);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A program under way. */
    record Running(String command, Process process, Duration deadline, Path out, Path err) {
        /** What it has written to standard output so far. */
        String outSoFar() {
            return read(out);
        }

        /** What it has written to standard error so far. */
        String errSoFar() {
            return read(err);
        }

        /** Presses Ctrl-C, or sends another signal: {@code INT}, {@code TERM}. */
        void signal(String name) {
            program("kill", "-" + name, Long.toString(process.pid())).run().succeeds();
        }

        /** Waits until it has a thread whose name, as the kernel has it, begins so. */
        void awaitsThread(String name) {
            long deadlineNanos = System.nanoTime() + deadline.toNanos();
            while (threads().noneMatch(thread -> thread.startsWith(name))) {
                if (System.nanoTime() > deadlineNanos || !process.isAlive()) {
                    process.destroyForcibly();
                    throw new AssertionError(command + ": no thread " + name + "; it wrote:\n" + read(out) + read(err));
                }
                Thread.onSpinWait();
            }
        }

        private Stream<String> threads() {
            try (Stream<Path> tasks = Files.list(Path.of("/proc", Long.toString(process.pid()), "task"))) {
                return tasks.map(Running::name).toList().stream();
            } catch (IOException | UncheckedIOException e) {
                return Stream.of();
            }
        }

        /** A thread's name; none if it has ended since it was listed. */
        private static String name(Path task) {
            try {
                return Files.readString(task.resolve("comm"));
            } catch (IOException e) {
                return "";
            }
        }

        /** Waits for its end. */
        Result await() {
            try {
                if (!process.waitFor(deadline.toMillis(), TimeUnit.MILLISECONDS)) {
                    process.destroyForcibly().waitFor();
                    throw new AssertionError(command + "\n  still ran after " + deadline.toSeconds() + " s; it wrote:\n"
                            + read(out) + read(err));
                }
            } catch (InterruptedException e) {
                process.destroyForcibly();
                throw new AssertionError(command + ": the test was interrupted", e);
            }
            Result result = new Result(command, process.exitValue(), read(out), read(err));
            delete(out);
            delete(err);
            return result;
        }

        private static String read(Path file) {
            try {
                return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private static void delete(Path file) {
            try {
                Files.delete(file);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /**
     * What became of a program. The checks below show all of it when they fail, and return it for more checks.
     *
     * @param command what was run
     * @param exit its exit code; 128 and the number if a signal ended it
     * @param out what it wrote to standard output
     * @param err what it wrote to standard error
     */
    record Result(String command, int exit, String out, String err) {
        /** Checks that it exited with 0. */
        Result succeeds() {
            return exits(0);
        }

        /** Checks the exit code. */
        Result exits(int expected) {
            return check(exit == expected, "exit code " + expected);
        }

        /**
         * Checks that it failed as bad input must: that exit code, nothing on standard output, and on standard error
         * one line, beginning with {@code aisio: } and holding all of {@code words}.
         */
        Result failsWith(int expected, String... words) {
            exits(expected);
            check(out.isEmpty(), "nothing on standard output");
            check(err.lines().count() == 1, "one line on standard error");
            check(err.startsWith("aisio: "), "a line that begins with 'aisio: '");
            return says(words);
        }

        /** Checks that standard error holds all of {@code words}. */
        Result says(String... words) {
            for (String word : words) {
                check(err.contains(word), "'" + word + "' on standard error");
            }
            return this;
        }

        /** Checks that standard output holds all of {@code words}. */
        Result prints(String... words) {
            for (String word : words) {
                check(out.contains(word), "'" + word + "' on standard output");
            }
            return this;
        }

        private Result check(boolean right, String expected) {
            if (!right) {
                throw new AssertionError("expected " + expected + ", but:\n" + this);
            }
            return this;
        }

        @Override
        public String toString() {
            return "$ " + command + "\n  exit code: " + exit + "\n  standard output:\n" + out.indent(4)
                    + "  standard error:\n" + err.indent(4);
        }
    }
}
