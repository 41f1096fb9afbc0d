package io.aisio.cli;

import io.aisio.bench.DatasetShape;
import io.aisio.bench.FileComparison;
import io.aisio.bench.FileComparison.Sample;
import io.aisio.bench.FileReportJson;
import io.aisio.bench.FileRunOptions;
import io.aisio.bench.FileRunReport;
import io.aisio.cuda.Gpu;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code filperf compare}: every backend on one data set, side by side. */
@Command(
        name = "compare",
        header = "Reads one data set by every backend, verifies it, and sets them side by side.",
        description = {
            "%nMakes an image with a data set, or takes one; mounts it to read, which takes root, or copies its files to a"
                    + " folder; compares all files once by each backend; then measures them in turn, shuffled, in rounds,"
                    + " beside random reads of the device with commands of the same size (ceiling). Medians count."
                    + " What was made and mounted is removed.",
        },
        footer = {
            "  ./aisio filperf compare --dataset imagenetish --scale 0.01",
            "  sudo ./aisio filperf compare --gpu-id 0 --gpu-nqueues 8",
            "  sudo ./aisio filperf compare --image set.img --data-dir /train --emu latency=80us --rounds 7"
        })
final class FilperfCompare implements Callable<Integer> {
    private static final double MIB = 1 << 20;
    private static final String ROW = "%-18s %10s %10s %10s %8s %8s %9s %9s %5s";

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(
            names = "--dataset",
            paramLabel = "SHAPE",
            description = "Which data set to make: imagenetish, tiktokish, … (imagenetish).")
    private @Nullable String shape;

    @Option(names = "--scale", paramLabel = "F", description = "What part of it (0.01).")
    private @Nullable Double scale;

    @Option(names = "--image", paramLabel = "FILE", description = "An image with an XFS to read instead.")
    private @Nullable Path image;

    @Option(
            names = "--data-dir",
            defaultValue = "/",
            paramLabel = "FOLDER",
            description = "The data set's folder in the image (/).")
    @SuppressWarnings("NullAway.Init")
    private String folder;

    @Option(
            names = "--backend",
            split = ",",
            paramLabel = "NAME",
            description = "Only these; aisio-cpu and posix, for example (all that there are; without --gpu-id those"
                    + " that need no GPU).")
    @SuppressWarnings("NullAway.Init")
    private List<String> backends = List.of();

    @Option(
            names = "--rounds",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "5",
            paramLabel = "N",
            description = "Measurements of each (5).")
    private int rounds;

    @Option(
            names = "--runtime",
            converter = XnvmeperfOptions.Seconds.class,
            defaultValue = "1",
            paramLabel = "SECONDS",
            description = "How long one takes, about, in whole epochs (1).")
    @SuppressWarnings("NullAway.Init")
    private Duration runtime;

    @Option(
            names = "--batch-size",
            converter = XnvmeperfOptions.Whole.class,
            paramLabel = "N",
            description = "Files of a batch (as many as fit 32 MiB, at most 1024).")
    private @Nullable Integer batchFiles;

    @Option(
            names = "--prefetch",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "" + FileRunOptions.DEFAULT_PREFETCH,
            paramLabel = "N",
            description = "Batches that are read while one is held (" + FileRunOptions.DEFAULT_PREFETCH + ").")
    private int prefetch;

    @Option(
            names = "--queue-depth",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "128",
            paramLabel = "N",
            description = "Commands in flight on each queue (128).")
    private int queueDepth;

