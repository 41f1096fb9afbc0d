package io.aisio.cli;

import io.aisio.bench.CudaRun;
import io.aisio.bench.CudaRunOptions;
import io.aisio.bench.CudaRunReport;
import io.aisio.bench.CudaRunTable;
import io.aisio.bench.DataAtRisk;
import io.aisio.bench.IoPattern;
import io.aisio.bench.ReportJson;
import io.aisio.bench.RunOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code xnvmeperf cuda-run}: the same as {@code run}, by a GPU. */
@Command(
        name = "cuda-run",
        header = "Lets a GPU keep queues full for a while, and counts: it submits and reaps itself.",
        parameterListHeading = "%nDevices:%n",
        footer = {
            "  ./aisio xnvmeperf cuda-run --iopattern randread --qdepth 512 --iosize 512 --runtime 3 gpu:null,1TiB",
            "  ./aisio xnvmeperf cuda-run --iopattern randread --qdepth 512 --nqueues 16 --iosize 4KiB \\",
            "      --runtime 1 --repeat 5 --latency --output json gpu:1GiB"
        })
final class XnvmeperfCudaRun implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(
            names = "--iopattern",
            required = true,
            paramLabel = "PATTERN",
            converter = XnvmeperfOptions.Pattern.class,
            description = "read, write, randread or randwrite.")
    @SuppressWarnings("NullAway.Init")
    private IoPattern pattern;

    @Option(
            names = "--runtime",
            required = true,
            paramLabel = "SECONDS",
            converter = XnvmeperfOptions.Seconds.class,
            description = "How long a run takes.")
    @SuppressWarnings("NullAway.Init")
    private Duration runtime;

    @Option(
            names = "--repeat",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "How many runs, of which the medians are told (1).")
    private int repeat;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private CudaOptions cuda;

    @Option(
            names = "--data",
            defaultValue = "device",
            paramLabel = "WHERE",
            description =
                    "device: each command has a buffer on the GPU; none: of null media, which move no data (device).")
    @SuppressWarnings("NullAway.Init")
    private CudaRunOptions.Data data;

    @Option(names = "--latency", description = "Take the time of each I/O, and show percentiles.")
    private boolean latency;

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

    @Parameters(arity = "1..*", paramLabel = "DEVICE", description = "Such as gpu:null,1TiB, gpu:1GiB or emu:1GiB.")
    @SuppressWarnings("NullAway.Init")
    private List<String> devices;

    @Override
    public Integer call() throws IOException {
        try (CudaRun run = CudaRun.open(options())) {
            if (output == Output.human) {
                System.out.print(run.arguments());
                System.out.flush();
            }
            CudaRunReport report = run.measure();
            if (output == Output.json) {
                System.out.println(ReportJson.of(report));
            } else {
                System.out.print("\n" + CudaRunTable.results(report));
                report.notes().forEach(note -> System.err.println("note: " + note));
                System.err.print(CudaRunTable.failures(report));
            }
            return report.ok() ? Exit.DONE : Exit.FAILED;
        }
    }

    /** What was asked for; what makes no sense on any device is a fault of the command line. */
    private CudaRunOptions options() {
        try {
            return new CudaRunOptions(
                    devices,
                    pattern,
                    cuda.queueDepth,
                    cuda.ioBytes,
                    runtime,
                    cuda.queues,
                    cuda.driving(),
                    data,
                    latency,
                    repeat,
                    seed,
                    destroyData);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }
}
