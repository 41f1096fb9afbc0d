package io.aisio.nvme;

import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.Interrupt;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The two queues of one pair at a controller that is this process's own. */
final class OwnQueues implements QueueHost {
    private final NvmeController controller;
    private final Recovery recovery;
    private final int qid;
    private final int entries;
    private final long submissionQueue;
    private final long completionQueue;
    private final @Nullable Interrupt interrupt;

    /** @param rings of {@link QueuePair#ringBytes}, submission ring first */
    OwnQueues(
            NvmeController controller,
            Recovery recovery,
            int qid,
            int entries,
            DmaMemory rings,
            @Nullable Interrupt interrupt) {
        this.controller = controller;
        this.recovery = recovery;
        this.qid = qid;
        this.entries = entries;
        this.interrupt = interrupt;
        submissionQueue = rings.iova(0);
        completionQueue = rings.iova(QueuePair.completionRing(entries));
    }

    @Override
    public String name() {
        return controller.name();
    }

    @Override
    public QueueEpoch epoch() {
        return recovery.current();
    }

    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        return controller.function().allocate(bytes);
    }

    @Override
    public boolean takesSgl(int bytes) {
        return qid != 0 && controller.takesSgl(bytes);
    }

    /** What the doorbells are stored in first, or null. */
    @Nullable
    ShadowDoorbells shadowDoorbells() {
        return controller.shadowDoorbells(qid);
    }

    @Override
    public int recreate() throws NvmeException {
        return controller.createQueues(qid, entries, submissionQueue, completionQueue, interrupt);
    }

    @Override
    public void stop(int epoch) throws NvmeException {
        controller.deleteQueues(epoch, qid);
    }

    @Override
    public @Nullable Abort abort(int cid) {
        return controller.admin().abort(qid, cid);
    }

    @Override
    public void look(int epoch) {
        recovery.look(epoch);
        controller.admin().poll();
    }

    @Override
    public void reset(int epoch, NvmeException why) {
        recovery.reset(epoch, why);
    }

    @Override
    public @Nullable NvmeException failure() {
        return recovery.failure();
    }

    @Override
    public @Nullable NvmeException loss() {
        NvmeException failure = recovery.failure();
        return failure == null ? recovery.lastReset() : failure;
    }

    @Override
    public Duration retryDelay(int crd) {
        return controller.retryDelay(crd);
    }

    @Override
    public boolean mayStillAccessMemory() {
        return controller.mayStillAccessMemory();
    }

    @Override
    public void close(int epoch) throws IOException {
        controller.delete(epoch, qid, interrupt);
    }
}
