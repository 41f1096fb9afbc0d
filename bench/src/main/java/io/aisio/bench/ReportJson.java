package io.aisio.bench;

import io.aisio.xnvme.Capabilities;
import java.util.Locale;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reports as JSON. A run has the shape of fio's, so that what reads fio's reads ours: {@code jobs[].read.iops},
 * {@code bw_bytes}, {@code clat_ns.percentile}; a job is a device. {@code schema} names the shape and its version: a key
 * may be added to a version, none is removed or changed.
 */
public final class ReportJson {
    /** The shape of a run's report. */
    public static final String RUN_SCHEMA = "aisio.xnvmeperf.run/1";

    /** The shape of a verification's report. */
    public static final String VERIFY_SCHEMA = "aisio.xnvmeperf.verify/1";

    /** The shape of a report of a run by a GPU. */
    public static final String CUDA_RUN_SCHEMA = "aisio.xnvmeperf.cuda-run/1";

    /** The shape of a report of a verification by a GPU. */
    public static final String CUDA_VERIFY_SCHEMA = "aisio.xnvmeperf.cuda-verify/1";

    /** The shape of a quickstart's report. */
    public static final String QUICKSTART_SCHEMA = "aisio.quickstart/1";

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private ReportJson() {}

    /** A run's report, ending without a newline. */
    public static String of(RunReport report) {
        ObjectNode root = JSON.createObjectNode();
        root.put("schema", RUN_SCHEMA);
        root.put("ok", report.ok());
        root.set("global options", options(report.options()));
        root.put("elapsed_s", report.seconds());
        ArrayNode jobs = root.putArray("jobs");
        report.devices().forEach(device -> jobs.add(job(report, device)));
        ObjectNode total = root.putObject("total");
        total.put("iops", report.iops());
        total.put("bw_bytes", Math.round(report.bytesPerSecond()));
        total.put("failed", report.failed());
        ArrayNode intervals = root.putArray("intervals");
        for (RunReport.Interval interval : report.intervals()) {
            ObjectNode node = intervals.addObject();
            node.put("elapsed_s", interval.seconds());
            node.put("iops", interval.iops());
            node.put("bw_bytes", Math.round(interval.bytesPerSecond()));
            node.put("failed", interval.failed());
        }
        root.set("cpu", cpu(report));
        report.failures().forEach(root.putArray("failures")::add);
        report.notes().forEach(root.putArray("notes")::add);
        return text(root);
    }

    /** A report of a run by a GPU, in the shape of the CPU's, ending without a newline. Figures are medians over the runs. */
    public static String of(CudaRunReport report) {
        ObjectNode root = JSON.createObjectNode();
        root.put("schema", CUDA_RUN_SCHEMA);
        root.put("ok", report.ok());
        root.put("gpu", report.gpu());
        root.put("kernels", report.kernels());
        root.set("global options", options(report.options()));
        put(root, "elapsed_s", report.seconds());
        put(root, "cpu_percent", report.cpuPercent());
        ArrayNode jobs = root.putArray("jobs");
        report.devices().forEach(device -> jobs.add(job(report, device)));
        ObjectNode total = root.putObject("total");
        total.put("iops", zeroed(report.iops()));
        total.put("bw_bytes", Math.round(report.bytesPerSecond()));
        total.put("failed", report.failed());
        ArrayNode runs = root.putArray("runs");
        for (CudaRunReport.OneRun run : report.runs()) {
            ObjectNode node = runs.addObject();
            node.put("elapsed_s", run.seconds());
            node.put("iops", run.iops());
            put(node, "cpu_percent", run.cpuPercent());
        }
        report.failures().forEach(root.putArray("failures")::add);
        report.notes().forEach(root.putArray("notes")::add);
        return text(root);
    }

    private static ObjectNode options(CudaRunOptions options) {
        ObjectNode node = JSON.createObjectNode();
        node.put("rw", options.pattern().toString());
        node.put("bs", options.ioBytes());
        node.put("iodepth", options.queueDepth());
        node.put("nqueues", options.queuesPerDevice());
        node.put("runtime_s", options.runtime().toNanos() / 1e9);
        node.put("repeat", options.repeat());
        node.put("data", options.data().toString());
        put(node, options.queues());
        node.put("randseed", options.seed());
        return node;
    }

