package io.aisio.homi.ublk;

import io.aisio.linux.Errno;
import io.aisio.linux.EventFd;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UblkQueue;
import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.BlockCommand;
import io.aisio.nvme.spec.DatasetRange;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One queue of a block device, and the queue pair that it becomes: a tag is a slot. Its thread owns all of it.
 *
 * <p>With nothing in flight at the controller it sleeps until the kernel has a request. Otherwise it polls for a little, then
 * sleeps until the controller interrupts or the kernel has more; where there are no interrupts, for a moment at a time.
 *
 * <p>A command that fails and may succeed the next time is submitted again: a reset of the controller is not the kernel's
 * concern.
 */
final class ExportedQueue {
    /** How often a command is submitted at most; {@link io.aisio.xnvme.RetryingQueue} has the same. */
    private static final int TRIES = 4;
    /** How long a command waits to be submitted again at most, whatever the controller asks for. */
    private static final long LONGEST_DELAY_NANOS = TimeUnit.SECONDS.toNanos(30);
    /** How long before the first time. */
    private static final long FIRST_DELAY_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    /** How long it polls before it sleeps: as long as a fast device takes, if somebody else has a processor meanwhile. */
    private static final long SPIN_NANOS = Runtime.getRuntime().availableProcessors() > 1 ? 20_000 : 0;
    /** How long it sleeps with commands in flight, as a queue pair's owner may. */
    private static final Duration LONGEST_SLEEP = Duration.ofMillis(100);
    /** The same where nothing wakes it. */
    private static final Duration SHORT_SLEEP = Duration.ofNanos(50_000);
    /** How long commands have to come back when it is to end. */
    private static final long DRAIN_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final long SECTOR_SHIFT = 9;

    private final String name;
    private final Shape shape;
    private final int depth;
    private final int queue;
    private final Buffer buffer;
    private final DmaMemory memory;
    private final QueuePair pair;
    private final UblkQueue requests;
    private final Counts counts = new Counts();
    private final CountDownLatch fetched = new CountDownLatch(1);
    private volatile boolean quits;
    private volatile @Nullable Throwable failure;

    // Of each tag: the command that is bound to its slot, when its request came, how often it was submitted, what it
    // moves,
    // and where.
    private final long[] bound;
    private final long[] began;
    private final int[] tries;
    private final int[] bytes;
    private final long[] places;

    // Tags that wait to be submitted again, and when they are.
    private final int[] waiting;
    private final long[] due;
    private int waitingCount;

    // A batch.
    private final int[] slots;
    private final long[] lbas;
    private final int[] completed;

    private boolean slept;
    /** Since when there was nothing to do, by {@link System#nanoTime}, if {@link #idle}. */
    private long idleSince;

    private boolean idle;

    private ExportedQueue(
            String name, Shape shape, int queue, int depth, Buffer buffer, QueuePair pair, UblkQueue requests) {
        this.name = name;
        this.shape = shape;
        this.queue = queue;
        this.depth = depth;
        this.buffer = buffer;
        this.pair = pair;
        this.requests = requests;
        memory = buffer.memory();
        bound = new long[depth];
        began = new long[depth];
        tries = new int[depth];
        bytes = new int[depth];
        places = new long[depth];
        waiting = new int[depth];
        due = new long[depth];
        slots = new int[depth];
        lbas = new long[depth];
        completed = new int[depth];
        Arrays.fill(bound, -1);
    }

    /**
     * Makes it; {@link #serve} is then called, by a thread of its own.
     *
     * @param name of the block device, for messages
     * @param channel {@code /dev/ublkcN}
     * @throws IOException if memory, a queue pair or the kernel's part cannot be had
     */
    static ExportedQueue open(NvmeDevice device, String name, Shape shape, OpenFile channel, int queue, int depth)
            throws IOException {
        Buffer buffer = device.allocate((long) depth * shape.maxIoBytes());
        QueuePair pair = null;
        try {
            pair = createPair(device.controller(), depth);
            EventFd event = pair.event();
            return new ExportedQueue(
                    name, shape, queue, depth, buffer, pair, UblkQueue.open(channel, queue, depth, event));
        } catch (IOException | RuntimeException e) {
            try {
                if (pair != null) {
                    pair.close();
                }
            } catch (IOException onClose) {
                e.addSuppressed(onClose);
            } finally {
                buffer.close();
            }
            throw e;
        }
    }

    /** One that interrupts, if the controller has an interrupt left. */
    private static QueuePair createPair(NvmeController controller, int depth) throws IOException {
        try {
            return controller.createSleepingQueuePair(depth);
        } catch (IOException | UnsupportedOperationException noInterrupt) {
            try {
                return controller.createQueuePair(depth);
            } catch (IOException e) {
                e.addSuppressed(noInterrupt);
                throw e;
            }
        }
    }

    /** The queue pair's identifier. */
    int qid() {
        return pair.qid();
    }

    Counts counts() {
        return counts;
    }

    /** Why it ended, null if it was to, or goes on. */
    @Nullable
    Throwable failure() {
        return failure;
    }

