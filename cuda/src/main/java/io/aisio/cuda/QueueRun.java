package io.aisio.cuda;

import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Status;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A kernel that keeps queue pairs full for a while, and counts ({@code run.cu}). The host only starts it and waits.
 */
public final class QueueRun implements AutoCloseable {
    // The structure aisio::RunParameters.
    private static final int PARAMETERS_BYTES = 96;
    // The structure aisio::RunResult.
    private static final int RESULT_BYTES = 64;
    private static final int BUCKETS = 1024;
    /** Chosen: what a kernel may take beyond its time and its queues' deadline. */
    private static final Duration GRACE = Duration.ofSeconds(20);

    /**
     * What is run.
     *
     * @param random whether I/Os are anywhere; otherwise each queue pair goes through a part of the device of its own
     * @param readPercent how many of a hundred read
     * @param blocks logical blocks of an I/O
     * @param ios I/Os that fit the device
     * @param seed where random numbers start
     * @param runtime after which it ends
     * @param most I/Os of each queue pair after which it ends; 0 for no limit
     * @param lockstep whether each batch is waited for before the next
     * @param latency whether the time of each command is taken
     */
    public record Plan(
            boolean random,
            int readPercent,
            int blocks,
            long ios,
            long seed,
            Duration runtime,
            long most,
            boolean lockstep,
            boolean latency) {
        /** Checks the numbers. */
        public Plan {
            if (readPercent < 0 || readPercent > 100 || blocks < 1 || blocks > 0x1_0000 || ios < 1 || most < 0) {
                throw new IllegalArgumentException("a run of %d %% reads of %d blocks, of %d that there are, at most %d"
                        .formatted(readPercent, blocks, ios, most));
            }
        }
    }

    /**
     * What one queue pair did.
     *
     * @param completed I/Os without an error
     * @param failed I/Os with one, or that never came back
     * @param failure the first that failed, or why the kernel gave up; null if all went well
     */
    public record Result(
            long completed, long failed, @Nullable NvmeException failure) {}

    /**
     * What all did.
     *
     * @param queues by queue pair
     * @param nanos from the first to begin to the last to end, by the GPU's clock
     * @param latencies sorted: times of commands in nanoseconds and how many had it; empty if they were not taken
     */
    public record Results(List<Result> queues, long nanos, List<Latency> latencies) {
        /** I/Os without an error. */
        public long completed() {
            return queues.stream().mapToLong(Result::completed).sum();
        }

        /** I/Os with one, or that never came back. */
        public long failed() {
            return queues.stream().mapToLong(Result::failed).sum();
        }
    }

    /** A time, to a sixteenth exact, and how many commands took it. */
    public record Latency(long nanos, long count) {}

    private final Gpu gpu;
    private final List<GpuQueuePair> pairs;
    private final DataSlots data;
    private final QueueKernel kernel;
    private final GpuMemory histogram;

    /**
     * Prepares it.
     *
     * @param pairs of one depth: a multiple of 32, or 32 if a warp drives each
     * @param data slots for all of them
     * @param warps whether a warp drives a queue pair, rather than a block
     */
    public QueueRun(Gpu gpu, List<GpuQueuePair> pairs, DataSlots data, boolean warps) throws CudaException {
        this.gpu = gpu;
        this.pairs = List.copyOf(pairs);
        this.data = data;
        data.require(pairs.size(), pairs.getFirst().depth(), 1);
        kernel = new QueueKernel(gpu, pairs, "aisio_run", warps, PARAMETERS_BYTES, RESULT_BYTES);
        try {
            histogram = gpu.allocate((long) BUCKETS * Long.BYTES);
        } catch (CudaException e) {
            kernel.close();
            throw e;
        }
    }