    private static void put(ObjectNode node, CudaQueues queues) {
        node.put("gpu_id", queues.gpu());
        node.put("mode", queues.mode().toString());
        node.put("role", queues.role().toString());
    }

    private static ObjectNode job(CudaRunReport report, CudaRunReport.DeviceResult device) {
        ObjectNode job = JSON.createObjectNode();
        job.put("jobname", device.name());
        job.put("path", device.path());
        job.set("capabilities", capabilities(device.capabilities()));
        job.put("queue_memory", device.queueMemory().toString());
        job.put("error", device.failed() == 0 ? 0 : 5);
        job.put("total_err", device.failed());
        // I/Os are those of all runs, and so is the time; rates are the median run's.
        double seconds = report.runs().stream()
                .mapToDouble(CudaRunReport.OneRun::seconds)
                .sum();
        job.put("job_runtime", Math.round(seconds * 1000));
        RunReport.DirectionResult moved = new RunReport.DirectionResult(device.ios(), device.iops(), device.latency());
        RunReport.DirectionResult nothing = new RunReport.DirectionResult(0, 0, null);
        long ioBytes = report.options().ioBytes();
        boolean writes = report.options().writes();
        job.set("read", direction(ioBytes, seconds, writes ? nothing : moved));
        job.set("write", direction(ioBytes, seconds, writes ? moved : nothing));
        return job;
    }

    /** What is no number is null. */
    private static void put(ObjectNode node, String key, double value) {
        if (Double.isFinite(value)) {
            node.put(key, value);
        } else {
            node.putNull(key);
        }
    }

    private static double zeroed(double value) {
        return Double.isFinite(value) ? value : 0;
    }

    /** A report of a verification by a GPU, ending without a newline. */
    public static String of(CudaVerifyReport report) {
        ObjectNode root = JSON.createObjectNode();
        root.put("schema", CUDA_VERIFY_SCHEMA);
        root.put("ok", report.ok());
        root.put("gpu", report.gpu());
        root.put("kernels", report.kernels());
        CudaVerifyOptions options = report.options();
        ObjectNode asked = root.putObject("global options");
        asked.put("bs", options.ioBytes());
        asked.put("count", options.count());
        asked.put("iodepth", options.queueDepth());
        asked.put("nqueues", options.queuesPerDevice());
        asked.put("generations", options.generations());
        asked.put("randseed", options.seed());
        put(asked, options.queues());
        ArrayNode devices = root.putArray("devices");
        report.devices().forEach(device -> devices.add(device(device)));
        return text(root);
    }

    /** A quickstart's report and what the driver costs, ending without a newline. */
    public static String of(QuickstartReport report, DriverCost cost) {
        ObjectNode root = JSON.createObjectNode();
        root.put("schema", QUICKSTART_SCHEMA);
        root.put("ok", report.ok());
        root.put("files", report.files());
        root.put("bytes", report.bytes());
        root.put("bw_bytes", Math.round(report.bytesPerSecond()));
        root.put("iops", report.iops());
        root.put("path", report.path());
        root.put("shipped_image", report.shipped());
        report.mismatches().forEach(root.putArray("mismatches")::add);
        ObjectNode driver = root.putObject("driver");
        driver.put("ns_per_io", cost.nanosPerIo());
        driver.put("controller_ns_per_io", cost.modelNanosPerIo());
        return text(root);
    }

    private static ObjectNode options(RunOptions options) {
        ObjectNode node = JSON.createObjectNode();
        node.put("rw", options.pattern().toString());
        node.put("rwmixread", options.readPercent());
        node.put("bs", options.ioBytes());
        node.put("iodepth", options.queueDepth());
        node.put("iodepth_batch_complete_min", options.batch());
        node.put("nqueues", options.queuesPerDevice());
        node.put("runtime_s", options.runtime().toNanos() / 1e9);
        node.put("ramp_time_s", options.warmup().toNanos() / 1e9);
        node.put("randseed", options.seed());
        return node;
    }

