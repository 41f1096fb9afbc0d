package io.aisio.xal.watch;

import static io.aisio.linux.Inotify.ATTRIB;
import static io.aisio.linux.Inotify.CLOSE_WRITE;
import static io.aisio.linux.Inotify.CREATE;
import static io.aisio.linux.Inotify.DELETE;
import static io.aisio.linux.Inotify.DELETE_SELF;
import static io.aisio.linux.Inotify.MODIFY;
import static io.aisio.linux.Inotify.MOVED_FROM;
import static io.aisio.linux.Inotify.MOVED_TO;
import static io.aisio.linux.Inotify.MOVE_SELF;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.aisio.linux.Directory;
import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.Inotify;
import io.aisio.linux.LinuxException;
import io.aisio.xal.Change;
import io.aisio.xal.FileName;
import io.aisio.xal.Watch;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Follows a tree of directories through inotify, and the extents of its files through {@link XfsTracepoints} perhaps.
 * After {@link #open}, one thread runs it; any may {@link #stop} it.
 *
 * <p>A directory is listed after its watch stands, and what is in it is told: so nothing that was put there before is
 * missed, and what was put there meanwhile is told twice. When paths and watches no longer agree, because directories
 * were renamed faster than they were followed, all watches are made anew and {@link Change.Everything} is told.
 */
public final class Follower {
    private static final int EVENTS =
            MODIFY | ATTRIB | CLOSE_WRITE | CREATE | DELETE | MOVED_FROM | MOVED_TO | DELETE_SELF | MOVE_SELF;

    /**
     * How long the second half of a rename is waited for, in milliseconds. The kernel queues both within microseconds;
     * without the second, the name went out of what is watched.
     */
    private static final int RENAME_MILLIS = 10;

    private final Path root;
    private final long paceNanos;
    private final Watch.Listener listener;
    private final ArrayDeque<Inotify.Event> queue = new ArrayDeque<>();
    private final Map<Integer, WatchedDirectory> directories = new HashMap<>();
    /** Files that were told lately, in the order in which they may be told again. */
    private final Map<Name, Pause> paused = new LinkedHashMap<>();

    /** Directories below which one was not found: one above had been renamed already, of which the event was to come. */
    private final Set<WatchedDirectory> incomplete = new HashSet<>();

    private final @Nullable XfsTracepoints tracepoints;
    private final String missing;

    private volatile Inotify inotify;
    private volatile boolean stopped;
    private WatchedDirectory top;
    private FileStatus.@Nullable Device device;
    private @Nullable Rename lastRename;

    private record Name(WatchedDirectory directory, String name) {}

    /** Until when a file is not told, and whether it changed meanwhile. */
    private record Pause(long until, boolean changed) {}

    private record Rename(String from, String to) {}

    /** The tree of directories and that of watches are no longer the same. */
    private static final class OutOfStep extends Exception {
        private static final long serialVersionUID = 1L;

        private final String why;

        OutOfStep(String why) {
            super(why);
            this.why = why;
        }
    }

    private Follower(
            Path root, Duration pace, @Nullable XfsTracepoints tracepoints, String missing, Watch.Listener listener)
            throws IOException {
        this.root = root;
        this.paceNanos = pace.toNanos();
        this.tracepoints = tracepoints;
        this.missing = missing;
        this.listener = listener;
        this.inotify = new Inotify();
        this.top = new WatchedDirectory(null, "", -1);
    }

    /** Watches all directories of a tree. */
    public static Follower open(Path directory, Duration pace, Watch.Extents extents, Watch.Listener listener)
            throws IOException {
        Path root = directory.toRealPath();
        XfsTracepoints tracepoints = null;
        String missing = "";
        if (extents != Watch.Extents.UNTOLD) {
            try {
                tracepoints = XfsTracepoints.open(root, XfsTracepoints.RING_BYTES);
            } catch (IOException e) {
                if (extents == Watch.Extents.REQUIRED) {
                    throw e;
                }
                missing = String.valueOf(e.getMessage());
            }
        }
        return open(root, pace, tracepoints, missing, listener);
    }

    /** Watches all directories of a tree; the tracepoints are closed with it, or if it cannot be. */
    static Follower open(
            Path root, Duration pace, @Nullable XfsTracepoints tracepoints, String missing, Watch.Listener listener)
            throws IOException {
        Follower follower = null;
        try {
            follower = new Follower(root, pace, tracepoints, missing, listener);
            follower.watchAll();
            return follower;
        } catch (IOException | RuntimeException e) {
            if (follower != null) {
                follower.inotify.close();
            }
            if (tracepoints != null) {
                tracepoints.close();
            }
            throw e;
        }
    }

    /** Whether changes of extents are told. */
    public boolean tellsExtents() {
        return tracepoints != null;
    }

    /** Why changes of extents are not told; empty if they are, or need not be. */
    public String missing() {
        return missing;
    }

    /** Makes {@link #run} return soon. */
    public void stop() {
        stopped = true;
        inotify.wake();
    }

    /** Tells what happens until it is stopped or nothing more can be told. */
    public void run() {
        try {
            String end = null;
            while (!stopped && end == null) {
                if (queue.isEmpty() && await()) {
                    inotify.read(queue::add);
                }
                end = handleQueue();
                tellPaused();
                if (tracepoints != null && !stopped && end == null) {
                    tracepoints.tell(listener);
                }
            }
            if (end != null) {
                listener.told(new Change.Ended(end));
            }
        } catch (IOException | RuntimeException e) {
            tellEnded(e);
        } finally {
            inotify.close();
            if (tracepoints != null) {
                tracepoints.close();
            }
        }
    }

    /** @return whether there are events of inotify */
    private boolean await() throws LinuxException {
        int millis = millisToNextPauseEnd();
        return tracepoints == null ? inotify.await(millis) : tracepoints.await(inotify, millis);
    }

    private void tellEnded(Exception cause) {
        try {
            listener.told(new Change.Ended(String.valueOf(cause.getMessage())));
        } catch (IOException | RuntimeException e) {
            e.addSuppressed(cause);
            throw new IllegalStateException("a listener that refuses to be told that a watch ended", e);
        }
    }

    /** @return why nothing more can be told, or null */
    private @Nullable String handleQueue() throws IOException {
        try {
            while (!stopped && !queue.isEmpty()) {
                String end = handle(queue.remove());
                if (end != null) {
                    return end;
                }
            }
        } catch (OutOfStep e) {
            startOver(e.why);
        }
        return null;
    }

    private @Nullable String handle(Inotify.Event event) throws IOException, OutOfStep {
        if (event.is(Inotify.OVERFLOW)) {
            throw new OutOfStep("the kernel's queue of events was full (fs.inotify.max_queued_events)");
        }
        WatchedDirectory directory = directories.get(event.watch());
        if (directory == null) {
            // What is left of a watch that was ended here.
            return null;
        }
        if (event.is(Inotify.UNMOUNT)) {
            return root + ": unmounted";
        }
        if (event.name().length == 0) {
            return handleSelf(directory, event);
        }
        String name = FileName.decode(event.name());
        if (event.is(CREATE)) {
            added(directory, name, event.is(Inotify.DIRECTORY));
        } else if (event.is(DELETE)) {
            removed(directory, name);
        } else if (event.is(MOVED_FROM)) {
            movedFrom(directory, name, event);
        } else if (event.is(MOVED_TO)) {
            removed(directory, name);
            added(directory, name, event.is(Inotify.DIRECTORY));
        } else if (event.is(MODIFY | ATTRIB | CLOSE_WRITE)) {
            changed(directory, name);
        }
        return null;
    }

    /** What happens to a directory itself is told by the one above; the top has none. */
    private @Nullable String handleSelf(WatchedDirectory directory, Inotify.Event event) throws IOException {
        if (directory == top && event.is(DELETE_SELF | MOVE_SELF)) {
            return root + (event.is(DELETE_SELF) ? ": removed" : ": renamed");
        }
        if (directory == top && event.is(ATTRIB)) {
            changed(directory, "");
        }
        if (event.is(Inotify.IGNORED)) {
            directories.remove(event.watch(), directory);
            return directory == top ? root + ": its watch is gone" : null;
        }
        return null;
    }

    private void added(WatchedDirectory parent, String name, boolean directory) throws IOException, OutOfStep {
        listener.told(new Change.Added(parent.path(name)));
        if (directory) {
            follow(parent, name, true);
        }
    }

    private void removed(WatchedDirectory parent, String name) throws IOException {
        WatchedDirectory directory = parent.children.get(name);
        if (directory != null) {
            forget(directory);
        }
        paused.remove(new Name(parent, name));
        listener.told(new Change.Removed(parent.path(name)));
    }

    private void movedFrom(WatchedDirectory parent, String name, Inotify.Event from) throws IOException, OutOfStep {
        Inotify.Event to = takeSecondHalf(from.cookie());
        WatchedDirectory newParent = to == null ? null : directories.get(to.watch());
        if (to == null || newParent == null) {
            removed(parent, name);
            return;
        }
        String newName = FileName.decode(to.name());
        Rename rename = new Rename(parent.path(name), newParent.path(newName));
        if (lastRename != null && lastRename.from.equals(rename.to) && lastRename.to.equals(rename.from)) {
            // Two names were exchanged, which looks like a rename and another one back: what has them now is to be
            // seen.
            lastRename = null;
            look(parent, name);
            look(newParent, newName);
            return;
        }
        lastRename = rename;
        moved(parent, name, newParent, newName, from.is(Inotify.DIRECTORY));
    }

    private void moved(
            WatchedDirectory parent, String name, WatchedDirectory newParent, String newName, boolean isDirectory)
            throws IOException, OutOfStep {
        WatchedDirectory replaced = newParent.children.get(newName);
        if (replaced != null) {
            forget(replaced);
        }
        paused.remove(new Name(newParent, newName));
        Pause pause = paused.remove(new Name(parent, name));
        WatchedDirectory directory = parent.children.get(name);
        String from = parent.path(name);
        if (directory != null) {
            directory.move(newParent, newName);
        }
        listener.told(new Change.Moved(from, newParent.path(newName)));
        if (isDirectory && directory == null) {
            // It was renamed before it could be watched under its old name.
            follow(newParent, newName, true);
        } else if (directory != null) {
            complete(directory);
        }
        if (pause != null && pause.changed) {
            changed(newParent, newName);
        }
    }

    /** The other event of a rename, taken out of the queue; null if none comes. */
    private Inotify.@Nullable Event takeSecondHalf(int cookie) throws IOException {
        for (int turn = 0; turn < 2; turn++) {
            for (Iterator<Inotify.Event> events = queue.iterator(); events.hasNext(); ) {
                Inotify.Event event = events.next();
                if (event.is(MOVED_TO) && event.cookie() == cookie) {
                    events.remove();
                    return event;
                }
            }
            if (turn == 0 && inotify.await(RENAME_MILLIS)) {
                inotify.read(queue::add);
            }
        }
        return null;
    }

    /** Tells what has a name now. */
    private void look(WatchedDirectory parent, String name) throws IOException, OutOfStep {
        removed(parent, name);
        boolean[] found = new boolean[2];
        try (Directory listed = open(parent.path())) {
            listed.list((child, directory) -> {
                if (FileName.decode(child).equals(name)) {
                    found[0] = true;
                    found[1] = directory;
                }
            });
        } catch (LinuxException e) {
            if (!isGone(e)) {
                throw e;
            }
        }
        if (found[0]) {
            added(parent, name, found[1]);
        }
    }

    private void changed(WatchedDirectory parent, String name) throws IOException {
        Name file = new Name(parent, name);
        Pause pause = paused.get(file);
        if (pause != null) {
            paused.put(file, new Pause(pause.until, true));
            return;
        }
        paused.put(file, new Pause(System.nanoTime() + paceNanos, false));
        listener.told(new Change.Changed(parent.path(name)));
    }

    private void tellPaused() throws IOException {
        long now = System.nanoTime();
        List<Name> changed = new ArrayList<>();
        for (Iterator<Map.Entry<Name, Pause>> all = paused.entrySet().iterator(); all.hasNext(); ) {
            Map.Entry<Name, Pause> next = all.next();
            if (next.getValue().until - now > 0) {
                break;
            }
            if (next.getValue().changed) {
                changed.add(next.getKey());
            }
            all.remove();
        }
        for (Name file : changed) {
            changed(file.directory, file.name);
        }
    }

    /** Rounded up, so that it is over when the wait is; -1 if none is paused. */
    private int millisToNextPauseEnd() {
        if (paused.isEmpty()) {
            return -1;
        }
        long nanos = paused.values().iterator().next().until - System.nanoTime();
        return nanos <= 0 ? 0 : (int) Math.min(NANOSECONDS.toMillis(nanos) + 1, Integer.MAX_VALUE);
    }

    /** Makes all watches anew, and tells that all must be read again once they stand. */
    private void startOver(String why) throws IOException {
        forgetAll();
        watchAll();
        listener.told(new Change.Everything(why));
    }

    private void watchAll() throws IOException {
        List<String> below = new ArrayList<>();
        try (Directory directory = open("/")) {
            device = directory.device();
            top = new WatchedDirectory(null, "", inotify.add(directory, EVENTS));
            directories.put(top.watch, top);
            list(directory, new ArrayList<>(), below);
        }
        try {
            for (String name : below) {
                follow(top, name, false);
            }
        } catch (OutOfStep e) {
            // Renames while it began: what hangs where is not certain, so all begins again.
            if (!stopped) {
                forgetAll();
                watchAll();
            }
        }
    }

    /** Watches a directory and those below it, and tells what is in them if that was not told. */
    private void follow(WatchedDirectory parent, String name, boolean tell) throws IOException, OutOfStep {
        // Not by recursion: others decide how deep a tree is.
        ArrayDeque<Name> next = new ArrayDeque<>();
        next.push(new Name(parent, name));
        while (!next.isEmpty()) {
            Name one = next.pop();
            followOne(one.directory, one.name, tell, next);
        }
    }

    /** @param next takes the directories below, to be followed before all others */
    private void followOne(WatchedDirectory parent, String name, boolean tell, ArrayDeque<Name> next)
            throws IOException, OutOfStep {
        WatchedDirectory directory;
        List<String> names = new ArrayList<>();
        List<String> below = new ArrayList<>();
        try (Directory opened = open(parent.path(name))) {
            if (!opened.device().equals(device)) {
                return;
            }
            int watch = inotify.add(opened, EVENTS);
            WatchedDirectory known = directories.get(watch);
            WatchedDirectory there = parent.children.get(name);
            if (known != null && known == there) {
                return;
            }
            if (known != null) {
                throw new OutOfStep(known.path() + " and " + parent.path(name) + " were renamed faster than followed");
            }
            if (there != null) {
                forget(there);
            }
            directory = new WatchedDirectory(parent, name, watch);
            parent.children.put(name, directory);
            directories.put(watch, directory);
            list(opened, names, below);
        } catch (LinuxException e) {
            if (isGone(e)) {
                // Removed or renamed meanwhile, itself or one above, of which the event follows; or no directory at
                // all.
                incomplete.add(parent);
                return;
            }
            throw e;
        }
        if (tell) {
            for (String child : names) {
                listener.told(new Change.Added(directory.path(child)));
            }
        }
        for (String child : below.reversed()) {
            next.push(new Name(directory, child));
        }
    }

    private static void list(Directory directory, List<String> names, List<String> directories) throws LinuxException {
        directory.list((name, isDirectory) -> {
            String decoded = FileName.decode(name);
            names.add(decoded);
            if (isDirectory) {
                directories.add(decoded);
            }
        });
    }

    /** Follows what could not be found below a directory before it was renamed. */
    private void complete(WatchedDirectory moved) throws IOException, OutOfStep {
        for (WatchedDirectory directory : List.copyOf(incomplete)) {
            if (directory.isBelow(moved) && incomplete.remove(directory)) {
                List<String> below = new ArrayList<>();
                try (Directory opened = open(directory.path())) {
                    list(opened, new ArrayList<>(), below);
                } catch (LinuxException e) {
                    if (!isGone(e)) {
                        throw e;
                    }
                    incomplete.add(directory);
                }
                for (String name : below) {
                    if (!directory.children.containsKey(name)) {
                        added(directory, name, true);
                    }
                }
            }
        }
    }

    private void forgetAll() throws LinuxException {
        inotify.close();
        queue.clear();
        directories.clear();
        paused.clear();
        incomplete.clear();
        lastRename = null;
        inotify = new Inotify();
    }

    /** Ends the watches of a directory and of those below it. */
    private void forget(WatchedDirectory directory) {
        directory.detach();
        Set<WatchedDirectory> forgotten = new HashSet<>();
        ArrayDeque<WatchedDirectory> next = new ArrayDeque<>(List.of(directory));
        while (!next.isEmpty()) {
            WatchedDirectory one = next.pop();
            next.addAll(one.children.values());
            forgotten.add(one);
            directories.remove(one.watch, one);
            inotify.remove(one.watch);
        }
        incomplete.removeAll(forgotten);
        paused.keySet().removeIf(file -> forgotten.contains(file.directory));
    }

    private static boolean isGone(LinuxException e) {
        return e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP;
    }

    /** Opens a directory of the tree; no link on the way is followed. */
    private Directory open(String path) throws LinuxException {
        Directory opened = Directory.open(root.toString().getBytes(StandardCharsets.UTF_8));
        if (path.equals("/")) {
            return opened;
        }
        try (opened) {
            return opened.openBelow(FileName.encode(path.substring(1)));
        }
    }
}
