package io.aisio.cli;

import io.aisio.xal.Change;
import io.aisio.xal.Extent;
import io.aisio.xal.FileExtents;
import io.aisio.xal.Index;
import io.aisio.xal.Watch;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.core.JsonGenerator;

/** {@code xal watch}: what changes in a mounted file system, as it happens. */
@Command(
        name = "watch",
        header = "Tells what changes in a mounted file system, and where files lie then.",
        description = {
            "%nAll files are read into an index, which then is kept current. A line a change: when, what, and where; under"
                    + " it the extents of the file that are new, as bmap prints them. Of XFS, the kernel itself tells"
                    + " extents as they change (mapped, unmapped), where eBPF may be used. With --mode dirty nothing is"
                    + " mapped. It ends after --count changes or --runtime seconds, by Ctrl-C (exit code 130), and when"
                    + " the file system is unmounted (exit code 1)."
        },
        parameterListHeading = "%nWhere:%n",
        footer = {
            "  ./aisio xal watch /mnt/data",
            "  ./aisio xal watch --mode dirty --output json --count 1 /mnt/data/train",
            "  ./aisio xal watch --shared data /mnt/data"
        })
final class XalWatch implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.watch/1";

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--mode",
            defaultValue = "update",
            paramLabel = "MODE",
            description = "dirty: tell that something changed; update: look at what changed, and map it (update).")
    @SuppressWarnings("NullAway.Init")
    private Mode mode;

    @Option(
            names = "--extents",
            defaultValue = "auto",
            paramLabel = "HOW",
            description =
                    "ebpf: the kernel tells extents as they change, or it fails; inotify: they are asked for; auto:"
                            + " the first where that is possible (auto).")
    @SuppressWarnings("NullAway.Init")
    private Told extents;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Option(
            names = "--count",
            converter = XnvmeperfOptions.Large.class,
            paramLabel = "N",
            description = "End after so many changes.")
    private @Nullable Long count;

    @Option(
            names = "--runtime",
            converter = XnvmeperfOptions.Seconds.class,
            paramLabel = "SECONDS",
            description = "End after so long.")
    private @Nullable Duration runtime;

    @Option(
            names = "--shared",
            paramLabel = "NAME",
            description = "Keep the index in memory that other processes attach to by this name (Index.attach).")
    private @Nullable String shared;

    @Parameters(
            index = "0",
            paramLabel = "DIRECTORY",
            description = "Where a file system is mounted, or a directory in it.")
    @SuppressWarnings("NullAway.Init")
    private Path directory;

    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch done = new CountDownLatch(1);

    /** What was told; on the listener's thread until the index is closed. */
    private long changes;

    private long mapped;
    private long nanos;
    private @Nullable IOException failure;

    /** What is done about a change. */
    enum Mode {
        dirty,
        update
    }

    /** Who tells extents. */
    enum Told {
        auto(Watch.Extents.IF_POSSIBLE),
        inotify(Watch.Extents.UNTOLD),
        ebpf(Watch.Extents.REQUIRED);

        private final Watch.Extents extents;

        Told(Watch.Extents extents) {
            this.extents = extents;
        }
    }

    @Override
    public Integer call() throws IOException {
        require(count == null || count >= 1, "--count " + count + ": at least 1");
        require(runtime == null || !runtime.isNegative(), "--runtime: at least 0 seconds");
        if (Files.exists(directory) && !Files.isDirectory(directory)) {
            throw new IOException(directory + " is no directory: only the kernel that has a file system mounted tells"
                    + " what changes in it; mount it and name the directory, or read it as it is by './aisio xal find "
                    + directory + "'");
        }
        try (StandardOutput out = new StandardOutput()) {
            try (Index index = follow(out)) {
                begin(index, out);
                await();
            }
            System.err.println(summary());
        }
        IOException failed = failure;
        if (failed != null) {
            throw failed;
        }
        return Exit.DONE;
    }

    private void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new ParameterException(spec.commandLine(), otherwise);
        }
    }

    private Index follow(StandardOutput out) throws IOException {
        Index.Follow how = (mode == Mode.dirty ? Index.Follow.DETECT : Index.Follow.UPDATE).extents(extents.extents);
        try (Progress progress = Progress.onStandardError()) {
            progress.show("reading all files of " + Printable.of(directory.toString()));
            return Index.follow(directory, shared == null ? how : how.shared(shared), update -> updated(update, out));
        }
    }

    /** Says what is watched, before the first change is told. */
    private void begin(Index index, StandardOutput out) throws IOException {
        for (String problem : index.problems()) {
            System.err.println(Failures.line(problem));
        }
        System.err.println("note: " + Printable.of(directory.toString()) + " is watched by " + index.how() + ": "
                + index.directories() + " directories, " + index.files() + " files"
                + (shared == null ? "" : "; the index is shared as " + Printable.of(shared)));
        if (!index.missing().isEmpty()) {
            System.err.println("note: extents are asked for, not told by the kernel: " + index.missing());
        }
        if (output == Output.json) {
            String way = index.how();
            out.line(StandardOutput.jsonLine(json -> {
                json.writeStringProperty("schema", SCHEMA);
                json.writeStringProperty("directory", directory.toString());
                json.writeStringProperty("path", way);
                json.writeStringProperty("mode", mode.name());
            }));
            out.flush();
        }
        begun.countDown();
    }

    private void await() {
        try {
            if (runtime == null) {
                done.await();
            } else {
                boolean _ = done.await(runtime.toNanos(), TimeUnit.NANOSECONDS);
            }
        } catch (InterruptedException e) {
            // Ctrl-C, which the exit code tells: what is held is given back now.
        }
    }

    private void updated(Index.Update update, StandardOutput out) throws IOException {
        try {
            begun.await();
        } catch (InterruptedException e) {
            throw new InterruptedIOException("interrupted before it began");
        }
        if (done.getCount() == 0) {
            return;
        }
        if (update.change() instanceof Change.Ended(String why)) {
            failure = failure == null ? new IOException(why) : failure;
            done.countDown();
            return;
        }
        changes++;
        mapped += update.mapped();
        nanos += update.took().toNanos();
        try {
            print(update, out);
            out.flush();
        } catch (IOException e) {
            failure = e;
            throw e;
        }
        if (count != null && changes >= count) {
            done.countDown();
        }
    }

    private void print(Index.Update update, StandardOutput out) throws IOException {
        String time = Instant.now().truncatedTo(ChronoUnit.MICROS).toString();
        String kind = update.change().getClass().getSimpleName().toLowerCase(Locale.ROOT);
        if (output == Output.json) {
            out.line(StandardOutput.jsonLine(json -> write(json, time, kind, update)));
            return;
        }
        out.line(time + " " + kind + " " + where(update));
        for (Extent extent : extents(update)) {
            out.line(XalBmap.item(extent));
        }
    }

    /** What the kernel told, or else what is new in the index. */
    private static List<Extent> extents(Index.Update update) {
        return update.change() instanceof Change.Mapped(long _, Extent extent) ? List.of(extent) : update.fresh();
    }

    private static String where(Index.Update update) {
        return switch (update.change()) {
            case Change.Moved(String from, String to) -> from + " -> " + to;
            case Change.Everything(String why) -> "must be read again: " + why;
            case Change.Unmapped(long _, long offset, long length) ->
                update.path() + " from byte " + offset + ", " + length + " bytes";
            default -> update.path();
        };
    }

    private static void write(JsonGenerator json, String time, String kind, Index.Update update) {
        json.writeStringProperty("time", time);
        json.writeStringProperty("kind", kind);
        if (!update.path().isEmpty()) {
            json.writeStringProperty("path", update.path());
        }
        switch (update.change()) {
            case Change.Moved(String from, String _) -> json.writeStringProperty("from", from);
            case Change.Everything(String why) -> json.writeStringProperty("reason", why);
            case Change.Unmapped(long _, long offset, long length) -> {
                json.writeNumberProperty("offset", offset);
                json.writeNumberProperty("length", length);
            }
            default -> {}
        }
        FileExtents file = update.file();
        if (file != null) {
            json.writeNumberProperty("inode", file.inode().number());
            json.writeNumberProperty("size", file.inode().size());
            XalBmap.write(json, extents(update));
        }
        json.writeNumberProperty("mapped", update.mapped());
        json.writeNumberProperty("seconds", update.took().toNanos() / 1e9);
    }

    private String summary() {
        return "note: %d changes, %d files mapped, %.3f ms a change"
                .formatted(changes, mapped, nanos / 1e6 / Math.max(1, changes));
    }
}
