package io.aisio.emu;

import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The thread that runs a controller. While there is work it does nothing else; without any it spins, then lets others
 * run, then sleeps, longer and longer, since a store to plain memory wakes nobody.
 */
final class EmuThread {
    /** Steps without work before others may run: some ten microseconds, longer than a driver takes to go on. */
    static final int SPINS = 500;
    /** Steps without work before it sleeps: about a millisecond, for drivers that do something else in between. */
    static final int YIELDS = 2000;

    static final long SHORTEST_SLEEP_NANOS = 20_000;
    /** Sleeps before they get twice as long: each is then about a 64th of the time that the controller has been idle. */
    static final int SLEEPS_OF_ONE_LENGTH = 64;
    /** How often they get twice as long: to 10 ms, at which an idle controller takes well under 1 % of a processor. */
    private static final int LENGTHS = 9;

    private final EmuController controller;
    private volatile boolean running;
    private boolean closed;
    private @Nullable Thread thread;

    EmuThread(EmuController controller) {
        this.controller = controller;
    }

    /** Starts the thread. */
    synchronized void start() {
        requireCaller();
        running = true;
        thread = Thread.ofPlatform().daemon().name(controller.name()).start(this::run);
    }

    /** Stops the thread between two steps, and waits for that. */
    synchronized void stop() {
        Thread started = thread;
        if (started == null) {
            return;
        }
        running = false;
        LockSupport.unpark(started);
        boolean interrupted = false;
        while (started.isAlive()) {
            try {
                started.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        thread = null;
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Stops the thread for good. */
    synchronized void close() {
        stop();
        closed = true;
    }

    /** Whether the caller may step. */
    void requireCaller() {
        if (running) {
            throw new IllegalStateException(controller.name() + " is run by its own thread");
        }
        if (closed) {
            throw new IllegalStateException(controller.name() + " is closed");
        }
    }

    private void run() {
        try {
            while (running) {
                try {
                    steps();
                } catch (InternalError | OutOfMemoryError e) {
                    // The virtual machine tells of a page that is not there a little later: here at the latest.
                    if (!controller.endures()) {
                        throw e;
                    }
                }
            }
        } catch (Throwable t) {
            controller.die();
            throw t;
        }
    }

    private void steps() {
        int idle = 0;
        while (running) {
            if (controller.doStep() > 0) {
                idle = 0;
            } else {
                rest(++idle);
            }
        }
    }

    private void rest(int idle) {
        if (idle < SPINS) {
            Thread.onSpinWait();
            return;
        }
        int sleeps = idle - SPINS - YIELDS;
        if (sleeps <= 0) {
            Thread.yield();
            return;
        }
        long longest = SHORTEST_SLEEP_NANOS << Math.min(sleeps / SLEEPS_OF_ONE_LENGTH, LENGTHS);
        long now = System.nanoTime();
        long nanos = controller.nextDue(now + longest) - now;
        // A sleep takes this much longer than it is asked to: what is due before that is waited for awake.
        if (nanos > 2 * SHORTEST_SLEEP_NANOS) {
            LockSupport.parkNanos(nanos - SHORTEST_SLEEP_NANOS);
        } else {
            Thread.yield();
        }
    }
}
