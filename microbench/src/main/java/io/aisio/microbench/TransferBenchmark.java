package io.aisio.microbench;

import io.aisio.linux.Mapping;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Reads of 128 KiB at random places of 1 GiB: from the software controller's memory media, driver and controller on a core
 * each, and by one core that only copies. Both read the same amount from the same kind of memory to the same kind of
 * buffer. Time is per 128 KiB.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class TransferBenchmark {
    static final int BYTES = 128 << 10;
    private static final long DEVICE_BYTES = 1L << 30;
    private static final int DEPTH = 32;

    /** A device whose every page was written, so that none is the kernel's zero page. */
    @State(Scope.Thread)
    @SuppressWarnings("NullAway.Init") // JMH calls the set-up before anything else.
    public static class Controller {
        Device device;
        Buffer buffer;
        Queue queue;
        long blocks;
        int lbas;
        final SplittableRandom random = new SplittableRandom(7);
        final int[] slots = new int[DEPTH];
        final long[] at = new long[DEPTH];
        final int[] completed = new int[1];

        /** Opens and fills the device. */
        @Setup(Level.Trial)
        public void open() throws IOException {
            device = Device.open("emu:1GiB");
            buffer = device.allocate((long) DEPTH * BYTES);
            buffer.segment().fill((byte) 1);
            lbas = BYTES / device.geometry().lbaBytes();
            blocks = DEVICE_BYTES / BYTES;
            for (long i = 0; i < blocks; i++) {
                device.write(i * lbas, buffer, 0, BYTES);
            }
            queue = device.openQueue(DEPTH);
            for (int slot = 0; slot < DEPTH; slot++) {
                queue.bindRead(slot, buffer, (long) slot * BYTES, BYTES);
                slots[slot] = slot;
                at[slot] = random.nextLong(blocks) * lbas;
            }
            queue.submit(slots, at, DEPTH);
        }

        /** Closes everything. */
        @TearDown(Level.Trial)
        public void close() throws IOException {
            queue.close();
            buffer.close();
            device.close();
        }
    }

    /** Memory of the same sizes. */
    @State(Scope.Thread)
    @SuppressWarnings("NullAway.Init")
    public static class Memory {
        Mapping source;
        Mapping target;
        int slot;
        final SplittableRandom random = new SplittableRandom(7);

        /** Maps and fills the memory. */
        @Setup(Level.Trial)
        public void open() throws IOException {
            source = Mapping.anonymous(DEVICE_BYTES);
            source.segment().fill((byte) 1);
            target = Mapping.anonymous((long) DEPTH * BYTES);
            target.segment().fill((byte) 2);
        }

        /** Unmaps it. */
        @TearDown(Level.Trial)
        public void close() {
            source.close();
            target.close();
        }
    }

    /** One more read, with the queue kept full. */
    @Benchmark
    public int read(Controller state) throws IOException {
        while (state.queue.poll(state.completed) == 0) {
            Thread.onSpinWait();
        }
        state.at[0] = state.random.nextLong(state.blocks) * state.lbas;
        state.queue.submit(state.completed, state.at, 1);
        return state.completed[0];
    }

    /** One more copy. */
    @Benchmark
    public void copy(Memory state) {
        long from = state.random.nextLong(DEVICE_BYTES / BYTES) * BYTES;
        state.slot = state.slot + 1 == DEPTH ? 0 : state.slot + 1;
        MemorySegment.copy(state.source.segment(), from, state.target.segment(), (long) state.slot * BYTES, BYTES);
    }
}
