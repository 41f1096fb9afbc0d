package io.aisio.homi.ublk;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.FutureTask;

/**
 * Steps that the kernel alone ends. One that it does not end in time is left to a thread of its own, which nobody waits for any
 * more.
 */
final class Bounded {
    private Bounded() {}

    /** A step; it has all that it needs to itself, as it may go on when nobody waits for it any more. */
    interface Step<T> {
        T take() throws IOException;
    }

    /**
     * Takes a step.
     *
     * @param what the step is, for people: {@code stopping /dev/ublkb3}
     * @param next what to do if it does not end
     * @throws IOException if the step fails, or has not ended within the limit
     */
    static <T> T within(Duration limit, String what, String next, Step<T> step) throws IOException {
        FutureTask<T> task = new FutureTask<>(step::take);
        Thread thread = Thread.ofPlatform().daemon().name(what).start(task);
        if (!joined(thread, limit)) {
            throw new IOException("%s has not ended within %d s; next: %s".formatted(what, limit.toSeconds(), next));
        }
        try {
            return task.resultNow();
        } catch (IllegalStateException e) {
            throw failure(what, task.exceptionNow());
        }
    }

    private static IOException failure(String what, Throwable why) {
        return switch (why) {
            case IOException e -> e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> new IOException(what + ": " + why, why);
        };
    }

    /** Waits for a thread's end, whether or not this one is interrupted; false if it has not come within the limit. */
    static boolean joined(Thread thread, Duration limit) {
        boolean interrupted = false;
        long end = System.nanoTime() + limit.toNanos();
        try {
            while (true) {
                try {
                    return thread.join(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
