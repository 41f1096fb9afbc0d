package io.aisio.cli;

import io.aisio.bench.FileReportJson;
import io.aisio.bench.FileRun;
import io.aisio.bench.FileRunOptions;
import io.aisio.bench.FileRunReport;
import io.aisio.bench.FileRunTable;
import io.aisio.bench.RunOptions;
import io.aisio.cuda.Gpu;
import io.aisio.fil.spi.Backend.Settings;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Stack;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code filperf run}: reads a data set in batches, and tells how fast. */
@Command(
        name = "run",
        header = "Reads a data set in batches of whole files, and tells how fast.",
        parameterListHeading = "%nPlaces:%n",
        footer = {
            "  ./aisio filperf run --data-dir /imagenetish --shuffle --epochs 3 emu:a.img,emu:b.img",
            "  ./aisio filperf --backend posix --data-dir / --verify --output json /mnt/set"
        })
final class FilperfRun implements Callable<Integer> {
    /** How often it is told how it goes. */
    private static final Duration INTERVAL = Duration.ofSeconds(1);

    /** Who reads the output. */
    enum Format {
        text,
        json,
        csv
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(
            names = "--data-dir",
            required = true,
            paramLabel = "FOLDER",
            description = "The data set's folder in each place; / for all files.")
    @SuppressWarnings("NullAway.Init")
    private String folder;

    @Option(
            names = "--backend",
            defaultValue = FileRunOptions.DEFAULT_BACKEND,
            paramLabel = "NAME",
            description = "aisio-cpu, posix, io_uring; by a GPU: aisio-p2p, aisio-gpu, cufile.")
    @SuppressWarnings("NullAway.Init")
    private String backend;

    @Option(
            names = "--mnt",
            split = ",",
            paramLabel = "FOLDER",
            description = "Where the places are mounted: read there by posix and io_uring, verified against.")
    @SuppressWarnings("NullAway.Init")
    private List<Path> mounts = List.of();

    @Option(
            names = "--iosize",
            converter = XnvmeperfOptions.Bytes.class,
            defaultValue = "0",
            paramLabel = "SIZE",
            description = "Size of a command at most (as much as the place takes).")
    private long ioBytes;

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
            description = "Queues of each place (1).")
    private int queues;

    @Option(
            names = "--batch-size",
            converter = XnvmeperfOptions.Whole.class,
            paramLabel = "N",
            description = "Files of a batch (as many as fit 32 MiB, at most 1024).")
    private @Nullable Integer batchFiles;

    @Option(
            names = "--batches",
            converter = XnvmeperfOptions.Large.class,
            paramLabel = "N",
            description = "Batches to measure, into further epochs if need be (whole epochs).")
    private @Nullable Long batches;

