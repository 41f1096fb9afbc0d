package io.aisio.bench;

import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.util.Arrays;

/**
 * What a queue costs its caller for an I/O: the time of submit and poll, without the device's.
 *
 * <p>The device is a software controller that the caller steps, on this thread. Two kinds of windows alternate, each of
 * about a millisecond, so that whatever disturbs the machine disturbs both alike:
 *
 * <pre>
 *   window of all      submit, step, poll, submit, step, poll, …
 *   window of model    replay, replay, …            the device's part of the above, and nothing else
 * </pre>
 *
 * The difference of a pair is the driver's; the median of many pairs is the result.
 *
 * @param nanosPerIo the driver's part, in nanoseconds: the median over pairs of windows
 * @param totalNanosPerIo everything: the median over windows
 * @param modelNanosPerIo the device's part: the median over windows
 * @param ios how many I/Os were measured
 */
public record DriverCost(double nanosPerIo, double totalNanosPerIo, double modelNanosPerIo, long ios) {
    /** How long a window is: long against the clock's own 25 ns, short against a scheduler's tick. */
    private static final long WINDOW_NANOS = 1_000_000;

    /** How often the device is stepped in vain before it is held to be broken. */
    private static final int PATIENCE = 1_000_000;

    /** Pairs of windows that are thrown away, so that the JIT compiler has done its work: about half a second. */
    private static final int WARMUP_PAIRS = 250;

    /**
     * Measures reads or writes anywhere on the device, all slots of the queue in flight with each step.
     *
     * @param queue with every slot bound, none in flight, and used by this thread
     * @param ios how many I/Os of the size that is bound the device holds
     * @param lbasPerIo logical blocks of one I/O
     * @param step lets the device do all that was submitted
     * @param replay lets the device do the same work once more, for {@link Queue#depth()} commands, of which the queue
     *     sees nothing
     * @param pairs how many pairs of windows count, at least 1; a few hundred take less than a second
     * @throws IOException if an I/O fails, or the device completes nothing
     */
    public static DriverCost measure(Queue queue, long ios, int lbasPerIo, Runnable step, Runnable replay, int pairs)
            throws IOException {
        if (pairs < 1) {
            throw new IllegalArgumentException(pairs + " pairs of windows");
        }
        Windows windows =
                new Windows(queue, LbaGenerator.random(ios, lbasPerIo, RunOptions.DEFAULT_SEED), step, replay);
        double[] total = new double[pairs];
        double[] model = new double[pairs];
        double[] driver = new double[pairs];
        for (int i = -WARMUP_PAIRS; i < pairs; i++) {
            if (i == 0) {
                windows.ios = 0;
            }
            double all = windows.all();
            double device = windows.model();
            if (i >= 0) {
                total[i] = all;
                model[i] = device;
                driver[i] = all - device;
            }
        }
        return new DriverCost(median(driver), median(total), median(model), windows.ios);
    }

    private static double median(double[] values) {
        Arrays.sort(values);
        int middle = values.length / 2;
        return values.length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    }

    /** The two kinds of windows, each giving nanoseconds for an I/O. */
    private static final class Windows {
        private final Queue queue;
        private final LbaGenerator places;
        private final Runnable step;
        private final Runnable replay;
        private final int[] slots;
        private final int[] completed;
        private final long[] lbas;
        /** How many rounds fill a window; learned from the last one, so that no clock is read within. */
        private int rounds = 1;

        private long ios;

        Windows(Queue queue, LbaGenerator places, Runnable step, Runnable replay) {
            this.queue = queue;
            this.places = places;
            this.step = step;
            this.replay = replay;
            int depth = queue.depth();
            slots = new int[depth];
            completed = new int[depth];
            lbas = new long[depth];
            Arrays.setAll(slots, slot -> slot);
        }

        double all() throws IOException {
            long began = System.nanoTime();
            for (int i = 0; i < rounds; i++) {
                round();
            }
            long nanos = Math.max(1, System.nanoTime() - began);
            ios += (long) rounds * slots.length;
            double nanosPerIo = (double) nanos / rounds / slots.length;
            rounds = (int) Math.clamp((double) WINDOW_NANOS * rounds / nanos, 1, 1_000_000);
            return nanosPerIo;
        }

        private void round() throws IOException {
            places.fill(lbas, slots.length);
            queue.submit(slots, lbas, slots.length);
            int done = 0;
            for (int tries = 0; done < slots.length; tries++) {
                step.run();
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

        double model() {
            long began = System.nanoTime();
            for (int i = 0; i < rounds; i++) {
                replay.run();
            }
            return (double) (System.nanoTime() - began) / rounds / slots.length;
        }
    }
}
