package io.aisio.bench;

import io.aisio.cuda.Cuda;
import io.aisio.cuda.Gpu;
import io.aisio.cuda.QueueRun;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * {@code xnvmeperf cuda-run}: lets a GPU keep queues full for a while, and counts. What the CPU does is to launch the
 * kernels, and to sleep.
 *
 * <pre>{@code
 * CudaRunOptions options = CudaRunOptions.of(List.of("gpu:null,1TiB"), IoPattern.RANDREAD, 512, 512, Duration.ofSeconds(1));
 * try (CudaRun run = CudaRun.open(options)) {
 *     CudaRunReport report = run.measure();
 * }
 * }</pre>
 *
 * <p>One thread opens, measures and closes; any thread may {@link #stop()}.
 */
public final class CudaRun implements AutoCloseable {
    /** When the steady state begins, at the latest: the launches are done, and the threads that wait sleep. */
    private static final long SETTLED_NANOS = 100_000_000L;
    /** A shorter steady state tells nothing: the processor time is counted in steps of up to 10 ms. */
    private static final long LEAST_STEADY_NANOS = 200_000_000L;

    private final CudaRunOptions options;
    private final Opened opened = new Opened();
    private final Gpu gpu;
    private final String kernels;
    private final List<Part> parts = new ArrayList<>();
    private final Failures failures = new Failures();
    private final CountDownLatch stop = new CountDownLatch(1);

    /** One device, and what its launches need. */
    private record Part(DrivenDevice driven, QueueRun run, QueueRun.Plan plan, CudaTally tally) {}

    private CudaRun(CudaRunOptions options) throws IOException {
        this.options = options;
        try {
            gpu = opened.keep(Gpu.open(options.queues().gpu()));
            kernels = gpu.kernels().origin();
            for (String name : options.devices()) {
                parts.add(part(name));
            }
        } catch (Throwable t) {
            try (opened) {
                throw t;
            }
        }
    }

    /**
     * Opens the GPU and the devices, and checks that the options fit them.
     *
     * @throws IllegalArgumentException if they do not, or if data would be destroyed and that was not asked for; the
     *     message is one sentence for the person who typed it
     * @throws IOException if there is no GPU, a device cannot be opened or not be driven by it, or its data is in use
     */
    public static CudaRun open(CudaRunOptions options) throws IOException {
        if (options.writes()) {
            DataAtRisk.check(options.devices(), options.destroyData());
        }
        requireGpu("cuda-run");
        return new CudaRun(options);
    }

    /** Refuses where there is none, with the next step. */
    static void requireGpu(String command) throws IOException {
        String missing = Cuda.missing();
        if (missing != null) {
            throw new IOException(command + " needs a GPU: " + missing);
        }
    }

    private Part part(String name) throws IOException {
        int queues = options.queuesPerDevice();
        boolean data = options.data() == CudaRunOptions.Data.DEVICE;
        DrivenDevice driven = opened.keep(DrivenDevice.open(
                gpu,
                name,
                options.queues(),
                options.queueDepth(),
                options.ioBytes(),
                queues,
                data ? options.ioBytes() : 0));
        long ios = driven.holds(options.ioBytes());
        if (!options.pattern().random() && ios / queues < options.queueDepth()) {
            throw new IllegalArgumentException(name + ": the " + queues + " queues of --nqueues with --qdepth "
                    + options.queueDepth() + " cannot share the " + ios + " I/Os of " + options.ioBytes()
                    + " bytes that it holds; use fewer, or a smaller --iosize");
        }
        QueueRun.Plan plan = new QueueRun.Plan(
                options.pattern().random(),
                options.pattern().readPercent(),
                driven.blocks(options.ioBytes()),
                ios,
                // Devices of one run are not asked for the same blocks in step.
                SplitMix.mix(options.seed() + parts.size()),
                options.runtime(),
                0,
                options.queues().mode() == CudaQueues.Mode.LOCKSTEP,
                options.latency());
        QueueRun run = opened.keep(new QueueRun(
                gpu, driven.pairs(), driven.data(), options.queues().role() == CudaQueues.Role.WARP));
        return new Part(driven, run, plan, new CudaTally(failures));
    }

    /** What a run is about to do, one argument a line. */
    public String arguments() {
        return CudaRunTable.arguments(
                options,
                gpu.toString(),
                kernels,
                parts.stream().map(part -> part.driven.memory()).toList(),
                parts.stream().map(part -> part.driven.device().path()).toList());
    }

    /**
     * Runs as often as was asked for. Failed I/Os are in the report; after a run with failures there is no other. An
     * interrupt ends it early, as {@link #stop()} does, and is dealt with thereby.
     *
     * @throws IOException if a launch fails, or a kernel does not come to its end
     */
    public CudaRunReport measure() throws IOException {
        List<CudaRunReport.OneRun> runs = new ArrayList<>();
        // What asks for the processor time is loaded before it counts.
        cpuNanos();
        while (runs.size() < options.repeat()
                && stop.getCount() > 0
                && failures.first().isEmpty()) {
            runs.add(once());
        }
        List<String> notes = runs.size() < options.repeat()
                ? List.of("ended after " + runs.size() + " of " + options.repeat() + " runs")
                : List.of();
        return new CudaRunReport(options, gpu.toString(), kernels, results(), runs, failures.first(), notes);
    }

    /** A thread launches and waits for each device's kernel, asleep; this one looks at the time. */
    private CudaRunReport.OneRun once() throws IOException {
        List<FutureTask<QueueRun.Results>> tasks = new ArrayList<>();
        CountDownLatch running = new CountDownLatch(parts.size());
        for (Part part : parts) {
            FutureTask<QueueRun.Results> task =
                    new FutureTask<>(() -> part.run.run(part.plan, () -> stop.getCount() == 0)) {
                        @Override
                        protected void done() {
                            running.countDown();
                        }
                    };
            tasks.add(task);
            Thread.ofPlatform().daemon().name("xnvmeperf-gpu").start(task);
        }
        double cpu = sleep(running);
        double seconds = 0;
        double iops = 0;
        IOException failure = null;
        for (int i = 0; i < tasks.size(); i++) {
            try {
                CudaTally tally = parts.get(i).tally;
                tally.add(await(tasks.get(i)));
                seconds = Math.max(seconds, tally.lastSeconds());
                iops += tally.lastIops();
            } catch (IOException e) {
                // The others are waited for all the same: their kernels still run.
                stop();
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
        return new CudaRunReport.OneRun(seconds, iops, cpu);
    }

    private QueueRun.Results await(FutureTask<QueueRun.Results> task) throws IOException {
        while (true) {
            try {
                return task.get();
            } catch (InterruptedException e) {
                // Whoever interrupts wants it to end early, and it does; what is open is not to be closed meanwhile.
                stop();
            } catch (ExecutionException e) {
                switch (e.getCause()) {
                    case IOException io -> throw io;
                    case null, default -> throw new IOException("a launch failed: " + Failures.text(e), e);
                }
            }
        }
    }

    /**
     * Sleeps through the run, or until all have ended before their time, and tells the process's processor time in its steady
     * state, in percent of a core.
     */
    private double sleep(CountDownLatch running) {
        long runtime = options.runtime().toNanos();
        long settled = Math.min(SETTLED_NANOS, runtime / 4);
        // Not up to the end: what comes then is no steady state.
        long rest = runtime - settled - runtime / 20;
        try {
            if (running.await(settled, TimeUnit.NANOSECONDS)) {
                return Double.NaN;
            }
            long from = System.nanoTime();
            long cpuFrom = cpuNanos();
            boolean ended = running.await(rest, TimeUnit.NANOSECONDS);
            long steady = System.nanoTime() - from;
            long cpu = cpuNanos() - cpuFrom;
            return ended || steady < LEAST_STEADY_NANOS ? Double.NaN : 100.0 * cpu / steady;
        } catch (InterruptedException e) {
            stop();
            return Double.NaN;
        }
    }

    /** Processor time of the process so far; the JVM tells it by name alone. */
    private static long cpuNanos() {
        try {
            return (long) ManagementFactory.getPlatformMBeanServer()
                    .getAttribute(new ObjectName(ManagementFactory.OPERATING_SYSTEM_MXBEAN_NAME), "ProcessCpuTime");
        } catch (JMException e) {
            throw new IllegalStateException("this JVM does not count the processor time of its process", e);
        }
    }

    private List<CudaRunReport.DeviceResult> results() {
        return parts.stream()
                .map(part -> new CudaRunReport.DeviceResult(
                        part.driven.device().name(),
                        part.driven.device().path(),
                        part.driven.device().capabilities(),
                        part.driven.memory(),
                        part.tally.completed(),
                        part.tally.medianIops(),
                        part.tally.failed(),
                        part.tally.latency()))
                .toList();
    }

    /** Ends the run early: {@link #measure} lets what is in flight come back, and reports what there is. Any thread may ask. */
    public void stop() {
        stop.countDown();
    }

    /** Closes queues, devices and the GPU. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        opened.close();
    }
}
