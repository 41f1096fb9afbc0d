package io.aisio.bench;

import io.aisio.xnvme.Backoff;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * {@code xnvmeperf verify}: writes blocks that say who they are, reads them back in another order, and compares every
 * byte.
 *
 * <pre>{@code
 * VerifyReport report = Verify.verify(VerifyOptions.of(List.of("emu:1GiB"), 4096, 4096));
 * }</pre>
 *
 * A generation is: write all, each block with its {@link Stamp}; then, for each I/O, poison the buffer and read it back.
 * What is in flight at one time never overlaps, so a mismatch is the device's.
 */
public final class Verify implements AutoCloseable {
    /** Looks that found nothing between two looks at the clock. */
    private static final int IDLE_LOOKS_PER_CHECK = 1024;
    /** How long a device may be silent with I/Os in flight. */
    private static final long SILENCE_NANOS = 60_000_000_000L;

    private final VerifyOptions options;
    private final Device device;
    private final int lbasPerIo;
    private final Stamp stamp;
    private final List<Lane> lanes = new ArrayList<>();

    private final BitSet failedIos = new BitSet();
    private final BitSet mismatchedIos = new BitSet();
    private final Failures failures = new Failures();
    private final List<VerifyReport.Mismatch> shown = new ArrayList<>();
    private long failed;

    /** A queue with its memory: slot {@code i} at {@code i} times the I/O's size. */
    private static final class Lane {
        final Queue queue;
        final Buffer buffer;
        /** Which I/O each slot carries. */
        final int[] ios;
        /** Free slots, the first {@link #free} of them. */
        final int[] slots;

        final int[] completed;
        final long[] lbas;
        int free;

        Lane(Queue queue, Buffer buffer) {
            this.queue = queue;
            this.buffer = buffer;
            int depth = queue.depth();
            ios = new int[depth];
            slots = new int[depth];
            completed = new int[depth];
            lbas = new long[depth];
            for (int slot = 0; slot < depth; slot++) {
                slots[slot] = slot;
            }
            free = depth;
        }
    }

    private Verify(VerifyOptions options, Device device, long run) {
        this.options = options;
        this.device = device;
        int lbaBytes = device.geometry().lbaBytes();
        lbasPerIo = (int) options.ioBytes() / lbaBytes;
        stamp = new Stamp(lbaBytes, options.seed(), run);
    }

    /**
     * Verifies one device after the other. Failed I/Os and mismatches are in the report.
     *
     * @throws IllegalArgumentException if the options do not fit a device, or if data would be destroyed and that was not
     *     asked for; the message is one sentence for the person who typed it
     * @throws IOException if a device or a queue cannot be opened, takes no more I/Os or falls silent, if the device's data
     *     is in use, or if the thread is interrupted
     */
    public static VerifyReport verify(VerifyOptions options) throws IOException {
        return verify(options, Device::open, new SecureRandom().nextLong());
    }

    /** Verifies with blocks of the given run, the same ones at every call. */
    static VerifyReport verify(VerifyOptions options, Run.Opener opener, long run) throws IOException {
        DataAtRisk.check(options.devices(), options.destroyData());
        List<VerifyReport.DeviceResult> results = new ArrayList<>();
        for (String name : options.devices()) {
            try (Device device = opener.open(name)) {
                check(options, device);
                try (Verify verify = new Verify(options, device, run)) {
                    results.add(verify.result());
                }
            }
        }
        return new VerifyReport(options, results);
    }

    private static void check(VerifyOptions options, Device device) {
        Fit.check(device, options.queueDepth(), options.ioBytes(), options.queuesPerDevice());
        long holds = device.geometry().bytes() / options.ioBytes();
        if (options.count() > holds) {
            throw new IllegalArgumentException(
                    device.name() + ": --count " + options.count() + " of " + options.ioBytes()
                            + " bytes is beyond its end at "
                            + ByteSize.format(device.geometry().bytes()) + "; use --count "
                            + holds + " or less");
        }
        if (options.count() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("--count " + options.count() + " is more than one run keeps track of, "
                    + Integer.MAX_VALUE + "; use a larger --iosize");
        }
    }

    private VerifyReport.DeviceResult result() throws IOException {
        open();
        for (int generation = 1; generation <= options.generations(); generation++) {
            pass(generation, true);
            pass(generation, false);
        }
        return new VerifyReport.DeviceResult(
                device.name(),
                device.path(),
                device.capabilities(),
                options.count() - failedIos.cardinality(),
                mismatchedIos.cardinality(),
                failed,
                shown,
                failures.first());
    }

    private void open() throws IOException {
        for (int i = 0; i < options.queuesPerDevice(); i++) {
            Queue queue = device.openQueue(options.queueDepth());
            try {
                lanes.add(new Lane(queue, device.allocate(options.queueDepth() * options.ioBytes())));
            } catch (Throwable t) {
                try (queue) {
                    throw t;
                }
            }
        }
    }

