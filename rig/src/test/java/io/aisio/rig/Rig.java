package io.aisio.rig;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code rig/run}, on the host: one start of it, and what it said. */
final class Rig {
    /** What it exits with where it cannot be set up. */
    static final int UNAVAILABLE = 125;

    static final Path ROOT =
            Path.of(System.getProperty("aisio.root", "..")).toAbsolutePath().normalize();

    private Rig() {}

    /** The command with these arguments, to be started. */
    static ProcessBuilder command(List<String> arguments) {
        List<String> command = new ArrayList<>(List.of(ROOT.resolve("rig/run").toString()));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(ROOT.toFile())
                .redirectInput(Path.of("/dev/null").toFile());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        // This may be within a build, which ./aisio would wait for.
        builder.environment().put("AISIO_BUILD", "never");
        return builder;
    }

    /** Runs it to its end. */
    static Result run(String... arguments) {
        try {
            Path out = Files.createTempFile("rig-out", ".txt");
            Path err = Files.createTempFile("rig-err", ".txt");
            try {
                int exit = command(List.of(arguments))
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile())
                        .start()
                        .waitFor();
                return new Result(exit, Files.readString(out), Files.readString(err));
            } finally {
                Files.delete(out);
                Files.delete(err);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError("interrupted while rig/run ran", e);
        }
    }

    /**
     * Installs, downloads and builds what guests need; that takes a minute the first time.
     *
     * @return what is missing, beginning with {@code needs}; empty if guests can be booted
     */
    static String prepare() {
        Result result = run("--prepare");
        String last = result.err().lines().reduce("", (_, line) -> line);
        if (result.exit() == UNAVAILABLE && last.startsWith("rig: needs")) {
            return last.substring("rig: ".length());
        }
        if (result.exit() != 0) {
            throw new AssertionError("rig/run --prepare: " + result);
        }
        return "";
    }

    /**
     * What became of a start.
     *
     * @param exit its exit code
     * @param out what came on standard output
     * @param err what came on standard error
     */
    record Result(int exit, String out, String err) {
        @Override
        public String toString() {
            return "exit code " + exit + "\n  standard output:\n" + out.indent(4) + "  standard error:\n"
                    + err.indent(4);
        }
    }
}
