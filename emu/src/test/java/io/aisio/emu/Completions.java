package io.aisio.emu;

import io.aisio.nvme.QueuePair;
import java.util.function.BooleanSupplier;

/** How tests wait for commands and for what follows them, whosever the controller is. */
public final class Completions {
    private Completions() {}

    /** Takes completions until there is one, or the deadline of the tests has passed. */
    public static int await(QueuePair pair, int[] completed) {
        long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
        int n = pair.poll(completed);
        while (n == 0) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError(pair.outstanding() + " commands in flight never came back");
            }
            // The controller may need this processor.
            Thread.yield();
            n = pair.poll(completed);
        }
        return n;
    }

    /** Waits until something is so: a controller's end, say, which is told a moment after its commands' end. */
    public static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("waited in vain for " + what);
            }
            Thread.yield();
        }
    }
}
