package io.aisio.xnvme;

import java.util.concurrent.locks.LockSupport;

/**
 * How a thread that polls waits between looks that found nothing: it spins for about as long as a fast device takes, then
 * lets other threads run (the device may be one), then sleeps.
 */
public final class Backoff {
    /** Looks before other threads are let run: some 25 µs where a pause is 25 ns. */
    private static final int SPINS = 1_000;
    /** Looks before the thread sleeps: some milliseconds, far beyond a working device. */
    private static final int YIELDS = 20_000;

    private static final long SLEEP_NANOS = 50_000;

    private Backoff() {}

    /** @param looks how many looks in a row have found nothing */
    public static void pause(int looks) {
        if (looks < SPINS) {
            Thread.onSpinWait();
        } else if (looks < YIELDS) {
            Thread.yield();
        } else {
            LockSupport.parkNanos(SLEEP_NANOS);
        }
    }
}
