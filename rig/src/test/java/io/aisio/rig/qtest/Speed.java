package io.aisio.rig.qtest;

import io.aisio.emu.Completions;
import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;

/**
 * What the rig takes: prints how long a start is, a register read, a command alone and among 32. No test: figures need a
 * quiet machine. Its class path is that of the rooms and of these tests.
 */
final class Speed {
    private static final int STARTS = 11;
    private static final int ROUNDS = 9;
    private static final int COMMANDS = 4000;

    private Speed() {}

    public static void main(String[] arguments) throws Exception {
        double[] up = new double[STARTS];
        double[] firstRead = new double[STARTS];
        double[] all = new double[STARTS];
        for (int i = 0; i < STARTS; i++) {
            long start = System.nanoTime();
            try (QemuNvme qemu = machine().start();
                    QtestFunction function = qemu.function(0)) {
                up[i] = System.nanoTime() - start;
                try (NvmeController driver = NvmeController.open(function);
                        Blocks blocks = new Blocks(driver, function, 1)) {
                    blocks.read(0, 1);
                    firstRead[i] = System.nanoTime() - start;
                }
            }
            all[i] = System.nanoTime() - start;
        }
        print("QEMU is up", up, 1e6, "ms");
        print("first block read, from before the start", firstRead, 1e6, "ms");
        print("start, one read, end", all, 1e6, "ms");
        try (Rig rig = Rig.start(machine())) {
            double[] register = new double[ROUNDS];
            for (int round = 0; round < ROUNDS; round++) {
                long start = System.nanoTime();
                for (int i = 0; i < COMMANDS; i++) {
                    rig.function.bar(0).read32(Registers.CSTS);
                }
                register[round] = (double) (System.nanoTime() - start) / COMMANDS;
            }
            print("register read", register, 1e3, "us");
            print("read of 512 bytes, one at a time", reads(rig, 1), 1e3, "us");
            print("read of 512 bytes, 32 in flight", reads(rig, 32), 1e3, "us");
        }
    }

    private static QemuNvme.Builder machine() {
        return QemuNvme.build().controller("").namespace(1 << 20, "");
    }

    private static double[] reads(Rig rig, int depth) throws IOException {
        double[] nanos = new double[ROUNDS];
        try (QueuePair pair = rig.driver.createQueuePair(depth);
                DmaMemory memory = rig.function.allocate(depth * 512L)) {
            int[] slots = new int[depth];
            for (int slot = 0; slot < depth; slot++) {
                slots[slot] = slot;
                pair.bind(slot, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, slot * 512L, 512);
            }
            int[] completed = new int[depth];
            for (int round = 0; round < ROUNDS; round++) {
                long start = System.nanoTime();
                int ready = depth;
                int done = 0;
                while (done < COMMANDS) {
                    pair.submit(slots, new long[depth], ready);
                    ready = Completions.await(pair, completed);
                    System.arraycopy(completed, 0, slots, 0, ready);
                    done += ready;
                }
                nanos[round] = (double) (System.nanoTime() - start) / done;
                int left = depth - ready;
                while (pair.outstanding() > 0) {
                    int n = Completions.await(pair, completed);
                    left -= n;
                    for (int i = 0; i < n; i++) {
                        slots[ready++] = completed[i];
                    }
                }
                if (left != 0) {
                    throw new AssertionError(left + " commands were lost");
                }
            }
        }
        return nanos;
    }

    /** Median, smallest and largest. */
    private static void print(String what, double[] nanos, double unit, String name) {
        Arrays.sort(nanos);
        System.out.printf(
                Locale.ROOT,
                "%-42s %7.1f %s   (%.1f to %.1f)%n",
                what,
                nanos[nanos.length / 2] / unit,
                name,
                nanos[0] / unit,
                nanos[nanos.length - 1] / unit);
    }
}
