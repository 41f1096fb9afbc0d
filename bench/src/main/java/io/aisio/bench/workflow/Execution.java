package io.aisio.bench.workflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Runs the tasks of a folder that wait, one after another, each in a process of its own.
 *
 * <p>It ends when all are done, or at the first that fails; after a check or an optional one that failed it goes on. An
 * interrupt ends the process that runs and leaves a folder that can be gone on with, as does a connection that is lost.
 */
public final class Execution {
    private static final File NOTHING = new File("/dev/null");
    /** How long a process may take to end before it is killed: chosen for a controller that is given back. */
    private static final Duration PATIENCE = Duration.ofSeconds(8);
    /** How much of a log is shown of what failed: some lines, which a screen has room for. */
    private static final int LOG_LINES = 12;

    private static final int LOG_BYTES = 8192;
    /** What a screen shows of a line that nothing ends, such as a progress bar's. */
    private static final int LOG_COLUMNS = 240;
    /**
     * Begins a session, where that program is, as it is on any Linux: Ctrl-C goes to all processes of a terminal's
     * group, and a step that it ends before this process knows would count as one that failed.
     */
    private static final List<String> ALONE = onPath("setsid") ? List.of("setsid") : List.of();
    /** Beyond any tool's report, a hundred devices' among them. */
    private static final long MOST_OUTPUT_BYTES = 64 << 20;

    private static final String PROCESS = "process";

    private final RunFolder folder;
    private final Target target;
    private final Listener listener;

    /** What a person is told meanwhile. */
    public interface Listener {
        /**
         * A task begins.
         *
         * @param remaining how long this and all after it will take, as far as can be told; zero if it cannot
         */
        void begins(TaskRecord task, int of, Duration remaining);

        /** A task ended. */
        void ended(TaskRecord task, int of);

        /** Something else to know. */
        void note(String line);
    }

    /** @param folder stays the caller's, who closes it */
    public Execution(RunFolder folder, Target target, Listener listener) {
        this.folder = folder;
        this.target = target;
        this.listener = listener;
    }

    /**
     * Runs what waits; what failed before is tried again.
     *
     * @return the run as it is then: {@link RunRecord#isOk} if all is well
     * @throws InterruptedIOException if this thread is interrupted
     * @throws IOException if the folder cannot be written, or the target is no longer reached
     */
    public RunRecord run() throws IOException {
        folder.forgetFailures();
        folder.save();
        try {
            for (TaskRecord task : folder.record().tasks()) {
                if (task.state() != TaskRecord.State.WAITING) {
                    continue;
                }
                int of = folder.record().tasks().size();
                listener.begins(task, of, folder.record().remaining());
                TaskRecord ended = run(task);
                folder.put(ended);
                listener.ended(ended, of);
                if (ended.endsRun()) {
                    break;
                }
            }
            if (folder.record().count(TaskRecord.State.WAITING) == 0
                    && folder.record().tasks().stream().noneMatch(TaskRecord::endsRun)) {
                folder.finish(now().toString());
            }
        } finally {
            folder.save();
        }
        return folder.record();
    }

    private TaskRecord run(TaskRecord task) throws IOException {
        Path place = folder.make(task);
        awaitLast(place);
        Instant at = now();
        if (!task.unless().isEmpty()
                && start(task, task.unless(), place, "unless.stdout", "unless.stderr")
                                .exit()
                        == 0) {
            return task.to(TaskRecord.State.SKIPPED, "it is so already", at.toString(), 0, Outcome.NOTHING);
        }
        long began = System.nanoTime();
        Ended ended = start(task, task.command(), place, "stdout", "stderr");
        double seconds = (System.nanoTime() - began) / 1e9;
        String why;
        if (ended.late()) {
            why = task.failed("not done within " + task.timeoutSeconds() + " s");
        } else if (ended.exit() != 0) {
            why = task.check() && !task.otherwise().isEmpty()
                    ? task.otherwise()
                    : task.failed("exit status " + ended.exit());
        } else {
            try {
                Outcome outcome = task.result().kind() == ResultFormat.Kind.NONE
                        ? Outcome.NOTHING
                        : task.result().outcome(output(place.resolve("stdout")));
                return task.to(TaskRecord.State.DONE, "", at.toString(), seconds, outcome);
            } catch (IOException e) {
                why = String.valueOf(e.getMessage());
            }
        }
        return task.to(TaskRecord.State.FAILED, why, at.toString(), seconds, Outcome.NOTHING);
    }

    /** What a program said; bytes that are no UTF-8, as of a device's name, hinder nothing. */
    private static String output(Path file) throws IOException {
        long bytes = Files.size(file);
        if (bytes > MOST_OUTPUT_BYTES) {
            throw new IOException("its standard output has " + bytes + " bytes; numbers are looked for in "
                    + MOST_OUTPUT_BYTES + " at most");
        }
        return new String(Files.readAllBytes(file), UTF_8);
    }

