package io.aisio.cli;

import io.aisio.bench.FioComparison;
import java.io.IOException;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.core.JsonGenerator;

/** {@code xnvmeperf compare}: io_uring from Java beside fio's. */
@Command(
        name = "compare",
        header = "Compares random reads by io_uring with fio's, in pairs; beside them, FileChannel.",
        description = {
            "%nReads a file or block device by one queue on one CPU, in turn with fio at the same settings: registered"
                    + " buffers and file, past the page cache. Without a device, one is set up in memory: a loop device upon"
                    + " a file of 1 GiB on /dev/shm, which takes root. Nothing is written to a device that is named.",
        },
        parameterListHeading = "%nDevice:%n",
        footer = {"  ./aisio xnvmeperf compare", "  ./aisio xnvmeperf compare --pairs 15 --runtime 5 /dev/nvme0n1"})
final class XnvmeperfCompare implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xnvmeperf.compare/1";

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(
            names = "--pairs",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "9",
            paramLabel = "N",
            description = "Measurements of both, of which the median counts (9).")
    private int pairs;

    @Option(
            names = "--runtime",
            converter = XnvmeperfOptions.Seconds.class,
            defaultValue = "2",
            paramLabel = "SECONDS",
            description = "How long one of them measures (2).")
    @SuppressWarnings("NullAway.Init")
    private Duration runtime;

    @Option(
            names = "--qdepth",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "128",
            paramLabel = "N",
            description = "Reads in flight (128).")
    private int queueDepth;

    @Option(
            names = "--batch",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "32",
            paramLabel = "N",
            description = "Reads that are reaped and submitted at a time (32).")
    private int batch;

    @Option(
            names = "--iosize",
            converter = XnvmeperfOptions.Bytes.class,
            defaultValue = "4096",
            paramLabel = "SIZE",
            description = "Size of a read (4096).")
    private long ioBytes;

    @Option(
            names = "--cpu",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "The CPU that both run on (0).")
    private int cpu;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Parameters(arity = "0..1", paramLabel = "DEVICE", description = "A file or block device, which is only read.")
    private @Nullable String device;

    @Override
    public Integer call() throws IOException {
        FioComparison.Options options = options();
        FioComparison.Report report;
        try (Progress progress = Progress.onStandardError()) {
            report = FioComparison.compare(options, progress::show);
        }
        if (output == Output.json) {
            json(report);
        } else {
            human(report);
        }
        return Exit.DONE;
    }

    private FioComparison.Options options() {
        try {
            return new FioComparison.Options(device, pairs, runtime, queueDepth, batch, Math.toIntExact(ioBytes), cpu);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    private static void human(FioComparison.Report report) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            FioComparison.Options asked = report.options();
            out.line("random reads of %d bytes, %d in flight, %d at a time, of %s on CPU %d"
                    .formatted(asked.ioBytes(), asked.queueDepth(), asked.batch(), report.device(), asked.cpu()));
            out.line("- path: " + report.path());
            out.line("- capabilities: " + report.capabilities());
            out.line("- beside: " + report.version() + ", " + report.command());
            out.line("- Linux %s, %d processors, load average %s"
                    .formatted(report.kernel(), Runtime.getRuntime().availableProcessors(), report.load()));
            out.line("");
            out.line("%6s %14s %14s %8s".formatted("pair", "fio IOPS", "ours IOPS", "ratio"));
            for (int i = 0; i < report.pairs().size(); i++) {
                FioComparison.Pair pair = report.pairs().get(i);
                row(out, Integer.toString(i + 1), pair.fio(), pair.ours(), pair.ratio());
            }
            row(out, "median", report.fio(), report.ours(), report.ratio());
            out.line("");
            out.line("FileChannel past the page cache, one read at a time: %s IOPS".formatted(iops(report.channel())));
            out.line("FileChannel past the page cache, 32 virtual threads:  %s IOPS"
                    .formatted(iops(report.virtualThreads())));
        }
    }

    private static void row(StandardOutput out, String name, double fio, double ours, double ratio) throws IOException {
        out.line(String.format(Locale.ROOT, "%6s %14s %14s %8.3f", name, iops(fio), iops(ours), ratio));
    }

    private static String iops(double value) {
        return String.format(Locale.ROOT, "%.0f", value);
    }

    private static void json(FioComparison.Report report) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeStringProperty("device", report.device());
            json.writeStringProperty("path", report.path());
            json.writeStringProperty("capabilities", report.capabilities().toString());
            json.writeStringProperty("fioVersion", report.version());
            json.writeStringProperty("fioCommand", report.command());
            json.writeStringProperty("kernel", report.kernel());
            json.writeStringProperty("loadAverage", report.load());
            json.writeName("pairs");
            json.writeStartArray();
            for (FioComparison.Pair pair : report.pairs()) {
                json.writeStartObject();
                json.writeNumberProperty("fioIops", pair.fio());
                json.writeNumberProperty("iops", pair.ours());
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeNumberProperty("ratio", report.ratio());
            json.writeNumberProperty("fileChannelIops", report.channel());
            json.writeNumberProperty("virtualThreadsIops", report.virtualThreads());
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }
}
