package io.aisio.cli;

import io.aisio.bench.CudaVerify;
import io.aisio.bench.CudaVerifyOptions;
import io.aisio.bench.CudaVerifyReport;
import io.aisio.bench.DataAtRisk;
import io.aisio.bench.ReportJson;
import io.aisio.bench.RunOptions;
import io.aisio.bench.VerifyOptions;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code xnvmeperf cuda-verify}: the same as {@code verify}, by a GPU. */
@Command(
        name = "cuda-verify",
        header = "Lets a GPU write blocks that say who they are, read them back, and compare every byte.",
        parameterListHeading = "%nDevices:%n",
        footer = {
            "  ./aisio xnvmeperf cuda-verify --qdepth 64 --iosize 4096 gpu:1GiB",
            "  ./aisio xnvmeperf cuda-verify --qdepth 32 --role warp --iosize 128KiB --count 1000 emu:1GiB"
        })
final class XnvmeperfCudaVerify implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private CudaOptions cuda;

    @Option(
            names = "--count",
            converter = XnvmeperfOptions.Large.class,
            paramLabel = "N",
            description = "How many I/Os, from the start of the device on (" + CudaVerifyOptions.ROUNDS
                    + " for each in flight, if they fit).")
    private @Nullable Long count;

    @Option(
            names = "--generations",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "" + VerifyOptions.DEFAULT_GENERATIONS,
            paramLabel = "N",
            description = "How often to write and read back; from 2 on, a dropped write shows ("
                    + VerifyOptions.DEFAULT_GENERATIONS + ").")
    private int generations;

    @Option(
            names = "--seed",
            converter = XnvmeperfOptions.Large.class,
            defaultValue = "" + RunOptions.DEFAULT_SEED,
            paramLabel = "N",
            description = "Where the pattern starts (" + RunOptions.DEFAULT_SEED + ").")
    private long seed;

    @Option(
            names = DataAtRisk.FLAG,
            description = "Write to devices that keep data: all that they hold may be destroyed.")
    private boolean destroyData;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Parameters(arity = "1..*", paramLabel = "DEVICE", description = "Such as gpu:1GiB or emu:1GiB.")
    @SuppressWarnings("NullAway.Init")
    private List<String> devices;

    @Override
    public Integer call() throws IOException {
        CudaVerifyReport report = CudaVerify.verify(options());
        if (output == Output.json) {
            System.out.println(ReportJson.of(report));
        } else {
            System.out.println("xnvmeperf cuda-verify: iosize=" + cuda.ioBytes + ", qdepth=" + cuda.queueDepth
                    + ", nqueues=" + cuda.queues + ", " + report.gpu() + ", kernels: " + report.kernels());
            report.devices().forEach(XnvmeperfVerify::tell);
        }
        return report.ok() ? Exit.DONE : Exit.FAILED;
    }

    /** What was asked for; what makes no sense on any device is a fault of the command line. */
    private CudaVerifyOptions options() {
        try {
            if (count != null && count == 0) {
                throw new IllegalArgumentException("--count 0: how many I/Os, at least 1; try --count 4096");
            }
            return new CudaVerifyOptions(
                    devices,
                    cuda.ioBytes,
                    count == null ? 0 : count,
                    cuda.queueDepth,
                    cuda.queues,
                    generations,
                    seed,
                    destroyData,
                    cuda.driving());
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }
}
