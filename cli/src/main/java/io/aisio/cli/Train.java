package io.aisio.cli;

import io.aisio.bench.Training;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code train}: what the launcher runs when it makes the JVM's archive; nobody else needs it. */
@Command(
        name = "train",
        hidden = true,
        header = "Runs what the launcher's archive is to know: this help, and an index of a small image.",
        footer = {"  ./aisio train", "  ./aisio train --help"})
final class Train implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        spec.root().commandLine().usage(System.out);
        Training.run();
        return Exit.DONE;
    }
}