    /** Waits until the kernel was asked for requests of all tags, or it has failed; whether it was. */
    boolean awaitFetched(Duration limit) throws InterruptedException {
        return fetched.await(limit.toNanos(), TimeUnit.NANOSECONDS) && failure == null;
    }

    /** Has it end soon, whatever the kernel wants; the kernel keeps what is not answered for the next server. */
    void quit() {
        quits = true;
        requests.wake();
    }

    /** Serves until the device is stopped or {@link #quit} is called, then gives everything back. */
    void serve() {
        try {
            boolean _ = UblkQueue.declareIoFlusher();
            MemorySegment segment = memory.segment();
            for (int tag = 0; tag < depth; tag++) {
                requests.fetch(tag, segment.address() + place(tag));
            }
            requests.exchange();
            fetched.countDown();
            while (!quits && !requests.isOver()) {
                turn();
            }
            drain();
        } catch (Throwable e) {
            failure = e;
        } finally {
            fetched.countDown();
            giveBack();
        }
    }

    private void giveBack() {
        try {
            // The kernel lets go of the memory first, then the controller.
            try {
                requests.close();
            } finally {
                pair.close();
            }
            buffer.close();
        } catch (IOException | RuntimeException e) {
            // The memory stays: the controller may still write to it.
            Throwable before = failure;
            if (before == null) {
                failure = e;
            } else {
                before.addSuppressed(e);
            }
        }
    }

    private long place(int tag) {
        return (long) tag * shape.maxIoBytes();
    }

    private void turn() throws IOException {
        int found = takeRequests() + takeCompletions();
        if (waitingCount > 0) {
            found += tryAgain();
        }
        if (found > 0) {
            idle = false;
            requests.exchange();
        } else if (!requests.isOver()) {
            rest();
        }
    }

    private void rest() throws IOException {
        if (pair.outstanding() == 0 && waitingCount == 0) {
            requests.awaitRequest();
            return;
        }
        long now = System.nanoTime();
        if (!idle) {
            idle = true;
            idleSince = now;
        }
        if (pair.outstanding() > 0 && now - idleSince < SPIN_NANOS) {
            requests.exchange();
            Thread.onSpinWait();
        } else {
            Duration limit = pair.event() == null && pair.outstanding() > 0 ? SHORT_SLEEP : LONGEST_SLEEP;
            requests.await(waitingCount == 0 ? limit : untilDue(now, limit));
            slept = true;
        }
    }

    private Duration untilDue(long now, Duration limit) {
        long nanos = limit.toNanos();
        for (int i = 0; i < waitingCount; i++) {
            nanos = Math.min(nanos, Math.max(0, due[waiting[i]] - now));
        }
        return Duration.ofNanos(nanos);
    }

    private int takeRequests() throws LinuxException {
        int n = 0;
        int taken = 0;
        long now = 0;
        // At most one request a tag comes before one of them is answered.
        for (int tag = requests.next(); tag >= 0; tag = requests.next()) {
            if (taken++ == 0) {
                now = System.nanoTime();
            }
            began[tag] = now;
            tries[tag] = 1;
            int refusal = prepare(tag);
            if (refusal == 0) {
                slots[n] = tag;
                lbas[n++] = places[tag];
            } else {
                fail(tag, refusal);
            }
        }
        submit(n);
        return taken;
    }

    /** Makes a request a command; 0, or the errno with which it is refused. */
    private int prepare(int tag) {
        int operation = requests.operation(tag);
        bytes[tag] = 0;
        if (operation == UblkQueue.FLUSH) {
            places[tag] = 0;
            return bind(tag, Opcode.FLUSH, 0, 0);
        }
        long sectors = Integer.toUnsignedLong(requests.sectors(tag));
        long start = requests.start(tag);
        long shift = shape.lbaShift() - SECTOR_SHIFT;
        long blocks = sectors >>> shift;
        long lba = start >>> shift;
        if (blocks == 0
                || blocks << shift != sectors
                || lba << shift != start
                || lba < 0
                || lba > shape.lbaCount() - blocks) {
            return Errno.EINVAL;
        }
        places[tag] = lba;
        if (operation != UblkQueue.READ && shape.readOnly()) {
            return Errno.EPERM;
        }
        return switch (operation) {
            case UblkQueue.READ, UblkQueue.WRITE -> transfer(tag, operation, sectors, (int) blocks);
            case UblkQueue.WRITE_ZEROES -> zeroes(tag, blocks);
            case UblkQueue.DISCARD -> discard(tag, lba, blocks);
            default -> Errno.EOPNOTSUPP;
        };
    }

    private int transfer(int tag, int operation, long sectors, int blocks) {
        if (sectors << SECTOR_SHIFT > shape.maxIoBytes()) {
            return Errno.EINVAL;
        }
        bytes[tag] = (int) (sectors << SECTOR_SHIFT);
        return operation == UblkQueue.READ
                ? bind(tag, Opcode.READ, blocks, 0)
                : bind(tag, Opcode.WRITE, blocks, durable(tag));
    }

