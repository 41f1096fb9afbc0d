package io.aisio.cli;

import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.core.JsonGenerator;

/** {@code xal bmap}: where files' bytes lie. */
@Command(
        name = "bmap",
        header = "Tells where files' bytes lie on their device.",
        description = {
            "%nYAML: a key for each file, where it was looked for and the path, and under it a line an extent, [first"
                    + " sector in the file, last, first sector on the device, last], in sectors of 512 bytes; ~ if"
                    + " there is none. What is between extents is a hole. Both holes and extents marked # unwritten"
                    + " read as zeros; with delalloc, inline, encoded, not_aligned or unknown_loc the device does not"
                    + " hold the bytes there. Extents are whole blocks and may reach beyond the end of the file."
        },
        footer = {
            "  ./aisio xal bmap /data/set.img /train/0001.jpg",
            "  ./aisio xal bmap --output json emu:/data/set.img /train/0001.jpg /train/0002.jpg"
        })
final class XalBmap implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.bmap/1";

    @Option(
            names = "--format",
            defaultValue = "yaml",
            paramLabel = "FORMAT",
            description = "yaml, or xfs_bmap to print as that tool does (yaml).")
    @SuppressWarnings("NullAway.Init")
    private Format format;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XalPaths files;

    @Override
    public Integer call() throws IOException {
        try (XalVolume volume = files.options().open()) {
            return files.options().json() ? json(volume) : human(volume);
        }
    }

    /** What a person, or a script that knows another tool, reads. */
    enum Format {
        yaml,
        xfs_bmap
    }

    private int human(XalVolume volume) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            Map<String, String> failures = volume.each(files.paths(), file -> {
                List<Extent> extents = volume.xal().extents(file);
                List<String> lines = format == Format.yaml
                        ? yaml(volume.device() + file.path(), extents)
                        : xfsBmap(file.path(), file.inode().size(), volume.blockBytes(), extents);
                return () -> {
                    for (String line : lines) {
                        out.line(line);
                    }
                };
            });
            return failures.isEmpty() ? Exit.DONE : Exit.FAILED;
        }
    }

    static List<String> yaml(String name, List<Extent> extents) {
        List<String> lines = new ArrayList<>();
        lines.add(key(name) + ":" + (extents.isEmpty() ? " ~" : ""));
        for (Extent extent : extents) {
            lines.add(item(extent));
        }
        return lines;
    }

    /** As xfs_bmap(8) prints a file that was preallocated: holes too, and blocks behind the end of the file. */
    static List<String> xfsBmap(String path, long size, int blockBytes, List<Extent> extents) {
        List<String> lines = new ArrayList<>();
        long end = (size + blockBytes - 1) / blockBytes * blockBytes;
        long done = 0;
        for (Extent extent : extents) {
            if (extent.offset() > done) {
                lines.add(xfsBmapLine(lines.size(), done, extent.offset(), "hole"));
            }
            done = extent.end();
            long first = extent.position() / Extent.SECTOR_BYTES;
            long last = first + (done - extent.offset()) / Extent.SECTOR_BYTES - 1;
            lines.add(xfsBmapLine(
                    lines.size(), extent.offset(), done, extent.located() ? first + ".." + last : "delalloc"));
        }
        if (done < end) {
            lines.add(xfsBmapLine(lines.size(), done, end, "hole"));
        }
        lines.addFirst(path + ":" + (lines.isEmpty() ? " no extents" : ""));
        return lines;
    }

    private static String xfsBmapLine(int number, long begin, long end, String blocks) {
        return "\t%d: [%d..%d]: %s"
                .formatted(number, begin / Extent.SECTOR_BYTES, end / Extent.SECTOR_BYTES - 1, blocks);
    }

    /** In single quotes as long as they can hold it. */
    private static String key(String name) {
        return name.codePoints().allMatch(Printable::isHarmless)
                ? "'" + name.replace("'", "''") + "'"
                : StandardOutput.quoted(name);
    }

    /** An extent as an item of a list. */
    static String item(Extent extent) {
        Extent.Sectors sectors = extent.sectors();
        return "- [" + sectors.fileFirst() + ", " + sectors.fileLast() + ", " + sectors.deviceFirst() + ", "
                + sectors.deviceLast() + "]"
                + (extent.flags() == 0 ? "" : " # " + String.join(", ", extent.flagNames()));
    }

    private int json(XalVolume volume) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            volume.writeHead(json, SCHEMA);
            json.writeNumberProperty("sector_bytes", Extent.SECTOR_BYTES);
            json.writeArrayPropertyStart("files");
            Map<String, String> failures = volume.each(files.paths(), file -> {
                List<Extent> extents = volume.xal().extents(file);
                return () -> write(json, file, extents);
            });
            writeEnd(json, failures);
            return failures.isEmpty() ? Exit.DONE : Exit.FAILED;
        }
    }

    static void write(JsonGenerator json, Entry file, List<Extent> extents) {
        json.writeStartObject();
        json.writeStringProperty("path", file.path());
        json.writeNumberProperty("inode", file.inode().number());
        json.writeNumberProperty("size", file.inode().size());
        write(json, extents);
        json.writeEndObject();
    }

    /** Extents as a property. */
    static void write(JsonGenerator json, List<Extent> extents) {
        json.writeArrayPropertyStart("extents");
        for (Extent extent : extents) {
            Extent.Sectors sectors = extent.sectors();
            json.writeStartObject();
            json.writeNumberProperty("file_first", sectors.fileFirst());
            json.writeNumberProperty("file_last", sectors.fileLast());
            json.writeNumberProperty("device_first", sectors.deviceFirst());
            json.writeNumberProperty("device_last", sectors.deviceLast());
            json.writeBooleanProperty("unwritten", extent.unwritten());
            json.writeArrayPropertyStart("flags");
            extent.flagNames().forEach(json::writeString);
            json.writeEndArray();
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    /** The end of a list of files, and of the document: what could not be told of. */
    static void writeEnd(JsonGenerator json, Map<String, String> failures) {
        json.writeEndArray();
        json.writeArrayPropertyStart("failures");
        failures.forEach((path, problem) -> write(json, path, problem));
        json.writeEndArray();
        json.writeBooleanProperty("ok", failures.isEmpty());
        json.writeEndObject();
        json.writeRaw('\n');
    }

    /** What is wrong at a path. */
    static void write(JsonGenerator json, String path, String problem) {
        json.writeStartObject();
        json.writeStringProperty("path", path);
        json.writeStringProperty("problem", problem);
        json.writeEndObject();
    }
}
