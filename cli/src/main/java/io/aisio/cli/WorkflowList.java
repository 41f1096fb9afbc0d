package io.aisio.cli;

import io.aisio.bench.workflow.RunFolder;
import io.aisio.bench.workflow.RunRecord;
import io.aisio.bench.workflow.TaskRecord;
import io.aisio.bench.workflow.Workflow;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code workflow list}: what can be run, and what was. */
@Command(
        name = "list",
        header = "Lists the workflows, and the runs that there are.",
        footer = {"  ./aisio workflow list", "  ./aisio workflow list --runs /data/runs"})
final class WorkflowList implements Callable<Integer> {
    @Mixin
    private final WorkflowOptions options = new WorkflowOptions();

    @Override
    public Integer call() throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            TextTable workflows = new TextTable("WORKFLOW", "WHAT IT DOES");
            for (String name : Workflow.names(WorkflowRuns.workflows())) {
                workflows.add(
                        name, Workflow.find(name, WorkflowRuns.workflows()).title());
            }
            workflows.print(out);
            out.line("");
            TextTable runs = new TextTable("RUN", "STARTED", "STATE", "DONE", "FAILED", "SKIPPED", "NOT RUN");
            for (Path path : RunFolder.list(options.runs())) {
                RunRecord run;
                try {
                    run = RunFolder.read(path);
                } catch (IOException e) {
                    System.err.println(Failures.line(Failures.message(e)));
                    continue;
                }
                runs.add(
                        run.id(),
                        run.started(),
                        state(run),
                        Long.toString(run.count(TaskRecord.State.DONE)),
                        Long.toString(run.count(TaskRecord.State.FAILED)),
                        Long.toString(run.count(TaskRecord.State.SKIPPED)),
                        Long.toString(run.count(TaskRecord.State.WAITING)));
            }
            if (runs.isEmpty()) {
                out.line("no runs in " + options.runs());
            } else {
                runs.print(out);
            }
        }
        return Exit.DONE;
    }

    private static String state(RunRecord run) {
        if (run.count(TaskRecord.State.WAITING) > 0) {
            return "unfinished";
        }
        return run.isOk() ? "finished" : "failed";
    }
}