    private int durable(int tag) {
        return (requests.flags(tag) & UblkQueue.FUA) == 0 ? 0 : BlockCommand.FORCE_UNIT_ACCESS;
    }

    private int zeroes(int tag, long blocks) {
        if (!shape.zeroes() || blocks > 0x1_0000) {
            return Errno.EOPNOTSUPP;
        }
        boolean deallocates = shape.zeroesDeallocate() && (requests.flags(tag) & UblkQueue.NO_UNMAP) == 0;
        return bind(tag, Opcode.WRITE_ZEROES, (int) blocks, (deallocates ? BlockCommand.DEALLOCATE : 0) | durable(tag));
    }

    private int discard(int tag, long lba, long blocks) {
        if (!shape.discards()) {
            return Errno.EOPNOTSUPP;
        }
        // The request has no data, so its memory is free for the one range.
        MemorySegment range = memory.segment().asSlice(place(tag), DatasetRange.BYTES);
        Wire.i32(range, DatasetRange.ATTRIBUTES, 0);
        Wire.i32(range, DatasetRange.NLB, (int) blocks);
        Wire.i64(range, DatasetRange.SLBA, lba);
        // Command dwords 10 and 11: one range, 0's based, to be deallocated.
        places[tag] = (long) DatasetRange.DEALLOCATE << 32;
        return bind(tag, Opcode.DATASET_MANAGEMENT, 0, 0);
    }

    /** Binds a tag's command, unless it is the one that is bound already: then only its place differs. */
    private int bind(int tag, int opcode, int blocks, int flags) {
        long wanted = (long) blocks << 40 | (long) opcode << 32 | (flags & 0xFFFF_FFFFL);
        if (bound[tag] == wanted) {
            return 0;
        }
        try {
            long cdw12 = Math.max(0, blocks - 1) | (flags & 0xFFFF_FFFFL);
            Command command = new Command(opcode, shape.nsid(), 0, cdw12, 0);
            switch (opcode) {
                case Opcode.READ, Opcode.WRITE ->
                    pair.bind(tag, command, memory, place(tag), blocks << shape.lbaShift());
                case Opcode.DATASET_MANAGEMENT -> pair.bind(tag, command, memory, place(tag), DatasetRange.BYTES);
                default -> pair.bind(tag, command);
            }
            bound[tag] = wanted;
            return 0;
        } catch (UncheckedIOException e) {
            bound[tag] = -1;
            return Errno.ENOMEM;
        }
    }

    private void submit(int n) {
        if (n == 0) {
            return;
        }
        try {
            pair.submit(slots, lbas, n);
        } catch (NvmeException e) {
            for (int i = 0; i < n; i++) {
                failOrTryAgain(slots[i], e);
            }
        }
    }

    private int takeCompletions() {
        if (pair.outstanding() == 0) {
            return 0;
        }
        int n = slept ? pair.pollAfterSleep(completed) : pair.poll(completed);
        slept = false;
        if (n == 0) {
            return 0;
        }
        long now = System.nanoTime();
        for (int i = 0; i < n; i++) {
            int tag = completed[i];
            if (tag >= 0) {
                succeed(tag, now - began[tag]);
            } else {
                failOrTryAgain(~tag, pair.failure(~tag));
            }
        }
        return n;
    }

    private void succeed(int tag, long nanos) {
        switch (requests.operation(tag)) {
            case UblkQueue.READ -> counts.read(bytes[tag], nanos);
            case UblkQueue.FLUSH -> counts.flushed(nanos);
            default -> counts.wrote(bytes[tag], nanos);
        }
        requests.commit(tag, bytes[tag]);
    }

    private void fail(int tag, int errno) {
        counts.failed();
        requests.commit(tag, -errno);
    }

    private void failOrTryAgain(int tag, NvmeException why) {
        if (!why.retryable() || tries[tag] == TRIES || quits) {
            fail(tag, KernelError.of(why));
            return;
        }
        long delay = Math.min(LONGEST_DELAY_NANOS, why.retryDelay().toNanos());
        due[tag] = System.nanoTime() + Math.max(FIRST_DELAY_NANOS << tries[tag], delay);
        waiting[waitingCount++] = tag;
    }

    private int tryAgain() {
        long now = System.nanoTime();
        int n = 0;
        int left = 0;
        for (int i = 0; i < waitingCount; i++) {
            int tag = waiting[i];
            if (due[tag] - now <= 0) {
                tries[tag]++;
                slots[n] = tag;
                lbas[n++] = places[tag];
            } else {
                waiting[left++] = tag;
            }
        }
        waitingCount = left;
        submit(n);
        return n;
    }

    /** Takes what the controller still completes, so that the kernel hears of it. */
    private void drain() throws IOException {
        long end = System.nanoTime() + DRAIN_NANOS;
        while (pair.outstanding() > 0 && System.nanoTime() - end < 0) {
            if (takeCompletions() == 0) {
                Thread.onSpinWait();
            }
        }
        if (!requests.isOver()) {
            requests.exchange();
        }
    }

    @Override
    public String toString() {
        return name + ", queue " + queue;
    }
}
