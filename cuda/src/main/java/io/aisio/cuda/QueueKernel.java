package io.aisio.cuda;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * A launch of a kernel that drives queue pairs, a block or a warp each: the addresses of their states, results of so many bytes
 * for each, and a word that ends it early. The host sleeps while it runs.
 */
final class QueueKernel implements AutoCloseable {
    /** Warps of a block where each drives a queue pair, as the kernels have it. */
    private static final int WARPS = 8;
    /**
     * Chosen: how often it is looked whether queues are lost, or somebody wants it to end. A look takes some 160 us of a processor
     * that has slept meanwhile: ten a second are a sixth of a percent of it.
     */
    private static final long LOOK_NANOS = 100_000_000;
    /** Chosen: how often it is looked whether it has ended, once it should. */
    private static final long CLOSE_LOOK_NANOS = 200_000;
    /** Chosen: what it may take to end once it was told to. */
    private static final long GRACE_NANOS = 5_000_000_000L;

    private final Gpu gpu;
    private final List<GpuQueuePair> pairs;
    private final Kernel kernel;
    private final boolean warps;
    private final GpuMemory queues;
    private final GpuMemory parameters;
    private final GpuMemory results;
    private final PinnedMemory stop;
    private final GpuStream stream;
    private final int resultBytes;

    /**
     * @param name of the kernel less {@code _block} or {@code _warp}
     * @param warps whether a warp drives a queue pair, rather than a block
     */
    QueueKernel(Gpu gpu, List<GpuQueuePair> pairs, String name, boolean warps, int parameterBytes, int resultBytes)
            throws CudaException {
        this.gpu = gpu;
        this.pairs = List.copyOf(pairs);
        this.warps = warps;
        this.resultBytes = resultBytes;
        int depth = depth();
        for (GpuQueuePair pair : pairs) {
            if (pair.depth() != depth) {
                throw new IllegalArgumentException(
                        "queue pairs of %d and %d commands in one launch".formatted(depth, pair.depth()));
            }
        }
        if (warps ? depth != 32 : depth % 32 != 0) {
            throw new IllegalArgumentException(
                    warps
                            ? "a warp drives a queue pair of 32 commands, not of " + depth
                            : "a block drives a queue pair with whole warps: of a multiple of 32 commands, not of "
                                    + depth);
        }
        kernel = gpu.kernels().kernel(name + (warps ? "_warp" : "_block"));
        int fit = kernel.maxBlocksPerMultiprocessor(threads(), 0) * gpu.multiprocessors();
        if (blocks() > fit) {
            throw CudaException.absent("%d queue pairs of depth %d do not fit %s at once, which has room for %d blocks"
                    .formatted(pairs.size(), depth, gpu, fit));
        }
        queues = gpu.allocate((long) pairs.size() * Long.BYTES);
        parameters = gpu.allocate(parameterBytes);
        results = gpu.allocate((long) pairs.size() * resultBytes);
        stop = gpu.allocatePinned(Integer.BYTES);
        stream = gpu.openStream();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment addresses = arena.allocate(ValueLayout.JAVA_LONG, pairs.size());
            for (int i = 0; i < pairs.size(); i++) {
                addresses.setAtIndex(ValueLayout.JAVA_LONG, i, pairs.get(i).address());
            }
            queues.write(0, addresses);
        }
    }

    int depth() {
        return pairs.getFirst().depth();
    }

    private int threads() {
        return warps ? 32 * WARPS : depth();
    }

    private int blocks() {
        return warps ? Math.ceilDiv(pairs.size(), WARPS) : pairs.size();
    }

    /** Where the kernel finds the addresses of its queue pairs. */
    long queues() {
        return queues.address();
    }

    /** Where it leaves its results. */
    long results() {
        return results.address();
    }

    /** Where it looks for the word that ends it. */
    long stop() {
        return stop.address();
    }

    /**
     * Launches it and sleeps until it has ended.
     *
     * @param values of the parameters' structure
     * @param cancelled asked now and then whether it is to end early
     * @param least how long it runs unless it is told to end, so that nobody need look closely before
     * @param limit after which it is a failure that it has not ended
     * @return the results, one after another
     */
    MemorySegment run(Arena arena, MemorySegment values, BooleanSupplier cancelled, Duration least, Duration limit)
            throws IOException {
        results.fill((byte) 0);
        parameters.write(0, values);
        stop.segment().set(ValueLayout.JAVA_INT, 0, 0);
        // While it runs, nothing is freed: should it not end, then never.
        Resident running = gpu.resident();
        boolean over = false;
        try {
            stream.launch(kernel, blocks(), threads(), 0, parameters);
            over = isOver(cancelled, least, limit);
        } catch (CudaException e) {
            // It was not launched, or has gone wrong.
            over = true;
            throw e;
        } finally {
            if (over) {
                running.close();
            }
        }
        if (!over) {
            throw new IOException(
                    "the kernel on %s has not ended within %d s; what it uses stays allocated until this program ends"
                            .formatted(gpu, limit.toSeconds()));
        }
        MemorySegment read = arena.allocate((long) pairs.size() * resultBytes, 8);
        results.read(0, read);
        return read;
    }

    /** Waits until the kernel has ended; false if it has not within a limit. */
    private boolean isOver(BooleanSupplier cancelled, Duration least, Duration limit) throws CudaException {
        long began = System.nanoTime();
        boolean interrupted = false;
        boolean ending = false;
        long looked = began;
        while (!stream.isDone()) {
            long now = System.nanoTime();
            if (now - looked >= LOOK_NANOS) {
                looked = now;
                ending |= interrupted || cancelled.getAsBoolean();
                stop.segment().set(ValueLayout.JAVA_INT, 0, ending ? 1 : 0);
                pairs.forEach(GpuQueuePair::look);
            }
            long left = least.toNanos() - (now - began);
            try {
                Thread.sleep(Duration.ofNanos(Math.clamp(ending ? 0 : left, CLOSE_LOOK_NANOS, LOOK_NANOS)));
            } catch (InterruptedException e) {
                interrupted = true;
            }
            if (now - began > limit.toNanos()) {
                ending = true;
                stop.segment().set(ValueLayout.JAVA_INT, 0, 1);
                if (now - began > limit.toNanos() + GRACE_NANOS) {
                    return false;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return true;
    }

    @Override
    public void close() {
        stream.close();
        stop.close();
        results.close();
        parameters.close();
        queues.close();
    }
}