    /** Sends every I/O once, in one direction, over all queues, and deals with what comes back. */
    private void pass(int generation, boolean write) throws IOException {
        for (Lane lane : lanes) {
            bind(lane, write);
        }
        Order order = write ? Order.ascending(count()) : Order.scattered(count(), options.seed() + generation);
        long heard = System.nanoTime();
        int idle = 0;
        int inFlight;
        do {
            inFlight = 0;
            int done = 0;
            for (Lane lane : lanes) {
                send(lane, order, generation, write);
                done += reap(lane, generation, write);
                inFlight += lane.queue.outstanding();
            }
            if (done > 0) {
                idle = 0;
                heard = System.nanoTime();
            } else {
                Backoff.pause(++idle);
                if ((idle & IDLE_LOOKS_PER_CHECK - 1) == 0) {
                    checkHeard(heard, inFlight, write);
                }
            }
            if (Thread.interrupted()) {
                throw new InterruptedIOException(device.name() + ": interrupted while it was verified");
            }
        } while (inFlight > 0 || order.hasNext());
    }

    private void checkHeard(long heard, int inFlight, boolean write) throws IOException {
        if (System.nanoTime() - heard > SILENCE_NANOS) {
            throw new IOException(device.name() + ": silent for " + SILENCE_NANOS / 1_000_000_000 + " s with "
                    + inFlight + (write ? " writes" : " reads") + " in flight");
        }
    }

    private int count() {
        return (int) options.count();
    }

    private void bind(Lane lane, boolean write) {
        int bytes = (int) options.ioBytes();
        for (int slot = 0; slot < lane.queue.depth(); slot++) {
            if (write) {
                lane.queue.bindWrite(slot, lane.buffer, (long) slot * bytes, bytes);
            } else {
                lane.queue.bindRead(slot, lane.buffer, (long) slot * bytes, bytes);
            }
        }
    }

    private void send(Lane lane, Order order, int generation, boolean write) throws IOException {
        int n = 0;
        // From the top of the free slots, so that what is left stays in place.
        int first = lane.free;
        while (first > 0 && order.hasNext()) {
            int io = order.next();
            if (!write && failedIos.get(io)) {
                continue;
            }
            int slot = lane.slots[--first];
            lane.ios[slot] = io;
            lane.lbas[n] = (long) io * lbasPerIo;
            prepare(lane, slot, lane.lbas[n], generation, write);
            lane.completed[n++] = slot;
        }
        if (n > 0) {
            lane.queue.submit(lane.completed, lane.lbas, n);
            lane.free = first;
        }
    }

    private void prepare(Lane lane, int slot, long lba, int generation, boolean write) {
        if (write) {
            stamp.write(memory(lane, slot), lba, generation);
        } else {
            Stamp.poison(memory(lane, slot));
        }
    }

    private MemorySegment memory(Lane lane, int slot) {
        return lane.buffer.segment().asSlice(slot * options.ioBytes(), options.ioBytes());
    }

    /** Takes what is complete, and says how many. */
    private int reap(Lane lane, int generation, boolean write) {
        int n = lane.queue.poll(lane.completed);
        for (int i = 0; i < n; i++) {
            int slot = lane.completed[i];
            if (slot < 0) {
                slot = ~slot;
                fail(lane, slot);
            } else if (!write) {
                compare(lane, slot, generation);
            }
            lane.slots[lane.free++] = slot;
        }
        return n;
    }

    private void fail(Lane lane, int slot) {
        failed++;
        failedIos.set(lane.ios[slot]);
        if (failures.open()) {
            failures.add(Failures.text(lane.queue.failure(slot)));
        }
    }

    private void compare(Lane lane, int slot, int generation) {
        MemorySegment read = memory(lane, slot);
        long lba = (long) lane.ios[slot] * lbasPerIo;
        int lbaBytes = device.geometry().lbaBytes();
        // A block that stays bad is named in the generation in which it went bad.
        boolean known = mismatchedIos.get(lane.ios[slot]);
        for (int i = 0; i < lbasPerIo; i++) {
            MemorySegment block = read.asSlice((long) i * lbaBytes, lbaBytes);
            if (!stamp.matches(block, lba + i, generation)) {
                mismatchedIos.set(lane.ios[slot]);
                if (!known && shown.size() < Failures.SHOWN) {
                    shown.add(stamp.explain(block, lba + i, generation));
                }
            }
        }
    }

    /** Closes the queues, then frees their memory. */
    @Override
    public void close() throws IOException {
        IOException first = null;
        for (Lane lane : lanes) {
            try {
                lane.queue.close();
                lane.buffer.close();
            } catch (IOException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        lanes.clear();
        if (first != null) {
            throw first;
        }
    }
}