    /** The end of a task's log: what it said on standard error, or else on standard output. */
    public static List<String> logEnd(Path run, TaskRecord task) throws IOException {
        for (String name : List.of("stderr", "stdout")) {
            Path log = run.resolve(task.folder()).resolve(name);
            if (!Files.exists(log)) {
                continue;
            }
            List<String> lines = end(log).strip().lines().map(Execution::narrow).toList();
            if (!lines.isEmpty() && !lines.getFirst().isEmpty()) {
                return lines.subList(Math.max(0, lines.size() - LOG_LINES), lines.size());
            }
        }
        return List.of();
    }

    private static String narrow(String line) {
        return line.length() <= LOG_COLUMNS ? line : line.substring(0, LOG_COLUMNS) + "…";
    }

    private static String end(Path log) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "r")) {
            file.seek(Math.max(0, file.length() - LOG_BYTES));
            byte[] bytes = new byte[LOG_BYTES];
            int got = file.read(bytes);
            return got <= 0 ? "" : new String(bytes, 0, got, UTF_8);
        }
    }

    /**
     * How a process ended.
     *
     * @param exit its status
     * @param late whether it was ended because it took too long
     */
    private record Ended(int exit, boolean late) {}

    private Ended start(TaskRecord task, List<String> words, Path place, String stdout, String stderr)
            throws IOException {
        List<String> command = new ArrayList<>(ALONE);
        command.addAll(target.command(words));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(place.resolve(stdout).toFile())
                .redirectError(place.resolve(stderr).toFile());
        if (!target.endsWithInput()) {
            builder.redirectInput(NOTHING);
        }
        // A step measures what is built; it does not build.
        builder.environment().put(Target.BUILD, Target.NEVER);
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            Files.writeString(place.resolve(stderr), e.getMessage() + "\n");
            // The shell's status for a program that is not found.
            return new Ended(127, false);
        }
        try {
            Files.writeString(place.resolve(PROCESS), process.pid() + " " + startOf(process.toHandle()));
            if (!process.waitFor(task.timeoutSeconds(), TimeUnit.SECONDS)) {
                return new Ended(-1, true);
            }
            if (target.isLost(process.exitValue())) {
                // What the step would have told is not known: it is neither done nor failed.
                throw new IOException(target.name() + ": the connection ended while " + task.label() + " ran"
                        + end(place.resolve(stderr)).strip().lines().reduce("", (a, b) -> ": " + b)
                        + "; next: try '" + target.tryByHand() + "' until it asks for nothing");
            }
            return new Ended(process.exitValue(), false);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while " + task.label() + " ran");
        } finally {
            stop(process);
            Files.deleteIfExists(place.resolve(PROCESS));
        }
    }

    /** Ends what is still running, and what that started: asks first, and kills what does not listen. */
    private static void stop(Process process) throws IOException {
        if (!process.isAlive()) {
            return;
        }
        List<ProcessHandle> started = process.descendants().toList();
        process.getOutputStream().close();
        started.forEach(ProcessHandle::destroy);
        process.destroy();
        boolean interrupted = Thread.interrupted();
        try {
            if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            interrupted = true;
            process.destroyForcibly();
        }
        started.forEach(ProcessHandle::destroyForcibly);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Of a run that was killed, the last process may still be running: two at once would measure each other. */
    private void awaitLast(Path place) throws IOException {
        Path file = place.resolve(PROCESS);
        if (!Files.exists(file)) {
            return;
        }
        ProcessHandle last = last(Files.readString(file));
        if (last != null) {
            listener.note("the run before left process " + last.pid() + " running; waiting for it to end");
            try {
                last.onExit().get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("interrupted while process " + last.pid() + " was waited for");
            } catch (java.util.concurrent.ExecutionException e) {
                throw new IOException("process " + last.pid() + " cannot be waited for", e);
            }
        }
        Files.delete(file);
    }

    /** Numbers of processes are used again; when one began is not. */
    private static @Nullable ProcessHandle last(String told) {
        String[] parts = told.strip().split(" ", 2);
        if (parts.length != 2 || !parts[0].matches("\\d{1,10}")) {
            return null;
        }
        Optional<ProcessHandle> process = ProcessHandle.of(Long.parseLong(parts[0]));
        return process.filter(one -> startOf(one).equals(parts[1])).orElse(null);
    }

    private static boolean onPath(String program) {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator, -1))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    private static String startOf(ProcessHandle process) {
        return process.info().startInstant().map(Instant::toString).orElse("?");
    }

    private static Instant now() {
        return Instant.now().truncatedTo(ChronoUnit.MILLIS);
    }
}
