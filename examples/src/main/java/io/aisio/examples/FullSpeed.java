package io.aisio.examples;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * Blocks, at full speed: buffers are bound to slots once, and from then on only numbers move. Reads blocks of 4096 bytes
 * at random places for a second, 128 of them in flight.
 */
final class FullSpeed {
    private static final int DEPTH = 128;
    private static final int BYTES = 4096;
    private static final long NANOS = 1_000_000_000;

    private FullSpeed() {}

    public static void main(String[] arguments) throws IOException {
        try (Device device = Device.open(arguments[0]);
                Buffer buffer = device.allocate((long) DEPTH * BYTES);
                Queue queue = device.openQueue(Math.min(DEPTH, device.geometry().maxQueueDepth()))) {
            int[] slots = new int[queue.depth()];
            long[] lbas = new long[queue.depth()];
            for (int slot = 0; slot < queue.depth(); slot++) {
                queue.bindRead(slot, buffer, (long) slot * BYTES, BYTES);
                slots[slot] = slot;
            }
            SplittableRandom random = new SplittableRandom(1);
            int perRead = Math.max(1, BYTES / device.geometry().lbaBytes());
            long places = device.geometry().lbaCount() / perRead;

            int free = slots.length;
            long done = 0;
            long begun = System.nanoTime();
            while (System.nanoTime() - begun < NANOS) {
                for (int i = 0; i < free; i++) {
                    lbas[i] = random.nextLong(places) * perRead;
                }
                queue.submit(slots, lbas, free); // writes the commands, rings once
                free = queue.await(slots); // slots that are done, ~slot for one that failed
                for (int i = 0; i < free; i++) {
                    if (slots[i] < 0) {
                        throw queue.failure(~slots[i]);
                    }
                }
                done += free;
            }
            double seconds = (System.nanoTime() - begun) / 1e9;
            System.out.printf(Locale.ROOT, "%.0f reads a second of %d bytes%n", done / seconds, BYTES);
            System.out.println("read by: " + device.path());
        }
    }
}
