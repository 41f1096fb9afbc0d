package io.aisio.xal;

import io.aisio.xal.watch.Follower;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * Tells what changes in a mounted file system, or below a directory of it, at a cost proportional to the change.
 *
 * <p>All directories are watched through inotify, one watch each, so that {@code fs.inotify.max_user_watches} limits how
 * many there may be. inotify does not tell of what is written through a memory mapping, nor when the file system finally
 * chooses blocks for what was written: whoever maps a file that changed asks for it to be synced first
 */
public final class Watch implements AutoCloseable {
    /** How long a file that was told is not told again: chosen so that a writer costs at most 50 mappings a second. */
    public static final Duration PACE = Duration.ofMillis(20);

    private final Follower follower;
    private final Thread thread;

    private Watch(Follower follower) {
        this.follower = follower;
        this.thread = Thread.ofPlatform().name("xal-watch").daemon().unstarted(follower::run);
    }

    /** Is told of changes, always on the same thread, one after another. */
    @FunctionalInterface
    public interface Listener {
        /**
         * Takes a change. What it throws ends the watch, which then tells {@link Change.Ended}.
         *
         * @throws IOException if what depends on it cannot be brought up to date
         */
        void told(Change change) throws IOException;
    }

    /**
     * Begins to watch. When this returns, whatever happens next will be told; so what is read now and changed by what is
     * told stays right.
     *
     * @param directory where the file system is mounted, or one below; mounts below it are left out
     * @throws IOException if it cannot be watched: the message names the setting where a limit is reached
     */
    public static Watch open(Path directory, Listener listener) throws IOException {
        return open(directory, PACE, listener);
    }

    /**
     * Begins to watch.
     *
     * @param pace once a change to a file was told, its next ones are told together after this time; names are always
     *     told at once
     * @throws IOException as {@link #open(Path, Listener)}
     */
    public static Watch open(Path directory, Duration pace, Listener listener) throws IOException {
        Watch watch = new Watch(Follower.open(directory, pace, listener));
        watch.thread.start();
        return watch;
    }

    /** Whether changes are still told; once false, {@link Change.Ended} has been told, or this is closed. */
    public boolean isOpen() {
        return thread.isAlive();
    }

    /**
     * Ends it, without telling. Waits until the listener has returned, except on the listener's own thread. Closing again
     * does nothing.
     */
    @Override
    public void close() {
        follower.stop();
        if (Thread.currentThread() == thread) {
            return;
        }
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
