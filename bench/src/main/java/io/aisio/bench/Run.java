package io.aisio.bench;

import com.sun.management.OperatingSystemMXBean;
import io.aisio.linux.CpuSet;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * {@code xnvmeperf run}: keeps queues full for a while, and counts.
 *
 * <pre>{@code
 * try (Run run = Run.open(RunOptions.of(List.of("emu:null,1TiB"), IoPattern.RANDREAD, 128, 512, Duration.ofSeconds(3)))) {
 *     RunReport report = run.measure(interval -> {});
 * }
 * }</pre>
 *
 * <p>One thread opens, measures and closes; any thread may {@link #stop()}.
 */
public final class Run implements AutoCloseable {
    /** What opens a device by its name. */
    @FunctionalInterface
    interface Opener {
        Device open(String name) throws IOException;
    }

    private static final OperatingSystemMXBean PROCESS =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    private final RunOptions options;
    private final int[] cpus;
    private final List<String> notes;
    private final List<Device> devices = new ArrayList<>();
    private final CountDownLatch stop = new CountDownLatch(1);

    private Run(RunOptions options) throws IOException {
        this.options = options;
        int jobs = Math.multiplyExact(options.devices().size(), options.queuesPerDevice());
        int[] allowed = cpus(options);
        cpus = Arrays.copyOf(allowed, Math.min(allowed.length, jobs));
        notes = options.cpus() != null && allowed.length > jobs ? List.of(unused(allowed, jobs)) : List.of();
    }

    private static int[] cpus(RunOptions options) throws IOException {
        CpuSet process = CpuSet.ofCurrentThread();
        CpuSet asked = options.cpus();
        if (asked == null) {
            return process.toArray();
        }
        BitSet missing = (BitSet) asked.cpus().clone();
        missing.andNot(process.cpus());
        if (!missing.isEmpty()) {
            throw new IllegalArgumentException(
                    "CPU " + CpuRanges.format(missing.stream().toArray()) + ": this process may run on CPU "
                            + CpuRanges.format(process.toArray()) + "; choose from these with --cpumask or --cpulist");
        }
        return asked.toArray();
    }

    private static String unused(int[] cpus, int jobs) {
        return "CPU " + CpuRanges.format(Arrays.copyOfRange(cpus, jobs, cpus.length)) + " not used: "
                + (jobs == 1 ? "there is one queue" : "there are " + jobs + " queues")
                + " to drive; --nqueues gives each device more";
    }

    /**
     * Opens the devices and checks that the options fit them.
     *
     * @throws IllegalArgumentException if they do not, or if data would be destroyed and that was not asked for; the
     *     message is one sentence for the person who typed it
     * @throws IOException if a device cannot be opened, or its data is in use
     */
    public static Run open(RunOptions options) throws IOException {
        return open(options, Device::open);
    }

    static Run open(RunOptions options, Opener opener) throws IOException {
        Run run = new Run(options);
        if (options.writes()) {
            DataAtRisk.check(options.devices(), options.destroyData());
        }
        try {
            for (String name : options.devices()) {
                Device device = opener.open(name);
                run.devices.add(device);
                Fit.check(device, options.queueDepth(), options.ioBytes(), options.queuesPerDevice());
                run.checkShares(device);
            }
            return run;
        } catch (Throwable t) {
            try (run) {
                throw t;
            }
        }
    }

    private void checkShares(Device device) {
        long ios = device.geometry().bytes() / options.ioBytes();
        if (!options.pattern().random() && ios < options.queuesPerDevice()) {
            throw new IllegalArgumentException(device.name() + ": --nqueues " + options.queuesPerDevice()
                    + " queues cannot share the " + ios + " I/Os of " + options.ioBytes()
                    + " bytes that it holds; use fewer queues or a smaller --iosize");
        }
    }

    /** What was asked for. */
    public RunOptions options() {
        return options;
    }

    /** The devices, in the order asked for. */
    public List<Device> devices() {
        return List.copyOf(devices);
    }

    /** The processors that will be used, such as {@code 0-3,8}. */
    public String cpus() {
        return CpuRanges.format(cpus);
    }

    /** How many processors will be used. */
    public int threads() {
        return cpus.length;
    }

    /** What a person should know before it starts. */
    public List<String> notes() {
        return notes;
    }

    /**
     * Runs: opens the queues, warms up, measures, drains, closes the queues. Failed I/Os are in the report. An interrupt
     * ends it early, as {@link #stop()} does, and is dealt with thereby.
     *
     * @param intervals told every {@link RunOptions#interval()}, on this thread
     * @throws IOException if a queue could not be created, or a thread not be pinned; nothing is measured then
     */
    public RunReport measure(Consumer<RunReport.Interval> intervals) throws IOException {
        Failures failures = new Failures();
        List<List<Worker.Job>> deal = deal(options.devices().size(), options.queuesPerDevice(), cpus.length);
        Worker.Clock clock = new Worker.Clock(cpus.length);
        List<Worker> workers = new ArrayList<>();
        for (int i = 0; i < cpus.length; i++) {
            workers.add(new Worker(cpus[i], deal.get(i), devices, options, clock, failures));
        }
        List<Thread> threads = new ArrayList<>();
        for (Worker worker : workers) {
            threads.add(Thread.ofPlatform().name("xnvmeperf-cpu" + worker.cpu()).start(worker));
        }
        List<RunReport.Interval> told = new ArrayList<>();
        double processPercent = 0;
        try {
            clock.ready.await();
            if (workers.stream().allMatch(worker -> worker.refusal() == null)) {
                clock.go.countDown();
                wait(clock, options.warmup());
                long cpuBefore = PROCESS.getProcessCpuTime();
                long began = System.nanoTime();
                clock.phase = Worker.Clock.MEASURING;
                tell(clock, workers, interval -> {
                    told.add(interval);
                    intervals.accept(interval);
                });
                processPercent = 100.0 * (PROCESS.getProcessCpuTime() - cpuBefore) / (System.nanoTime() - began);
            }
        } catch (InterruptedException e) {
            // Whoever interrupts wants it to end early, and it does; closing the devices is not to be interrupted too.
            stop();
        } finally {
            clock.phase = Worker.Clock.DRAINING;
            clock.go.countDown();
            join(threads);
        }
        refuse(workers);
        return report(workers, processPercent, told, failures);
    }

    /**
     * Gives the jobs to the processors in contiguous ranges whose lengths differ by one at most: the queues of a device
     * stay together.
     */
    static List<List<Worker.Job>> deal(int devices, int queuesPerDevice, int cpus) {
        List<Worker.Job> jobs = new ArrayList<>();
        for (int device = 0; device < devices; device++) {
            for (int queue = 0; queue < queuesPerDevice; queue++) {
                jobs.add(new Worker.Job(device, queue));
            }
        }
        List<List<Worker.Job>> deal = new ArrayList<>();
        int from = 0;
        for (int cpu = 0; cpu < cpus; cpu++) {
            int to = from + jobs.size() / cpus + (cpu < jobs.size() % cpus ? 1 : 0);
            deal.add(List.copyOf(jobs.subList(from, to)));
            from = to;
        }
        return deal;
    }

    private void tell(Worker.Clock clock, List<Worker> workers, Consumer<RunReport.Interval> intervals)
            throws InterruptedException {
        long began = System.nanoTime();
        long last = began;
        long lastDone = sum(workers, Lane::done);
        while (!options.interval().isZero()) {
            Duration left = options.runtime().minusNanos(System.nanoTime() - began);
            if (left.compareTo(options.interval()) < 0 || wait(clock, options.interval())) {
                break;
            }
            long now = System.nanoTime();
            long done = sum(workers, Lane::done);
            double iops = (done - lastDone) / ((now - last) / 1e9);
            intervals.accept(new RunReport.Interval(
                    (now - began) / 1e9, iops, iops * options.ioBytes(), sum(workers, Lane::failed)));
            last = now;
            lastDone = done;
        }
        wait(clock, options.runtime().minusNanos(System.nanoTime() - began));
    }

    private static long sum(List<Worker> workers, java.util.function.ToLongFunction<Lane> counter) {
        return workers.stream()
                .flatMap(worker -> worker.lanes().stream())
                .mapToLong(counter)
                .sum();
    }

    /** Waits, unless the run is to stop or no worker is left. */
    private boolean wait(Worker.Clock clock, Duration time) throws InterruptedException {
        long end = System.nanoTime() + time.toNanos();
        while (true) {
            long left = end - System.nanoTime();
            if (left <= 0) {
                return false;
            }
            // Woken ten times a second, to see workers that died.
            if (stop.await(Math.min(left, 100_000_000L), TimeUnit.NANOSECONDS) || clock.finished.getCount() == 0) {
                return true;
            }
        }
    }

    /** Waits for the threads, which drain and close and cannot be hurried. */
    private void join(List<Thread> threads) {
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    stop();
                }
            }
        }
    }

    private static void refuse(List<Worker> workers) throws IOException {
        for (Worker worker : workers) {
            Throwable refusal = worker.refusal();
            if (refusal instanceof IOException e) {
                throw e;
            }
            if (refusal instanceof RuntimeException e) {
                throw e;
            }
            if (refusal != null) {
                throw new IOException("not enough memory for the queues of CPU " + worker.cpu(), refusal);
            }
        }
    }

    private RunReport report(
            List<Worker> workers, double processPercent, List<RunReport.Interval> intervals, Failures failures) {
        List<RunReport.DeviceResult> results = new ArrayList<>();
        for (int i = 0; i < devices.size(); i++) {
            results.add(result(i, workers));
        }
        double seconds = workers.stream().mapToDouble(Worker::seconds).max().orElse(0);
        return new RunReport(
                options, seconds, cpu(workers, processPercent, seconds), results, intervals, failures.first(), notes);
    }

    private static CpuUse cpu(List<Worker> workers, double processPercent, double seconds) {
        if (seconds == 0) {
            return CpuUse.NONE;
        }
        long nanos = workers.stream().mapToLong(Worker::cpuNanos).sum();
        Long cycles = 0L;
        String missing = "";
        for (Worker worker : workers) {
            Long own = worker.cycles();
            cycles = cycles == null || own == null ? null : Long.valueOf(cycles + own);
            missing = missing.isEmpty() ? worker.cyclesMissing() : missing;
        }
        return new CpuUse(processPercent, nanos / 1e7 / seconds, nanos, cycles, missing);
    }

    private RunReport.DeviceResult result(int device, List<Worker> workers) {
        BitSet driving = new BitSet();
        long reads = 0;
        long writes = 0;
        double readIops = 0;
        double writeIops = 0;
        long failed = 0;
        for (Worker worker : workers) {
            for (int i = 0; i < worker.jobs().size(); i++) {
                if (worker.jobs().get(i).device() == device) {
                    Lane lane = worker.lanes().get(i);
                    driving.set(worker.cpu());
                    reads += lane.measuredReads();
                    writes += lane.measuredWrites();
                    readIops += perSecond(lane.measuredReads(), worker.seconds());
                    writeIops += perSecond(lane.measuredWrites(), worker.seconds());
                    failed += lane.failed();
                }
            }
        }
        return new RunReport.DeviceResult(
                devices.get(device).name(),
                devices.get(device).path(),
                devices.get(device).capabilities(),
                CpuRanges.format(driving.stream().toArray()),
                new RunReport.DirectionResult(reads, readIops, latency(device, workers, Worker::readLatency)),
                new RunReport.DirectionResult(writes, writeIops, latency(device, workers, Worker::writeLatency)),
                failed);
    }

    private static double perSecond(long count, double seconds) {
        return seconds == 0 ? 0 : count / seconds;
    }

    private RunReport.@Nullable LatencySummary latency(
            int device, List<Worker> workers, BiFunction<Worker, Integer, @Nullable Latency> part) {
        if (!options.latency()) {
            return null;
        }
        Latency all = null;
        for (Worker worker : workers) {
            Latency latency = part.apply(worker, device);
            if (latency != null) {
                all = all == null ? new Latency() : all;
                all.add(latency);
            }
        }
        return all == null ? null : all.summary();
    }

    /** Ends the run early: {@link #measure} drains, and reports what there is. Any thread may ask, at any time. */
    public void stop() {
        stop.countDown();
    }

    /** Closes the devices. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        IOException first = null;
        for (Device device : devices) {
            try {
                device.close();
            } catch (IOException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        devices.clear();
        if (first != null) {
            throw first;
        }
    }
}
