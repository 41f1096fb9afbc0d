package io.aisio.bench;

import io.aisio.cuda.BlockPattern;
import io.aisio.cuda.Gpu;
import io.aisio.cuda.QueueVerify;
import io.aisio.nvme.NvmeException;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code xnvmeperf cuda-verify}: lets a GPU write blocks that say who they are, read them back by another queue, into memory
 * that was poisoned, and compare every word.
 *
 * <pre>{@code
 * CudaVerifyReport report = CudaVerify.verify(options);
 * }</pre>
 *
 * A generation is two kernels: one writes all, the next reads and compares.
 */
public final class CudaVerify implements AutoCloseable {
    /** A kernel ends by itself, as each command has a deadline; this is for one that never begins, beside the time for its data. */
    private static final Duration MOST = Duration.ofMinutes(30);
    /** Chosen: slower than any device that somebody would verify so, in bytes a second. */
    private static final long SLOWEST = 10_000_000;

    /** What a block's first and last word are before it is read ({@code AISIO_POISON} of {@code verify.cu}), */
    static final long POISON = 0xDEADBEEFDEADBEEFL;
    /** and what its others are ({@link QueueVerify#pass}). */
    private static final long FILLED = 0xA5A5A5A5A5A5A5A5L;

    private final CudaVerifyOptions options;
    private final Opened opened = new Opened();
    private final String name;
    private final DrivenDevice driven;
    private final QueueVerify kernel;
    private final long count;
    /** Another one for each run, so that what an earlier one left on the device is seen. */
    private final long seed;

    private final Failures failures = new Failures();
    private final List<VerifyReport.Mismatch> shown = new ArrayList<>();
    private long mismatches;
    private long failed;

    private CudaVerify(CudaVerifyOptions options, Gpu gpu, String name) throws IOException {
        this.options = options;
        this.name = name;
        seed = options.seed() ^ new SecureRandom().nextLong();
        try {
            driven = opened.keep(DrivenDevice.open(
                    gpu,
                    name,
                    options.queues(),
                    options.queueDepth(),
                    options.ioBytes(),
                    options.queuesPerDevice(),
                    options.ioBytes()));
            count = count();
            kernel = opened.keep(new QueueVerify(
                    gpu,
                    driven.pairs(),
                    driven.data(),
                    driven.device().geometry().lbaBytes(),
                    driven.blocks(options.ioBytes()),
                    options.queues().role() == CudaQueues.Role.WARP));
        } catch (Throwable t) {
            try (opened) {
                throw t;
            }
        }
    }

    private long count() {
        long holds = driven.holds(options.ioBytes());
        if (options.count() > holds) {
            throw new IllegalArgumentException(name + ": --count " + options.count() + " of " + options.ioBytes()
                    + " bytes is beyond its end at "
                    + ByteSize.format(driven.device().geometry().bytes()) + "; use --count " + holds + " or less");
        }
        return options.countOn(holds);
    }

    /**
     * Verifies one device after the other. Failed I/Os and mismatches are in the report.
     *
     * @throws IllegalArgumentException if the options do not fit a device, or if data would be destroyed and that was not
     *     asked for; the message is one sentence for the person who typed it
     * @throws IOException if there is no GPU, a launch fails, a device cannot be opened or not be driven by the GPU, its data
     *     is in use, or the thread is interrupted
     */
    public static CudaVerifyReport verify(CudaVerifyOptions options) throws IOException {
        DataAtRisk.check(options.devices(), options.destroyData());
        CudaRun.requireGpu("cuda-verify");
        List<VerifyReport.DeviceResult> devices = new ArrayList<>();
        try (Gpu gpu = Gpu.open(options.queues().gpu())) {
            for (String name : options.devices()) {
                try (CudaVerify verify = new CudaVerify(options, gpu, name)) {
                    devices.add(verify.result());
                }
            }
            return new CudaVerifyReport(options, gpu.toString(), gpu.kernels().origin(), devices);
        }
    }

    private VerifyReport.DeviceResult result() throws IOException {
        for (int generation = 1; generation <= options.generations() && isWell(); generation++) {
            pass(generation, true);
            if (isWell()) {
                pass(generation, false);
            }
        }
        return new VerifyReport.DeviceResult(
                name,
                driven.device().path(),
                driven.device().capabilities(),
                isWell() ? count : 0,
                mismatches,
                failed,
                shown,
                failures.first());
    }

    private boolean isWell() {
        return failures.first().isEmpty();
    }

    private void pass(int generation, boolean write) throws IOException {
        List<QueueVerify.Result> results = kernel.pass(
                write,
                count,
                BlockPattern.generationSeed(seed, generation),
                () -> Thread.currentThread().isInterrupted(),
                MOST.plusSeconds(count * options.ioBytes() / SLOWEST));
        if (Thread.interrupted()) {
            throw new InterruptedIOException(name + ": interrupted while it was verified");
        }
        long done = 0;
        long wrong = 0;
        for (QueueVerify.Result result : results) {
            done += result.completed();
            wrong += result.mismatches();
            failed += result.failed();
            NvmeException failure = result.failure();
            if (failure != null) {
                failures.add(Failures.text(failure));
            }
            QueueVerify.Mismatch mismatch = result.mismatch();
            if (mismatch != null && shown.size() < Failures.SHOWN) {
                shown.add(explain(mismatch, seed, generation));
            }
        }
        if (done < count && isWell()) {
            failures.add(name + ": only " + done + " of " + count + (write ? " writes" : " reads") + " were done");
        }
        // An I/O that is wrong in several generations is one.
        mismatches = Math.max(mismatches, wrong);
    }

    /** What a word that is not as it was written looks like. */
    static VerifyReport.Mismatch explain(QueueVerify.Mismatch mismatch, long seed, int generation) {
        long lba = mismatch.lba();
        int word = (int) mismatch.word();
        long found = mismatch.found();
        String seen = String.format("word %d: expected %016x, saw %016x", word, mismatch.expected(), found);
        if (found == POISON || found == FILLED) {
            return new VerifyReport.Mismatch(
                    lba, generation, VerifyReport.Kind.NOTHING_TRANSFERRED, "the read transferred nothing");
        }
        for (int older = 1; older < generation && word != 0; older++) {
            if (found == BlockPattern.word(BlockPattern.generationSeed(seed, older), lba, word)) {
                return new VerifyReport.Mismatch(
                        lba,
                        generation,
                        VerifyReport.Kind.STALE,
                        "stale: generation " + older + ", so a later write was lost");
            }
        }
        if (found == 0) {
            return new VerifyReport.Mismatch(
                    lba, generation, VerifyReport.Kind.ZEROS, seen + ", as if it was never written");
        }
        if (Long.bitCount(mismatch.expected() ^ found) == 1) {
            return new VerifyReport.Mismatch(lba, generation, VerifyReport.Kind.FLIPPED_BIT, seen);
        }
        // The first word is the block's own address.
        return new VerifyReport.Mismatch(
                lba, generation, word == 0 ? VerifyReport.Kind.MISPLACED : VerifyReport.Kind.DIFFERENT, seen);
    }

    /** Closes queue pairs, memory and device. */
    @Override
    public void close() throws IOException {
        opened.close();
    }
}
