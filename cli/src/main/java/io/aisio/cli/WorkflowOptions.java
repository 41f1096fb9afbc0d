package io.aisio.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Where runs lie, which every command of {@code workflow} takes. */
final class WorkflowOptions {
    @Option(names = "--runs", defaultValue = "runs", paramLabel = "DIR", description = "Where runs lie (runs).")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private Path runs;

    Path runs() {
        return runs;
    }
}
