package io.aisio.microbench;

import io.aisio.emu.EmuConfiguration;
import io.aisio.emu.EmuController;
import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.MappedBar;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What the software controller takes for a command of a queue pair that is driven in rounds, as a GPU does: 511 entries are
 * written, one doorbell rings, all completions are awaited, one doorbell tells that they were taken. Null media, 512-byte reads
 * at random LBAs. The entries are written before the clock starts. Time is per command.
 *
 * <ul>
 *   <li>{@link #controller}: the controller is stepped by the benchmark, so that it has the rings in its own cache
 *   <li>{@link #fromDoorbellToLastCompletion}: it runs on its own thread, and every entry comes from another core's cache
 * </ul>
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LentQueueBenchmark {
    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    /** Commands of a round. */
    static final int DEPTH = 511;

    /** A controller with one such queue pair. */
    @State(Scope.Thread)
    @SuppressWarnings("NullAway.Init") // JMH calls the set-up before anything else.
    public abstract static class Lent {
        @Param({"1"})
        int queues;

        EmuController controller;
        NvmeDevice device;
        Buffer data;
        Driver[] all;
        /** Whose turn it is. */
        Driver driver;

        int next;

        void open() throws IOException {
            controller = EmuController.open("emu", EmuConfiguration.nothing(1L << 40));
            controller.start();
            device = NvmeDevice.open(controller.function(), 1, "emu", "null media");
            data = device.allocate(DEPTH * 512L);
            all = new Driver[queues];
            for (int q = 0; q < queues; q++) {
                all[q] = new Driver(device, data);
            }
        }

        void closeAll() throws IOException {
            for (Driver driver : all) {
                driver.close();
            }
            data.close();
            device.close();
        }

        Driver turn() {
            Driver driver = all[next];
            next = next + 1 == all.length ? 0 : next + 1;
            return driver;
        }
    }

    /** Who drives a pair. */
    static final class Driver {
        private final Buffer sq;
        private final Buffer cq;
        private final Buffer data;
        private final LentQueuePair pair;
        private final MappedBar bar;
        private final long blocks;
        private final SplittableRandom random = new SplittableRandom(9);
        private int tail;
        private int head;
        private int phase = 1;

        Driver(NvmeDevice device, Buffer data) throws IOException {
            this.data = data;
            sq = device.allocate((DEPTH + 1L) * Sqe.BYTES);
            cq = device.allocate((DEPTH + 1L) * Cqe.BYTES);
            pair = device.lendQueuePair(sq.memory(), cq.memory(), DEPTH);
            bar = Objects.requireNonNull(device.doorbells());
            blocks = device.geometry().lbaCount();
        }

        void write() {
            MemorySegment ring = sq.segment();
            for (int i = 0; i < DEPTH; i++) {
                long at = (long) tail * Sqe.BYTES;
                Wire.i64(ring, at + Sqe.DW0, Sqe.word0(Opcode.READ, 1) | (long) i << Sqe.CID_SHIFT);
                Wire.i64(ring, at + Sqe.CDW2, 0);
                Wire.i64(ring, at + Sqe.MPTR, 0);
                Wire.i64(ring, at + Sqe.PRP1, data.memory().iova(i * 512L));
                Wire.i64(ring, at + Sqe.PRP2, 0);
                Wire.i64(ring, at + Sqe.CDW10, random.nextLong(blocks));
                Wire.i64(ring, at + Sqe.CDW12, 0);
                Wire.i64(ring, at + Sqe.CDW14, 0);
                tail = tail == DEPTH ? 0 : tail + 1;
            }
        }

        void ring() {
            bar.write32(pair.tailDoorbell(), tail);
        }

        /** Waits for each completion in its turn; their CIDs, added up. */
        long take() {
            MemorySegment ring = cq.segment();
            long sum = 0;
            for (int i = 0; i < DEPTH; i++) {
                long at = (long) head * Cqe.BYTES + Cqe.WORD1;
                long word = (long) LONG.getAcquire(ring, at);
                while (Cqe.phase(word) != phase) {
                    Thread.onSpinWait();
                    word = (long) LONG.getAcquire(ring, at);
                }
                sum += Cqe.cid(word);
                if (head == DEPTH) {
                    head = 0;
                    phase ^= 1;
                } else {
                    head++;
                }
            }
            bar.write32(pair.headDoorbell(), head);
            return sum;
        }

        void close() throws IOException {
            pair.close();
            sq.close();
            cq.close();
        }
    }

    /** The controller is stepped by the benchmark itself. */
    public static class Inline extends Lent {
        /** Brings the controller up and takes it over from its thread. */
        @Setup(Level.Trial)
        public void takeOver() throws IOException {
            open();
            controller.stop();
        }

        /** Writes a round. */
        @Setup(Level.Invocation)
        public void write() {
            driver = turn();
            driver.write();
            driver.ring();
        }

        /** Takes a round. */
        @TearDown(Level.Invocation)
        public void take() {
            long _ = driver.take();
        }

        /** Gives the controller back to its thread, to be closed. */
        @TearDown(Level.Trial)
        public void giveBack() throws IOException {
            controller.start();
            closeAll();
        }
    }

    /** The controller is run by its own thread. */
    public static class Apart extends Lent {
        /** Brings the controller up. */
        @Setup(Level.Trial)
        public void start() throws IOException {
            open();
        }

        /** Writes a round. */
        @Setup(Level.Invocation)
        public void write() {
            driver = turn();
            driver.write();
        }

        /** Closes everything. */
        @TearDown(Level.Trial)
        public void stop() throws IOException {
            closeAll();
        }
    }

    /** The controller alone. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public int controller(Inline state) {
        int n = 0;
        while (n < DEPTH) {
            n += state.controller.step();
        }
        return n;
    }

    /** Driver here, controller on another core. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public long fromDoorbellToLastCompletion(Apart state) {
        state.driver.ring();
        return state.driver.take();
    }
}
