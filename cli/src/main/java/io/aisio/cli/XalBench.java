package io.aisio.cli;

import io.aisio.bench.IndexCost;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.core.JsonGenerator;

/** {@code xal bench}: the table of what an index costs. */
@Command(
        name = "bench",
        header = "Measures the index of an image with many files, beside filefrag and xfs_bmap.",
        description = {
            "%nMakes an XFS image of 1.2 million files in 1,000 directories, which takes root, a minute or two and some"
                    + " 600 MiB; indexes it in fresh JVMs; looks files up; mounts it and lets find, filefrag and xfs_bmap"
                    + " tell the same. Without root, an image that was kept is measured, and not mounted.",
        },
        footer = {"  ./aisio xal bench", "  ./aisio xal bench --image /var/tmp/many.xfs --starts 9"})
final class XalBench implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.bench/1";

    @Option(
            names = "--image",
            paramLabel = "FILE",
            description = "Measure this image; it is made if it is not there, and kept.")
    private @Nullable Path image;

    @Option(names = "--files", paramLabel = "N", description = "Files of an image that is made (1200000).")
    private int files = 1_200_000;

    @Option(names = "--directories", paramLabel = "N", description = "Directories that they lie in (1000).")
    private int directories = 1_000;

    @Option(names = "--starts", paramLabel = "N", description = "Fresh JVMs, of which the median counts (5).")
    private int starts = 5;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Override
    public Integer call() throws IOException {
        if (starts < 1 || directories < 1 || files < directories) {
            throw new IllegalArgumentException("--starts, --directories and --files are " + starts + ", " + directories
                    + " and " + files + ": at least 1, and a file for each directory");
        }
        Path launcher = Path.of(System.getProperty("aisio.home", ""), "aisio").toAbsolutePath();
        IndexCost.Report report;
        try (Progress progress = Progress.onStandardError();
                IndexCost cost = IndexCost.of(launcher, image, files, directories, progress::show)) {
            report = cost.measure(starts);
        }
        if (output == Output.json) {
            json(report);
        } else {
            human(report);
        }
        return Exit.DONE;
    }

    private static void human(IndexCost.Report report) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            out.line(String.format(
                    Locale.ROOT,
                    "%,d files in %,d directories, XFS, the image in the page cache; %d processors, load average %s",
                    report.files(),
                    report.directories(),
                    Runtime.getRuntime().availableProcessors(),
                    report.load()));
            out.line("");
            double median = report.median();
            row(
                    out,
                    "index from the blocks, median of " + report.seconds().size() + " fresh JVMs",
                    seconds(median),
                    "1");
            row(
                    out,
                    "the same in a JVM that has done it before, median of "
                            + report.again().size(),
                    seconds(report.warm()),
                    ratio(report.warm(), median));
            row(out, "find, xargs filefrag -v, mounted", seconds(report.filefrag()), ratio(report.filefrag(), median));
            row(
                    out,
                    "xfs_bmap -v for each file, mounted, extrapolated",
                    seconds(report.bmap()),
                    ratio(report.bmap(), median));
            row(out, "memory of the index, names included", "%.1f bytes a file", report.bytesAFile());
            row(out, "inode by path, in the index", lookup(report.found()), "1");
            row(out, "extents by path, in the index", lookup(report.mapped()), "");
            row(
                    out,
                    "inode by path, on disk",
                    lookup(report.walked()),
                    ratio(report.walked().nanos(), report.found().nanos()));
            out.line("");
            out.line("fresh JVMs, in order: "
                    + String.join(
                            ", ",
                            report.seconds().stream().map(XalBench::seconds).toList()));
        }
    }

    private static void row(StandardOutput out, String what, String result, String ratio) throws IOException {
        out.line(String.format(Locale.ROOT, "%-56s %25s %9s", what, result, ratio)
                .stripTrailing());
    }

    private static void row(StandardOutput out, String what, String format, double value) throws IOException {
        row(out, what, String.format(Locale.ROOT, format, value), "");
    }

    private static String seconds(@Nullable Double value) {
        return value == null ? "needs root" : String.format(Locale.ROOT, "%.3f s", value);
    }

    private static String ratio(@Nullable Double value, double one) {
        return value == null ? "" : String.format(Locale.ROOT, "%.1f", value / one);
    }

    private static String lookup(IndexCost.Lookup lookup) {
        return String.format(Locale.ROOT, "%,.0f ns, %,.0f B heap", lookup.nanos(), lookup.bytes());
    }

    private static void json(IndexCost.Report report) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeNumberProperty("files", report.files());
            json.writeNumberProperty("directories", report.directories());
            json.writeStringProperty("loadAverage", report.load());
            json.writeName("seconds");
            json.writeStartArray();
            for (double seconds : report.seconds()) {
                json.writeNumber(seconds);
            }
            json.writeEndArray();
            json.writeNumberProperty("median", report.median());
            json.writeNumberProperty("warm", report.warm());
            json.writeNumberProperty("bytesPerFile", report.bytesAFile());
            write(json, "find", report.found());
            write(json, "extents", report.mapped());
            write(json, "lookupOnDisk", report.walked());
            write(json, "filefragSeconds", report.filefrag());
            write(json, "xfsBmapSecondsExtrapolated", report.bmap());
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }

    private static void write(JsonGenerator json, String name, IndexCost.Lookup lookup) {
        json.writeName(name);
        json.writeStartObject();
        json.writeNumberProperty("nanos", lookup.nanos());
        json.writeNumberProperty("heapBytes", lookup.bytes());
        json.writeEndObject();
    }

    private static void write(JsonGenerator json, String name, @Nullable Double seconds) {
        if (seconds == null) {
            json.writeNullProperty(name);
        } else {
            json.writeNumberProperty(name, seconds);
        }
    }
}
