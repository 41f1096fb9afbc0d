package io.aisio.microbench;

import io.aisio.emu.EmuConfiguration;
import io.aisio.emu.EmuController;
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
 * Submit and reap of 512-byte reads at random LBAs, at depth 128 on null media, through the public {@link Queue}: a batch
 * is submitted, the controller does it, it is polled. Time is per command. The LBAs are worked out before.
 *
 * <ul>
 *   <li>{@link #driver}: reap of a batch and submit of the next; JMH steps the controller before each invocation, and
 *       takes the time of that off. The clock, read twice an invocation, is left in: some 0.2 ns a command
 *   <li>{@link #driverAndController}: the same with the controller stepped inside
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
        int next;

        final int[] slots = new int[DEPTH];
        final long[] lbas = new long[DEPTH];
        final int[] completed = new int[DEPTH];

        /** Brings the controller up, with its thread running. */
        void open(int pairs) throws IOException {
            controller = EmuController.open("emu", EmuConfiguration.nothing(1L << 40));
            controller.start();
            device = NvmeDevice.open(controller.function(), 1, "emu", "null media");
            buffer = device.allocate((long) DEPTH * BYTES);
            SplittableRandom random = new SplittableRandom(42);
            for (int slot = 0; slot < DEPTH; slot++) {
                slots[slot] = slot;
                lbas[slot] = random.nextLong(device.geometry().lbaCount());
            }
            all = new Queue[pairs];
            for (int q = 0; q < pairs; q++) {
                all[q] = device.openQueue(DEPTH);
                for (int slot = 0; slot < DEPTH; slot++) {
                    all[q].bindRead(slot, buffer, (long) slot * BYTES, BYTES);
                }
            }
        }

        void closeAll() throws IOException {
            for (Queue queue : all) {
                queue.close();
            }
            buffer.close();
            device.close();
        }

        int turn() {
            int q = next;
            next = q + 1 == queues ? 0 : q + 1;
            return q;
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
            open(queues);
            controller.stop();
        }

        /** Gives the controller back to its thread, to be closed. */
        @TearDown(Level.Trial)
        public void giveBack() throws IOException {
            controller.start();
            closeAll();
        }
    }

    /** A batch is in the queue, and the controller has done it before each invocation. */
    public static class Stepped extends Inline {
        /** Submits the first batch. */
        @Setup(Level.Iteration)
        public void begin() throws IOException {
            for (Queue queue : all) {
                if (queue.outstanding() == 0) {
                    queue.submit(slots, lbas, DEPTH);
                }
            }
        }

        /** Lets the controller do what was submitted. */
        @Setup(Level.Invocation)
        public void stepAll() {
            while (controller.step() != 0) {
                // Until there is nothing left to do.
            }
        }
    }

    /** The controller is run by its own thread. */
    public static class Apart extends Queues {
        /** Brings the controller up. */
        @Setup(Level.Trial)
        public void start() throws IOException {
            open(queues);
        }

        /** Closes everything. */
        @TearDown(Level.Trial)
        public void stop() throws IOException {
            closeAll();
        }
    }

    /** Driver and controller, on one core, in turn. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public int driverAndController(Inline state) throws IOException {
        Queue queue = state.all[state.turn()];
        queue.submit(state.slots, state.lbas, DEPTH);
        state.step();
        return state.poll(queue);
    }

    /** The driver's part of that. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public int driver(Stepped state) throws IOException {
        Queue queue = state.all[state.turn()];
        int n = state.poll(queue);
        queue.submit(state.slots, state.lbas, DEPTH);
        return n;
    }

    /** Driver here, controller on another core. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public int controllerOnItsOwnCore(Apart state) throws IOException {
        Queue queue = state.all[state.turn()];
        queue.submit(state.slots, state.lbas, DEPTH);
        int n = 0;
        while (n < DEPTH) {
            n += queue.poll(state.completed);
        }
        return n;
    }
}
