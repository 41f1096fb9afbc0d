package io.aisio.emu;

import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Sqe;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The queues that exist, by identifier. 0 is the admin queue pair. */
final class QueueTable {
    private static final SubmissionQueue[] NONE = {};

    private final RegisterFile registers;
    private final IovaSpace space;
    private final boolean paced;
    private final @Nullable SubmissionQueue[] submission;
    private final @Nullable CompletionQueue[] completion;
    /** The I/O submission queues, to go round. */
    private SubmissionQueue[] io = NONE;
    /** Whose doorbells are looked at. */
    private @Nullable SubmissionQueue looking;
    /** What the driver writes instead of doorbells; null until it says where. */
    private @Nullable ShadowDoorbells shadow;

    /**
     * @param pairs I/O queue pairs that there can be
     * @param paced whether I/O commands wait until they are due
     */
    QueueTable(RegisterFile registers, IovaSpace space, int pairs, boolean paced) {
        this.registers = registers;
        this.space = space;
        this.paced = paced;
        submission = new SubmissionQueue[pairs + 1];
        completion = new CompletionQueue[pairs + 1];
    }

    /** The I/O submission queues, by identifier. */
    SubmissionQueue[] io() {
        return io;
    }

    @Nullable
    SubmissionQueue submission(int id) {
        return id < submission.length ? submission[id] : null;
    }

    @Nullable
    CompletionQueue completion(int id) {
        return id < completion.length ? completion[id] : null;
    }

    /** Whether there is any I/O queue, of either kind. */
    boolean ioQueuesExist() {
        for (int id = 1; id < completion.length; id++) {
            if (completion[id] != null) {
                return true;
            }
        }
        return false;
    }

    /**
     * Creates a completion queue; null if the memory is not all there, may only be read, or is another device's.
     *
     * @param vector its interrupt, or {@link CompletionQueue#POLLED}
     */
    @Nullable
    CompletionQueue createCompletion(int id, long address, int entries, int vector) {
        IovaSpace.Region region = region(address, (long) entries << Cqe.SHIFT);
        if (region == null || region.readOnly || !region.ringBegins()) {
            return null;
        }
        registers.clearDoorbell(Registers.cqHeadDoorbell(id, registers.stride()));
        MemorySegment ring = region.memory.asSlice(address - region.iova, (long) entries << Cqe.SHIFT);
        CompletionQueue queue = new CompletionQueue(id, entries, address, vector, ring, region, registers);
        completion[id] = queue;
        follow(queue, false);
        return queue;
    }

    /**
     * Creates a submission queue; null if the memory is not all there, is another device's, or of another domain than the
     * completion queue's.
     */
    @Nullable
    SubmissionQueue createSubmission(int id, long address, int entries, CompletionQueue completions) {
        IovaSpace.Region region = region(address, (long) entries << Sqe.SHIFT);
        if (region == null || region.domain != completions.region.domain || !region.ringBegins()) {
            return null;
        }
        registers.clearDoorbell(Registers.sqTailDoorbell(id, registers.stride()));
        DelayLine delayed = paced && id != 0 ? new DelayLine(entries) : null;
        MemorySegment ring = region.memory.asSlice(address - region.iova, (long) entries << Sqe.SHIFT);
        SubmissionQueue queue =
                new SubmissionQueue(id, entries, address, ring, region, completions, delayed, registers);
        submission[id] = queue;
        completions.submissionQueues++;
        follow(queue, false);
        collect();
        return queue;
    }

    void deleteSubmission(SubmissionQueue queue) {
        submission[queue.id] = null;
        queue.region.ringEnds();
        queue.completions.submissionQueues--;
        registers.clearDoorbell(Registers.sqTailDoorbell(queue.id, registers.stride()));
        collect();
    }

    void deleteCompletion(CompletionQueue queue) {
        completion[queue.id] = null;
        queue.region.ringEnds();
        registers.clearDoorbell(Registers.cqHeadDoorbell(queue.id, registers.stride()));
    }

    /**
     * Doorbell Buffer Config: every I/O queue that has a place in the pages, now or later, is driven through them.
     *
     * @return false if there is no memory at one of the addresses, it may only be read, or is another device's
     */
    boolean shadow(long values, long events) {
        IovaSpace.Region first = space.find(values, PrpWalk.PAGE);
        IovaSpace.Region second = space.find(events, PrpWalk.PAGE);
        if (first == null
                || second == null
                || first.readOnly
                || second.readOnly
                || first.peer != null
                || second.peer != null
                || first.domain != null
                || second.domain != null) {
            return false;
        }
        shadow = new ShadowDoorbells(first, values - first.iova, second, events - second.iova);
        for (int id = 1; id < completion.length; id++) {
            CompletionQueue completions = completion[id];
            if (completions != null) {
                follow(completions, true);
            }
            SubmissionQueue submissions = submission[id];
            if (submissions != null) {
                follow(submissions, true);
            }
        }
        return true;
    }

