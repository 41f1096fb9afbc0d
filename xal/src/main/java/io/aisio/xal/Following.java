package io.aisio.xal;

import io.aisio.linux.FileStatus;
import io.aisio.xal.index.IndexWriter;
import io.aisio.xal.mount.MountedTree;
import io.aisio.xal.watch.Replica;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps an index as its mounted file system is: takes what a {@link Watch} tells, and applies it on a thread of its own.
 *
 * <p>What is told waits in a set, so that a file that changes often waits once; but what a path means ends with a rename.
 * The set is bounded: when it is full, all of it becomes one {@link Change.Everything}. While all is read, what is told waits too, and is applied afterwards: each
 * sighting of a name is newer than what the reading saw, or was told since.
 *
 * <p>The file system is held open only while something is applied, so that it can be unmounted.
 */
final class Following implements AutoCloseable {
    /** How many changes wait: chosen so that they take some ten megabytes, and applying them a few seconds. */
    static final int MOST_WAITING = 1 << 16;

    /** How soon what could not be looked at is tried again. */
    private static final long RETRY_MILLIS = 1000;

    private static final String BEHIND = "what changed while all was read is being applied";

    private final Path directory;
    private final Index.Follow how;
    private final Index.Listener listener;
    private final IndexWriter writer;
    private final Replica replica;
    private final MountIdentity identity;
    private final int mostWaiting;
    private final Thread thread;

    /** What was told and is not applied yet; also the lock of what follows, to {@link #ended}. */
    private final Set<Waiting> waiting = new LinkedHashSet<>();

    private long renames;
    private long told;
    private long applied;
    /** So many must be applied until the index is current; 0 if it is as far as is known. */
    private long behind;

    private boolean mustRead;
    /** Nothing more is taken. */
    private boolean over;

    private @Nullable String ended;

    private volatile boolean built;
    private volatile boolean closed;
    private volatile @Nullable Change detected;

    /** All could not be read, and is not tried again at once. */
    private volatile boolean failed;

    /** Under the lock of {@link #replica}. */
    private @Nullable MountedTree tree;

    /** When what could not be looked at was tried last, of {@link System#nanoTime}. */
    private long settled = System.nanoTime();

    private @Nullable Watch watch;

    /** A change that waits, and how many renames were told before it. */
    private record Waiting(Change change, long renames) {}

    /** What tells a mounted file system from another one at the same path. */
    private record MountIdentity(FileStatus.Device device, long inode, int generation) {
        static MountIdentity of(MountedTree tree) throws IOException {
            Inode root = tree.root().inode();
            return new MountIdentity(tree.device(), root.number(), root.generation());
        }
    }

    private Following(
            Path directory,
            Index.Follow how,
            Index.Listener listener,
            IndexWriter writer,
            MountIdentity identity,
            int mostWaiting) {
        this.mostWaiting = mostWaiting;
        this.directory = directory;
        this.how = how;
        this.listener = listener;
        this.writer = writer;
        this.identity = identity;
        replica = new Replica(writer, writer.reader());
        thread = Thread.ofPlatform().name("xal-follow").daemon().unstarted(this::run);
    }

    /** Makes an index, reads all into it and keeps it. */
    static Following open(Path directory, Index.Follow how, Index.Listener listener, int mostWaiting)
            throws IOException {
        String name = how.sharedName();
        Path shared = name == null ? null : Index.sharedPath(name);
        Path real = directory.toRealPath();
        IndexWriter writer;
        MountIdentity identity;
        try (MountedTree tree = MountedTree.open(real, how.sync())) {
            identity = MountIdentity.of(tree);
            writer = IndexWriter.create(tree.describe(), shared);
        }
        Following following = new Following(real, how, listener, writer, identity, mostWaiting);
        try {
            // The watch stands before anything is read, so that nothing falls between.
            following.watch = Watch.open(real, Watch.PACE, how.extents(), following::told);
            following.refresh();
            following.thread.start();
            return following;
        } catch (IOException | RuntimeException e) {
            following.close();
            writer.close();
            throw e;
        }
    }

    IndexWriter writer() {
        return writer;
    }

    /** As {@link Watch#how}. */
    String how() {
        Watch open = watch;
        return open == null ? "" : open.how();
    }

    /** As {@link Watch#missing}. */
    String missing() {
        Watch open = watch;
        return open == null ? "" : open.missing();
    }

    /** Takes what is told, on the watch's thread. */
    private void told(Change change) {
        synchronized (waiting) {
            if (how.mode() == Index.Follow.Mode.DETECT) {
                detected = change;
                markDirty(reason(change));
            }
            if (over) {
                return;
            }
            over = change instanceof Change.Ended;
            renames += change instanceof Change.Moved ? 1 : 0;
            Waiting next = new Waiting(change, renames);
            if (change instanceof Change.Everything || change instanceof Change.Ended) {
                takeAllBack(change);
            } else if (waiting.size() >= mostWaiting && !waiting.contains(next)) {
                takeAllBack(new Change.Everything("more than " + mostWaiting + " changes waited to be applied"));
            } else {
                if (change instanceof Change.Mapped || change instanceof Change.Unmapped) {
                    // Of parts that overlap, the last one told holds.
                    applied += waiting.remove(next) ? 1 : 0;
                }
                told += waiting.add(next) ? 1 : 0;
            }
            waiting.notifyAll();
        }
    }

