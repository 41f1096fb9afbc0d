package io.aisio.bench;

import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A program of this machine, found as an administrator's shell would find it.
 *
 * @param path of its file
 */
record Program(Path path) {
    /** Where administrators' programs lie when the PATH of a plain user lacks it. */
    private static final List<String> SBIN = List.of("/usr/sbin", "/sbin", "/usr/local/sbin");

    private static final File NOTHING = new File("/dev/null");
    /** How long what a program started may take to be gone once it is killed: chosen for a slow disk. */
    private static final long PATIENCE_SECONDS = 5;

    /** The program of a name, if this machine has it. */
    static Optional<Program> find(String name) {
        String path = Objects.requireNonNullElse(System.getenv("PATH"), "");
        return Stream.concat(Stream.of(path.split(":", -1)), SBIN.stream())
                .filter(folder -> !folder.isEmpty())
                .map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable)
                .map(Program::new)
                .findFirst();
    }

    /**
     * The program of a name.
     *
     * @param remedy how to get it, such as {@code apt-get install xfsprogs}
     * @throws IOException if this machine has none
     */
    static Program require(String name, String remedy) throws IOException {
        return find(name).orElseThrow(() -> new IOException("needs " + name + " (" + remedy + ")"));
    }

    /**
     * Runs it to its end.
     *
     * @throws IOException with the last line that it said, if it fails
     * @throws InterruptedIOException if this thread is interrupted; the program is then stopped and gone
     */
    void run(String... arguments) throws IOException {
        runIn(null, arguments);
    }

    /**
     * The same with a working folder.
     *
     * @param folder null for that of this process
     * @throws IOException as {@link #run}
     */
    void runIn(@Nullable Path folder, String... arguments) throws IOException {
        try (Running running = start(folder, Redirect.from(NOTHING), Redirect.DISCARD, arguments)) {
            running.await();
        }
    }

    /**
     * Runs it to its end, and gives what it printed.
     *
     * @throws IOException as {@link #run}
     * @throws InterruptedIOException as {@link #run}
     */
    String print(String... arguments) throws IOException {
        Path printed = Files.createTempFile("aisio-", ".out");
        try (Running running = start(null, Redirect.from(NOTHING), Redirect.to(printed.toFile()), arguments)) {
            running.await();
            return Files.readString(printed);
        } finally {
            Files.delete(printed);
        }
    }

    /**
     * Starts it.
     *
     * @param input where its standard input comes from
     */
    Running start(Redirect input, String... arguments) throws IOException {
        return start(null, input, Redirect.DISCARD, arguments);
    }

    private Running start(@Nullable Path folder, Redirect input, Redirect output, String... arguments)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(path.toString()));
        command.addAll(List.of(arguments));
        Path said = Files.createTempFile("aisio-", ".log");
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectInput(input)
                .redirectOutput(output)
                .redirectError(said.toFile());
        if (folder != null) {
            builder.directory(folder.toFile());
        }
        try {
            return new Running(String.join(" ", command), builder.start(), said);
        } catch (IOException e) {
            Files.delete(said);
            throw e;
        }
    }

    /**
     * A program under way. Closing stops it.
     *
     * @param command as it was started
     * @param process the program
     * @param said its standard error
     */
    record Running(String command, Process process, Path said) implements AutoCloseable {
        /**
         * Waits until it ends.
         *
         * @throws IOException as {@link Program#run}
         */
        void await() throws IOException {
            try {
                if (process.waitFor() != 0) {
                    List<String> lines = Files.readString(said).strip().lines().toList();
                    throw new IOException(command + ": "
                            + (lines.isEmpty() ? "exit status " + process.exitValue() : lines.getLast()));
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("interrupted while " + command + " ran");
            }
        }

        /** Stops it and what it started, if it has not ended, and waits until they are gone. */
        @Override
        public void close() throws IOException {
            List<ProcessHandle> started = process.descendants().toList();
            process.destroyForcibly();
            started.forEach(ProcessHandle::destroyForcibly);
            // Not longer: one that nobody above reaps is listed for ever, and holds nothing any more.
            CompletableFuture.allOf(started.stream().map(ProcessHandle::onExit).toArray(CompletableFuture<?>[]::new))
                    .completeOnTimeout(null, PATIENCE_SECONDS, TimeUnit.SECONDS)
                    .join();
            boolean interrupted = false;
            while (process.isAlive()) {
                try {
                    process.waitFor();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            Files.deleteIfExists(said);
        }
    }
}
