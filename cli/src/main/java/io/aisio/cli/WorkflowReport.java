package io.aisio.cli;

import io.aisio.bench.report.HtmlReport;
import io.aisio.bench.workflow.RunFolder;
import io.aisio.bench.workflow.RunRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code workflow report}: a run as one HTML file. */
@Command(
        name = "report",
        header = "Makes one HTML file of a run, or of two side by side; it needs no network.",
        parameterListHeading = "%nRun:%n",
        footer = {"  ./aisio workflow report", "  ./aisio workflow report runs/NEW --compare runs/OLD --to both.html"})
final class WorkflowReport implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "RUN", description = "Its folder or name (the youngest).")
    private String name = "";

    @Mixin
    private final WorkflowOptions options = new WorkflowOptions();

    @Option(names = "--compare", paramLabel = "RUN", description = "Another run, to stand beside it.")
    private @Nullable String other;

    @Option(names = "--to", paramLabel = "FILE", description = "Where it goes (report.html in the run's folder).")
    private @Nullable Path to;

    @Override
    public Integer call() throws IOException {
        Path path = WorkflowRuns.find(name, options.runs());
        RunRecord run = RunFolder.read(path);
        String html = other == null
                ? HtmlReport.of(run)
                : HtmlReport.compare(run, RunFolder.read(WorkflowRuns.find(other, options.runs())));
        Path file = to != null ? to : path.resolve(other == null ? "report.html" : "compare.html");
        Files.writeString(file, html);
        System.out.println(file);
        return Exit.DONE;
    }
}
