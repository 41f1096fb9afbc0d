package io.aisio.bench;

import io.aisio.linux.CpuSet;
import io.aisio.linux.OpenFile;
import io.aisio.xnvme.Capabilities;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * io_uring from Java beside fio's: random reads of one device by one queue on one processor, with the same settings, in
 * turn, so that whatever else the machine does falls on both.
 *
 * <pre>
 *   warm up │ fio, ours │ ours, fio │ fio, ours │ …      a pair each; the ratio's median counts
 * </pre>
 *
 * <p>fio is given what makes it fastest: registered buffers and file, no map of blocks, no clock per I/O. Beside both
 * stands what the JDK alone reads.
 */
public final class FioComparison {
    private static final long BYTES = 1L << 30;
    private static final int VIRTUAL_THREADS = 32;
    private static final String REMEDY = "apt-get install fio";
    private static final JsonMapper JSON = JsonMapper.builder().build();

    /** What a run of either begins with, uncounted. */
    private static final Duration RAMP = Duration.ofMillis(500);

    private final Options options;
    private final Program fio;
    private final Consumer<String> progress;

    /**
     * What is compared.
     *
     * @param device a file or block device, read only; null for a loop device in memory, which takes root
     * @param pairs how many, at least 1
     * @param runtime of one measurement of either
     * @param queueDepth reads in flight
     * @param batch reads that are reaped and submitted at a time, at most
     * @param ioBytes of a read, a multiple of 512
     * @param cpu that both run on
     */
    public record Options(
            @Nullable String device, int pairs, Duration runtime, int queueDepth, int batch, int ioBytes, int cpu) {
        /** Checks them. */
        public Options {
            if (pairs < 1) {
                throw new IllegalArgumentException("--pairs " + pairs + ": at least 1; the median is of at least 9");
            }
            if (runtime.toMillis() < 100) {
                throw new IllegalArgumentException("--runtime: at least 0.1 seconds, of each of a pair");
            }
            if (queueDepth < 1 || batch < 1 || batch > queueDepth) {
                throw new IllegalArgumentException("--qdepth " + queueDepth + ", --batch " + batch
                        + ": 1 or more, the batch no more than the depth");
            }
            if (ioBytes < 512 || ioBytes % 512 != 0) {
                throw new IllegalArgumentException("--iosize " + ioBytes + ": a multiple of 512");
            }
        }
    }

    /**
     * One measurement of both.
     *
     * @param fio reads a second
     * @param ours reads a second
     */
    public record Pair(double fio, double ours) {
        /** Ours as a part of fio's. */
        public double ratio() {
            return ours / fio;
        }
    }

    /**
     * What was measured.
     *
     * @param options what was asked for
     * @param device what was read
     * @param path which way our reads took
     * @param capabilities what that way can
     * @param version of fio
     * @param command fio's
     * @param kernel its release
     * @param load the machine's load average over the last minute, before anything began
     * @param pairs in the order measured
     * @param channel reads a second of a FileChannel, one at a time
     * @param virtualThreads reads a second of a FileChannel by 32 virtual threads
     */
    public record Report(
            Options options,
            String device,
            String path,
            Capabilities capabilities,
            String version,
            String command,
            String kernel,
            String load,
            List<Pair> pairs,
            double channel,
            double virtualThreads) {
        /** Copies the pairs. */
        public Report {
            pairs = List.copyOf(pairs);
        }

        /** The median of the pairs' ratios. */
        public double ratio() {
            return median(pairs.stream().mapToDouble(Pair::ratio));
        }

        /** The median of fio's reads a second. */
        public double fio() {
            return median(pairs.stream().mapToDouble(Pair::fio));
        }

        /** The median of our reads a second. */
        public double ours() {
            return median(pairs.stream().mapToDouble(Pair::ours));
        }

        private static double median(java.util.stream.DoubleStream values) {
            double[] sorted = values.sorted().toArray();
            return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
        }
    }

    private FioComparison(Options options, Program fio, Consumer<String> progress) {
        this.options = options;
        this.fio = fio;
        this.progress = progress;
    }