    @Option(
            names = "--epochs",
            converter = XnvmeperfOptions.Large.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Epochs to measure, without --batches (1).")
    private long epochs;

    @Option(
            names = "--warmup",
            converter = XnvmeperfOptions.Large.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "Batches to read before measuring (0).")
    private long warmup;

    @Option(
            names = "--prefetch",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "" + FileRunOptions.DEFAULT_PREFETCH,
            paramLabel = "N",
            description = "Batches that are read while one is held (" + FileRunOptions.DEFAULT_PREFETCH + ").")
    private int prefetch;

    @Option(
            names = "--shuffle",
            arity = "0..1",
            preprocessor = Attached.class,
            converter = XnvmeperfOptions.Large.class,
            paramLabel = "SEED",
            description = "Shuffle each epoch by =SEED (42), rather than in the files' order.")
    private @Nullable Long seed;

    @Option(
            names = "--shard",
            converter = ShardOf.class,
            paramLabel = "I/N",
            description = "Read one of N parts of each epoch, I from 0.")
    private @Nullable Shard shard;

    @Option(
            names = "--max-file-size",
            converter = XnvmeperfOptions.Bytes.class,
            paramLabel = "SIZE",
            description = "Refuse a data set with a larger file (no limit).")
    private @Nullable Long maxFileBytes;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private GpuOptions gpuOptions;

    @Option(names = "--buffered", description = "Through the page cache, where the kernel reads (past it).")
    private boolean buffered;

    @Option(
            names = "--path",
            defaultValue = "auto",
            paramLabel = "HOW",
            description = "auto, or require to fail rather than take the next best way (auto).")
    @SuppressWarnings("NullAway.Init")
    private Way way;

    /** Whether another way will do. */
    enum Way {
        auto,
        require
    }

    @Option(names = "--verify", description = "Compare each file: with --verify-against, --mnt, a folder or shape.")
    private boolean verify;

    @Option(
            names = "--verify-against",
            split = ",",
            paramLabel = "FOLDER",
            description = "The same, with these folders, one for each place or one for all.")
    @SuppressWarnings("NullAway.Init")
    private List<Path> against = List.of();

    @Option(names = "--drop-caches", description = "Have the kernel forget its caches before; takes root.")
    private boolean dropCaches;

    @Option(names = "--summary", description = "With csv: the summary too, on standard error.")
    private boolean summary;

    @Option(names = "--output", defaultValue = "text", paramLabel = "FORMAT", description = "text, json or csv (text).")
    @SuppressWarnings("NullAway.Init")
    private Format output;

    @Parameters(
            arity = "1..*",
            paramLabel = "PLACE",
            description = "Devices, such as emu:set.img; folders for posix, io_uring, cufile.")
    @SuppressWarnings("NullAway.Init")
    private List<String> places;

    @Override
    public Integer call() throws IOException {
        FileRunReport report;
        FileRunOptions asked = options();
        try (Gpu gpu = gpuOptions.open(List.of(backend));
                FileRun run = FileRun.open(asked.with(asked.settings().into(gpuOptions.target(gpu))))) {
            if (verify || !against.isEmpty()) {
                verifyBy(run);
            }
            report = switch (output) {
                case text -> text(run);
                case csv -> csv(run);
                case json -> json(run);
            };
        }
        System.out.flush();
        System.err.print(FileRunTable.failures(report));
        System.err.flush();
        return report.ok() ? Exit.DONE : Exit.FAILED;
    }

    private void verifyBy(FileRun run) throws IOException {
        if (!against.isEmpty()) {
            run.verifyAgainst(against);
        } else if (!mounts.isEmpty()) {
            run.verifyAgainst(mounts);
        } else if (FileRunOptions.OF_FOLDERS.contains(backend)) {
            run.verifyAgainst(run.options().places().stream().map(Path::of).toList());
        } else {
            run.verifyByShape();
        }
    }

    private static FileRunReport text(FileRun run) throws IOException {
        System.out.println(FileRunTable.arguments(run));
        System.out.flush();
        FileRunReport report;
        try (Progress progress = Progress.onStandardError()) {
            report = run.measure(interval -> progress.show(FileRunTable.progress(interval)));
        }
        System.out.print(FileRunTable.summary(report));
        return report;
    }

    private FileRunReport csv(FileRun run) throws IOException {
        run.ways().forEach(line -> System.err.println("path: " + line));
        System.out.println(FileRunTable.COLUMNS);
        FileRunReport report = run.measure(interval -> {
            System.out.println(FileRunTable.interval(interval));
            System.out.flush();
        });
        if (summary) {
            System.err.print(FileRunTable.summary(report));
        }
        return report;
    }

    private static FileRunReport json(FileRun run) throws IOException {
        FileRunReport report;
        try (Progress progress = Progress.onStandardError()) {
            report = run.measure(interval -> progress.show(FileRunTable.progress(interval)));
        }
        System.out.println(FileReportJson.of(report));
        return report;
    }

    /** What was asked for; what makes no sense in any place is a fault of the command line. */
    private FileRunOptions options() {
        try {
            gpuOptions.check();
            int ofGpu = gpuOptions.queues();
            if (batchFiles != null && batchFiles == 0) {
                throw new IllegalArgumentException("--batch-size 0: a batch has at least 1 file");
            }
            if (batches != null && batches == 0) {
                throw new IllegalArgumentException("--batches 0: at least 1; without it, whole epochs are read");
            }
            if (queueDepth < 1) {
                throw new IllegalArgumentException("--queue-depth " + queueDepth + ": at least 1; try 128");
            }
            if (queues < 1) {
                throw new IllegalArgumentException("--queues " + queues + ": at least 1");
            }
            if (ioBytes > Integer.MAX_VALUE) {
                throw new IllegalArgumentException("--iosize " + ioBytes + ": less than 2 GiB");
            }
            return new FileRunOptions(
                    where(),
                    folder,
                    backend,
                    new Settings(
                            way == Way.require,
                            buffered,
                            backend.equals(FileRunOptions.DRIVEN_BY_GPU) ? ofGpu : queues,
                            queueDepth,
                            (int) ioBytes),
                    batchFiles == null ? 0 : batchFiles,
                    batches == null ? 0 : batches,
                    epochs,
                    warmup,
                    prefetch,
                    seed,
                    shard == null ? 0 : shard.index,
                    shard == null ? 1 : shard.count,
                    maxFileBytes == null ? Long.MAX_VALUE : maxFileBytes,
                    dropCaches,
                    INTERVAL);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    /** The places as the backend has them. */
    private List<String> where() {
        List<String> named = new ArrayList<>();
        places.forEach(part -> Arrays.stream(part.split(",", -1))
                .filter(place -> !place.isEmpty())
                .forEach(named::add));
        if (mounts.isEmpty() || !FileRunOptions.OF_FOLDERS.contains(backend)) {
            return named;
        }
        if (mounts.size() != named.size()) {
            throw new IllegalArgumentException("--mnt names %d folders, and there are %d places: one for each"
                    .formatted(mounts.size(), named.size()));
        }
        return mounts.stream().map(Path::toString).toList();
    }

    /** One part of an epoch. */
    private record Shard(int index, int count) {}

    /** {@code 0/4}. */
    private static final class ShardOf implements ITypeConverter<Shard> {
        @Override
        public Shard convert(String text) {
            String[] parts = text.split("/", -1);
            try {
                if (parts.length == 2) {
                    return new Shard(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
                }
            } catch (NumberFormatException e) {
                // The message below says what is expected.
            }
            throw new TypeConversionException("'" + text + "' is no shard such as 0/4");
        }
    }

    /** A seed belongs to its option only with {@code =} between: what follows a space is a place. */
    private static final class Attached implements IParameterPreprocessor {
        @Override
        @SuppressWarnings("JdkObsolete") // the interface has it so
        public boolean preprocess(
                Stack<String> arguments, CommandSpec command, ArgSpec argument, Map<String, Object> info) {
            if (" ".equals(info.get("separator"))) {
                arguments.push(Long.toString(RunOptions.DEFAULT_SEED));
            }
            return false;
        }
    }
}
