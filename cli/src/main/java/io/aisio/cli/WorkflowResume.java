package io.aisio.cli;

import io.aisio.bench.workflow.RunFolder;
import io.aisio.bench.workflow.Target;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code workflow resume}: goes on with a run that ended early. */
@Command(
        name = "resume",
        header = "Goes on with a run that was stopped or failed; what is done stays.",
        parameterListHeading = "%nRun:%n",
        footer = {"  ./aisio workflow resume", "  ./aisio workflow resume runs/experiments-20261129T004500Z"})
final class WorkflowResume implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "RUN", description = "Its folder or name (the youngest).")
    private String name = "";

    @Mixin
    private final WorkflowOptions options = new WorkflowOptions();

    @Option(
            names = "--ssh-home",
            paramLabel = "DIR",
            description = "Where AiSIO lies on the machine that the run is on (aisio).")
    private String remoteHome = "aisio";

    @Override
    public Integer call() throws IOException {
        try (RunFolder folder = RunFolder.open(
                WorkflowRuns.find(name, options.runs()).toAbsolutePath().normalize())) {
            String host = folder.record().target();
            return WorkflowRuns.run(
                    folder, Target.of(host.equals(Target.HERE) ? "" : host, WorkflowRuns.home(), remoteHome));
        }
    }
}
