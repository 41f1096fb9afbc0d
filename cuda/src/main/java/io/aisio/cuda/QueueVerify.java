package io.aisio.cuda;

import io.aisio.nvme.NvmeException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A kernel that writes blocks that say who they are ({@link BlockPattern}), or reads them back into poisoned memory and compares every
 * word ({@code verify.cu}).
 */
public final class QueueVerify implements AutoCloseable {
    // The structure aisio::VerifyParameters.
    private static final int PARAMETERS_BYTES = 88;
    // The structure aisio::VerifyResult.
    private static final int RESULT_BYTES = 80;
    private static final byte POISON = (byte) 0xA5;

    /**
     * What one queue pair found.
     *
     * @param completed I/Os without an error
     * @param failed I/Os with one
     * @param mismatches I/Os of which a word was not what was written
     * @param failure the first that failed, or why the kernel gave up; null if none did
     * @param mismatch one that is wrong; null if none is
     */
    public record Result(
            long completed,
            long failed,
            long mismatches,
            @Nullable NvmeException failure,
            @Nullable Mismatch mismatch) {}

    /**
     * A word that is not what was written.
     *
     * @param lba the block
     * @param word its index in the block, of 8 bytes
     */
    public record Mismatch(long lba, long word, long expected, long found) {}

    private final List<GpuQueuePair> pairs;
    private final DataSlots data;
    private final QueueKernel kernel;
    private final int lbaBytes;
    private final int blocks;

    /**
     * Prepares it.
     *
     * @param lbaBytes of a logical block
     * @param blocks of an I/O
     * @param warps whether a warp drives a queue pair, rather than a block
     */
    public QueueVerify(Gpu gpu, List<GpuQueuePair> pairs, DataSlots data, int lbaBytes, int blocks, boolean warps)
            throws CudaException {
        this.pairs = List.copyOf(pairs);
        this.data = data;
        this.lbaBytes = lbaBytes;
        this.blocks = blocks;
        data.require(pairs.size(), pairs.getFirst().depth(), (long) blocks * lbaBytes);
        kernel = new QueueKernel(gpu, pairs, "aisio_verify", warps, PARAMETERS_BYTES, RESULT_BYTES);
    }

    /**
     * Writes I/Os from LBA 0 on, or reads them. What one queue pair writes another reads.
     *
     * @param ios how many
     * @param seed of the generation: {@link BlockPattern#generationSeed}
     * @param cancelled asked now and then whether it is to end early
     * @param limit how long it may take
     * @return by queue pair
     * @throws IOException if the kernel fails, or does not end
     */
    public List<Result> pass(boolean write, long ios, long seed, BooleanSupplier cancelled, Duration limit)
            throws IOException {
        data.fill(POISON);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment p = arena.allocate(PARAMETERS_BYTES, 8);
            p.set(ValueLayout.JAVA_LONG, 0, kernel.queues());
            p.set(ValueLayout.JAVA_LONG, 8, data.entries());
            p.set(ValueLayout.JAVA_LONG, 16, data.address());
            p.set(ValueLayout.JAVA_LONG, 24, data.stride());
            p.set(ValueLayout.JAVA_LONG, 32, kernel.results());
            p.set(ValueLayout.JAVA_LONG, 40, kernel.stop());
            p.set(ValueLayout.JAVA_LONG, 48, ios);
            p.set(ValueLayout.JAVA_LONG, 56, seed);
            p.set(ValueLayout.JAVA_INT, 64, pairs.size());
            p.set(ValueLayout.JAVA_INT, 68, kernel.depth());
            p.set(ValueLayout.JAVA_INT, 72, blocks);
            p.set(ValueLayout.JAVA_INT, 76, lbaBytes / Long.BYTES);
            p.set(ValueLayout.JAVA_INT, 80, write ? 1 : 0);
            MemorySegment results = kernel.run(arena, p, cancelled, Duration.ZERO, limit);
            List<Result> all = new ArrayList<>();
            for (int i = 0; i < pairs.size(); i++) {
                all.add(result(pairs.get(i), results.asSlice((long) i * RESULT_BYTES, RESULT_BYTES)));
            }
            return List.copyOf(all);
        }
    }

    private static Result result(GpuQueuePair pair, MemorySegment r) throws IOException {
        NvmeException failure = r.get(ValueLayout.JAVA_INT, 72) == GpuQueuePair.RUNNING ? null : pair.failure();
        int status = r.get(ValueLayout.JAVA_INT, 64);
        if (failure == null && status != 0) {
            failure = QueueRun.failed(pair, r.get(ValueLayout.JAVA_LONG, 24), status);
        }
        Mismatch mismatch = r.get(ValueLayout.JAVA_INT, 68) == 0
                ? null
                : new Mismatch(
                        r.get(ValueLayout.JAVA_LONG, 32),
                        r.get(ValueLayout.JAVA_LONG, 40),
                        r.get(ValueLayout.JAVA_LONG, 48),
                        r.get(ValueLayout.JAVA_LONG, 56));
        return new Result(
                r.get(ValueLayout.JAVA_LONG, 0),
                r.get(ValueLayout.JAVA_LONG, 8),
                r.get(ValueLayout.JAVA_LONG, 16),
                failure,
                mismatch);
    }

    /** Frees what is its own. The queue pairs and data stay. */
    @Override
    public void close() {
        kernel.close();
    }
}
