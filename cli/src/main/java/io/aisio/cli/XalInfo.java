package io.aisio.cli;

import io.aisio.xal.Volume;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import tools.jackson.core.JsonGenerator;

/** {@code xal info}: what a file system says of itself. */
@Command(
        name = "info",
        header = "Tells what a file system is: its type, size and features.",
        description = {
            "%nReads the superblock and the heads of all allocation groups of an image or device, or asks the kernel that"
                    + " has the file system mounted. Nothing is written."
        },
        footer = {"  ./aisio xal info /data/set.img", "  ./aisio xal info --output json /mnt/data"})
final class XalInfo implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.info/1";

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XalOptions options;

    @Override
    public Integer call() throws IOException {
        try (XalVolume volume = options.open()) {
            if (options.json()) {
                json(volume);
            } else {
                human(volume);
            }
            return Exit.DONE;
        }
    }

    private static void human(XalVolume opened) throws IOException {
        Volume volume = opened.xal().volume();
        Map<String, String> lines = new LinkedHashMap<>();
        lines.put("Type", volume.type());
        lines.put("Source", volume.source());
        lines.put("Read", volume.how() + ": " + opened.path());
        lines.put("UUID", volume.uuid().isEmpty() ? "-" : volume.uuid());
        lines.put("Label", volume.label().isEmpty() ? "-" : volume.label());
        lines.put("Size", "%d blocks of %d bytes, %s".formatted(volume.blocks(), volume.blockBytes(), size(volume)));
        lines.put("Inodes", volume.inodes() < 0 ? "-" : volume.inodes() + " in use");
        lines.put("Features", volume.features().isEmpty() ? "-" : String.join(", ", volume.features()));
        try (StandardOutput out = new StandardOutput()) {
            for (Map.Entry<String, String> line : lines.entrySet()) {
                out.line("%-10s%s".formatted(line.getKey(), line.getValue()));
            }
        }
    }

    private static String size(Volume volume) {
        return String.format(Locale.ROOT, "%.1f GiB", (double) volume.blocks() * volume.blockBytes() / (1 << 30));
    }

    private static void json(XalVolume opened) throws IOException {
        Volume volume = opened.xal().volume();
        try (JsonGenerator json = StandardOutput.json()) {
            opened.writeHead(json, SCHEMA);
            json.writeStringProperty("type", volume.type());
            json.writeStringProperty("read", volume.how());
            json.writeStringProperty("uuid", volume.uuid());
            json.writeStringProperty("label", volume.label());
            json.writeNumberProperty("block_bytes", volume.blockBytes());
            json.writeNumberProperty("blocks", volume.blocks());
            json.writeNumberProperty("inodes", volume.inodes());
            json.writeArrayPropertyStart("features");
            volume.features().forEach(json::writeString);
            json.writeEndArray();
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }
}