    /** Lets a change take the place of all that wait. */
    private void takeAllBack(Change change) {
        applied += waiting.size();
        waiting.clear();
        waiting.add(new Waiting(change, renames));
        told++;
        mustRead = true;
        markDirty(reason(change));
    }

    /** An index that is being built is not dirty, but none: once it is built, what was told meanwhile marks it. */
    private void markDirty(String reason) {
        if (built) {
            writer.markDirty(reason);
        }
    }

    private static String reason(Change change) {
        return switch (change) {
            case Change.Added(String path) -> path + " was added";
            case Change.Removed(String path) -> path + " was removed";
            case Change.Moved(String from, String to) -> from + " was renamed to " + to;
            case Change.Changed(String path) -> path + " changed";
            case Change.Mapped(long inode, Extent _) -> "the map of inode " + inode + " changed";
            case Change.Unmapped(long inode, long _, long _) -> "the map of inode " + inode + " changed";
            case Change.Everything(String why) -> why;
            case Change.Ended(String why) -> "it is not followed any more: " + why;
        };
    }

    private void run() {
        try {
            boolean more = true;
            while (more && !closed) {
                Change change = next(rest());
                Index.Update update = change == null ? null : apply(change);
                if (update != null) {
                    listener.updated(update);
                }
                settleInTime();
                more = !(change instanceof Change.Ended);
            }
        } catch (InterruptedException | IOException | RuntimeException e) {
            if (!closed) {
                end(String.valueOf(e.getMessage()));
                tellEnd(e);
            }
        } finally {
            if (!closed && ended == null) {
                end("a fault of its own");
            }
            synchronized (replica) {
                closeTree();
            }
            Watch open = watch;
            if (open != null) {
                open.close();
            }
        }
    }

