package io.aisio.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** A run of queue pairs that a GPU drives, in words and columns, for people: as {@link RunTable} has a run of the CPU's. */
public final class CudaRunTable {
    private static final List<String> COLUMNS = List.of(" Device", "IOPS", "MiB/s", "Failed");
    private static final int[] WIDTHS = {20, 18, 12, 9};

    private CudaRunTable() {}

    /** What a run is about to do, one argument a line. */
    public static String arguments(
            CudaRunOptions options, String gpu, String kernels, List<CudaQueues.Memory> memories, List<String> paths) {
        StringBuilder text = new StringBuilder("Running xnvmeperf with arguments:\n");
        RunTable.line(
                text,
                "Devices",
                "[" + String.join(", ", options.devices()) + "] (total: "
                        + options.devices().size() + ")");
        RunTable.line(text, "GPU", gpu);
        RunTable.line(text, "kernels", kernels);
        RunTable.line(text, "io pattern", options.pattern());
        RunTable.line(text, "queues per device", options.queuesPerDevice());
        RunTable.line(text, "queue depth", options.queueDepth());
        RunTable.line(
                text,
                "driven by",
                (options.queues().role() == CudaQueues.Role.BLOCK ? "a block a queue, " : "a warp a queue, ")
                        + (options.queues().mode() == CudaQueues.Mode.SLIDING
                                ? "sliding window"
                                : "rounds in lock-step"));
        RunTable.line(
                text,
                "queue memory",
                memories.stream().map(CudaQueues.Memory::toString).distinct().collect(Collectors.joining(", ")));
        RunTable.line(text, "io size", options.ioBytes());
        RunTable.line(text, "data", options.data());
        RunTable.line(text, "runtime", RunOptions.seconds(options.runtime()));
        if (options.repeat() > 1) {
            RunTable.line(text, "repeat", options.repeat() + " (medians)");
        }
        if (options.pattern().random()) {
            RunTable.line(text, "seed", options.seed());
        }
        RunTable.line(text, "path", String.join("; ", paths.stream().distinct().toList()));
        return text.toString();
    }

    /** What came out, as a table. */
    public static String results(CudaRunReport report) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(COLUMNS);
        for (CudaRunReport.DeviceResult device : report.devices()) {
            rows.add(row(report, " " + device.name(), device.iops(), device.failed()));
        }
        rows.add(row(report, " Total:", report.iops(), report.failed()));
        List<List<String>> latencies = new ArrayList<>();
        for (CudaRunReport.DeviceResult device : report.devices()) {
            RunTable.add(latencies, device.name(), report.options().writes() ? "write" : "read", device.latency());
        }
        return RunTable.table(
                String.format(
                        Locale.ROOT, " xnvmeperf (elapsed: %.2fs, CPU %s of a core)", report.seconds(), cpu(report)),
                rows,
                WIDTHS,
                latencies);
    }

    private static String cpu(CudaRunReport report) {
        double percent = report.cpuPercent();
        return Double.isFinite(percent) ? String.format(Locale.ROOT, "%.2f %%", percent) : "? %";
    }

    /** The first failures, one a line; empty if there are none. */
    public static String failures(CudaRunReport report) {
        return RunTable.failures(report.failures());
    }

    private static List<String> row(CudaRunReport report, String name, double iops, long failed) {
        return List.of(
                name,
                RunTable.number(iops),
                RunTable.number(iops * report.options().ioBytes() / RunTable.MIB),
                Long.toString(failed));
    }
}
