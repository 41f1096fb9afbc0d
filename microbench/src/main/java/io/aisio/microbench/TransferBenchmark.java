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
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Reads at random places of 64 MiB or 1 GiB: from the software controller's memory media, driver and controller on a core each, and
 * by one core that only copies. Both read from the same kind of memory, all of it written before, to the same kind of
 * buffer: 512 bytes at depth 128, 128 KiB at depth 32. Time is per read.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TransferBenchmark {
    /** Reads of one invocation. */
    private static final int READS = 128;

    /** What the device is written with before. */
    private static final int FILL_BYTES = 128 << 10;

    private static int depth(int bytes) {
        return bytes == 512 ? 128 : 32;
    }

    /** A device whose every page was written, so that none is the kernel's zero page. */
    @State(Scope.Thread)
    @SuppressWarnings("NullAway.Init") // JMH calls the set-up before anything else.
    public static class Controller {
        @Param({"512", "131072"})
        int bytes;

        @Param({"64", "1024"})
        int mebibytes;

        Device device;
        Buffer buffer;
        Queue queue;
        long places;
        int lbas;
        long[] at;
        int[] completed;
        /** Reads that the invocation before has done already. */
        int ahead;

        final SplittableRandom random = new SplittableRandom(7);

        /** Opens and fills the device. */
        @Setup(Level.Trial)
        public void open() throws IOException {
            int depth = depth(bytes);
            device = Device.open("emu:" + mebibytes + "MiB");
            buffer = device.allocate((long) Math.max(FILL_BYTES, depth * bytes));
            buffer.segment().fill((byte) 1);
            int lbaBytes = device.geometry().lbaBytes();
            for (long written = 0; written < device.geometry().bytes(); written += FILL_BYTES) {
                device.write(written / lbaBytes, buffer, 0, FILL_BYTES);
            }
            lbas = bytes / lbaBytes;
            places = device.geometry().bytes() / bytes;
            queue = device.openQueue(depth);
            at = new long[depth];
            completed = new int[depth];
            for (int slot = 0; slot < depth; slot++) {
                queue.bindRead(slot, buffer, (long) slot * bytes, bytes);
                completed[slot] = slot;
            }
            submit(depth);
        }

        /** The first {@code n} of {@code completed}, somewhere else. */
        void submit(int n) throws IOException {
            for (int i = 0; i < n; i++) {
                at[i] = random.nextLong(places) * lbas;
            }
            queue.submit(completed, at, n);
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
        @Param({"512", "131072"})
        int bytes;

        @Param({"64", "1024"})
        int mebibytes;

        Mapping source;
        Mapping target;
        int slot;
        final SplittableRandom random = new SplittableRandom(7);

        /** Maps and fills the memory. */
        @Setup(Level.Trial)
        public void open() throws IOException {
            source = Mapping.anonymous((long) mebibytes << 20);
            boolean _ = source.preferHugePages();
            source.segment().fill((byte) 1);
            target = Mapping.anonymous((long) depth(bytes) * bytes);
            target.segment().fill((byte) 2);
        }

        /** Unmaps it. */
        @TearDown(Level.Trial)
        public void close() {
            source.close();
            target.close();
        }
    }

    /** Reads, with the queue kept full. */
    @Benchmark
    @OperationsPerInvocation(READS)
    public int read(Controller state) throws IOException {
        while (state.ahead < READS) {
            int n = state.queue.poll(state.completed);
            if (n == 0) {
                Thread.onSpinWait();
            } else {
                state.submit(n);
                state.ahead += n;
            }
        }
        state.ahead -= READS;
        return state.completed[0];
    }

    /** Copies. */
    @Benchmark
    @OperationsPerInvocation(READS)
    public void copy(Memory state) {
        int bytes = state.bytes;
        long places = state.source.segment().byteSize() / bytes;
        for (int i = 0; i < READS; i++) {
            long from = state.random.nextLong(places) * bytes;
            state.slot = state.slot + 1 == depth(bytes) ? 0 : state.slot + 1;
            MemorySegment.copy(state.source.segment(), from, state.target.segment(), (long) state.slot * bytes, bytes);
        }
    }
}
