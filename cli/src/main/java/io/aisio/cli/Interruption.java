package io.aisio.cli;

import java.time.Duration;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;

/**
 * Ctrl-C, told to the command that runs, so that it can stop and give back what it holds.
 *
 * <p>On SIGINT or SIGTERM the JVM begins to shut down. What commands registered is then run, the youngest first; the
 * command's thread is interrupted; and the JVM exits, with 130 or 143, once the command has returned, at the latest
 * after {@link #PATIENCE}. So a command is right when it
 *
 * <ul>
 *   <li>holds its resources in {@code try (…)}, which closes them while the exception passes or the method returns;
 *   <li>lets blocking calls be interrupted, and asks {@link #requested()} in loops that do not block;
 *   <li>registers what stops its worker threads, if it has any:
 * </ul>
 *
 * <pre>{@code
 * try (Engine engine = Engine.open(devices);
 *         Interruption onCtrlC = Interruption.stops(engine::stop)) {
 *     print(engine.run());    // returns early once stopped
 * }
 * }</pre>
 *
 * A registered action runs on another thread than the command's and at any moment until it is taken back by
 * {@link #close()}: it sets a flag or closes something that may be closed by any thread, and returns soon.
 */
final class Interruption implements AutoCloseable {
    /** How long a command may take to clean up: chosen long enough to delete a temporary image on a slow disk. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final ConcurrentLinkedDeque<Interruption> REGISTERED = new ConcurrentLinkedDeque<>();
    private static volatile boolean requested;

    private final Runnable action;

    private Interruption(Runnable action) {
        this.action = action;
    }

    /** Registers what is to be run on Ctrl-C, until it is closed. Run at once if Ctrl-C was before. */
    static Interruption stops(Runnable action) {
        Interruption registered = new Interruption(action);
        REGISTERED.addFirst(registered);
        if (requested && REGISTERED.remove(registered)) {
            action.run();
        }
        return registered;
    }

    /** Whether Ctrl-C was pressed, or the process asked to terminate. */
    static boolean requested() {
        return requested;
    }

    /** Takes the action back. Closing again does nothing. */
    @Override
    public void close() {
        REGISTERED.remove(this);
    }

    /**
     * Runs a command line on this thread, under the rules above.
     *
     * @return what {@code command} returned; not at all if the JVM is shutting down
     */
    static int guard(IntSupplier command) {
        Thread commandThread = Thread.currentThread();
        CountDownLatch done = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(commandThread, done), "aisio-interruption"));
        try {
            return command.getAsInt();
        } finally {
            done.countDown();
        }
    }

    private static void stop(Thread commandThread, CountDownLatch done) {
        if (done.getCount() == 0) {
            return;
        }
        requested = true;
        for (Interruption next; (next = REGISTERED.pollFirst()) != null; ) {
            runSafely(next.action);
        }
        commandThread.interrupt();
        try {
            if (!done.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                System.err.println("aisio: the command did not clean up within " + PATIENCE.toSeconds() + " s");
            }
        } catch (InterruptedException e) {
            // Nobody interrupts a shutdown hook but the JVM at its very end: leave.
            Thread.currentThread().interrupt();
        }
    }

    /** One action that fails keeps neither the others nor the command from stopping. */
    private static void runSafely(Runnable action) {
        try {
            action.run();
        } catch (RuntimeException e) {
            System.err.println("aisio: while stopping: " + e);
        }
    }
}
