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
 * chooses blocks for what was written: whoever maps a file that changed asks for it to be synced first.
 *
 * <p>On XFS, {@link Extents} asks for more: programs at the kernel's own tracepoints then tell each extent as it
 * changes, {@link Change.Mapped} and {@link Change.Unmapped}, of all regular files of that file system, those outside of
 * the directory too. That is the map that the kernel has in memory: what was written is told as delayed at first, and
 * after fsync(2) the map known from what was told is the one that FIEMAP tells, except that it does not say which
 * extents are shared, and that no extent of a real-time file is located. Between two changes, a part of a file that is
 * being changed may have none.
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

    /** Whether changes of extents are told too, by eBPF. */
    public enum Extents {
        /** They are not. */
        UNTOLD,
        /** They are where that is possible; {@link Watch#missing} says why not. */
        IF_POSSIBLE,
        /** They are, or the watch is not opened. */
        REQUIRED
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
        return open(directory, pace, Extents.UNTOLD, listener);
    }

    /**
     * Begins to watch. What is read once this returned, from the kernel, stays right by what is told of names and of
     * extents.
     *
     * @param extents whether changes of extents are told; it takes XFS, Linux 5.13 with BTF, and root or CAP_BPF and
     *     CAP_PERFMON
     * @throws IOException as {@link #open(Path, Listener)}, and if extents are required but cannot be told: the message
     *     says why
     */
    public static Watch open(Path directory, Duration pace, Extents extents, Listener listener) throws IOException {
        Watch watch = new Watch(Follower.open(directory, pace, extents, listener));
        watch.thread.start();
        return watch;
    }

    /** By what changes are known, in words. */
    public String how() {
        return follower.tellsExtents() ? "inotify, and XFS's tracepoints by eBPF" : "inotify";
    }

    /** Why changes of extents are not told, in a sentence with the next step; empty if they are, or were not asked for. */
    public String missing() {
        return follower.missing();
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
