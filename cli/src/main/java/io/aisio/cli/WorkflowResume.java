package io.aisio.cli;

import io.aisio.bench.workflow.RunFolder;
import io.aisio.bench.workflow.RunRecord;
import io.aisio.bench.workflow.Target;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code workflow resume}: goes on with a run that ended early. */
@Command(
        name = "resume",
        header = "Goes on with a run that was stopped or failed; what is done stays.",
        parameterListHeading = "%nRun:%n",
        footer = {"  ./aisio workflow resume", "  ./aisio workflow resume runs/experiments-20261129T004500Z"})
final class WorkflowResume implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "RUN", description = "Its folder or name (the youngest unfinished one).")
    private String name = "";

    @Mixin
    private final WorkflowOptions options = new WorkflowOptions();

    @Override
    public Integer call() throws IOException {
        Path path = name.isEmpty() ? WorkflowRuns.unfinished(options.runs()) : WorkflowRuns.find(name, options.runs());
        try (RunFolder folder = RunFolder.open(path.toAbsolutePath().normalize())) {
            RunRecord run = folder.record();
            if (run.isOk() && !run.finished().isEmpty()) {
                System.out.println(run.id() + ": nothing is left to be done");
                return Exit.DONE;
            }
            // The plan has its command lines whole, so that where AiSIO lies there is not asked again.
            return WorkflowRuns.run(
                    folder, Target.of(run.target().equals(Target.HERE) ? "" : run.target(), WorkflowRuns.home(), ""));
        }
    }
}
