package io.aisio.bench;

import io.aisio.xnvme.ByteSize;
import java.util.Locale;
import java.util.Map;

/** A run of filperf in words, for people: what is about to happen, how it goes, and what came out. */
public final class FileRunTable {
    /** The heading of the lines of {@link #interval}, those of the existing tool. */
    public static final String COLUMNS = "Time, Batches, IOPS, MiB/s";

    private static final double MIB = 1 << 20;
    private static final double[] PERCENTILES = {50, 90, 99, 99.9};

    private FileRunTable() {}

    /** What a run is about to do, a line each. */
    public static String arguments(FileRun run) {
        FileRunOptions asked = run.options();
        FileRunReport.Set set = run.set();
        StringBuilder text = new StringBuilder("Running filperf with arguments:\n");
        line(text, "places", String.join(", ", asked.places()));
        line(
                text,
                "data set",
                "%s: %,d files in %,d folders, %s, the largest %s"
                        .formatted(
                                asked.folder(),
                                set.files(),
                                set.classes(),
                                ByteSize.format(set.bytes()),
                                ByteSize.format(set.largest())));
        line(text, "backend", asked.backend());
        run.ways().forEach(way -> line(text, "path", way));
        line(
                text,
                "batches",
                "of %,d files, %d ahead; %s%s"
                        .formatted(
                                run.batchFiles(),
                                asked.prefetch(),
                                asked.batches() > 0
                                        ? "%,d of them".formatted(asked.batches())
                                        : asked.epochs() == 1 ? "one epoch" : "%,d epochs".formatted(asked.epochs()),
                                asked.warmupBatches() > 0
                                        ? ", %,d before them to warm up".formatted(asked.warmupBatches())
                                        : ""));
        Long seed = asked.seed();
        line(text, "order", seed == null ? "the files' own" : "shuffled by seed " + seed);
        if (asked.shards() > 1) {
            line(text, "shard", asked.shard() + " of " + asked.shards());
        }
        int bytes = asked.settings().ioBytes();
        line(
                text,
                "queues",
                "%d of depth %d, commands of %s"
                        .formatted(
                                asked.settings().queues(),
                                asked.settings().queueDepth(),
                                bytes == 0 ? "the most that a place takes" : bytes + " bytes"));
        if (!run.verifiedAgainst().isEmpty()) {
            line(text, "verified", "against " + run.verifiedAgainst() + "; the times have the comparison in them");
        }
        return text.toString();
    }

    private static void line(StringBuilder text, String name, Object value) {
        text.append("- ").append(name).append(": ").append(value).append('\n');
    }

    /** How it goes, as a line under {@link #COLUMNS}: seconds, batches of the interval, and what it had a second. */
    public static String interval(FileRunReport.Interval interval) {
        return String.format(
                Locale.ROOT,
                "%.2f, %d, %.2f, %.2f",
                interval.seconds(),
                interval.batches(),
                interval.iops(),
                interval.bytesPerSecond() / MIB);
    }

    /** The same in words, for a line that is written over. */
    public static String progress(FileRunReport.Interval interval) {
        return String.format(
                Locale.ROOT,
                "%8.1f s  %d batches  %.2f IOPS  %.2f MiB/s",
                interval.seconds(),
                interval.batches(),
                interval.iops(),
                interval.bytesPerSecond() / MIB);
    }

