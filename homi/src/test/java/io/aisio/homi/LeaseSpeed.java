package io.aisio.homi;

import io.aisio.homi.daemon.TestDaemon;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;

/**
 * What a command costs through a lease, beside an exclusively opened device: reads of null media on software controllers of the
 * same kind, in alternating pairs, in one process. To be run by hand, on a machine that does nothing else, after the tests'
 * classes were built:
 *
 * <pre>
 *   java --enable-native-access=ALL-UNNAMED -cp CLASSPATH io.aisio.homi.LeaseSpeed [PAIRS [DEPTH]]
 * </pre>
 */
public final class LeaseSpeed {
    private static final String MEDIA = "emu:null,1GiB?shared";
    private static final long RUN_NANOS = 500_000_000;
    private static final int BYTES = 4096;
    private static final int COST_BATCHES = 200;
    private static final long PAUSE_NANOS = 2_000_000;

    private LeaseSpeed() {}

    /** A device with a queue whose slots are bound. */
    private record Path4k(Device device, Buffer buffer, Queue queue) implements AutoCloseable {
        static Path4k open(String name, int depth) throws IOException {
            Device device = Device.open(name);
            Buffer buffer = device.allocate((long) depth * BYTES);
            Queue queue = device.openQueue(depth);
            for (int slot = 0; slot < depth; slot++) {
                queue.bindRead(slot, buffer, (long) slot * BYTES, BYTES);
            }
            return new Path4k(device, buffer, queue);
        }

        /** Commands a second, with the queue kept full. */
        double run(int depth) throws IOException {
            int[] slots = new int[depth];
            int[] completed = new int[depth];
            long[] lbas = new long[depth];
            for (int i = 0; i < depth; i++) {
                slots[i] = i;
                lbas[i] = i * 8L;
            }
            queue.submit(slots, lbas, depth);
            long done = 0;
            long began = System.nanoTime();
            while (System.nanoTime() - began < RUN_NANOS) {
                for (int looks = 0; looks < 64; looks++) {
                    int n = queue.poll(completed);
                    if (n > 0) {
                        done += n;
                        queue.submit(completed, lbas, n);
                    }
                }
            }
            long took = System.nanoTime() - began;
            while (queue.outstanding() > 0) {
                int _ = queue.poll(completed);
            }
            return done * 1e9 / took;
        }

        /**
         * The driver's own processor time for a command, in nanoseconds: for batches that the controller has completed before
         * they are reaped. It means something on a busy machine too.
         */
        double cost(int depth) throws IOException {
            int[] slots = new int[depth];
            int[] completed = new int[depth];
            long[] lbas = new long[depth];
            for (int i = 0; i < depth; i++) {
                slots[i] = i;
            }
            var threads = ManagementFactory.getThreadMXBean();
            double[] costs = new double[COST_BATCHES];
            for (int batch = 0; batch < COST_BATCHES; batch++) {
                long began = threads.getCurrentThreadCpuTime();
                queue.submit(slots, lbas, depth);
                long submitted = threads.getCurrentThreadCpuTime();
                int n = 0;
                long reaped = 0;
                while (n < depth) {
                    LockSupport.parkNanos(PAUSE_NANOS);
                    long before = threads.getCurrentThreadCpuTime();
                    n += queue.poll(completed);
                    reaped += threads.getCurrentThreadCpuTime() - before;
                }
                costs[batch] = (double) (submitted - began + reaped) / depth;
            }
            Arrays.sort(costs);
            return costs[COST_BATCHES / 2];
        }

        @Override
        public void close() throws IOException {
            queue.close();
            buffer.close();
            device.close();
        }
    }

    /** @param arguments pairs, 20 if not given, and the depth, 64 if not given */
    public static void main(String[] arguments) throws Exception {
        int pairs = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 20;
        int depth = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 64;
        Path folder = Files.createTempDirectory("homi-speed");
        try (TestDaemon daemon = new TestDaemon(folder, MEDIA);
                Path4k exclusive = Path4k.open(MEDIA, depth);
                Path4k leased = Path4k.open(daemon.uri(), depth)) {
            for (int warm = 0; warm < 6; warm++) {
                double _ = exclusive.run(depth);
                double _ = leased.run(depth);
            }
            double[] costs = new double[pairs];
            double[] costsAlone = new double[pairs];
            for (int i = 0; i < pairs; i++) {
                costsAlone[i] = exclusive.cost(depth);
                costs[i] = leased.cost(depth);
            }
            Arrays.sort(costs);
            Arrays.sort(costsAlone);
            System.out.printf(
                    "processor time of the driver for a command: exclusive %.1f ns, leased %.1f ns (medians of %d)%n",
                    costsAlone[pairs / 2], costs[pairs / 2], pairs);
            double[] ratios = new double[pairs];
            double[] alone = new double[pairs];
            for (int i = 0; i < pairs; i++) {
                // The one that is first changes, as a machine may slow down.
                double first = (i & 1) == 0 ? exclusive.run(depth) : leased.run(depth);
                double second = (i & 1) == 0 ? leased.run(depth) : exclusive.run(depth);
                alone[i] = (i & 1) == 0 ? first : second;
                ratios[i] = ((i & 1) == 0 ? second : first) / alone[i];
            }
            Arrays.sort(ratios);
            Arrays.sort(alone);
            System.out.printf(
                    "exclusive: median %.0f IOPS; leased / exclusive: median %.3f, quartiles %.3f to %.3f, of %d pairs%n",
                    alone[pairs / 2], ratios[pairs / 2], ratios[pairs / 4], ratios[pairs * 3 / 4], pairs);
        }
        Files.delete(folder.resolve("homi"));
        Files.delete(folder);
    }
}
