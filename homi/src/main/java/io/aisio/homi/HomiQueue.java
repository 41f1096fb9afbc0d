package io.aisio.homi;

import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.Mapping;
import io.aisio.nvme.MappedQueuePair;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueueEpoch;
import io.aisio.nvme.QueueHost;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** A queue pair of this process's, and what it needs of the daemon that has the controller, whoever drives it. */
final class HomiQueue implements QueueHost, MappedQueuePair {
    /** The epoch of queues that have not been lost yet. */
    private static final int FIRST = new QueueEpoch().get();

    private final HomiLease lease;
    private final long number;
    private final LeasedMemory rings;
    private final Mapping doorbells;
    private final int qid;
    private final long tail;
    private final long head;
    private final QueueEpoch epoch = new QueueEpoch();
    private boolean closed;
    /** Which of the queues that this one was are there. Under this object's lock. */
    private int generation;
    /** The highest of those that the daemon told are gone: it may tell before this one has the answer that made them. */
    private int gone;

    private volatile @Nullable NvmeException loss;
    private volatile @Nullable NvmeException failure;

    /**
     * @param rings whose close is left to who drives the queues
     * @param doorbells becomes this one's
     * @param created what the daemon answered
     */
    HomiQueue(HomiLease lease, long number, LeasedMemory rings, Mapping doorbells, ObjectNode created) {
        this.lease = lease;
        this.number = number;
        this.rings = rings;
        this.doorbells = doorbells;
        qid = created.path("qid").intValue();
        tail = created.path("doorbells").path("tail").longValue();
        head = created.path("doorbells").path("head").longValue();
        generation = created.path("generation").intValue();
    }

    @Override
    public int qid() {
        return qid;
    }

    @Override
    public DmaMemory rings() {
        return rings;
    }

    @Override
    public MemorySegment doorbells() {
        return doorbells.segment();
    }

    @Override
    public long tailDoorbell() {
        return tail;
    }

    @Override
    public long headDoorbell() {
        return head;
    }

    /** Once the epoch has moved: queues that somebody else drives are not created anew. */
    @Override
    public boolean isLost() {
        return epoch.get() != FIRST;
    }

    /** The daemon looks at the controller all the time, and tells. */
    @Override
    public void look() {}

    /** Unmaps both, of a queue that was never driven. */
    void unmap() {
        rings.close();
        doorbells.close();
    }

    /** Deletes the queues, and unmaps them, for who drives them himself. */
    @Override
    public void close() throws IOException {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        try {
            close(epoch.get());
        } finally {
            rings.close();
        }
    }

    long number() {
        return number;
    }

    /** The daemon tells that queues are gone; those that were created since are not. */
    synchronized void lost(int which, NvmeException why) {
        if (which > gone) {
            gone = which;
            loss = why;
            if (gone >= generation) {
                epoch.moveOn();
            }
        }
    }

    /** There will be no queues any more. */
    synchronized void lostForGood(NvmeException why) {
        if (failure == null) {
            loss = why;
            failure = why;
            epoch.moveOn();
        }
    }

    @Override
    public String name() {
        return lease.name();
    }

    @Override
    public QueueEpoch epoch() {
        return epoch;
    }

    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        return lease.allocate(bytes);
    }

    @Override
    public boolean takesSgl(int bytes) {
        return false;
    }

    private ObjectNode params() {
        return HomiClient.params().put("queue", number);
    }

    @Override
    public int recreate() throws NvmeException {
        NvmeException gone = failure;
        if (gone != null) {
            throw because(gone);
        }
        int before = epoch.get();
        ObjectNode created = call("queue.recreate", params());
        synchronized (this) {
            generation = created.path("generation").intValue();
            if (this.gone >= generation) {
                // It was told before its answer was here.
                epoch.moveOn();
            } else if (created.path("lost").booleanValue(false)) {
                lost(generation, new NvmeException(name() + ": the queue was lost as soon as it was created"));
            }
        }
        return before;
    }

    private ObjectNode call(String method, ObjectNode params) throws NvmeException {
        try {
            return lease.client().call(method, params);
        } catch (IOException | IllegalStateException e) {
            throw because(e);
        }
    }

    private NvmeException because(Exception e) {
        var why = new NvmeException(
                String.valueOf(e.getMessage()).startsWith(name())
                        ? String.valueOf(e.getMessage())
                        : name() + ": " + e.getMessage());
        why.initCause(e);
        return why;
    }

    @Override
    public void stop(int inEpoch) throws NvmeException {
        ObjectNode _ = call("queue.delete", params().put("keep", true));
    }

    @Override
    public @Nullable Abort abort(int cid) {
        CompletableFuture<HomiClient.Reply> answer;
        try {
            answer = lease.client().start("queue.abort", params().put("cid", cid), List.of());
        } catch (IOException | IllegalStateException e) {
            // The connection is about to be lost, which moves the epoch.
            return null;
        }
        return new Abort() {
            @Override
            public boolean isDone() {
                return answer.isDone();
            }

            @Override
            public boolean hasAborted() {
                if (!answer.isDone() || answer.isCompletedExceptionally()) {
                    return false;
                }
                ObjectNode told = answer.join().result();
                // What the controller was not asked, or has not answered in time, it has not refused: that is not in
                // vain yet.
                return told.path("aborted").booleanValue(false)
                        || !told.path("requested").booleanValue(true);
            }
        };
    }

    /** The daemon looks at the controller all the time, and tells. */
    @Override
    public void look(int inEpoch) {}

    @Override
    public void reset(int inEpoch, NvmeException why) {
        if (epoch.get() != inEpoch) {
            return;
        }
        try {
            stop(inEpoch);
        } catch (NvmeException e) {
            why.addSuppressed(e);
            lostForGood(why);
            return;
        }
        synchronized (this) {
            if (epoch.get() == inEpoch) {
                loss = why;
                epoch.moveOn();
            }
        }
    }

    @Override
    public @Nullable NvmeException failure() {
        return failure;
    }

    @Override
    public @Nullable NvmeException loss() {
        return loss;
    }

    @Override
    public Duration retryDelay(int crd) {
        return Duration.ZERO;
    }

    @Override
    public boolean mayStillAccessMemory() {
        return lease.mayStillAccessMemory();
    }

    @Override
    public void close(int inEpoch) throws IOException {
        lease.remove(this);
        try {
            ObjectNode _ = lease.client().call("queue.delete", params());
        } catch (RpcException e) {
            // Of a lease that has ended under it the daemon knows nothing any more.
            if (e.code() != RpcException.NO_SUCH && lease.failure() == null) {
                throw because(e);
            }
        } catch (IOException e) {
            if (lease.failure() == null && lease.client().lost() == null) {
                throw e;
            }
        } finally {
            doorbells.close();
        }
    }
}
