package io.aisio.bench;

import io.aisio.linux.CpuSet;
import io.aisio.linux.LinuxException;
import io.aisio.linux.PerfCounter;
import io.aisio.xnvme.Backoff;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * One thread on one processor, and the queues that it drives in turn.
 *
 * <pre>
 *   open queues, pin, bind, fill ──▶ WARMING ──▶ MEASURING ──▶ DRAINING ──▶ close
 *                                    └─ poll, next LBAs, submit ─┘
 * </pre>
 *
 * The thread that started it moves {@link Clock#phase}; each worker reads its own clock when it sees the phase change,
 * so that its figures cover exactly the time in which it counted.
 */
final class Worker implements Runnable {
    /** The time as the workers see it: no clock, only what part of the run it is. */
    static final class Clock {
        static final int WARMING = 0;
        static final int MEASURING = 1;
        static final int DRAINING = 2;

        /** Read once a round by every worker. */
        volatile int phase = WARMING;

        /** Counted down by each worker that is ready, or that cannot be. */
        final CountDownLatch ready;
        /** Opened when all may begin. */
        final CountDownLatch go = new CountDownLatch(1);
        /** Counted down by each worker that will do no more I/O. */
        final CountDownLatch finished;

        Clock(int workers) {
            ready = new CountDownLatch(workers);
            finished = new CountDownLatch(workers);
        }
    }

    /**
     * A queue to be driven.
     *
     * @param device on which device, an index
     * @param queue which of the device's queues, from 0
     */
    record Job(int device, int queue) {}

    /** The longest silence of a queue that is being emptied, in ns: a device that takes longer for an I/O has failed it. */
    private static final long DRAIN_NANOS = 10_000_000_000L;

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final int cpu;
    private final List<Job> jobs;
    private final List<Device> devices;
    private final RunOptions options;
    private final Clock clock;
    private final Failures failures;

    private final List<Lane> lanes = new ArrayList<>();
    private final Map<Integer, Latency> readLatencies = new HashMap<>();
    private final Map<Integer, Latency> writeLatencies = new HashMap<>();
    private double seconds;
    private long cpuNanos;
    private @Nullable Long cycles;
    private String cyclesMissing = "";
    private @Nullable PerfCounter counter;
    private @Nullable Throwable refusal;

    Worker(int cpu, List<Job> jobs, List<Device> devices, RunOptions options, Clock clock, Failures failures) {
        this.cpu = cpu;
        this.jobs = jobs;
        this.devices = devices;
        this.options = options;
        this.clock = clock;
        this.failures = failures;
    }

    @Override
    public void run() {
        try {
            if (prepared()) {
                clock.go.await();
                if (clock.phase != Clock.DRAINING) {
                    drive();
                }
            }
        } catch (InterruptedException e) {
            failures.add("the thread of CPU " + cpu + " was interrupted");
        } catch (Throwable t) {
            // Whatever it is, the run is not to end as if nothing had happened.
            failures.add("the thread of CPU " + cpu + " died: " + t);
        } finally {
            close();
            clock.finished.countDown();
        }
    }

    private boolean prepared() {
        try {
            open();
            return true;
        } catch (IOException | RuntimeException | OutOfMemoryError e) {
            refusal = e;
            return false;
        } finally {
            clock.ready.countDown();
        }
    }

    /**
     * Opens the queues, then pins the thread, then touches memory: threads that a device starts for a queue do not
     * inherit the processor, and pages come from the processor's node.
     */
    private void open() throws IOException {
        for (Job job : jobs) {
            Device device = devices.get(job.device);
            Queue queue;
            try {
                queue = device.openQueue(options.queueDepth());
            } catch (IOException e) {
                throw new IOException(
                        device.name() + ": queue " + (job.queue + 1) + " of " + options.queuesPerDevice()
                                + " could not be created: " + Failures.text(e),
                        e);
            }
            lanes.add(new Lane(
                    device,
                    queue,
                    job.queue,
                    options,
                    options.latency() && options.reads() ? latency(readLatencies, job) : null,
                    options.latency() && options.writes() ? latency(writeLatencies, job) : null,
                    failures));
        }
        BitSet one = new BitSet();
        one.set(cpu);
        new CpuSet(one).pinCurrentThread();
        try {
            counter = PerfCounter.ofThisThread(PerfCounter.Event.CYCLES);
            cyclesMissing = counter.withKernel() ? "" : "of the kernel's part (kernel.perf_event_paranoid)";
        } catch (LinuxException e) {
            // Many machines have none, and need none to run; the report says why.
            cyclesMissing = String.valueOf(e.getMessage());
        }
        // Asked for once before it counts: the first call loads what it needs, and takes longer than a short run.
        cpuNanos = THREADS.getCurrentThreadCpuTime();
        for (Lane lane : lanes) {
            lane.bind(options.seed());
        }
    }

    /** The queues of one device share a histogram: they are recorded by one thread. */
    private static Latency latency(Map<Integer, Latency> latencies, Job job) {
        return latencies.computeIfAbsent(job.device, device -> new Latency());
    }

    private void drive() {
        Lane[] alive = lanes.toArray(Lane[]::new);
        alive = fill(alive);
        alive = spin(alive, Clock.WARMING);
        readLatencies.values().forEach(Latency::reset);
        writeLatencies.values().forEach(Latency::reset);
        lanes.forEach(Lane::begin);
        Long cyclesBefore = cyclesSoFar();
        long cpuBefore = THREADS.getCurrentThreadCpuTime();
        long began = System.nanoTime();
        alive = spin(alive, Clock.MEASURING);
        lanes.forEach(Lane::end);
        seconds = (System.nanoTime() - began) / 1e9;
        cpuNanos = THREADS.getCurrentThreadCpuTime() - cpuBefore;
        Long cyclesAfter = cyclesSoFar();
        if (cyclesBefore != null && cyclesAfter != null) {
            cycles = cyclesAfter - cyclesBefore;
        }
        for (Lane lane : alive) {
            lane.drain(DRAIN_NANOS);
        }
    }

    /** Null if there is no counter, or it did not count all the time: a run needs none. */
    private @Nullable Long cyclesSoFar() {
        try {
            return counter == null ? null : counter.count();
        } catch (LinuxException e) {
            cyclesMissing = String.valueOf(e.getMessage());
            return null;
        }
    }

    private Lane[] fill(Lane[] alive) {
        for (Lane lane : lanes) {
            try {
                lane.fill();
            } catch (IOException | RuntimeException e) {
                alive = without(alive, lane, e);
            }
        }
        return alive;
    }

    /** Drives the lanes in turn while the phase lasts; gives up those that break, and returns the others. */
    private Lane[] spin(Lane[] alive, int phase) {
        int idle = 0;
        while (clock.phase == phase && alive.length > 0) {
            int done = 0;
            for (Lane lane : alive) {
                try {
                    done += lane.turn(alive.length == 1);
                } catch (IOException | RuntimeException e) {
                    alive = without(alive, lane, e);
                }
            }
            if (done != 0) {
                idle = 0;
            } else {
                Backoff.pause(++idle);
            }
        }
        return alive;
    }

    private Lane[] without(Lane[] alive, Lane broken, Exception why) {
        failures.add(broken.device().name() + ": a queue stopped: " + Failures.text(why));
        List<Lane> rest = new ArrayList<>(List.of(alive));
        rest.remove(broken);
        return rest.toArray(Lane[]::new);
    }

    private void close() {
        if (counter != null) {
            counter.close();
        }
        for (Lane lane : lanes) {
            try {
                lane.close();
            } catch (IOException | RuntimeException e) {
                failures.add(lane.device().name() + ": a queue did not close: " + Failures.text(e));
            }
        }
    }

    /** Why the worker did not begin; {@code null} if it did. Ask once it is ready. */
    @Nullable
    Throwable refusal() {
        return refusal;
    }

    int cpu() {
        return cpu;
    }

    List<Job> jobs() {
        return jobs;
    }

    /** Whose counters any thread may read once the worker is ready. */
    List<Lane> lanes() {
        return lanes;
    }

    /** How long it measured; ask when it has finished, as with the latencies. */
    double seconds() {
        return seconds;
    }

    /** Processor time of the measured part in ns. */
    long cpuNanos() {
        return cpuNanos;
    }

    /** Cycles of the measured part; {@code null} where they cannot be counted. */
    @Nullable
    Long cycles() {
        return cycles;
    }

    /** Why cycles are not there, or not all of them; else empty. */
    String cyclesMissing() {
        return cyclesMissing;
    }

    @Nullable
    Latency readLatency(int device) {
        return readLatencies.get(device);
    }

    @Nullable
    Latency writeLatency(int device) {
        return writeLatencies.get(device);
    }
}
