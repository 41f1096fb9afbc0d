package io.aisio.bench;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * One queue kept full: what completes is sent again at once, to another place. One thread's, but for the counters,
 * which any thread may read while it runs.
 *
 * <p>What runs for each I/O is in {@link #turn}; it allocates nothing, locks nothing and reads no clock unless latency
 * was asked for.
 */
final class Lane implements AutoCloseable {
    private final Device device;
    private final Queue queue;
    private final int ioBytes;
    private final int batch;
    private final Failures failures;

    private final LbaGenerator readLbas;
    private final LbaGenerator writeLbas;
    /** Whether directions are mixed; the direction of each slot is then in {@link #writing}. */
    private final boolean mixed;

    private final int readPercent;
    private final SplitMix direction;

    private final @Nullable Latency readLatency;
    private final @Nullable Latency writeLatency;
    private final boolean timed;

    private final int[] slots;
    private final long[] lbas;
    private final boolean[] writing;
    private final long[] sent;

    private final AtomicLong readsDone = new AtomicLong();
    private final AtomicLong writesDone = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();

    private @Nullable Buffer buffer;
    private long measuredReads;
    private long measuredWrites;

    /**
     * @param device the device
     * @param queue open and empty; closed with the lane
     * @param index which of the device's queues this is, from 0
     * @param options what to do; the device fits it
     * @param readLatency where reads' times go, {@code null} to take none
     * @param writeLatency where writes' times go, {@code null} to take none
     * @param failures where failures are told
     */
    Lane(
            Device device,
            Queue queue,
            int index,
            RunOptions options,
            @Nullable Latency readLatency,
            @Nullable Latency writeLatency,
            Failures failures) {
        this.device = device;
        this.queue = queue;
        this.ioBytes = (int) options.ioBytes();
        this.batch = options.batch();
        this.failures = failures;
        this.readPercent = options.readPercent();
        this.mixed = options.reads() && options.writes();
        this.readLatency = readLatency;
        this.writeLatency = writeLatency;
        this.timed = readLatency != null || writeLatency != null;
        int depth = options.queueDepth();
        slots = new int[depth];
        lbas = new long[depth];
        writing = new boolean[depth];
        sent = new long[depth];
        SplitMix seeds = new SplitMix(options.seed() + index);
        readLbas = lbas(options, index, seeds.next());
        writeLbas = lbas(options, index, seeds.next());
        direction = new SplitMix(seeds.next());
    }

    private LbaGenerator lbas(RunOptions options, int index, long seed) {
        int lbasPerIo = ioBytes / device.geometry().lbaBytes();
        long ios = device.geometry().lbaCount() / lbasPerIo;
        return options.pattern().random()
                ? LbaGenerator.random(ios, lbasPerIo, seed)
                : LbaGenerator.sequential(ios, lbasPerIo, index, options.queuesPerDevice());
    }

    /** Allocates memory, slot {@code i} at {@code i} times the I/O's size, and binds every slot. */
    void bind(long seed) throws IOException {
        Buffer memory = device.allocate((long) slots.length * ioBytes);
        buffer = memory;
        boolean write = readPercent == 0;
        if (readPercent < 100) {
            scribble(memory.segment(), seed);
        }
        for (int slot = 0; slot < slots.length; slot++) {
            bind(memory, slot, write);
        }
    }

    /** Fills memory with bytes that neither a null device nor a compressing one gets for nothing. */
    private static void scribble(MemorySegment memory, long seed) {
        SplitMix random = new SplitMix(seed);
        for (long i = 0; i < memory.byteSize(); i += Long.BYTES) {
            memory.set(JAVA_LONG_UNALIGNED, i, random.next() | 1);
        }
    }

    private void bind(Buffer memory, int slot, boolean write) {
        writing[slot] = write;
        if (write) {
            queue.bindWrite(slot, memory, (long) slot * ioBytes, ioBytes);
        } else {
            queue.bindRead(slot, memory, (long) slot * ioBytes, ioBytes);
        }
    }

    /** Sends the first I/O of every slot. */
    void fill() throws IOException {
        for (int slot = 0; slot < slots.length; slot++) {
            slots[slot] = slot;
        }
        send(slots.length);
    }

    /**
     * Takes what has completed and sends as much again.
     *
     * @param alone whether the thread has nothing else to do: it sleeps then, if the queue can
     * @return how many completed
     * @throws IOException if the device takes no more
     */
    int turn(boolean alone) throws IOException {
        int n = alone && queue.sleeps() ? queue.await(slots, batch) : queue.poll(slots);
        if (n != 0) {
            settle(n);
            send(n);
        }
        return n;
    }

    /** Counts what has completed, and makes {@code slots} plain slots. */
    private void settle(int n) {
        int failedReads = 0;
        int failedWrites = 0;
        for (int i = 0; i < n; i++) {
            if (slots[i] < 0) {
                slots[i] = ~slots[i];
                tellFailure(slots[i]);
                failedWrites += writing[slots[i]] ? 1 : 0;
                failedReads += writing[slots[i]] ? 0 : 1;
            }
        }
        if (timed) {
            time(n);
        }
        int writes = mixed ? writes(n) : readPercent == 0 ? n : 0;
        count(readsDone, n - writes - failedReads);
        count(writesDone, writes - failedWrites);
    }

    private int writes(int n) {
        int writes = 0;
        for (int i = 0; i < n; i++) {
            writes += writing[slots[i]] ? 1 : 0;
        }
        return writes;
    }

    /** Only this thread writes; others read now and then. */
    private static void count(AtomicLong counter, int n) {
        counter.setOpaque(counter.getPlain() + n);
    }

    private void tellFailure(int slot) {
        count(failed, 1);
        if (failures.open()) {
            failures.add(Failures.text(queue.failure(slot)));
        }
    }

    private void time(int n) {
        long now = System.nanoTime();
        for (int i = 0; i < n; i++) {
            int slot = slots[i];
            Latency latency = writing[slot] ? writeLatency : readLatency;
            if (latency != null) {
                latency.record(now - sent[slot]);
            }
        }
    }

    private void send(int n) throws IOException {
        if (mixed) {
            mix(n);
        } else if (readPercent == 0) {
            writeLbas.fill(lbas, n);
        } else {
            readLbas.fill(lbas, n);
        }
        if (timed) {
            long now = System.nanoTime();
            for (int i = 0; i < n; i++) {
                sent[slots[i]] = now;
            }
        }
        queue.submit(slots, lbas, n);
    }

    /** Draws each I/O's direction, and binds the slots that change theirs. */
    private void mix(int n) {
        Buffer memory = Objects.requireNonNull(buffer);
        for (int i = 0; i < n; i++) {
            int slot = slots[i];
            // Scaling 64 bits to 100 favours some by less than 2^-57: no run is long enough to see it.
            boolean write = Math.unsignedMultiplyHigh(direction.next(), 100) >= readPercent;
            if (write != writing[slot]) {
                bind(memory, slot, write);
            }
            lbas[i] = write ? writeLbas.next() : readLbas.next();
        }
    }

    /** Measuring begins: what completed until now does not count. */
    void begin() {
        measuredReads = -readsDone.getPlain();
        measuredWrites = -writesDone.getPlain();
    }

    /** Measuring ends: what completes from now on does not count. */
    void end() {
        measuredReads += readsDone.getPlain();
        measuredWrites += writesDone.getPlain();
    }

    /**
     * Waits for what is in flight, sending nothing.
     *
     * @param patienceNanos the longest silence before what is left is given up, and told as a failure
     */
    void drain(long patienceNanos) {
        long heard = System.nanoTime();
        while (queue.outstanding() > 0) {
            int n = queue.poll(slots);
            if (n > 0) {
                settle(n);
                heard = System.nanoTime();
            } else if (System.nanoTime() - heard > patienceNanos) {
                failures.add(device.name() + ": " + queue.outstanding() + " I/Os were still in flight "
                        + patienceNanos / 1_000_000 + " ms after the last one was heard of");
                return;
            } else {
                Thread.yield();
            }
        }
    }

    Device device() {
        return device;
    }

    /** I/Os that succeeded since the lane was filled. Any thread may ask. */
    long done() {
        return readsDone.getOpaque() + writesDone.getOpaque();
    }

    /** I/Os that failed since the lane was filled. Any thread may ask. */
    long failed() {
        return failed.getOpaque();
    }

    long measuredReads() {
        return measuredReads;
    }

    long measuredWrites() {
        return measuredWrites;
    }

    /** Closes the queue, then frees the memory. */
    @Override
    public void close() throws IOException {
        queue.close();
        if (buffer != null) {
            buffer.close();
        }
    }
}
