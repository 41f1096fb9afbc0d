package io.aisio.emu;

import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Locale;

/**
 * How fast the controller is, without a driver: prints what a null read costs stepped inline, and what memory media serve
 * with the controller on a second processor. No test: figures need a quiet machine. Its class path is the test's.
 */
final class Speed {
    private static final int DEPTH = 128;
    private static final int ROUNDS = 9;
    private static final long ROUND_NANOS = 500_000_000;

    private Speed() {}

    public static void main(String[] arguments) throws Exception {
        inline(EmuConfiguration.nothing(1L << 40), "null media, 512 B, inline", 512);
        inline(EmuConfiguration.memory(64 << 20), "memory media of 64 MiB, 512 B, inline", 512);
        inline(EmuConfiguration.memory(64 << 20), "memory media of 64 MiB, 128 KiB, inline", 128 << 10);
        copy();
        twoCores(EmuConfiguration.nothing(1L << 40), "null media, 512 B, two processors", 512);
        twoCores(EmuConfiguration.memory(64 << 20), "memory media of 64 MiB, 512 B, two processors", 512);
        twoCores(EmuConfiguration.memory(1 << 30), "memory media of 1 GiB, 512 B, two processors", 512);
        twoCores(EmuConfiguration.memory(64 << 20), "memory media of 64 MiB, 128 KiB, two processors", 128 << 10);
    }

    /** The controller's own time: only its steps are timed. */
    private static void inline(EmuConfiguration configuration, String what, int bytes) throws IOException {
        try (Host host = Host.ready(configuration)) {
            Load load = new Load(host, host.createQueue(1, 256), bytes);
            double[] nanos = new double[ROUNDS];
            for (int round = 0; round < ROUNDS; round++) {
                long commands = 0;
                long spent = 0;
                long end = System.nanoTime() + ROUND_NANOS;
                while (System.nanoTime() < end) {
                    load.submit(DEPTH);
                    long before = System.nanoTime();
                    host.controller.step();
                    spent += System.nanoTime() - before;
                    commands += load.reap();
                }
                nanos[round] = (double) spent / commands;
            }
            print(what, nanos, bytes);
        }
    }

    private static void twoCores(EmuConfiguration configuration, String what, int bytes) throws IOException {
        try (Host host = new Host(configuration, false)) {
            host.enable();
            Load load = new Load(host, host.createQueue(1, 256), bytes);
            double[] nanos = new double[ROUNDS];
            load.submit(DEPTH);
            for (int round = 0; round < ROUNDS; round++) {
                long commands = 0;
                long start = System.nanoTime();
                long now = start;
                while (now - start < ROUND_NANOS) {
                    for (int i = 0; i < 64; i++) {
                        int done = load.reap();
                        load.submit(done);
                        commands += done;
                    }
                    now = System.nanoTime();
                }
                nanos[round] = (double) (now - start) / commands;
            }
            print(what, nanos, bytes);
        }
    }

    private static void copy() throws IOException {
        try (Host host = Host.ready(EmuConfiguration.nothing(1 << 20))) {
            int bytes = 128 << 10;
            DmaMemory from = host.function.allocate(64 << 20);
            DmaMemory to = host.function.allocate((long) bytes * DEPTH);
            from.segment().fill((byte) 1);
            double[] nanos = new double[ROUNDS];
            long state = 1;
            for (int round = 0; round < ROUNDS; round++) {
                long copies = 0;
                long start = System.nanoTime();
                long now = start;
                while (now - start < ROUND_NANOS) {
                    state = state * 0x5851F42D4C957F2DL + 1;
                    long at = Math.unsignedMultiplyHigh(state, (64 << 20) / bytes) * bytes;
                    MemorySegment.copy(from.segment(), at, to.segment(), copies % DEPTH * bytes, bytes);
                    copies++;
                    now = System.nanoTime();
                }
                nanos[round] = (double) (now - start) / copies;
            }
            print("memcpy of 128 KiB", nanos, bytes);
        }
    }