    /** What came out. */
    public static String summary(FileRunReport report) {
        FileRunReport.Times times = report.times();
        FileRunReport.Read read = report.read();
        FileRunReport.Set set = report.set();
        StringBuilder text = new StringBuilder();
        text.append(report.stopped() ? "Summary, of what was read until it was stopped:\n" : "Summary:\n");
        row(text, "Total time", seconds(times.totalNanos()));
        row(text, "Index time", seconds(times.indexNanos()) + "  before it: finding the files");
        row(text, "Extents time", seconds(times.extentsNanos()) + "  before it: finding where they lie");
        row(text, "Setup time", seconds(times.setupNanos()) + "  before it: memory and queues");
        row(
                text,
                "Prepare time",
                times.prepareNanos() == 0
                        ? "         -    not told from reading here"
                        : seconds(times.prepareNanos()) + "  making commands, "
                                + perFile(times.prepareNanos(), read.files()) + " a file");
        row(text, "I/O time", seconds(times.readingNanos()) + "  batches were under way");
        row(text, "Wait time", seconds(times.waitNanos()) + "  no batch was ready");
        if (report.verification() != null) {
            row(text, "Verify time", seconds(times.verifyNanos()) + "  comparing content");
        }
        row(text, "Files/s", number(report.filesPerSecond()));
        row(text, "MiB/s", number(report.bytesPerSecond() / MIB));
        row(text, "IOPS", number(report.iops()));
        row(text, "Batches", "%10d    of %d files".formatted(read.batches(), report.batchFiles()));
        row(text, "Files read", "%10d    %d bytes".formatted(read.files(), read.bytes()));
        row(text, "Commands", "%10d".formatted(read.commands()));
        if (read.changed() > 0) {
            row(
                    text,
                    "Files changed",
                    "%10d    since they were listed; read as they are now".formatted(read.changed()));
        }
        row(text, "Batch latency", latency(report.batchLatency()));
        row(
                text,
                "Data set files",
                "%10d    %d bytes, in %d folders".formatted(set.files(), set.bytes(), set.classes()));
        row(text, "Largest file", String.format(Locale.ROOT, "%10.2f KiB", set.largest() / 1024.0));
        row(text, "Average file", String.format(Locale.ROOT, "%10.2f KiB", set.average() / 1024));
        report.ways().forEach(way -> row(text, "Path", way));
        FileRunReport.Verification verification = report.verification();
        if (verification != null) {
            row(
                    text,
                    "Verified",
                    "%10d    files, %d bytes, against %s"
                            .formatted(verification.files(), verification.bytes(), verification.against()));
            row(text, "Mismatches", "%10d".formatted(verification.mismatches()));
            if (verification.misplaced() > 0) {
                row(text, "Misplaced", "%10d    not exactly once in an epoch".formatted(verification.misplaced()));
            }
        }
        if (report.failedFiles() > 0) {
            row(text, "Failed files", "%10d".formatted(report.failedFiles()));
        }
        return text.toString();
    }

    /** The first failures and mismatches, one a line; empty if there are none. */
    public static String failures(FileRunReport report) {
        StringBuilder text = new StringBuilder();
        report.failures()
                .forEach(failure -> text.append("  FAILED ").append(failure).append('\n'));
        FileRunReport.Verification verification = report.verification();
        if (verification != null) {
            verification
                    .first()
                    .forEach(line -> text.append("  MISMATCH ").append(line).append('\n'));
        }
        return text.toString();
    }

    private static void row(StringBuilder text, String name, String value) {
        text.append(String.format(Locale.ROOT, "  %-15s %s%n", name, value));
    }

    private static String seconds(long nanos) {
        return String.format(Locale.ROOT, "%10.3f s", nanos / 1e9);
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%10.2f", value);
    }

    private static String perFile(long nanos, long files) {
        return String.format(Locale.ROOT, "%.0f ns", (double) nanos / Math.max(1, files));
    }

    private static String latency(RunReport.LatencySummary latency) {
        StringBuilder text = new StringBuilder();
        Map<Double, Long> percentiles = latency.percentiles();
        for (double percentile : PERCENTILES) {
            text.append(String.format(
                    Locale.ROOT,
                    "p%s %s, ",
                    percentile == Math.rint(percentile)
                            ? Long.toString((long) percentile)
                            : Double.toString(percentile),
                    millis(percentiles.getOrDefault(percentile, 0L))));
        }
        return text.append("max ").append(millis(latency.max())).toString();
    }

    private static String millis(long nanos) {
        return String.format(Locale.ROOT, "%.3f ms", nanos / 1e6);
    }
}
