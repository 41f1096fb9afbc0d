package io.aisio.fil.nio;

import io.aisio.xal.Attributes;
import io.aisio.xal.Child;
import io.aisio.xal.Entry;
import io.aisio.xal.FileType;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsException;
import java.io.IOException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Finds files by path as the kernel would: {@code .} and {@code ..} by what directories hold, symbolic links followed. The
 * directories that were read last are kept, so that a walk does not read one again for each of its files. Any thread may
 * call it.
 */
final class Tree {
    /** Links that are followed on the way to one file, as Linux has it ({@code MAXSYMLINKS}). */
    private static final int MAX_LINKS = 40;
    /** Names in the directories that are kept, some 30 MiB of heap. */
    private static final int KEPT_NAMES = 1 << 18;

    private final Xal xal;
    private final Entry root;

    /** How long a directory is kept that the device did not read whole: it may do so later. */
    private static final Duration AGAIN = Duration.ofSeconds(1);

    private final long againNanos;

    /** By inode number, the one that was used last at the end; under its own lock. */
    private final LinkedHashMap<Long, Kept> kept = new LinkedHashMap<>(16, 0.75f, true);

    private int keptNames;

    Tree(Xal xal) throws IOException {
        this(xal, AGAIN);
    }

    /** The same, with another time for which a directory is kept that was not read whole. */
    Tree(Xal xal, Duration again) throws IOException {
        this.xal = xal;
        againNanos = again.toNanos();
        root = xal.root();
    }

    /**
     * What a directory holds.
     *
     * @param names sorted
     * @param problems what kept some names from being read
     */
    record Directory(Map<String, Child> names, List<IOException> problems) {
        /** Whether it would be the same, read again: what is damaged stays so, what the device failed to read may not. */
        boolean isLasting() {
            return problems.stream().allMatch(XfsException.class::isInstance);
        }
    }

    /** @param readAt by {@link System#nanoTime} */
    private record Kept(Directory directory, long readAt) {
        boolean isGood(long now, long againNanos) {
            return directory.isLasting() || now - readAt < againNanos;
        }
    }

    /**
     * What is at a path.
     *
     * @param names of an absolute path, from the root
     * @param follow whether a symbolic link at its end is followed; others are in any case
     * @param asked the path as it was given, for messages
     * @throws NoSuchFileException if there is none
     * @throws NotDirectoryException if a part before the last is no directory
     * @throws FileSystemLoopException if more links than Linux follows are on the way
     * @throws IOException if something on the way is damaged or cannot be read
     */
    Entry find(Collection<String> names, boolean follow, String asked) throws IOException {
        Deque<Entry> way = new ArrayDeque<>(List.of(root));
        Deque<String> rest = new ArrayDeque<>(names);
        int links = 0;
        while (!rest.isEmpty()) {
            String name = rest.pop();
            Entry here = way.element();
            if (here.type() != FileType.DIRECTORY) {
                throw new NotDirectoryException(asked);
            }
            if (name.equals("..")) {
                if (way.size() > 1) {
                    way.pop();
                }
            } else if (!name.isEmpty() && !name.equals(".")) {
                Entry child = child(here, name);
                if (child == null) {
                    throw new NoSuchFileException(asked);
                }
                requireNotOnTheWay(child, way);
                if (child.type() != FileType.SYMLINK || (rest.isEmpty() && !follow)) {
                    way.push(child);
                    continue;
                }
                if (++links > MAX_LINKS) {
                    throw new FileSystemLoopException(asked);
                }
                String target = target(child);
                if (target.startsWith("/")) {
                    way.clear();
                    way.push(root);
                }
                // A slash at its end leaves an empty name, for which a directory has to be there.
                for (String part : List.of(target.split("/", -1)).reversed()) {
                    rest.push(part);
                }
            }
        }
        return way.element();
    }

    /** A directory is not beneath itself: so every walk ends. */
    private static void requireNotOnTheWay(Entry child, Collection<Entry> way) throws IOException {
        if (child.type() == FileType.DIRECTORY) {
            for (Entry above : way) {
                if (above.inode().number() == child.inode().number()) {
                    throw new IOException("inode %d: a directory has one name: it is %s, and %s names it too"
                            .formatted(child.inode().number(), above.path(), child.path()));
                }
            }
        }
    }

    /**
     * Where a symbolic link leads.
     *
     * @throws IOException if it is damaged or cannot be read
     */
    String target(Entry link) throws IOException {
        String target = xal.attributes(link).target();
        if (target == null) {
            throw new IOException(link.path() + " is no symbolic link but of type " + link.type());
        }
        return target;
    }

    /** All that is recorded of a file. */
    Attributes attributes(Entry entry) throws IOException {
        return xal.attributes(entry);
    }

    private @Nullable Entry child(Entry directory, String name) throws IOException {
        Directory content = list(directory);
        Child child = content.names().get(name);
        if (child == null) {
            if (!content.problems().isEmpty()) {
                throw content.problems().getFirst();
            }
            return null;
        }
        return xal.child(directory, child);
    }

    /** What a directory holds, read if it is not kept. */
    Directory list(Entry directory) {
        long inode = directory.inode().number();
        synchronized (kept) {
            Kept known = kept.get(inode);
            if (known != null && known.isGood(System.nanoTime(), againNanos)) {
                return known.directory();
            }
        }
        Directory read = read(directory);
        // Who was interrupted may have read less than others will.
        if (read.isLasting() || !Thread.currentThread().isInterrupted()) {
            keep(inode, read);
        }
        return read;
    }

    private void keep(long inode, Directory read) {
        synchronized (kept) {
            Kept before = kept.put(inode, new Kept(read, System.nanoTime()));
            keptNames += weight(read) - (before == null ? 0 : weight(before.directory()));
            var eldest = kept.entrySet().iterator();
            while (keptNames > KEPT_NAMES && kept.size() > 1) {
                keptNames -= weight(eldest.next().getValue().directory());
                eldest.remove();
            }
        }
    }

    /** What a directory takes of the names that are kept: an empty one some too, and so does what is wrong with it. */
    private static int weight(Directory directory) {
        return 1 + directory.names().size() + directory.problems().size();
    }

    private Directory read(Entry directory) {
        Map<String, Child> names = new TreeMap<>();
        List<IOException> problems = new ArrayList<>();
        for (Child child : xal.children(directory, problems::add)) {
            if (names.putIfAbsent(child.name(), child) != null) {
                problems.add(new XfsException(
                        xal.volume().source(),
                        "directory inode " + directory.inode().number(),
                        directory.path(),
                        "two of its entries are named " + child.name()));
            }
        }
        return new Directory(names, problems);
    }
}