    private static void print(String what, double[] nanos, int bytes) {
        Arrays.sort(nanos);
        double median = nanos[ROUNDS / 2];
        System.out.printf(
                Locale.ROOT,
                "%-48s best %8.1f  median %8.1f ns, %6.2f M/s, %6.2f GiB/s%n",
                what,
                nanos[0],
                median,
                1e3 / median,
                bytes / median * 1e9 / (1 << 30));
    }

    /** Random reads on one queue pair, a buffer for each slot. */
    private static final class Load {
        private final Host host;
        private final Host.Ring ring;
        private final long blocks;
        private final long[] prp1 = new long[DEPTH];
        private final long[] prp2 = new long[DEPTH];
        private final long count;
        private long state = 88172645463325252L;
        private int cid;

        Load(Host host, Host.Ring ring, int bytes) throws IOException {
            this.host = host;
            this.ring = ring;
            count = bytes / 512 - 1;
            blocks = switch (host.controller.configuration().medium()) {
                case EmuConfiguration.Medium.Nothing(long all) -> all / bytes;
                case EmuConfiguration.Medium.Memory(long all) -> all / bytes;
                case EmuConfiguration.Medium.Image image -> throw new IllegalArgumentException(image.toString());
            };
            DmaMemory data = host.function.allocate((long) DEPTH * Math.max(bytes, 4096));
            DmaMemory lists = host.function.allocate((long) DEPTH * 4096);
            for (int i = 0; i < DEPTH; i++) {
                long at = (long) i * Math.max(bytes, 4096);
                prp1[i] = data.iova(at);
                for (int page = 1; page * 4096 < bytes; page++) {
                    Wire.i64(lists.segment(), i * 4096L + (page - 1) * 8L, data.iova(at + page * 4096L));
                }
                prp2[i] = lists.iova(i * 4096L);
            }
            // Every page of memory media is there before the clock runs.
            if (host.controller.configuration().medium() instanceof EmuConfiguration.Medium.Memory(long all)) {
                for (long lba = 0; lba < all / 512; lba += 2048) {
                    Host.Done done = ring.run(new Host.Entry(Sqe.word0(Opcode.WRITE_ZEROES, 1), 0, 0, lba, 2047, 0));
                    if (!done.status().isSuccess()) {
                        throw new IOException(done.toString());
                    }
                }
            }
        }

        void submit(int n) {
            MemorySegment sq = ring.sq.segment();
            int tail = ring.tail;
            int next = cid;
            for (int i = 0; i < n; i++) {
                long at = (long) tail * Sqe.BYTES;
                state ^= state << 13;
                state ^= state >>> 7;
                state ^= state << 17;
                Wire.i64(sq, at + Sqe.DW0, Sqe.word0(Opcode.READ, 1) | (long) next << Sqe.CID_SHIFT);
                Wire.i64(sq, at + Sqe.PRP1, prp1[next]);
                Wire.i64(sq, at + Sqe.PRP2, prp2[next]);
                Wire.i64(sq, at + Sqe.CDW10, Math.unsignedMultiplyHigh(state, blocks) * (count + 1));
                Wire.i64(sq, at + Sqe.CDW12, count);
                tail = tail + 1 == ring.sqEntries ? 0 : tail + 1;
                next = next + 1 & DEPTH - 1;
            }
            cid = next;
            ring.tail = tail;
            ring.ring();
        }

        int reap() {
            int done = 0;
            int head = ring.head;
            int phase = ring.phase;
            MemorySegment cq = ring.cq.segment();
            while (true) {
                long word1 = Wire.i64(cq, (long) head * Cqe.BYTES + Cqe.WORD1);
                if (Cqe.phase(word1) != phase) {
                    break;
                }
                if (Cqe.status(word1) != 0) {
                    throw new AssertionError("status " + Cqe.status(word1));
                }
                if (++head == ring.cqEntries) {
                    head = 0;
                    phase ^= 1;
                }
                done++;
            }
            java.lang.invoke.VarHandle.acquireFence();
            ring.head = head;
            ring.phase = phase;
            host.bar.write32(Registers.cqHeadDoorbell(ring.id, host.stride), head);
            return done;
        }
    }
}
