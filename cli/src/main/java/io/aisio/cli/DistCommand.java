package io.aisio.cli;

import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * {@code dist}: the help of what {@code ./aisio} does itself, beside the sources (cli/src/main/sh/dist.sh). Where this
 * runs instead, there are none.
 */
@Command(
        name = "dist",
        header = "Makes an image of all this that needs no JDK, Maven, network or HOME.",
        description = {
            "",
            "The image is a folder and the same as an archive, aisio-VERSION-linux-x64.tar.gz. It has a Java of its own"
                    + " and the launcher aisio, which starts through links and from a folder that cannot be written.",
            "",
            "Made beside the sources, by the JDK that builds them. What is there of an earlier call is replaced once the"
                    + " new is whole. A command of a clone: ./aisio dist, first word of all.",
        },
        footer = {"  ./aisio dist", "  ./aisio dist --tests /tmp/images"})
final class DistCommand implements Callable<Integer> {
    @Parameters(
            arity = "0..1",
            paramLabel = "FOLDER",
            description = "Where it is made (target/dist in the project's folder).")
    @SuppressWarnings("UnusedVariable") // read by the launcher
    private String folder = "";

    @Option(
            names = "--tests",
            description =
                    "Also an archive of all tests, aisio-VERSION-tests.tar.gz: its run-tests runs them on the image.")
    @SuppressWarnings("UnusedVariable") // read by the launcher
    private boolean tests;

    @Override
    public Integer call() throws IOException {
        throw new IOException("an image is made beside the sources; next: in a clone, ./aisio dist, with nothing before"
                + " the word dist");
    }
}
