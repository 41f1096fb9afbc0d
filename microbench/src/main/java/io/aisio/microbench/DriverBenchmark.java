package io.aisio.microbench;

import io.aisio.emu.EmuConfiguration;
import io.aisio.emu.EmuController;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.Bar;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
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
 * Submit and reap of 512-byte random reads at depth 128 on null media, through the public {@link Queue} as a benchmark or
 * a storage engine uses it: generate LBAs, submit a batch, poll it. Time is per command.
 *
 * <ul>
 *   <li>{@link #driverAndController}: the controller is stepped inline between submit and poll
 *   <li>{@link #controllerAlone}: the same rounds without the driver: entries that are in the ring already, doorbells
 *       rung; what the controller costs, to be subtracted
 *   <li>{@link #controllerOnItsOwnCore}: the controller runs on its own thread
 * </ul>
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class DriverBenchmark {
    /** Commands in flight, and in a batch. */
    static final int DEPTH = 128;

    private static final int BYTES = 512;

    /** Queue pairs that are served in turn. */
    @State(Scope.Thread)
    @SuppressWarnings("NullAway.Init") // JMH calls the set-up before anything else.
    public abstract static class Queues {
        @Param({"1", "16"})
        int queues;

        EmuController controller;
        NvmeDevice device;
        Buffer buffer;
        Queue[] all;
        Bar bar;
        int[] tails;
        int next;

        final int[] slots = new int[DEPTH];
        final long[] lbas = new long[DEPTH];
        final int[] completed = new int[DEPTH];
        final SplittableRandom random = new SplittableRandom(42);
        long blocks;

        /** Brings the controller up, with its thread running. */
        void open() throws IOException {
            controller = EmuController.open("emu", EmuConfiguration.nothing(1L << 40));
            controller.start();
            device = NvmeDevice.open(controller.function(), 1, "emu", "null media");
            buffer = device.allocate((long) DEPTH * BYTES);
            all = new Queue[queues];
            for (int q = 0; q < queues; q++) {
                all[q] = device.openQueue(DEPTH);
                for (int slot = 0; slot < DEPTH; slot++) {
                    all[q].bindRead(slot, buffer, (long) slot * BYTES, BYTES);
                }
            }
            for (int slot = 0; slot < DEPTH; slot++) {
                slots[slot] = slot;
            }
            bar = controller.function().bar(0);
            tails = new int[queues];
            blocks = device.geometry().lbaCount();
        }

        @TearDown(Level.Trial)
        public void close() throws IOException {
            controller.start();
            for (Queue queue : all) {
                queue.close();
            }
            buffer.close();
            device.close();
        }

        Queue turn() {
            Queue queue = all[next];
            next = next + 1 == queues ? 0 : next + 1;
            return queue;
        }

        void submit(Queue queue) throws IOException {
            for (int i = 0; i < DEPTH; i++) {
                lbas[i] = Math.unsignedMultiplyHigh(random.nextLong(), blocks);
            }
            queue.submit(slots, lbas, DEPTH);
        }

        void step() {
            for (int n = 0; n < DEPTH; ) {
                n += controller.step();
            }
        }

        int poll(Queue queue) {
            int n = queue.poll(completed);
            if (n != DEPTH) {
                throw new AssertionError(n + " of " + DEPTH + " commands completed");
            }
            return n;
        }
    }

    /** The controller is stepped by the benchmark itself. */
    public static class Inline extends Queues {
        /** Brings the controller up and takes it over from its thread. */
        @Setup(Level.Trial)
        public void takeOver() throws IOException {
            open();
            controller.stop();
            // Every entry of every ring holds a command, for the rounds without the driver.
            for (int round = 0; round < 2; round++) {
                for (int q = 0; q < queues; q++) {
                    submit(all[q]);
                    step();
                    poll(all[q]);
                    tails[q] = (tails[q] + DEPTH) % (DEPTH + 1);
                }
            }
        }
    }

    /** The controller is run by its own thread. */
    public static class Apart extends Queues {
        /** Brings the controller up. */
        @Setup(Level.Trial)
        public void start() throws IOException {
            open();
        }
    }

    /** Driver and controller, on one core, in turn. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public int driverAndController(Inline state) throws IOException {
        Queue queue = state.turn();
        state.submit(queue);
        state.step();
        return state.poll(queue);
    }

    /** What of that the controller takes. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public int controllerAlone(Inline state) {
        int q = state.next;
        state.next = q + 1 == state.queues ? 0 : q + 1;
        int tail = state.tails[q] + DEPTH;
        tail = tail >= DEPTH + 1 ? tail - (DEPTH + 1) : tail;
        state.tails[q] = tail;
        state.bar.write32(Registers.sqTailDoorbell(q + 1, 0), tail);
        state.step();
        // As many completions as commands: both rings have the same size and the same position.
        state.bar.write32(Registers.cqHeadDoorbell(q + 1, 0), tail);
        return tail;
    }

    /** Driver here, controller on another core. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public int controllerOnItsOwnCore(Apart state) throws IOException {
        Queue queue = state.turn();
        state.submit(queue);
        int n = 0;
        while (n < DEPTH) {
            n += queue.poll(state.completed);
        }
        return n;
    }
}
