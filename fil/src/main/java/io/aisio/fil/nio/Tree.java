package io.aisio.fil.nio;

import io.aisio.xal.Attributes;
import io.aisio.xal.Child;
import io.aisio.xal.Entry;
import io.aisio.xal.FileType;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
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

    /** Where each directory that was met is named: a directory has one name, so that every walk ends. */
    private final Map<Long, String> homes = new ConcurrentHashMap<>();

    /** By inode number, the one that was used last at the end; under its own lock. */
    private final LinkedHashMap<Long, Directory> kept = new LinkedHashMap<>(16, 0.75f, true);

    private int keptNames;

    Tree(Xal xal) throws IOException {
        this.xal = xal;
        root = xal.root();
        homes.put(root.inode().number(), root.path());
    }

    /**
     * What a directory holds.
     *
     * @param names sorted
     * @param problems what kept some names from being read
     */
    record Directory(Map<String, Child> names, List<IOException> problems) {}

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
        Entry entry = xal.child(directory, child);
        if (entry.type() == FileType.DIRECTORY) {
            String home = homes.putIfAbsent(entry.inode().number(), entry.path());
            if (home != null && !home.equals(entry.path())) {
                throw new IOException("inode %d: a directory has one name: it is %s, and %s names it too"
                        .formatted(entry.inode().number(), home, entry.path()));
            }
        }
        return entry;
    }

    /** What a directory holds, read if it is not kept. */
    Directory list(Entry directory) {
        long inode = directory.inode().number();
        synchronized (kept) {
            Directory known = kept.get(inode);
            if (known != null) {
                return known;
            }
        }
        Directory read = read(directory);
        synchronized (kept) {
            // Of two threads that read it at once, one keeps it.
            if (read.problems().isEmpty() && kept.putIfAbsent(inode, read) == null) {
                keptNames += read.names().size();
                var eldest = kept.entrySet().iterator();
                while (keptNames > KEPT_NAMES && kept.size() > 1) {
                    keptNames -= eldest.next().getValue().names().size();
                    eldest.remove();
                }
            }
        }
        return read;
    }

    private Directory read(Entry directory) {
        Map<String, Child> names = new TreeMap<>();
        List<IOException> problems = new ArrayList<>();
        for (Child child : xal.children(directory, problems::add)) {
            if (names.putIfAbsent(child.name(), child) != null) {
                problems.add(new IOException(directory.path() + ": two of its entries are named " + child.name()));
            }
        }
        return new Directory(names, problems);
    }
}
