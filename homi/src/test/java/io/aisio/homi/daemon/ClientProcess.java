package io.aisio.homi.daemon;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A client in a process of its own: writes to a region and reads it back, until its standard input ends. Says {@code ready}
 * once it has done so for the first time, waits for a byte, and says at the end how many blocks it has compared.
 */
public final class ClientProcess {
    private static final int DEPTH = 8;
    private static final int BLOCK = 4096;

    private ClientProcess() {}

    /** @param arguments the device's name, and the number of the region of 1 MiB */
    public static void main(String[] arguments) throws Exception {
        Thread end = null;
        long compared = 0;
        try (Device device = Device.open(arguments[0]);
                Buffer buffer = device.allocate(2 * DEPTH * BLOCK);
                Queue queue = device.openQueue(2 * DEPTH)) {
            long first = Long.parseLong(arguments[1])
                    * ((1 << 20) / device.geometry().lbaBytes());
            int[] slots = new int[DEPTH];
            int[] back = new int[DEPTH];
            long[] lbas = new long[DEPTH];
            for (int i = 0; i < DEPTH; i++) {
                slots[i] = i;
                back[i] = DEPTH + i;
                lbas[i] = first + (long) i * (BLOCK / device.geometry().lbaBytes());
                queue.bindWrite(i, buffer, (long) i * BLOCK, BLOCK);
                queue.bindRead(DEPTH + i, buffer, (long) (DEPTH + i) * BLOCK, BLOCK);
            }
            MemorySegment written = buffer.segment().asSlice(0, DEPTH * BLOCK);
            for (long round = 1; end == null || end.isAlive(); round++) {
                for (int i = 0; i < DEPTH; i++) {
                    written.asSlice((long) i * BLOCK, BLOCK).fill((byte) (round * 31 + i));
                    written.set(ValueLayout.JAVA_LONG, (long) i * BLOCK, round);
                }
                run(queue, slots, lbas);
                run(queue, back, lbas);
                if (buffer.segment().asSlice(DEPTH * BLOCK).mismatch(written) != -1) {
                    throw new AssertionError("round " + round + ": what was read is not what was written");
                }
                compared += DEPTH;
                if (round == 1) {
                    System.out.println("ready");
                    int go = System.in.read();
                    if (go < 0) {
                        break;
                    }
                    end = Thread.ofPlatform().daemon().start(ClientProcess::readToTheEnd);
                }
            }
        }
        System.out.println("compared " + compared);
    }

    private static void readToTheEnd() {
        try {
            while (System.in.read() >= 0) {
                // Only the end counts.
            }
        } catch (IOException e) {
            // The same.
        }
    }

    private static void run(Queue queue, int[] slots, long[] lbas) throws IOException {
        queue.submit(slots, lbas, slots.length);
        int[] completed = new int[slots.length];
        for (int left = slots.length; left > 0; ) {
            int n = queue.await(completed);
            for (int i = 0; i < n; i++) {
                if (completed[i] < 0) {
                    throw queue.failure(~completed[i]);
                }
            }
            left -= n;
        }
    }
}
