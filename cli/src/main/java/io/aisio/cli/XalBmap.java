package io.aisio.cli;

import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.Inode;
import io.aisio.xal.XfsException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JsonGenerator;

/** {@code xal bmap}: where files' bytes lie. */
@Command(
        name = "bmap",
        header = "Tells where files' bytes lie on their device.",
        description = {
            "%nYAML: a key for each file, the device's name and the path, and under it a line an extent, [first"
                    + " sector in the file, last, first sector on the device, last], in sectors of 512 bytes; ~ if"
                    + " there is none. What is between extents is a hole. Both holes and extents marked # unwritten"
                    + " read as zeros. Extents are whole blocks and may reach beyond the end of the file. A plain"
                    + " path of a device is read through the kernel, any other device through a queue pair of its"
                    + " own; which way it was is in the JSON, and on standard error if that is a terminal."
        },
        usageHelpWidth = 100,
        synopsisHeading = "%nUsage: ",
        parameterListHeading = "%nWhere:%n",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  ./aisio xal bmap /data/set.img /train/0001.jpg",
            "  ./aisio xal bmap --output json emu:/data/set.img /train/0001.jpg /train/0002.jpg"
        },
        mixinStandardHelpOptions = true)
final class XalBmap implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.bmap/1";

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Parameters(
            index = "0",
            paramLabel = "DEVICE",
            description = "Such as /path/to/image, /dev/nvme0n1 or emu:/path/to/image.")
    @SuppressWarnings("NullAway.Init")
    private String device;

    @Parameters(
            index = "1..*",
            arity = "1..*",
            paramLabel = "PATH",
            description = "Files, from the root of the file system.")
    @SuppressWarnings("NullAway.Init")
    private List<String> paths;

    @Override
    public Integer call() throws IOException {
        try (XalVolume volume = XalVolume.open(device)) {
            return output == Output.json ? json(volume) : yaml(volume);
        }
    }

    private int yaml(XalVolume volume) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            Map<String, String> failures = map(volume, (path, _, extents) -> {
                out.line(key(volume.device() + path) + ":" + (extents.isEmpty() ? " ~" : ""));
                for (Extent extent : extents) {
                    out.line(item(extent));
                }
            });
            return failures.isEmpty() ? Exit.DONE : Exit.FAILED;
        }
    }

    /** In single quotes as long as they can hold it. */
    private static String key(String name) {
        return name.codePoints().allMatch(Printable::isHarmless)
                ? "'" + name.replace("'", "''") + "'"
                : StandardOutput.quoted(name);
    }

    private static String item(Extent extent) {
        Extent.Sectors sectors = extent.sectors();
        return "- [" + sectors.fileFirst() + ", " + sectors.fileLast() + ", " + sectors.deviceFirst() + ", "
                + sectors.deviceLast() + "]" + (extent.unwritten() ? " # unwritten" : "");
    }

    private int json(XalVolume volume) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeStringProperty("device", volume.device());
            json.writeStringProperty("path", volume.path());
            json.writeNumberProperty("sector_bytes", Extent.SECTOR_BYTES);
            json.writeArrayPropertyStart("files");
            Map<String, String> failures = map(volume, (path, inode, extents) -> write(json, path, inode, extents));
            json.writeEndArray();
            json.writeArrayPropertyStart("failures");
            failures.forEach((path, problem) -> write(json, path, problem));
            json.writeEndArray();
            json.writeBooleanProperty("ok", failures.isEmpty());
            json.writeEndObject();
            json.writeRaw('\n');
            return failures.isEmpty() ? Exit.DONE : Exit.FAILED;
        }
    }

    private static void write(JsonGenerator json, String path, Inode inode, List<Extent> extents) {
        json.writeStartObject();
        json.writeStringProperty("path", path);
        json.writeNumberProperty("inode", inode.number());
        json.writeNumberProperty("size", inode.size());
        json.writeArrayPropertyStart("extents");
        for (Extent extent : extents) {
            Extent.Sectors sectors = extent.sectors();
            json.writeStartObject();
            json.writeNumberProperty("file_first", sectors.fileFirst());
            json.writeNumberProperty("file_last", sectors.fileLast());
            json.writeNumberProperty("device_first", sectors.deviceFirst());
            json.writeNumberProperty("device_last", sectors.deviceLast());
            json.writeBooleanProperty("unwritten", extent.unwritten());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    /** What is wrong at a path. */
    static void write(JsonGenerator json, String path, String problem) {
        json.writeStartObject();
        json.writeStringProperty("path", path);
        json.writeStringProperty("problem", problem);
        json.writeEndObject();
    }

    /** Maps what can be mapped, says what cannot, and returns that: paths and what is wrong there. */
    private Map<String, String> map(XalVolume volume, Mapped mapped) throws IOException {
        Map<String, String> failures = new LinkedHashMap<>();
        for (String path : paths) {
            XalVolume.stopIfInterrupted();
            Entry file;
            List<Extent> extents;
            try {
                file = volume.lookup(path);
                extents = volume.xal().extents(file);
            } catch (IOException e) {
                XalVolume.stopIfInterrupted();
                String damage = e instanceof XfsException ? path + ": " : "";
                System.err.println(Failures.line(damage + Failures.message(e)));
                failures.put(path, Failures.message(e));
                continue;
            }
            mapped.mapped(path, file.inode(), extents);
        }
        return failures;
    }

    private interface Mapped {
        void mapped(String path, Inode inode, List<Extent> extents) throws IOException;
    }
}
