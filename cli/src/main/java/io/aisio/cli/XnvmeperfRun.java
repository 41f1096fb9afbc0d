package io.aisio.cli;

import io.aisio.bench.DataAtRisk;
import io.aisio.bench.IoPattern;
import io.aisio.bench.ReportJson;
import io.aisio.bench.Run;
import io.aisio.bench.RunOptions;
import io.aisio.bench.RunReport;
import io.aisio.bench.RunTable;
import io.aisio.linux.CpuSet;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code xnvmeperf run}: keeps queues full for a while, and counts. */
@Command(
        name = "run",
        header = "Keeps queues full for a while, and counts.",
        parameterListHeading = "%nDevices:%n",
        footer = {
            "  ./aisio xnvmeperf run --iopattern randread --qdepth 128 --iosize 512 --runtime 3 --cpumask 0x1 \\",
            "      emu:null,1TiB",
            "  ./aisio xnvmeperf run --iopattern randrw --rwmix 70 --qdepth 32 --iosize 4KiB --runtime 10 \\",
            "      --warmup 1 --latency --output json emu:1GiB"
        })
final class XnvmeperfRun implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(
            names = "--iopattern",
            required = true,
            paramLabel = "PATTERN",
            converter = XnvmeperfOptions.Pattern.class,
            description = "read, write, randread, randwrite, rw or randrw.")
    @SuppressWarnings("NullAway.Init")
    private IoPattern pattern;

    @Option(
            names = "--rwmix",
            converter = XnvmeperfOptions.Whole.class,
            paramLabel = "PERCENT",
            description = "How many of a hundred I/Os read, for rw and randrw (50).")
    private @Nullable Integer readPercent;

    @Option(
            names = "--qdepth",
            converter = XnvmeperfOptions.Whole.class,
            required = true,
            paramLabel = "N",
            description = "I/Os in flight on each queue.")
    private int queueDepth;

    @Option(
            names = "--iosize",
            required = true,
            paramLabel = "SIZE",
            converter = XnvmeperfOptions.Bytes.class,
            description = "Size of an I/O, such as 4096 or 4KiB.")
    private long ioBytes;

    @Option(
            names = "--runtime",
            required = true,
            paramLabel = "SECONDS",
            converter = XnvmeperfOptions.Seconds.class,
            description = "How long to measure.")
    @SuppressWarnings("NullAway.Init")
    private Duration runtime;

    @Option(
            names = "--warmup",
            defaultValue = "0",
            paramLabel = "SECONDS",
            converter = XnvmeperfOptions.Seconds.class,
            description = "How long to run before measuring (0).")
    @SuppressWarnings("NullAway.Init")
    private Duration warmup;

    @Option(
            names = "--nqueues",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Queues of each device (1).")
    private int queues;

    @Option(
            names = "--batch",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "I/Os whose completion is waited for at a time, where the path can wait for several (1).")
    private int batch;

    @ArgGroup(exclusive = true)
    private @Nullable Cpus cpus;

    /** Which processors: one way to say it or the other. */
    private static final class Cpus {
        @Option(
                names = "--cpumask",
                required = true,
                paramLabel = "MASK",
                description = "CPUs to run on, one thread each, such as 0x3 (all that have a queue to drive).")
        private @Nullable String mask;

        @Option(
                names = "--cpulist",
                required = true,
                paramLabel = "LIST",
                description = "The same as a list, such as 0-3,8.")
        private @Nullable String list;

        private CpuSet set() {
            return mask != null ? CpuSet.ofMask(mask) : CpuSet.ofList(String.valueOf(list));
        }
    }

    @Option(names = "--latency", description = "Take the time of each I/O, and show percentiles.")
    private boolean latency;

    @Option(
            names = "--interval",
            paramLabel = "SECONDS",
            converter = XnvmeperfOptions.Seconds.class,
            description = "Say every so often how it goes; with --output json, on standard error.")
    private @Nullable Duration interval;

    @Option(
            names = "--seed",
            converter = XnvmeperfOptions.Large.class,
            defaultValue = "" + RunOptions.DEFAULT_SEED,
            paramLabel = "N",
            description = "Where random numbers start (" + RunOptions.DEFAULT_SEED + ").")
    private long seed;

    @Option(
            names = DataAtRisk.FLAG,
            description = "Write to devices that keep data: all that they hold may be destroyed.")
    private boolean destroyData;

    @Option(
            names = "--output",
            defaultValue = "human",
            paramLabel = "FORMAT",
            description = "human, or json in the shape of fio's (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Parameters(
            arity = "1..*",
            paramLabel = "DEVICE",
            description = "Such as emu:1GiB, emu:null,1TiB or /path/to/file.")
    @SuppressWarnings("NullAway.Init")
    private List<String> devices;

    @Override
    public Integer call() throws IOException {
        try (Run run = Run.open(options())) {
            return output == Output.json ? json(run) : human(run);
        }
    }

    private static int human(Run run) throws IOException {
        System.out.println(RunTable.arguments(run));
        System.out.flush();
        RunReport report = run.measure(interval -> tell(System.out, interval));
        System.out.print((report.intervals().isEmpty() ? "" : "\n") + RunTable.results(report));
        System.err.print(RunTable.failures(report));
        return exit(report);
    }

    private static int json(Run run) throws IOException {
        run.notes().forEach(note -> System.err.println("note: " + note));
        RunReport report = run.measure(interval -> tell(System.err, interval));
        System.out.println(ReportJson.of(report));
        return exit(report);
    }

    private static void tell(PrintStream to, RunReport.Interval interval) {
        to.println(RunTable.interval(interval));
        to.flush();
    }

    private static int exit(RunReport report) {
        return report.ok() ? 0 : 1;
    }

    /** What was asked for; what makes no sense on any device is a fault of the command line. */
    private RunOptions options() {
        try {
            if (interval != null && interval.isZero()) {
                throw new IllegalArgumentException("--interval 0: seconds, more than 0; try --interval 1");
            }
            return new RunOptions(
                    devices,
                    pattern,
                    readPercent == null ? pattern.readPercent() : readPercent,
                    queueDepth,
                    ioBytes,
                    runtime,
                    warmup,
                    queues,
                    cpus == null ? null : cpus.set(),
                    latency,
                    interval == null ? Duration.ZERO : interval,
                    seed,
                    destroyData,
                    batch);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }
}
