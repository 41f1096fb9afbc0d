package io.aisio.cli;

import io.aisio.bench.DatasetCheck;
import io.aisio.bench.DatasetShape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JsonGenerator;

/** {@code dataset verify}: whether one is what it must be. */
@Command(
        name = "verify",
        header = "Compares every byte of a data set with what it must be.",
        description = {
            "%nThe content is made again, not stored. Files that are not of the set are not looked at.",
            "%nA file that differs is a line on standard error, and the exit code is then 1."
        },
        footer = {
            "  ./aisio dataset verify tiktokish --scale 0.1 /data/tiktokish",
            "  ./aisio dataset verify imagenetish --scale 0.01 /data/set.img"
        })
final class DatasetVerify implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.dataset.verify/1";

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private DatasetOptions options;

    @Parameters(index = "1", paramLabel = "WHERE", description = "The folder, or the image.")
    @SuppressWarnings("NullAway.Init")
    private Path where;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Override
    public Integer call() throws IOException {
        DatasetShape shape = options.read();
        DatasetCheck.Report report;
        try (Progress progress = Progress.onStandardError()) {
            report = DatasetCheck.run(shape, where, line -> differs(progress, line), progress::show);
        }
        if (output == Output.json) {
            json(shape, report);
        } else {
            human(report);
        }
        return report.differing() == 0 ? Exit.DONE : Exit.FAILED;
    }

    private static void differs(Progress progress, String line) {
        // Wiped, so that the line stands alone.
        progress.close();
        System.err.println(Failures.line(line));
    }

    private void human(DatasetCheck.Report report) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            out.line(String.format(
                    Locale.ROOT,
                    "%s: %,d files, %,d bytes compared in %.1f s: %,d differ",
                    where,
                    report.files(),
                    report.bytes(),
                    report.seconds(),
                    report.differing()));
        }
    }

    private void json(DatasetShape shape, DatasetCheck.Report report) {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeStringProperty("shape", shape.name());
            json.writeStringProperty("device", where.toString());
            json.writeNumberProperty("files", report.files());
            json.writeNumberProperty("bytes", report.bytes());
            json.writeNumberProperty("differing", report.differing());
            json.writeNumberProperty("seconds", report.seconds());
            json.writeBooleanProperty("ok", report.differing() == 0);
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }
}