    /**
     * Lets go of the file system if nothing is to be applied.
     *
     * @return how long to wait for a change, in milliseconds; 0 if for ever
     */
    private long rest() throws InterruptedException {
        if (failed) {
            failed = false;
            long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS);
            synchronized (waiting) {
                for (long left = RETRY_MILLIS; left > 0 && !over; ) {
                    waiting.wait(left);
                    left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                }
            }
        }
        synchronized (replica) {
            synchronized (waiting) {
                if (waiting.isEmpty()) {
                    closeTree();
                }
            }
            return replica.isUnsettled() ? RETRY_MILLIS : 0;
        }
    }

    /** The change that waits longest; null if none came in time. */
    private @Nullable Change next(long millis) throws InterruptedException {
        synchronized (waiting) {
            long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
            while (waiting.isEmpty()) {
                long left = millis == 0 ? 0 : TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (millis > 0 && left <= 0) {
                    return null;
                }
                waiting.wait(left);
            }
            Iterator<Waiting> changes = waiting.iterator();
            Change next = changes.next().change();
            changes.remove();
            return next;
        }
    }

    /** @return null if the index holds nothing of it: all is to be read instead, or it is of a file that is elsewhere */
    private Index.@Nullable Update apply(Change change) throws IOException {
        synchronized (replica) {
            long began = System.nanoTime();
            long mapped = replica.mapped();
            String path = path(change);
            FileExtents before = null;
            FileExtents after = null;
            if (change instanceof Change.Ended(String why)) {
                end(why);
            } else if (how.mode() == Index.Follow.Mode.UPDATE) {
                before = path.isEmpty() ? null : replica.at(change instanceof Change.Moved m ? m.from() : path);
                applyTo(change);
                after = path.isEmpty() ? null : replica.at(path);
            }
            countApplied();
            boolean elsewhere = change instanceof Change.Mapped || change instanceof Change.Unmapped;
            if (failed || (path.isEmpty() && elsewhere)) {
                return null;
            }
            return new Index.Update(
                    change,
                    path,
                    after,
                    fresh(before, after),
                    replica.mapped() - mapped,
                    Duration.ofNanos(System.nanoTime() - began));
        }
    }

    private void applyTo(Change change) throws IOException {
        try {
            if (change instanceof Change.Everything) {
                readAll();
            } else {
                replica.apply(tree(), change);
            }
        } catch (Unreachable e) {
            readAgain(String.valueOf(e.getMessage()));
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            if (!failed) {
                throw e;
            }
        }
        if (replica.isOverwhelmed()) {
            readAgain("more places than are remembered could not be looked at");
        }
    }

    /** The file system cannot be looked at now. */
    private static final class Unreachable extends IOException {
        private static final long serialVersionUID = 1L;

        Unreachable(String why) {
            super(why);
        }
    }

    /** All is to be read in a moment. After an unmount, that it ended is told before. */
    private void readAgain(String why) {
        told(new Change.Everything(why));
        failed = true;
    }

    private void countApplied() {
        synchronized (waiting) {
            applied++;
            if (behind > 0 && applied >= behind && !mustRead) {
                behind = 0;
                writer.markCurrent();
                replica.tellTroubles();
            }
        }
    }

    private void settleInTime() throws IOException {
        synchronized (replica) {
            long now = System.nanoTime();
            if (!replica.isUnsettled()) {
                settled = now;
            } else if (now - settled >= TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS)) {
                settled = now;
                try {
                    replica.settle(tree());
                } catch (Unreachable e) {
                    readAgain(String.valueOf(e.getMessage()));
                }
            }
        }
    }

    /**
     * Reads all anew, on any thread. When it returns, the index is current, but for what changed meanwhile: until that is
     * applied, it is dirty.
     */
    void refresh() throws IOException {
        synchronized (replica) {
            try {
                readAll();
            } finally {
                closeTree();
            }
        }
    }

    /** @throws IOException if the file system cannot be read; that it is tried again is told then */
    private void readAll() throws IOException {
        synchronized (waiting) {
            mustRead = false;
            detected = null;
        }
        try {
            MountedTree opened = tree();
            replica.readAll(opened);
            replica.settle(opened);
        } catch (IOException | RuntimeException e) {
            String reason = "reading the file system failed: " + e.getMessage();
            writer.markDirty(reason);
            if (how.mode() == Index.Follow.Mode.UPDATE) {
                readAgain(reason);
            }
            throw e;
        }
        synchronized (waiting) {
            built = true;
            failed = false;
            Change change = detected;
            if (ended != null) {
                writer.markDirty(ended);
            } else if (change != null) {
                writer.markDirty(reason(change));
            } else if (how.mode() == Index.Follow.Mode.UPDATE && !waiting.isEmpty()) {
                behind = told;
                writer.markDirty(BEHIND);
            } else {
                behind = 0;
                writer.markCurrent();
                replica.tellTroubles();
            }
        }
    }

    private MountedTree tree() throws IOException {
        MountedTree open = tree;
        if (open != null) {
            return open;
        }
        try {
            open = MountedTree.open(directory, how.sync());
        } catch (IOException e) {
            throw new Unreachable(String.valueOf(e.getMessage()));
        }
        try {
            if (!MountIdentity.of(open).equals(identity)) {
                throw new Unreachable(directory + ": another file system is there than the one that was watched");
            }
        } catch (IOException e) {
            open.close();
            throw e;
        }
        tree = open;
        return open;
    }

    private void closeTree() {
        MountedTree open = tree;
        if (open != null) {
            open.close();
            tree = null;
        }
    }

    /** Where a change was, as far as it was at one place. */
    private String path(Change change) {
        String path = switch (change) {
            case Change.Added(String at) -> at;
            case Change.Removed(String at) -> at;
            case Change.Moved(String _, String to) -> to;
            case Change.Changed(String at) -> at;
            case Change.Mapped(long inode, Extent _) -> writer.path(inode);
            case Change.Unmapped(long inode, long _, long _) -> writer.path(inode);
            case Change.Everything _, Change.Ended _ -> null;
        };
        return path == null ? "" : path;
    }

    private static List<Extent> fresh(@Nullable FileExtents before, @Nullable FileExtents after) {
        if (after == null) {
            return List.of();
        }
        if (before == null
                || before.inode().number() != after.inode().number()
                || before.inode().generation() != after.inode().generation()) {
            return after.extents();
        }
        Set<Extent> old = Set.copyOf(before.extents());
        return after.extents().stream().filter(extent -> !old.contains(extent)).toList();
    }

    private void end(String why) {
        synchronized (waiting) {
            over = true;
            ended = reason(new Change.Ended(why));
            writer.markDirty(ended);
        }
    }

    /** A listener that fails is told why it is told nothing more. */
    private void tellEnd(Exception cause) {
        String why = String.valueOf(cause.getMessage());
        try {
            listener.updated(new Index.Update(new Change.Ended(why), "", null, List.of(), 0, Duration.ZERO));
        } catch (IOException | RuntimeException e) {
            e.addSuppressed(cause);
            throw new IllegalStateException("a listener that refuses to be told that following ended", e);
        }
    }

    /** Ends it, and waits until the listener has returned, except on the listener's own thread. */
    @Override
    public void close() {
        closed = true;
        Watch open = watch;
        if (open != null) {
            open.close();
        }
        if (Thread.currentThread() == thread) {
            return;
        }
        thread.interrupt();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        synchronized (replica) {
            closeTree();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