    /** Whether the memory of the shadow doorbells has been freed. */
    boolean lostShadow() {
        return shadow != null && !shadow.alive();
    }

    private void follow(CompletionQueue queue, boolean running) {
        long offset = Registers.cqHeadDoorbell(queue.id, registers.stride()) - Registers.DOORBELLS;
        if (shadow != null && queue.id != 0 && ShadowDoorbells.holds(offset)) {
            queue.follow(shadow, running);
        }
    }

    private void follow(SubmissionQueue queue, boolean running) {
        long offset = Registers.sqTailDoorbell(queue.id, registers.stride()) - Registers.DOORBELLS;
        if (shadow != null && queue.id != 0 && ShadowDoorbells.holds(offset)) {
            queue.follow(shadow, running);
        }
    }

    /** All queues go, and the shadow doorbells. */
    void clear() {
        shadow = null;
        for (SubmissionQueue queue : submission) {
            if (queue != null) {
                queue.region.ringEnds();
            }
        }
        for (CompletionQueue queue : completion) {
            if (queue != null) {
                queue.region.ringEnds();
            }
        }
        Arrays.fill(submission, null);
        Arrays.fill(completion, null);
        io = NONE;
    }

    /** Whose doorbells {@link #checkDoorbells} looks at, or looked at last. */
    @Nullable
    SubmissionQueue looking() {
        return looking;
    }

    /** Looks at every doorbell: those of queues that exist for wrong values, the others for any. */
    void checkDoorbells() {
        looking = null;
        int stride = 4 << registers.stride();
        int index = 0;
        for (long at = Registers.DOORBELLS; at < registers.size(); at += stride) {
            int id = index >>> 1;
            boolean head = (index & 1) != 0;
            index++;
            CompletionQueue completions = head ? completion(id) : null;
            SubmissionQueue submissions = head ? null : submission(id);
            if (!head) {
                looking = submissions;
            }
            if (completions != null) {
                boolean ignored = completions.look();
            } else if (submissions != null) {
                int ignored = submissions.tail();
            } else if (registers.doorbell(at) != 0) {
                registers.clearDoorbell(at);
                registers.invalidDoorbellRegister();
            }
        }
    }

    /** Tells of new completions, once a vector and queue; of those of which nobody wants to know, when it is called next. */
    void interrupt(InterruptVectors vectors) {
        for (CompletionQueue queue : completion) {
            if (queue != null && queue.untold && queue.vector != CompletionQueue.POLLED) {
                queue.untold = !vectors.raise(queue.vector);
            }
        }
    }

    /** Finds queues again whose memory was taken away, and has been given again since: a virtual machine does that. */
    void findAgain() {
        for (int id = 0; id < completion.length; id++) {
            CompletionQueue completions = completion[id];
            if (completions != null && !completions.ring.scope().isAlive()) {
                MemorySegment ring = ring(completions.address, (long) completions.entries << Cqe.SHIFT);
                completions.ring = ring == null || ring.isReadOnly() ? completions.ring : ring;
            }
            SubmissionQueue submissions = submission[id];
            if (submissions != null && !submissions.ring.scope().isAlive()) {
                MemorySegment ring = ring(submissions.address, (long) submissions.entries << Sqe.SHIFT);
                submissions.ring = ring == null ? submissions.ring : ring;
            }
        }
        if (shadow != null) {
            shadow.findAgain(space);
        }
    }

    /** Where entries are that are looked at again and again: in the host's memory, as no copy of them would do. */
    private @Nullable MemorySegment ring(long address, long bytes) {
        IovaSpace.Region region = region(address, bytes);
        return region == null ? null : region.memory.asSlice(address - region.iova, bytes);
    }

    private IovaSpace.@Nullable Region region(long address, long bytes) {
        IovaSpace.Region region = space.find(address, bytes);
        return region == null || region.peer != null ? null : region;
    }

    private void collect() {
        int count = 0;
        SubmissionQueue[] all = new SubmissionQueue[submission.length];
        for (int id = 1; id < submission.length; id++) {
            SubmissionQueue queue = submission[id];
            if (queue != null) {
                all[count++] = queue;
            }
        }
        io = Arrays.copyOf(all, count);
    }
}
