package io.aisio.cli;

import io.aisio.bench.DatasetFolder;
import io.aisio.bench.DatasetImage;
import io.aisio.bench.DatasetReport;
import io.aisio.bench.DatasetShape;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.core.JsonGenerator;

/** {@code dataset make}: writes one. */
@Command(
        name = "make",
        header = "Writes a data set into a folder, or into a new XFS image.",
        description = {
            "%nThe same files with the same content everywhere. An image takes mkfs.xfs (xfsprogs), no root and no mount,"
                    + " and about the room of its files. What is half made is removed after an error or Ctrl-C."
        },
        footer = {
            "  ./aisio dataset make tiktokish --scale 0.1 /data/tiktokish",
            "  ./aisio dataset make imagenetish --scale 0.01 --image /data/set.img",
            "  ./aisio dataset make tiny --files 100000 --image /data/tiny.img"
        })
final class DatasetMake implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.dataset.make/1";

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private DatasetOptions options;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "FOLDER",
            description = "Where the classes' folders go; it is made. Or --image.")
    private @Nullable Path folder;

    @Option(
            names = "--image",
            paramLabel = "FILE",
            description = "Make an XFS image instead, which then holds them in its root.")
    private @Nullable Path image;

    @Option(
            names = "--force",
            description =
                    "Replace an image that is there; write into a folder that is not empty, and replace files in it.")
    private boolean force;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Override
    public Integer call() throws IOException {
        DatasetReport report;
        try (Progress progress = Progress.onStandardError()) {
            report = make(options.read(), progress);
        }
        if (output == Output.json) {
            json(report);
        } else {
            human(report);
        }
        return Exit.DONE;
    }

    private DatasetReport make(DatasetShape shape, Progress progress) throws IOException {
        if (image != null && folder == null) {
            return DatasetImage.make(shape, image, force, progress::show);
        }
        if (image == null && folder != null) {
            return DatasetFolder.make(shape, folder, force, progress::show);
        }
        throw new ParameterException(spec.commandLine(), "name a FOLDER or --image FILE, one of both");
    }

    private static void human(DatasetReport report) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            out.line(String.format(
                    Locale.ROOT,
                    "%s: %,d files in %,d classes, %,d bytes (%s) in %.1f s, %.0f MiB/s",
                    report.target(),
                    report.files(),
                    report.shape().classes().size(),
                    report.bytes(),
                    ByteSize.format(report.bytes()),
                    report.seconds(),
                    report.bytesPerSecond() / 0x1p20));
        }
    }

    private static void json(DatasetReport report) {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeStringProperty("shape", report.shape().name());
            json.writeStringProperty("target", report.target().toString());
            json.writeNumberProperty("classes", report.shape().classes().size());
            json.writeNumberProperty("files", report.files());
            json.writeNumberProperty("bytes", report.bytes());
            json.writeNumberProperty("target_bytes", report.targetBytes());
            json.writeNumberProperty("seconds", report.seconds());
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }
}
