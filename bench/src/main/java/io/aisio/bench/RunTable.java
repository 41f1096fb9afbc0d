package io.aisio.bench;

import io.aisio.xnvme.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A run in words and columns, for people: what is about to happen, how it goes, and what came out. */
public final class RunTable {
    static final double MIB = 1 << 20;
    private static final List<String> COLUMNS = List.of(" Device", "CPUs", "IOPS", "MiB/s", "Failed");
    private static final List<String> LATENCY_COLUMNS =
            List.of(" Latency (us)", "", "min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max");
    private static final double[] LATENCY_PERCENTILES = {50, 90, 99, 99.9, 99.99};

    /** The least widths, those of the existing tool: wider content makes its column wider. */
    private static final int[] WIDTHS = {20, 8, 14, 11, 9};

    private RunTable() {}

    /** What a run is about to do, one argument a line. */
    public static String arguments(Run run) {
        RunOptions options = run.options();
        StringBuilder text = new StringBuilder("Running xnvmeperf with arguments:\n");
        line(
                text,
                "Devices",
                "[" + String.join(", ", options.devices()) + "] (total: "
                        + options.devices().size() + ")");
        line(text, "io pattern", options.pattern() + (options.pattern().mixed() ? mix(options) : ""));
        line(text, "queues per device", options.queuesPerDevice());
        line(text, "queue depth", options.queueDepth());
        if (options.batch() > 1) {
            line(text, "batch", options.batch());
        }
        line(text, "io size", options.ioBytes());
        line(text, "runtime", RunOptions.seconds(options.runtime()));
        if (!options.warmup().isZero()) {
            line(text, "warm-up", RunOptions.seconds(options.warmup()));
        }
        line(text, "CPUs", "[" + run.cpus() + "] (total: " + run.threads() + ")");
        if (options.pattern().random() || options.writes()) {
            line(text, "seed", options.seed());
        }
        List<String> paths = run.devices().stream().map(Device::path).distinct().toList();
        line(text, "path", String.join("; ", paths));
        List<String> capabilities = run.devices().stream()
                .map(device -> device.capabilities().toString())
                .distinct()
                .toList();
        line(text, "capabilities", String.join("; ", capabilities));
        run.notes().forEach(note -> line(text, "note", note));
        return text.toString();
    }

    private static String mix(RunOptions options) {
        return " (" + options.readPercent() + " % reads)";
    }

    static void line(StringBuilder text, String name, Object value) {
        text.append("- ").append(name).append(": ").append(value).append('\n');
    }

    /** How the run goes, in one line. */
    public static String interval(RunReport.Interval interval) {
        return String.format(
                Locale.ROOT,
                "%8.1f s  %14.2f IOPS  %11.2f MiB/s  %d failed",
                interval.seconds(),
                interval.iops(),
                interval.bytesPerSecond() / MIB,
                interval.failed());
    }

    /** What came out, as a table. */
    public static String results(RunReport report) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(COLUMNS);
        for (RunReport.DeviceResult device : report.devices()) {
            rows.add(row(report, " " + device.name(), device.cpus(), device.iops(), device.failed()));
            if (report.options().pattern().mixed()) {
                rows.add(row(report, "   read", "", device.read().iops(), null));
                rows.add(row(report, "   write", "", device.write().iops(), null));
            }
        }
        rows.add(row(report, " Total:", "", report.iops(), report.failed()));
        return table(
                String.format(Locale.ROOT, " xnvmeperf (elapsed: %.2fs)", report.seconds()),
                rows,
                WIDTHS,
                latencies(report));
    }

    /** The first failures, one a line; empty if there are none. */
    public static String failures(RunReport report) {
        return failures(report.failures());
    }

    static String failures(List<String> failures) {
        StringBuilder text = new StringBuilder();
        failures.forEach(failure -> text.append("  FAILED ").append(failure).append('\n'));
        return text.toString();
    }

    private static List<String> row(RunReport report, String name, String cpus, double iops, @Nullable Long failed) {
        return List.of(
                name,
                cpus,
                number(iops),
                number(iops * report.options().ioBytes() / MIB),
                failed == null ? "" : failed.toString());
    }

    static String number(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }

    /** A title, rows of which the first names the columns and the last is the total, and latencies if there are any. */
    static String table(String title, List<List<String>> rows, int[] least, List<List<String>> latencies) {
        int[] widths = widths(rows, least);
        List<String> lines = rows.stream().map(row -> aligned(row, widths)).toList();
        if (!latencies.isEmpty()) {
            latencies.addFirst(LATENCY_COLUMNS);
        }
        int[] latencyWidths = widths(latencies, new int[LATENCY_COLUMNS.size()]);
        List<String> latencyLines =
                latencies.stream().map(row -> aligned(row, latencyWidths)).toList();
        int width = Math.max(longest(lines), longest(latencyLines));

        StringBuilder text = new StringBuilder();
        rule(text, '=', width);
        text.append(title).append('\n');
        rule(text, '=', width);
        lines.subList(0, lines.size() - 1).forEach(line -> text.append(line).append('\n'));
        rule(text, '-', width);
        text.append(lines.getLast()).append('\n');
        rule(text, '=', width);
        if (!latencyLines.isEmpty()) {
            latencyLines.forEach(line -> text.append(line).append('\n'));
            rule(text, '=', width);
        }
        return text.toString();
    }

    private static List<List<String>> latencies(RunReport report) {
        List<List<String>> rows = new ArrayList<>();
        for (RunReport.DeviceResult device : report.devices()) {
            add(rows, device.name(), "read", device.read().latency());
            add(rows, device.name(), "write", device.write().latency());
        }
        return rows;
    }

    static void add(
            List<List<String>> rows, String device, String direction, RunReport.@Nullable LatencySummary latency) {
        if (latency == null) {
            return;
        }
        List<String> row = new ArrayList<>(List.of(" " + device, direction));
        row.add(micros((double) latency.min()));
        row.add(micros(latency.mean()));
        Map<Double, Long> percentiles = latency.percentiles();
        for (double percentile : LATENCY_PERCENTILES) {
            row.add(micros(percentiles.getOrDefault(percentile, 0L)));
        }
        row.add(micros((double) latency.max()));
        rows.add(row);
    }

    private static String micros(double nanos) {
        return number(nanos / 1000);
    }

    /** The widest entry of each column, with two spaces before it. */
    private static int[] widths(List<List<String>> rows, int[] least) {
        int[] widths = least.clone();
        for (List<String> row : rows) {
            for (int i = 0; i < row.size(); i++) {
                widths[i] = Math.max(widths[i], row.get(i).length() + (i == 0 ? 0 : 2));
            }
        }
        return widths;
    }

    /** The first column to the left, the others to the right. */
    private static String aligned(List<String> row, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < row.size(); i++) {
            String padding = " ".repeat(widths[i] - row.get(i).length());
            line.append(i == 0 ? row.get(i) + padding : padding + row.get(i));
        }
        return line.toString().stripTrailing();
    }

    private static int longest(List<String> lines) {
        return lines.stream().mapToInt(String::length).max().orElse(0);
    }

    private static void rule(StringBuilder text, char sign, int width) {
        text.append(String.valueOf(sign).repeat(width)).append('\n');
    }
}
