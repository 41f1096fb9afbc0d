package io.aisio.cli;

import io.aisio.xal.Attributes;
import io.aisio.xal.Extent;
import io.aisio.xal.Inode;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import tools.jackson.core.JsonGenerator;

/** {@code xal stat}: what inodes say. */
@Command(
        name = "stat",
        header = "Tells what is recorded of files: sizes, owners, times, flags, extents.",
        description = {
            "%nA block of lines for each file. Symbolic links are not followed; where they lead is told. Times are in UTC."
        },
        footer = {
            "  ./aisio xal stat /data/set.img /train/0001.jpg",
            "  ./aisio xal stat --output json /mnt/data / /train"
        })
final class XalStat implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.stat/1";

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XalPaths files;

    @Override
    public Integer call() throws IOException {
        try (XalVolume volume = files.options().open()) {
            return files.options().json() ? json(volume) : human(volume);
        }
    }

    private int human(XalVolume volume) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            Map<String, String> failures = volume.each(files.paths(), file -> {
                Attributes a = volume.xal().attributes(file);
                List<Extent> extents = volume.xal().extents(file);
                return () -> {
                    out.line(file.path());
                    for (Map.Entry<String, String> line : lines(a, extents).entrySet()) {
                        out.line("  %-10s%s".formatted(line.getKey(), line.getValue()));
                    }
                };
            });
            return failures.isEmpty() ? Exit.DONE : Exit.FAILED;
        }
    }

    private static Map<String, String> lines(Attributes a, List<Extent> extents) {
        Inode inode = a.inode();
        Map<String, String> lines = new LinkedHashMap<>();
        lines.put("Type", type(inode));
        lines.put("Inode", inode.number() + ", generation " + Integer.toUnsignedString(inode.generation()));
        lines.put("Size", inode.size() + " bytes, " + a.allocated() + " allocated");
        lines.put(
                "Mode",
                "%04o, owner %d, group %d, links %d".formatted(inode.mode(), a.owner(), a.group(), inode.links()));
        lines.put("Accessed", a.accessed().toString());
        lines.put("Modified", a.modified().toString());
        lines.put("Changed", a.changed().toString());
        lines.put("Created", a.created() == null ? "-" : a.created().toString());
        if (a.device() != null) {
            lines.put("Device", a.device().major() + ":" + a.device().minor());
        }
        if (a.target() != null) {
            lines.put("Target", a.target());
        }
        lines.put("Flags", a.flags().isEmpty() ? "-" : String.join(", ", a.flags()));
        lines.put("Extents", extents.size() + kinds(extents));
        return lines;
    }

    private static String type(Inode inode) {
        return inode.type().name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    /** How many extents have each flag that occurs. */
    private static String kinds(List<Extent> extents) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        extents.forEach(extent -> extent.flagNames().forEach(name -> counts.merge(name, 1, Integer::sum)));
        StringBuilder text = new StringBuilder();
        counts.forEach(
                (name, count) -> text.append(", ").append(count).append(' ').append(name));
        return text.toString();
    }

    private int json(XalVolume volume) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            volume.writeHead(json, SCHEMA);
            json.writeArrayPropertyStart("files");
            Map<String, String> failures = volume.each(files.paths(), file -> {
                Attributes a = volume.xal().attributes(file);
                List<Extent> extents = volume.xal().extents(file);
                return () -> write(json, file.path(), a, extents);
            });
            XalBmap.writeEnd(json, failures);
            return failures.isEmpty() ? Exit.DONE : Exit.FAILED;
        }
    }

    private static void write(JsonGenerator json, String path, Attributes a, List<Extent> extents) {
        Inode inode = a.inode();
        json.writeStartObject();
        json.writeStringProperty("path", path);
        json.writeStringProperty("type", inode.type().name().toLowerCase(Locale.ROOT));
        json.writeNumberProperty("inode", inode.number());
        json.writeNumberProperty("generation", Integer.toUnsignedLong(inode.generation()));
        json.writeNumberProperty("size", inode.size());
        json.writeNumberProperty("allocated", a.allocated());
        json.writeNumberProperty("mode", inode.mode());
        json.writeNumberProperty("links", inode.links());
        json.writeNumberProperty("owner", a.owner());
        json.writeNumberProperty("group", a.group());
        json.writeStringProperty("accessed", a.accessed().toString());
        json.writeStringProperty("modified", a.modified().toString());
        json.writeStringProperty("changed", a.changed().toString());
        property(json, "created", a.created());
        property(
                json,
                "device",
                a.device() == null
                        ? null
                        : a.device().major() + ":" + a.device().minor());
        property(json, "target", a.target());
        json.writeArrayPropertyStart("flags");
        a.flags().forEach(json::writeString);
        json.writeEndArray();
        json.writeNumberProperty("extents", extents.size());
        json.writeEndObject();
    }

    private static void property(JsonGenerator json, String name, @Nullable Object value) {
        if (value == null) {
            json.writeNullProperty(name);
        } else {
            json.writeStringProperty(name, value.toString());
        }
    }
}
