package io.aisio.cli;

import io.aisio.bench.DataAtRisk;
import io.aisio.bench.ReportJson;
import io.aisio.bench.RunOptions;
import io.aisio.bench.Verify;
import io.aisio.bench.VerifyOptions;
import io.aisio.bench.VerifyReport;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code xnvmeperf verify}: writes, reads back, compares. */
@Command(
        name = "verify",
        header = "Writes blocks that say who they are, reads them back in another order, compares every byte.",
        parameterListHeading = "%nDevices:%n",
        footer = {
            "  ./aisio xnvmeperf verify --iosize 4096 --count 4096 emu:1GiB",
            "  ./aisio xnvmeperf verify --iosize 128KiB --count 1000 --destroy-data emu:/data/scratch.img"
        })
final class XnvmeperfVerify implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(
            names = "--iosize",
            required = true,
            paramLabel = "SIZE",
            converter = XnvmeperfOptions.Bytes.class,
            description = "Size of an I/O, such as 4096 or 4KiB.")
    private long ioBytes;

    @Option(
            names = "--count",
            converter = XnvmeperfOptions.Large.class,
            required = true,
            paramLabel = "N",
            description = "How many I/Os, from the start of the device on.")
    private long count;

    @Option(
            names = "--qdepth",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "" + VerifyOptions.DEFAULT_QUEUE_DEPTH,
            paramLabel = "N",
            description = "I/Os in flight on each queue (" + VerifyOptions.DEFAULT_QUEUE_DEPTH + ").")
    private int queueDepth;

    @Option(
            names = "--nqueues",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Queues of each device (1).")
    private int queues;

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
            description = "Where pattern and order start (" + RunOptions.DEFAULT_SEED + ").")
    private long seed;

    @Option(
            names = DataAtRisk.FLAG,
            description = "Write to devices that keep data: all that they hold may be destroyed.")
    private boolean destroyData;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Parameters(arity = "1..*", paramLabel = "DEVICE", description = "Such as emu:1GiB or emu:/path/to/image.")
    @SuppressWarnings("NullAway.Init")
    private List<String> devices;

    @Override
    public Integer call() throws IOException {
        VerifyOptions options = options();
        VerifyReport report = Verify.verify(options);
        if (output == Output.json) {
            System.out.println(ReportJson.of(report));
        } else {
            System.out.println("xnvmeperf verify: iosize=" + ioBytes + ", nios=" + count);
            report.devices().forEach(XnvmeperfVerify::tell);
        }
        return report.ok() ? 0 : 1;
    }

    static void tell(VerifyReport.DeviceResult device) {
        device.failures().forEach(failure -> System.err.println("  FAILED " + failure));
        device.shown().forEach(mismatch -> System.err.println(mismatch.line()));
        if (device.mismatches() > device.shown().size()) {
            System.err.println("  MISMATCH in more I/Os: " + device.mismatches() + " in all");
        }
        System.err.flush();
        System.out.println(device.line());
        System.out.println("  path: " + device.path());
        System.out.println("  capabilities: " + device.capabilities());
    }

    /** What was asked for; what makes no sense on any device is a fault of the command line. */
    private VerifyOptions options() {
        try {
            return new VerifyOptions(devices, ioBytes, count, queueDepth, queues, generations, seed, destroyData);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }
}
