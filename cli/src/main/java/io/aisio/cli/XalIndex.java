package io.aisio.cli;

import io.aisio.xal.Index;
import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import tools.jackson.core.JsonGenerator;

/** {@code xal index}: all files of a file system in memory, and what that takes. */
@Command(
        name = "index",
        header = "Reads all files and extents into an index, and tells what it took.",
        description = {
            "%nThe index is what programs use to find files' extents at once (Xal.index). This tells how long it takes"
                    + " to make, how much memory it needs, and what could not be read."
        },
        parameterListHeading = "%nWhere:%n",
        footer = {"  ./aisio xal index /data/set.img", "  ./aisio xal index --output json /mnt/data"})
final class XalIndex implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.index/1";

    /** How often the line changes. */
    private static final long STEP_NANOS = 100_000_000;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XalOptions options;

    @Override
    public Integer call() throws IOException {
        try (XalVolume volume = options.open()) {
            long began = System.nanoTime();
            try (Index index = read(volume)) {
                double seconds = (System.nanoTime() - began) / 1e9;
                for (String problem : index.problems()) {
                    System.err.println(Failures.line(problem));
                }
                if (options.json()) {
                    json(volume, index, seconds);
                } else {
                    human(index, seconds);
                }
                return index.problems().isEmpty() ? Exit.DONE : Exit.FAILED;
            }
        }
    }

    private static Index read(XalVolume volume) throws IOException {
        try (Progress progress = Progress.onStandardError()) {
            progress.show("reading all files of " + Printable.of(volume.device()));
            long all = volume.xal().volume().inodes();
            String of = all < 0 ? "" : String.format(Locale.ROOT, " of %,d", all);
            AtomicLong next = new AtomicLong(System.nanoTime());
            return volume.xal().index(inodes -> {
                long now = System.nanoTime();
                long due = next.get();
                if (now - due >= 0 && next.compareAndSet(due, now + STEP_NANOS)) {
                    progress.show(String.format(Locale.ROOT, "inodes read: %,d%s", inodes, of));
                }
            });
        }
    }

    private static void human(Index index, double seconds) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            out.line("%d files, %d directories, %d extents in %.3f s; %d bytes, %.1f a file"
                    .formatted(
                            index.files(),
                            index.directories(),
                            index.extentRows(),
                            seconds,
                            index.bytes(),
                            (double) index.bytes() / Math.max(1, index.files())));
        }
    }

    private static void json(XalVolume volume, Index index, double seconds) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeStringProperty("device", volume.device());
            json.writeStringProperty("path", volume.path());
            json.writeNumberProperty("files", index.files());
            json.writeNumberProperty("directories", index.directories());
            json.writeNumberProperty("extents", index.extentRows());
            json.writeNumberProperty("seconds", seconds);
            json.writeNumberProperty("bytes", index.bytes());
            json.writeNumberProperty("problems", index.problems().size());
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }
}
