package io.aisio.cli;

import io.aisio.xal.Entry;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JsonGenerator;

/** {@code xal find}: every file of a file system. */
@Command(
        name = "find",
        header = "Lists every file of a file system.",
        description = {
            "%nOne path a line from the root of the file system, as find(1) prints them there: a directory before"
                    + " what it holds. Names are the bytes on the device; on a terminal, control characters are shown"
                    + " as \\x1b. What is damaged is a line on standard error, the rest is listed, and the exit code"
                    + " is 1. A plain path is read through the kernel, any other device through a queue pair of its"
                    + " own; which way it was is in the JSON, and on standard error if that is a terminal."
        },
        footer = {"  ./aisio xal find /data/set.img", "  ./aisio xal find --output json emu:/data/set.img /train"})
final class XalFind implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.find/1";

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XalOptions options;

    @Parameters(
            index = "1",
            arity = "0..1",
            defaultValue = "/",
            paramLabel = "PATH",
            description = "Where to begin, from the root of the file system (/).")
    @SuppressWarnings("NullAway.Init")
    private String path;

    @Override
    public Integer call() throws IOException {
        try (XalVolume volume = options.open()) {
            // Before anything is printed, and with a sentence if it is not there.
            volume.lookup(path);
            return options.json() ? json(volume) : human(volume);
        }
    }

    private int human(XalVolume volume) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            return walk(volume, entry -> out.line(entry.path())).isEmpty() ? Exit.DONE : Exit.FAILED;
        }
    }

    private int json(XalVolume volume) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            volume.writeHead(json, SCHEMA);
            json.writeArrayPropertyStart("entries");
            Map<String, String> damage = walk(volume, entry -> write(json, entry));
            json.writeEndArray();
            json.writeArrayPropertyStart("damaged");
            damage.forEach((where, problem) -> XalBmap.write(json, where, problem));
            json.writeEndArray();
            json.writeBooleanProperty("ok", damage.isEmpty());
            json.writeEndObject();
            json.writeRaw('\n');
            return damage.isEmpty() ? Exit.DONE : Exit.FAILED;
        }
    }

    private static void write(JsonGenerator json, Entry entry) {
        json.writeStartObject();
        json.writeStringProperty("path", entry.path());
        json.writeStringProperty("type", entry.type().name().toLowerCase(Locale.ROOT));
        json.writeNumberProperty("inode", entry.inode().number());
        json.writeNumberProperty("size", entry.inode().size());
        json.writeEndObject();
    }

    /** Lists what is sound, says what is damaged, and returns it: paths and what is wrong there. */
    private Map<String, String> walk(XalVolume volume, Found found) throws IOException {
        Map<String, String> damage = new LinkedHashMap<>();
        volume.xal().walk(path, new Xal.Visitor() {
            @Override
            public void visit(Entry entry) throws IOException {
                XalOptions.stopIfInterrupted();
                found.found(entry);
            }

            @Override
            public void damaged(String where, IOException problem) throws IOException {
                XalOptions.stopIfInterrupted();
                String message = Failures.message(problem);
                System.err.println(Failures.line(where + ": " + message));
                damage.merge(where, message, (first, next) -> first + "; " + next);
            }
        });
        return damage;
    }

    private interface Found {
        void found(Entry entry) throws IOException;
    }
}
