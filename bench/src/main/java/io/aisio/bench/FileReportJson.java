package io.aisio.bench;

import io.aisio.fil.spi.Backend.Target;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * filperf's reports as JSON. {@code schema} names the shape and its version: a key may be added to a version, none is removed
 * or changed. Units are in the names: seconds end in {@code _s}, nanoseconds in {@code _ns}, bytes in {@code _bytes}.
 */
public final class FileReportJson {
    /** The shape of a run's report. */
    public static final String RUN_SCHEMA = "aisio.filperf.run/1";

    /** The shape of a comparison's report. */
    public static final String COMPARE_SCHEMA = "aisio.filperf.compare/1";

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private FileReportJson() {}

    /** A run's report, ending without a newline. */
    public static String of(FileRunReport report) {
        ObjectNode root = JSON.createObjectNode();
        root.put("schema", RUN_SCHEMA);
        root.put("ok", report.ok());
        root.put("stopped", report.stopped());
        root.set("options", options(report));
        report.ways().forEach(root.putArray("paths")::add);
        root.set("dataset", set(report.set()));
        root.set("times", times(report.times()));
        FileRunReport.Read read = report.read();
        ObjectNode measured = root.putObject("read");
        measured.put("batches", read.batches());
        measured.put("files", read.files());
        measured.put("total_bytes", read.bytes());
        measured.put("commands", read.commands());
        measured.put("changed_files", read.changed());
        measured.put("files_per_s", report.filesPerSecond());
        measured.put("bw_bytes", Math.round(report.bytesPerSecond()));
        measured.put("iops", report.iops());
        root.set("batch_latency_ns", latency(report.batchLatency()));
        FileRunReport.Verification verification = report.verification();
        if (verification == null) {
            root.putNull("verification");
        } else {
            root.set("verification", verification(verification));
        }
        root.put("failed_files", report.failedFiles());
        report.failures().forEach(root.putArray("failures")::add);
        ArrayNode intervals = root.putArray("intervals");
        for (FileRunReport.Interval interval : report.intervals()) {
            ObjectNode node = intervals.addObject();
            node.put("elapsed_s", interval.seconds());
            node.put("batches", interval.batches());
            node.put("iops", interval.iops());
            node.put("bw_bytes", Math.round(interval.bytesPerSecond()));
        }
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root);
    }

    private static ObjectNode options(FileRunReport report) {
        FileRunOptions asked = report.options();
        ObjectNode node = JSON.createObjectNode();
        asked.places().forEach(node.putArray("places")::add);
        node.put("data_dir", asked.folder());
        node.put("backend", asked.backend());
        node.put("path", asked.settings().require() ? "require" : "auto");
        node.put("buffered", asked.settings().buffered());
        node.put("iosize_bytes", asked.settings().ioBytes());
        node.put("queues", asked.settings().queues());
        node.put("queue_depth", asked.settings().queueDepth());
        target(node, asked.settings().target());
        node.put("batch_size", report.batchFiles());
        node.put("batches", asked.batches());
        node.put("epochs", asked.epochs());
        node.put("warmup_batches", asked.warmupBatches());
        node.put("prefetch_batches", asked.prefetch());
        Long seed = asked.seed();
        if (seed == null) {
            node.putNull("shuffle_seed");
        } else {
            node.put("shuffle_seed", seed.longValue());
        }
        node.put("shard", asked.shard());
        node.put("shards", asked.shards());
        node.put("drop_caches", asked.dropCaches());
        return node;
    }

    /** A comparison's report, ending without a newline. */
    public static String of(FileComparison.Report report) {
        FileComparison.Options asked = report.options();
        ObjectNode root = JSON.createObjectNode();
        root.put("schema", COMPARE_SCHEMA);
        root.put("ok", report.ok());
        ObjectNode options = root.putObject("options");
        DatasetShape shape = asked.shape();
        if (shape == null) {
            options.put("image", report.image().toString());
        } else {
            options.put("dataset", shape.name());
        }
        options.put("data_dir", asked.folder());
        options.put("rounds", asked.rounds());
        options.put("least_runtime_s", asked.least().toNanos() / 1e9);
        options.put("batch_size", asked.batchFiles());
        options.put("prefetch_batches", asked.prefetch());
        options.put("queues", asked.queues());
        options.put("queue_depth", asked.queueDepth());
        options.put("iosize_bytes", asked.ioBytes());
        options.put("emu", asked.emu());
        target(options, asked.target());
        if (asked.target() != null) {
            options.put("gpu_queues", asked.gpuQueues());
        }
        root.set("dataset", set(report.set()));
        root.put("ceiling_command_bytes", report.commandBytes());
        root.put("kernel", System.getProperty("os.version"));
        root.put("processors", Runtime.getRuntime().availableProcessors());
        root.put("load_average", report.load());
        ArrayNode rows = root.putArray("rows");
        report.rows().forEach(row -> rows.add(row(report, row)));
        report.notes().forEach(root.putArray("notes")::add);
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root);
    }

    /** Into which GPU, if it is one. */
    private static void target(ObjectNode node, @Nullable Target target) {
        if (target != null) {
            node.put("gpu", target.gpu().id());
            node.put("gpu_name", target.gpu().name());
            node.put("cufile_calls", target.calls().name().toLowerCase(Locale.ROOT));
            node.put("cufile_registered", target.registered());
        }
    }

    private static ObjectNode row(FileComparison.Report report, FileComparison.Row row) {
        ObjectNode node = JSON.createObjectNode();
        node.put("name", row.name());
        node.put("place", row.place());
        if (!row.missing().isEmpty()) {
            node.put("missing", row.missing());
            return node;
        }
        node.put("path", row.path());
        FileRunReport.Verification verification = row.verification();
        if (verification != null) {
            node.set("verification", verification(verification));
            node.put("failed_files", row.failed());
            node.put("epochs", row.epochs());
            node.put("files_per_s", row.median(FileComparison.Sample::filesPerSecond));
            put(node, "of_posix", report.ofBase(row));
        }
        node.put("bw_bytes", Math.round(row.median(FileComparison.Sample::bytesPerSecond)));
        node.put("iops", row.median(FileComparison.Sample::iops));
        put(node, "of_ceiling", report.ofCeiling(row));
        ArrayNode samples = node.putArray("rounds");
        for (FileComparison.Sample sample : row.samples()) {
            ObjectNode one = samples.addObject();
            one.put("files_per_s", sample.filesPerSecond());
            one.put("bw_bytes", Math.round(sample.bytesPerSecond()));
            one.put("iops", sample.iops());
            one.put("batch_p50_ns", Math.round(sample.batchNanos()));
            one.put("batch_p99_ns", Math.round(sample.slowestBatchNanos()));
        }
        return node;
    }

    private static void put(ObjectNode node, String name, double value) {
        if (Double.isNaN(value)) {
            node.putNull(name);
        } else {
            node.put(name, value);
        }
    }

    private static ObjectNode set(FileRunReport.Set set) {
        ObjectNode node = JSON.createObjectNode();
        node.put("files", set.files());
        node.put("total_bytes", set.bytes());
        node.put("max_file_bytes", set.largest());
        node.put("average_file_bytes", set.average());
        node.put("classes", set.classes());
        node.put("memory_bytes", set.footprint());
        return node;
    }

    private static ObjectNode times(FileRunReport.Times times) {
        ObjectNode node = JSON.createObjectNode();
        node.put("index_s", times.indexNanos() / 1e9);
        node.put("extents_s", times.extentsNanos() / 1e9);
        node.put("setup_s", times.setupNanos() / 1e9);
        node.put("total_s", times.totalNanos() / 1e9);
        node.put("prepare_s", times.prepareNanos() / 1e9);
        node.put("io_s", times.readingNanos() / 1e9);
        node.put("wait_s", times.waitNanos() / 1e9);
        node.put("verify_s", times.verifyNanos() / 1e9);
        return node;
    }

    private static ObjectNode latency(RunReport.LatencySummary latency) {
        ObjectNode node = JSON.createObjectNode();
        node.put("min", latency.min());
        node.put("max", latency.max());
        node.put("mean", latency.mean());
        node.put("stddev", latency.deviation());
        node.put("N", latency.count());
        ObjectNode percentiles = node.putObject("percentile");
        latency.percentiles()
                .forEach((percent, nanos) -> percentiles.put(String.format(Locale.ROOT, "%.6f", percent), nanos));
        return node;
    }

    private static ObjectNode verification(FileRunReport.Verification verification) {
        ObjectNode node = JSON.createObjectNode();
        node.put("against", verification.against());
        node.put("files", verification.files());
        node.put("total_bytes", verification.bytes());
        node.put("mismatches", verification.mismatches());
        node.put("misplaced", verification.misplaced());
        verification.first().forEach(node.putArray("first_mismatches")::add);
        return node;
    }
}
