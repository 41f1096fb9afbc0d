package io.aisio.cli;

import io.aisio.bench.DatasetShape;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Which data set. */
final class DatasetOptions {
    @Parameters(
            index = "0",
            paramLabel = "SHAPE",
            description = "imagenetish, tiktokish, filesize8gib, lmcacheish or tiny; list tells of each.")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private String shape;

    @Option(
            names = "--scale",
            paramLabel = "F",
            description = {
                "A part of it: above 0, at most 1 (1). Each class keeps its first files;",
                "of filesize8gib each file keeps its beginning."
            })
    private double scale = 1;

    @Option(names = "--files", paramLabel = "N", description = "How many files tiny has (1000000).")
    private @Nullable Integer files;

    /**
     * The set.
     *
     * @throws IllegalArgumentException if there is none of that name, or a number is out of range
     */
    DatasetShape read() {
        DatasetShape whole = DatasetShape.of(shape);
        Integer count = files;
        if (count != null) {
            DatasetShape tiny = DatasetShape.tiny(count);
            if (!whole.name().equals(tiny.name())) {
                throw new IllegalArgumentException("--files is for the shape " + tiny.name() + ": " + whole.name()
                        + " has files of its own, fewer with --scale");
            }
            whole = tiny;
        }
        return whole.scaled(scale);
    }
}
