package io.aisio.cli;

import io.aisio.bench.DatasetImage;
import io.aisio.bench.DatasetShape;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.core.JsonGenerator;

/** {@code dataset list}: which shapes there are. */
@Command(
        name = "list",
        header = "Tells which data sets there are, and how large each is.",
        description = {"%nAll numbers are worked out, from the names and sizes of every file; nothing is made."},
        footer = {"  ./aisio dataset list", "  ./aisio dataset list --scale 0.01 --output json"})
final class DatasetList implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.dataset.list/1";

    @Option(names = "--scale", paramLabel = "F", description = "Of a part of each, as make takes it (1).")
    private double scale = 1;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private Output output;

    @Override
    public Integer call() throws IOException {
        List<DatasetShape> shapes =
                DatasetShape.all().stream().map(shape -> shape.scaled(scale)).toList();
        if (output == Output.json) {
            json(shapes);
        } else {
            human(shapes);
        }
        return Exit.DONE;
    }

    private static void human(List<DatasetShape> shapes) throws IOException {
        TextTable table = new TextTable("Shape", "Classes", "Files", "Bytes", "In all", "A file", "What it is like");
        for (DatasetShape shape : shapes) {
            table.add(
                    shape.name(),
                    Integer.toString(shape.classes().size()),
                    String.format(Locale.ROOT, "%,d", shape.files()),
                    String.format(Locale.ROOT, "%,d", shape.bytes()),
                    ByteSize.format(shape.bytes()),
                    aFile(shape),
                    shape.about());
        }
        try (StandardOutput out = new StandardOutput()) {
            table.print(out);
        }
    }

    private static String aFile(DatasetShape shape) {
        String least = ByteSize.format(shape.leastBytes());
        String most = ByteSize.format(shape.mostBytes());
        return least.equals(most) ? most : least + " to " + most;
    }

    private static void json(List<DatasetShape> shapes) {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeArrayPropertyStart("shapes");
            for (DatasetShape shape : shapes) {
                json.writeStartObject();
                json.writeStringProperty("shape", shape.name());
                json.writeStringProperty("about", shape.about());
                json.writeNumberProperty("classes", shape.classes().size());
                json.writeNumberProperty("files", shape.files());
                json.writeNumberProperty("bytes", shape.bytes());
                json.writeNumberProperty("least_bytes", shape.leastBytes());
                json.writeNumberProperty("most_bytes", shape.mostBytes());
                json.writeNumberProperty("image_bytes", DatasetImage.imageBytes(shape));
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }
}
