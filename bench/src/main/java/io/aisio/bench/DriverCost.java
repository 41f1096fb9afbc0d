package io.aisio.bench;

import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.util.Arrays;

/**
 * What a queue costs its caller for an I/O: the time of choosing a block, submit and poll, without the device's.
 *
 * <p>The device is a software controller that the caller steps, on this thread; each step is timed, and what it took is
 * taken off. The clock's own 25 ns a round are left in.
 *
 * <pre>
 *   a round     choose, submit │ step │ poll        all slots of the queue at once
 *   a window    about a millisecond of rounds; the result is the median of many
 * </pre>
 *
 * @param nanosPerIo the driver's part, in nanoseconds: the median over windows
 * @param totalNanosPerIo everything: the median over windows
 * @param modelNanosPerIo the device's part: the median over windows
 * @param ios how many I/Os were measured
 */
public record DriverCost(double nanosPerIo, double totalNanosPerIo, double modelNanosPerIo, long ios) {
    /** How long a window is: short against a scheduler's tick, so that most windows are undisturbed. */
    private static final long WINDOW_NANOS = 1_000_000;

    /** How often the device is stepped in vain before it is held to be broken. */
    private static final int PATIENCE = 1_000_000;

    /** Windows that are thrown away, so that the JIT compiler has done its work: about half a second. */
    private static final int WARMUP_WINDOWS = 500;

    /**
     * Measures reads or writes anywhere on the device, all slots of the queue in flight with each step.
     *
     * @param queue with every slot bound, none in flight, and used by this thread
     * @param ios how many I/Os of the size that is bound the device holds
     * @param lbasPerIo logical blocks of one I/O
     * @param step lets the device do all that was submitted
     * @param windows how many count, at least 1
     * @throws IOException if an I/O fails, or the device completes nothing
     */
    public static DriverCost measure(Queue queue, long ios, int lbasPerIo, Runnable step, int windows)
            throws IOException {
        if (windows < 1) {
            throw new IllegalArgumentException(windows + " windows");
        }
        Rounds rounds = new Rounds(queue, LbaGenerator.random(ios, lbasPerIo, RunOptions.DEFAULT_SEED), step);
        double[] total = new double[windows];
        double[] model = new double[windows];
        double[] driver = new double[windows];
        for (int i = -WARMUP_WINDOWS; i < windows; i++) {
            if (i == 0) {
                rounds.ios = 0;
            }
            rounds.window();
            if (i >= 0) {
                total[i] = rounds.totalNanosPerIo;
                model[i] = rounds.stepNanosPerIo;
                driver[i] = total[i] - model[i];
            }
        }
        return new DriverCost(median(driver), median(total), median(model), rounds.ios);
    }

    private static double median(double[] values) {
        Arrays.sort(values);
        int middle = values.length / 2;
        return values.length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    }

    private static final class Rounds {
        private final Queue queue;
        private final LbaGenerator places;
        private final Runnable step;
        private final int[] slots;
        private final int[] completed;
        private final long[] lbas;
        /** How many rounds fill a window; learned from the last one. */
        private int perWindow = 1;

        private long ios;
        private long stepNanos;
        private double totalNanosPerIo;
        private double stepNanosPerIo;

        Rounds(Queue queue, LbaGenerator places, Runnable step) {
            this.queue = queue;
            this.places = places;
            this.step = step;
            int depth = queue.depth();
            slots = new int[depth];
            completed = new int[depth];
            lbas = new long[depth];
            Arrays.setAll(slots, slot -> slot);
        }

        void window() throws IOException {
            stepNanos = 0;
            long began = System.nanoTime();
            for (int i = 0; i < perWindow; i++) {
                round();
            }
            long nanos = Math.max(1, System.nanoTime() - began);
            long done = (long) perWindow * slots.length;
            ios += done;
            totalNanosPerIo = (double) nanos / done;
            stepNanosPerIo = (double) stepNanos / done;
            perWindow = (int) Math.clamp((double) WINDOW_NANOS * perWindow / nanos, 1, 1_000_000);
        }

        private void round() throws IOException {
            places.fill(lbas, slots.length);
            queue.submit(slots, lbas, slots.length);
            int done = 0;
            for (int tries = 0; done < slots.length; tries++) {
                long began = System.nanoTime();
                step.run();
                stepNanos += System.nanoTime() - began;
                int n = queue.poll(completed);
                for (int i = 0; i < n; i++) {
                    if (completed[i] < 0) {
                        throw queue.failure(~completed[i]);
                    }
                    slots[done + i] = completed[i];
                }
                done += n;
                if (tries == PATIENCE) {
                    throw new IOException("the device completed " + done + " of " + slots.length + " commands");
                }
            }
        }
    }
}