    private static ObjectNode cpu(RunReport report) {
        CpuUse use = report.cpu();
        long ios = report.devices().stream()
                .mapToLong(device -> device.read().ios() + device.write().ios())
                .sum();
        ObjectNode node = JSON.createObjectNode();
        put(node, "cpu_percent", use.processPercent());
        put(node, "driver_cpu_percent", use.driverPercent());
        put(node, "cpu_ns_per_io", ios == 0 ? Double.NaN : (double) use.driverNanos() / ios);
        Long cycles = use.driverCycles();
        put(node, "cycles_per_io", cycles == null || ios == 0 ? Double.NaN : (double) cycles / ios);
        node.put("cycles_missing", use.cyclesMissing());
        return node;
    }

    private static ObjectNode job(RunReport report, RunReport.DeviceResult device) {
        ObjectNode job = JSON.createObjectNode();
        job.put("jobname", device.name());
        job.put("path", device.path());
        job.set("capabilities", capabilities(device.capabilities()));
        job.put("cpus", device.cpus());
        // fio has an errno here; what matters to its readers is whether it is 0. 5 is EIO.
        job.put("error", device.failed() == 0 ? 0 : 5);
        job.put("total_err", device.failed());
        job.put("job_runtime", Math.round(report.seconds() * 1000));
        job.set("read", direction(report.options().ioBytes(), report.seconds(), device.read()));
        job.set("write", direction(report.options().ioBytes(), report.seconds(), device.write()));
        return job;
    }

    private static ObjectNode capabilities(Capabilities capabilities) {
        ObjectNode node = JSON.createObjectNode();
        node.put("queues", word(capabilities.queues()));
        ArrayNode traits = node.putArray("traits");
        capabilities.traits().forEach(trait -> traits.add(word(trait)));
        return node;
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private static ObjectNode direction(long ioBytes, double seconds, RunReport.DirectionResult result) {
        ObjectNode node = JSON.createObjectNode();
        node.put("io_bytes", result.ios() * ioBytes);
        node.put("bw_bytes", Math.round(result.iops() * ioBytes));
        node.put("bw", Math.round(result.iops() * ioBytes / 1024));
        node.put("iops", result.iops());
        node.put("runtime", Math.round(seconds * 1000));
        node.put("total_ios", result.ios());
        RunReport.LatencySummary latency = result.latency();
        if (latency != null) {
            node.set("clat_ns", latency(latency));
        }
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

    /** A verification's report, ending without a newline. */
    public static String of(VerifyReport report) {
        ObjectNode root = JSON.createObjectNode();
        root.put("schema", VERIFY_SCHEMA);
        root.put("ok", report.ok());
        VerifyOptions options = report.options();
        ObjectNode asked = root.putObject("global options");
        asked.put("bs", options.ioBytes());
        asked.put("count", options.count());
        asked.put("iodepth", options.queueDepth());
        asked.put("nqueues", options.queuesPerDevice());
        asked.put("generations", options.generations());
        asked.put("randseed", options.seed());
        ArrayNode devices = root.putArray("devices");
        report.devices().forEach(device -> devices.add(device(device)));
        return text(root);
    }

    private static ObjectNode device(VerifyReport.DeviceResult device) {
        ObjectNode node = JSON.createObjectNode();
        node.put("device", device.name());
        node.put("path", device.path());
        node.set("capabilities", capabilities(device.capabilities()));
        node.put("verified", device.verified());
        node.put("mismatches", device.mismatches());
        node.put("failed", device.failed());
        ArrayNode shown = node.putArray("first_mismatches");
        for (VerifyReport.Mismatch mismatch : device.shown()) {
            ObjectNode one = shown.addObject();
            one.put("lba", mismatch.lba());
            one.put("generation", mismatch.generation());
            one.put("kind", mismatch.kind().toString());
            one.put("seen", mismatch.seen());
        }
        device.failures().forEach(node.putArray("first_failures")::add);
        return node;
    }

    private static String text(ObjectNode root) {
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root);
    }
}