    /**
     * Compares.
     *
     * @param progress told what goes on
     * @throws IOException if fio is missing, a device cannot be had, or either fails
     */
    public static Report compare(Options options, Consumer<String> progress) throws IOException {
        FioComparison comparison = new FioComparison(options, Program.require("fio", REMEDY), progress);
        String load = Files.readString(Path.of("/proc/loadavg")).split(" ", -1)[0];
        if (options.device != null) {
            return comparison.on(Path.of(options.device), load);
        }
        progress.accept("setting up a loop device in memory");
        try (LoopDevice loop = LoopDevice.inMemory(BYTES)) {
            return comparison.on(loop.node(), load);
        }
    }

    private Report on(Path device, String load) throws IOException {
        long bytes;
        try (OpenFile file = OpenFile.open(device, OpenFile.Access.READ_ONLY)) {
            bytes = file.size() / options.ioBytes * options.ioBytes;
        }
        progress.accept("warming up");
        ours(device);
        RunReport.DeviceResult path = ours(device);
        List<Pair> pairs = new ArrayList<>();
        for (int i = 0; i < options.pairs; i++) {
            progress.accept("pair " + (i + 1) + " of " + options.pairs);
            boolean first = i % 2 == 0;
            double before = first ? fios(device) : 0;
            double ours = ours(device).iops();
            pairs.add(new Pair(first ? before : fios(device), ours));
        }
        progress.accept("FileChannel");
        ChannelReads channel = new ChannelReads(device, bytes, options.ioBytes);
        channel.alone(options.cpu, options.runtime);
        double alone = channel.alone(options.cpu, options.runtime);
        channel.byVirtualThreads(VIRTUAL_THREADS, options.runtime);
        double virtual = channel.byVirtualThreads(VIRTUAL_THREADS, options.runtime);
        return new Report(
                options,
                device.toString(),
                path.path(),
                path.capabilities(),
                fio.print("--version").strip(),
                "fio " + String.join(" ", arguments(device)),
                System.getProperty("os.version"),
                load,
                pairs,
                alone,
                virtual);
    }

    private RunReport.DeviceResult ours(Path device) throws IOException {
        BitSet cpu = new BitSet();
        cpu.set(options.cpu);
        RunOptions run = new RunOptions(
                List.of(device + "?path=uring&direct&readonly"),
                IoPattern.RANDREAD,
                100,
                options.queueDepth,
                options.ioBytes,
                options.runtime,
                RAMP,
                1,
                new CpuSet(cpu),
                false,
                Duration.ZERO,
                RunOptions.DEFAULT_SEED,
                false,
                options.batch);
        try (Run opened = Run.open(run)) {
            RunReport report = opened.measure(interval -> {});
            if (!report.ok()) {
                throw new IOException(device + ": " + report.failures());
            }
            return report.devices().getFirst();
        }
    }

    private double fios(Path device) throws IOException {
        JsonNode job = JSON.readTree(fio.print(arguments(device).toArray(String[]::new)))
                .path("jobs")
                .path(0);
        double iops = job.path("read").path("iops").asDouble();
        if (iops <= 0 || job.path("error").asInt() != 0) {
            throw new IOException("fio read nothing of " + device + ": " + job.path("error"));
        }
        return iops;
    }

    /** fio's words for the same. */
    private List<String> arguments(Path device) {
        String batch = Integer.toString(options.batch);
        return new ArrayList<>(Arrays.asList(
                "--name=aisio",
                "--filename=" + device,
                "--readonly",
                "--ioengine=io_uring",
                "--direct=1",
                "--rw=randread",
                "--bs=" + options.ioBytes,
                "--iodepth=" + options.queueDepth,
                "--iodepth_batch_submit=" + batch,
                "--iodepth_batch_complete_min=" + batch,
                "--iodepth_batch_complete_max=" + batch,
                "--fixedbufs=1",
                "--registerfiles=1",
                "--norandommap=1",
                "--gtod_reduce=1",
                "--cpus_allowed=" + options.cpu,
                "--time_based=1",
                "--ramp_time=" + RAMP.toMillis() + "ms",
                "--runtime=" + options.runtime.toMillis() + "ms",
                "--output-format=json"));
    }
}