    /**
     * Runs it once, and waits asleep.
     *
     * @param cancelled asked now and then whether it is to end early
     * @throws IOException if the kernel fails, or does not end
     */
    public Results run(Plan plan, BooleanSupplier cancelled) throws IOException {
        if (!plan.random && plan.ios < pairs.size()) {
            throw new IllegalArgumentException("%d I/Os that fit the device, and %d queue pairs with a part each"
                    .formatted(plan.ios, pairs.size()));
        }
        try (Arena arena = Arena.ofConfined()) {
            histogram.fill((byte) 0);
            MemorySegment p = arena.allocate(PARAMETERS_BYTES, 8);
            p.set(ValueLayout.JAVA_LONG, 0, kernel.queues());
            p.set(ValueLayout.JAVA_LONG, 8, data.entries());
            p.set(ValueLayout.JAVA_LONG, 16, kernel.results());
            p.set(ValueLayout.JAVA_LONG, 24, kernel.stop());
            p.set(ValueLayout.JAVA_LONG, 32, plan.latency ? histogram.address() : 0);
            p.set(ValueLayout.JAVA_LONG, 40, plan.ios);
            p.set(ValueLayout.JAVA_LONG, 48, plan.seed);
            p.set(ValueLayout.JAVA_LONG, 56, plan.most);
            p.set(ValueLayout.JAVA_LONG, 64, plan.runtime.toNanos());
            p.set(ValueLayout.JAVA_INT, 72, pairs.size());
            p.set(ValueLayout.JAVA_INT, 76, kernel.depth());
            p.set(ValueLayout.JAVA_INT, 80, plan.blocks);
            p.set(ValueLayout.JAVA_INT, 84, plan.readPercent);
            p.set(ValueLayout.JAVA_INT, 88, plan.random ? 1 : 0);
            p.set(ValueLayout.JAVA_INT, 92, plan.lockstep ? 1 : 0);
            MemorySegment results = kernel.run(
                    arena,
                    p,
                    cancelled,
                    plan.most == 0 ? plan.runtime : Duration.ZERO,
                    plan.runtime.plus(GpuQueuePair.DEADLINE).plus(GRACE));
            return results(arena, plan, results);
        }
    }

    private Results results(Arena arena, Plan plan, MemorySegment results) throws IOException {
        List<Result> queues = new ArrayList<>();
        long begin = Long.MAX_VALUE;
        long end = 0;
        double cycles = 0;
        double nanos = 0;
        for (int i = 0; i < pairs.size(); i++) {
            MemorySegment r = results.asSlice((long) i * RESULT_BYTES, RESULT_BYTES);
            begin = Math.min(begin, r.get(ValueLayout.JAVA_LONG, 16));
            end = Math.max(end, r.get(ValueLayout.JAVA_LONG, 24));
            nanos += r.get(ValueLayout.JAVA_LONG, 24) - r.get(ValueLayout.JAVA_LONG, 16);
            cycles += r.get(ValueLayout.JAVA_LONG, 32);
            GpuQueuePair pair = pairs.get(i);
            boolean gaveUp = r.get(ValueLayout.JAVA_INT, 60) != GpuQueuePair.RUNNING;
            NvmeException failure = gaveUp ? pair.failure() : null;
            long lost = gaveUp ? pair.inFlight() : 0;
            int status = r.get(ValueLayout.JAVA_INT, 56);
            if (failure == null && status != 0) {
                failure = failed(pair, r.get(ValueLayout.JAVA_LONG, 48), status);
            }
            queues.add(new Result(r.get(ValueLayout.JAVA_LONG, 0), r.get(ValueLayout.JAVA_LONG, 8) + lost, failure));
        }
        return new Results(
                List.copyOf(queues), end - begin, plan.latency ? latencies(arena, cycles / nanos) : List.of());
    }

    /** The error of a command, by its status as kernels have it. */
    static NvmeException failed(GpuQueuePair pair, long lba, int bits) {
        Status status = new Status(bits);
        return new NvmeException(
                "%s: queue %d: I/O at LBA %d: %s".formatted(pair.name(), pair.id(), lba, status), status);
    }

    private List<Latency> latencies(Arena arena, double cyclesPerNano) throws IOException {
        MemorySegment counts = arena.allocate((long) BUCKETS * Long.BYTES, 8);
        histogram.read(0, counts);
        List<Latency> latencies = new ArrayList<>();
        for (int i = 0; i < BUCKETS; i++) {
            long count = counts.getAtIndex(ValueLayout.JAVA_LONG, i);
            if (count != 0) {
                latencies.add(new Latency(Math.round(cycles(i) / cyclesPerNano), count));
            }
        }
        return List.copyOf(latencies);
    }

    /** The middle of a bucket: 16 to each power of two, as {@code bucket()} of run.cu has them. */
    static double cycles(int bucket) {
        if (bucket < 16) {
            return bucket;
        }
        int power = bucket / 16 + 3;
        double width = Math.scalb(1.0, power - 4);
        return Math.scalb(1.0, power) + (bucket % 16 + 0.5) * width;
    }

    /** Frees what is its own. The queue pairs and data stay. */
    @Override
    public void close() {
        histogram.close();
        kernel.close();
    }

    @Override
    public String toString() {
        return "a run of " + Arrays.toString(pairs.toArray()) + " on " + gpu;
    }
}
