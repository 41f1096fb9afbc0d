package io.aisio.emu;

import io.aisio.nvme.QueuePair;

/** How tests wait for commands, whosever the controller is. */
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
}
