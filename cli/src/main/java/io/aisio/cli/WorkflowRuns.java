package io.aisio.cli;

import io.aisio.bench.report.HtmlReport;
import io.aisio.bench.workflow.Execution;
import io.aisio.bench.workflow.RunFolder;
import io.aisio.bench.workflow.RunRecord;
import io.aisio.bench.workflow.ShellWords;
import io.aisio.bench.workflow.Target;
import io.aisio.bench.workflow.TaskRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What the commands of {@code workflow} share: where things lie, and how a run is told. */
final class WorkflowRuns {
    private static final String REPORT = "report.html";

    private WorkflowRuns() {}

    /** Where AiSIO lies, with its workflows. */
    static Path home() {
        return Path.of(System.getProperty("aisio.home", "")).toAbsolutePath().normalize();
    }

    static Path workflows() {
        return home().resolve("workflows");
    }

    /**
     * A run by its name, or the youngest.
     *
     * @param name a folder, or the name of one beneath {@code runs}; empty for the youngest
     */
    static Path find(String name, Path runs) throws IOException {
        if (name.isEmpty()) {
            List<Path> all = RunFolder.list(runs);
            if (all.isEmpty()) {
                throw new IOException(runs + ": no run; next: ./aisio workflow run experiments --quick");
            }
            return all.getLast();
        }
        Path path = Path.of(name);
        return Files.exists(path.resolve(RunFolder.RUN)) ? path : runs.resolve(name);
    }

    /**
     * The youngest run that has not come to its end. One that is damaged is told, and left out.
     *
     * @throws IOException if there is none
     */
    static Path unfinished(Path runs) throws IOException {
        List<Path> all = RunFolder.list(runs);
        for (Path path : all.reversed()) {
            try {
                if (RunFolder.read(path).finished().isEmpty()) {
                    return path;
                }
            } catch (IOException e) {
                System.err.println("note: " + Printable.of(Failures.message(e)));
            }
        }
        throw new IOException(
                all.isEmpty()
                        ? runs + ": no run; next: ./aisio workflow run experiments --quick"
                        : runs
                                + ": no run waits to be gone on with; next: ./aisio workflow list, and name the one whose"
                                + " failed steps are to be tried again");
    }

    /** Runs what waits in a folder, tells how it goes, and makes the report. */
    static int run(RunFolder folder, Target target) throws IOException {
        RunRecord ended;
        try (Progress progress = Progress.onStandardError()) {
            ended = new Execution(folder, target, new Told(progress)).run();
        } catch (IOException e) {
            System.err.println("to go on: ./aisio workflow resume " + folder.path());
            throw e;
        }
        for (TaskRecord task : ended.tasks()) {
            if (task.state() == TaskRecord.State.FAILED) {
                tellFailed(folder.path(), task);
            }
        }
        Path report = report(folder, ended);
        System.out.printf(
                Locale.ROOT,
                "%d done, %d failed, %d skipped, %d not run%n",
                ended.count(TaskRecord.State.DONE),
                ended.count(TaskRecord.State.FAILED),
                ended.count(TaskRecord.State.SKIPPED),
                ended.count(TaskRecord.State.WAITING));
        System.out.println("run:    " + folder.path());
        System.out.println("report: " + report);
        if (!ended.isOk()) {
            System.err.println("to go on: ./aisio workflow resume " + folder.path());
        }
        return ended.isOk() ? Exit.DONE : Exit.FAILED;
    }

    private static Path report(RunFolder folder, RunRecord record) throws IOException {
        Path report = folder.path().resolve(REPORT);
        folder.write(report, HtmlReport.of(record));
        return report;
    }

    private static void tellFailed(Path run, TaskRecord task) throws IOException {
        System.err.println(Failures.line(task.label() + ": " + task.reason()));
        if (!task.check()) {
            System.err.println("  command: " + Printable.of(ShellWords.shown(task.command())));
            Execution.logEnd(run, task).forEach(line -> System.err.println("  | " + Printable.of(line)));
            System.err.println("  log:     " + run.resolve(task.folder()));
        }
    }

    /** How it goes: a line on a terminal, and one for each task that ended. */
    private record Told(Progress progress) implements Execution.Listener {
        @Override
        public void begins(TaskRecord task, int of, Duration remaining) {
            progress.show(String.format(
                    Locale.ROOT,
                    "%d of %d: %s%s",
                    task.number(),
                    of,
                    task.label(),
                    remaining.isZero() ? "" : "; about " + inWords(remaining) + " left"));
        }

        @Override
        public void ended(TaskRecord task, int of) {
            progress.close();
            String what = switch (task.state()) {
                case DONE -> shown(task.outcome().values());
                case SKIPPED -> "skipped: " + task.reason();
                case FAILED -> "FAILED: " + task.reason();
                case WAITING -> "";
            };
            System.out.printf(
                    Locale.ROOT,
                    "%" + Integer.toString(of).length() + "d/%d  %s  %s%n",
                    task.number(),
                    of,
                    task.label(),
                    Printable.of(what.isEmpty() ? "done" : what));
            System.out.flush();
        }

        @Override
        public void note(String line) {
            progress.close();
            System.err.println("note: " + line);
        }

        private static String shown(Map<String, Double> values) {
            StringBuilder text = new StringBuilder();
            Double iops = values.get("iops");
            Double bytes = values.get("bytes_per_second");
            if (iops != null) {
                text.append(String.format(Locale.ROOT, "%.0f IOPS", iops));
            }
            if (bytes != null) {
                text.append(text.isEmpty() ? "" : ", ")
                        .append(String.format(Locale.ROOT, "%.1f MiB/s", bytes / 0x1p20));
            }
            return text.toString();
        }
    }

    /** A duration as a person says it. */
    static String inWords(Duration time) {
        long seconds = time.toSeconds();
        return seconds < 90 ? Math.max(1, seconds) + " s" : (seconds + 30) / 60 + " min";
    }
}