    @Option(
            names = "--queues",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Queues of each (1).")
    private int queues;

    @Option(
            names = "--iosize",
            converter = XnvmeperfOptions.Bytes.class,
            defaultValue = "0",
            paramLabel = "SIZE",
            description = "Size of a command at most (as much as the place takes).")
    private long ioBytes;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private GpuOptions gpuOptions;

    @Option(
            names = "--emu",
            defaultValue = "",
            paramLabel = "OPTIONS",
            description = "Options of the software controller, such as 'latency=80us&mdts=6'.")
    @SuppressWarnings("NullAway.Init")
    private String emu;

    @Option(
            names = "--folder",
            paramLabel = "DIR",
            description = "Make what is temporary below this one (the system's own).")
    private Path work = Path.of(System.getProperty("java.io.tmpdir"));

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Override
    public Integer call() throws IOException {
        FileComparison.Report report;
        FileComparison.Options asked = options();
        try (Gpu gpu = gpuOptions.open(backends);
                Progress progress = Progress.onStandardError()) {
            FileComparison comparison =
                    FileComparison.of(asked.into(gpuOptions.target(gpu), gpuOptions.queues()), progress::show);
            try (Interruption _ = Interruption.stops(comparison::stop)) {
                report = comparison.run();
            }
        }
        if (output == Output.json) {
            System.out.println(FileReportJson.of(report));
        } else {
            human(report);
        }
        for (FileComparison.Row row : report.rows()) {
            FileRunReport.Verification verification = row.verification();
            if (verification != null) {
                verification.first().forEach(line -> System.err.println("  MISMATCH " + row.name() + ": " + line));
            }
        }
        return report.ok() ? Exit.DONE : Exit.FAILED;
    }

    private FileComparison.Options options() {
        try {
            if (image != null && (shape != null || scale != null)) {
                throw new IllegalArgumentException("--image is read, --dataset and --scale are made: give either");
            }
            if (batchFiles != null && batchFiles == 0) {
                throw new IllegalArgumentException("--batch-size 0: a batch has at least 1 file");
            }
            gpuOptions.check();
            int _ = gpuOptions.queues();
            return new FileComparison.Options(
                    image != null
                            ? null
                            : DatasetShape.of(shape == null ? "imagenetish" : shape)
                                    .scaled(scale == null ? 0.01 : scale),
                    image,
                    folder,
                    work,
                    backends,
                    rounds,
                    runtime,
                    batchFiles == null ? 0 : batchFiles,
                    prefetch,
                    queues,
                    queueDepth,
                    Math.toIntExact(ioBytes),
                    emu,
                    null,
                    FileRunOptions.DEFAULT_GPU_QUEUES);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    private static void human(FileComparison.Report report) throws IOException {
        FileComparison.Options asked = report.options();
        FileRunReport.Set set = report.set();
        try (StandardOutput out = new StandardOutput()) {
            out.line("%,d files, %s, in %,d folders; %s"
                    .formatted(
                            set.files(),
                            ByteSize.format(set.bytes()),
                            set.classes(),
                            asked.shape() != null ? asked.shape().name() : report.image() + " " + asked.folder()));
            out.line(
                    "%d rounds of some %s s, shuffled, %d batches ahead; %d queue%s of depth %d; ceiling: random reads of %d bytes"
                            .formatted(
                                    asked.rounds(),
                                    asked.least().toMillis() / 1e3,
                                    asked.prefetch(),
                                    asked.queues(),
                                    asked.queues() == 1 ? "" : "s",
                                    asked.queueDepth(),
                                    report.commandBytes()));
            if (asked.target() != null) {
                Gpu gpu = asked.target().gpu();
                out.line("GPU %d, %s; %d queues of aisio-gpu; files are compared by checksums that the GPU computes"
                        .formatted(gpu.id(), gpu.name(), asked.gpuQueues()));
            }
            out.line("Linux %s, %d processors, load average %s before"
                    .formatted(
                            System.getProperty("os.version"),
                            Runtime.getRuntime().availableProcessors(),
                            report.load()));
            out.line("");
            out.line(ROW.formatted(
                            "Backend", "Files/s", "MiB/s", "IOPS", "p50 ms", "p99 ms", "of posix", "of ceil.", "Wrong")
                    .stripTrailing());
            for (FileComparison.Row row : report.rows()) {
                out.line(line(report, row));
            }
            out.line("");
            for (FileComparison.Row row : report.rows()) {
                out.line("%-18s %s"
                        .formatted(
                                row.name(), row.missing().isEmpty() ? row.path() : "not measured: " + row.missing()));
            }
            for (String note : report.notes()) {
                out.line("note: " + note);
            }
        }
    }

    private static String line(FileComparison.Report report, FileComparison.Row row) {
        if (!row.missing().isEmpty()) {
            return ROW.formatted(row.name(), "-", "-", "-", "-", "-", "-", "-", "-");
        }
        boolean ceiling = row.name().equals(FileComparison.CEILING);
        FileRunReport.Verification verification = row.verification();
        return ROW.formatted(
                row.name(),
                ceiling ? "-" : number(row.median(Sample::filesPerSecond), 1),
                number(row.median(Sample::bytesPerSecond) / MIB, 1),
                number(row.median(Sample::iops), 0),
                ceiling ? "-" : number(row.median(Sample::batchNanos) / 1e6, 2),
                ceiling ? "-" : number(row.median(Sample::slowestBatchNanos) / 1e6, 2),
                number(report.ofBase(row), 2),
                number(report.ofCeiling(row), 2),
                verification == null
                        ? "-"
                        : Long.toString(verification.mismatches() + verification.misplaced() + row.failed()));
    }

    private static String number(double value, int digits) {
        return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%." + digits + "f", value);
    }
}
