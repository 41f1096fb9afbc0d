package io.aisio.xal.watch;

import io.aisio.linux.Beneath;
import io.aisio.linux.Errno;
import io.aisio.linux.FileHandle;
import io.aisio.linux.LinuxException;
import io.aisio.xal.Change;
import io.aisio.xal.Extent;
import io.aisio.xal.FileExtents;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.backend.Backend;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import io.aisio.xal.index.IndexReader;
import io.aisio.xal.index.IndexReader.Listed;
import io.aisio.xal.index.IndexWriter;
import io.aisio.xal.mount.FileChangedException;
import io.aisio.xal.mount.MountedTree;
import io.aisio.xal.mount.MountedTree.Sighting;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * An index that is made to say what a mounted file system says, one change after another. One thread at a time uses it.
 *
 * <p>A change tells where to look, not what is there: by the time that it is told, more may have happened. So what is
 * put into the index is what was seen, and each sighting is of a name in a directory that is held open and is the one
 * that the index has at that path, by number and generation: true at its moment, whatever is renamed above. What comes
 * after that moment is told after it.
 *
 * <p>A directory keeps its content in the index only while all that is told below it can be found, which is while it has
 * one place or is told to have moved. One that turns up elsewhere untold, because the index is ahead of what is told, is
 * read anew with all that is below it; one that has no place any more is dropped with all that is below it.
 */
public final class Replica {
    /** How many places are remembered that could not be looked at: chosen so that all are tried again within a second. */
    private static final int MOST_UNSETTLED = 1 << 12;

    private final IndexWriter writer;
    private final IndexReader reader;

    /** What could not be looked at, and why: its directory was no more, or not yet, where the index has it, or an error. */
    private final Map<Spot, String> unsettled = new LinkedHashMap<>();

    private final ArrayDeque<String> toLook = new ArrayDeque<>();
    private final ArrayDeque<String> toRead = new ArrayDeque<>();
    private boolean overwhelmed;
    private final AtomicLong mapped = new AtomicLong();

    /** A name in a directory by its inode number; all of the directory if the name is empty. */
    private record Spot(long directory, String name) {}

    /** The index that the writer changes and the reader reads. */
    public Replica(IndexWriter writer, IndexReader reader) {
        this.writer = writer;
        this.reader = reader;
    }

    /** How many files were mapped, each time counted. */
    public long mapped() {
        return mapped.get();
    }

    /** Whether there are places that could not be looked at, whose directories are marked as dirty. */
    public boolean isUnsettled() {
        return !unsettled.isEmpty();
    }

    /** Whether there were more such places than are remembered, so that all must be read again. */
    public boolean isOverwhelmed() {
        return overwhelmed;
    }

    /**
     * Reads all anew. What changes meanwhile must be applied afterwards; that the index is current then is for the caller
     * to say.
     *
     * @throws IOException if the file system cannot be read, or there is no memory
     */
    public void readAll(MountedTree tree) throws IOException {
        overwhelmed = false;
        unsettled.clear();
        Reading reading = new Reading();
        writer.beginReading(tree.root().inode().number());
        tree.readAll(reading);
        writer.completeReading();
        for (long directory : reading.unlisted) {
            if (writer.path(directory) == null) {
                drop(directory);
            } else {
                unsettled(new Spot(directory, ""), "inode " + directory + " was renamed while all was read");
            }
        }
        for (Map.Entry<Spot, String> changing : reading.changing.entrySet()) {
            unsettled(changing.getKey(), changing.getValue());
        }
    }

    /**
     * What is read by several threads, on its way to the index: which directories' names could not be read then, and which
     * files changed each time that they were looked at.
     */
    private final class Reading implements Catalog {
        private final Set<Long> unlisted = ConcurrentHashMap.newKeySet();
        private final Map<Spot, String> changing = new ConcurrentHashMap<>();

        @Override
        public void inodes(InodeBatch batch) {
            for (int i = 0; i < batch.inodes(); i++) {
                if (batch.type(i) == FileType.REGULAR) {
                    mapped.incrementAndGet();
                }
            }
            writer.inodes(batch);
        }

        @Override
        public void names(long directory, NameBatch batch) {
            writer.names(directory, batch);
        }

        @Override
        public void unlisted(long directory) {
            Catalog.super.unlisted(directory);
            unlisted.add(directory);
        }

        /** It is looked at again afterwards: what is known of it stays until then, and one that is not known is not named. */
        @Override
        public boolean changing(long directory, String name, long number, IOException problem) {
            changing.put(new Spot(directory, name), message(problem));
            return writer.keepStale(number);
        }

        @Override
        public boolean knows(long number, int generation, long stamp) {
            return writer.knows(number, generation, stamp);
        }

        @Override
        public void keep(long number) {
            writer.keep(number);
        }

        /** What is gone, or another one, since it was listed is not damaged; that it went is told. */
        @Override
        public void damaged(IOException problem) {
            if (!isGone(problem) && !(problem instanceof FileChangedException)) {
                writer.damaged(problem);
            }
        }
    }

    /**
     * Makes the index say what there is now where a change was.
     *
     * @throws IOException if there is no memory, or the index is damaged; what cannot be looked at is none, its directory
     *     is marked as dirty
     */
    public void apply(MountedTree tree, Change change) throws IOException {
        switch (change) {
            case Change.Added(String path) -> look(tree, path, null);
            case Change.Removed(String path) -> look(tree, path, null);
            case Change.Changed(String path) -> look(tree, path, null);
            case Change.Moved(String from, String to) -> moved(tree, from, to);
            case Change.Mapped(long inode, Extent extent) -> mapped(inode, extent);
            case Change.Unmapped(long inode, long offset, long length) -> {
                long end = offset + length;
                writer.unmap(inode, offset, end < 0 ? Long.MAX_VALUE : end);
            }
            case Change.Everything _ -> readAll(tree);
            case Change.Ended _ -> {}
        }
        work(tree);
    }

    /** Looks again at what could not be looked at. */
    public void settle(MountedTree tree) throws IOException {
        for (Spot spot : List.copyOf(unsettled.keySet())) {
            String path = writer.path(spot.directory());
            if (path == null) {
                // The directory is gone from the index. Where it turns up again, it is read anew.
                settled(spot);
            } else if (spot.name().isEmpty()) {
                toRead.add(path);
            } else {
                toLook.add(Backend.path(path, spot.name()));
            }
        }
        work(tree);
    }

    private void work(MountedTree tree) throws IOException {
        while (!toLook.isEmpty() || !toRead.isEmpty()) {
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted while a directory was read");
            }
            if (toLook.isEmpty()) {
                read(tree, toRead.remove());
            } else {
                look(tree, toLook.remove(), null);
            }
        }
    }

    private void mapped(long inode, Extent extent) throws IOException {
        try {
            writer.map(inode, extent);
        } catch (IllegalArgumentException e) {
            String path = writer.path(inode);
            if (path != null) {
                toLook.add(path);
            }
        }
    }

    private void moved(MountedTree tree, String from, String to) throws IOException {
        long number = reader.find(from);
        Inode inode = known(number);
        boolean directory = inode != null && inode.type() == FileType.DIRECTORY;
        look(tree, to, from);
        if (directory && reader.find(to) < 0 && reader.find(from) == number) {
            // Renamed again since. So that it keeps its content, it goes the way that is told.
            rename(from, to);
            Inode parent = known(reader.find(parent(to)));
            if (parent != null) {
                unsettled(new Spot(parent.number(), name(to)), to + " was renamed again");
            }
            directory = false;
        }
        look(tree, from, null);
        if (directory) {
            settle(tree);
        }
    }

    /**
     * Looks at what is at a path.
     *
     * @param from the path that it was told to have had before, or null
     */
    private void look(MountedTree tree, String path, @Nullable String from) throws IOException {
        if (path.equals("/")) {
            try (Beneath root = tree.openDirectory("/")) {
                putDirectory(tree, root, known(reader.find("/")));
            } catch (LinuxException e) {
                unsettled(new Spot(reader.find("/"), ""), message(e));
            }
            return;
        }
        String parent = parent(path);
        Inode directory = known(reader.find(parent));
        if (directory == null || directory.type() != FileType.DIRECTORY) {
            // The index is ahead, or behind: if the directory turns up there, it is read anew.
            return;
        }
        Spot spot = new Spot(directory.number(), name(path));
        try (Beneath opened = open(tree, parent, directory, spot)) {
            if (opened == null) {
                writer.markStale(reader.find(path));
                return;
            }
            look(tree, opened, spot, parent, from, false);
            putDirectory(tree, opened, directory);
        }
    }

    /** Reads a directory anew, and all that is below it. */
    private void read(MountedTree tree, String path) throws IOException {
        Inode directory = known(reader.find(path));
        if (directory == null || directory.type() != FileType.DIRECTORY) {
            return;
        }
        Spot all = new Spot(directory.number(), "");
        try (Beneath opened = open(tree, path, directory, all)) {
            if (opened == null) {
                return;
            }
            Set<String> names = new LinkedHashSet<>();
            try {
                for (Beneath.Name name : opened.list()) {
                    if (!name.isDot()) {
                        names.add(FileName.decode(name.bytes()));
                    }
                }
            } catch (LinuxException e) {
                unsettled(all, message(e));
                return;
            }
            for (Listed child : reader.list(directory.number())) {
                names.add(child.name());
            }
            for (String name : names) {
                look(tree, opened, new Spot(directory.number(), name), path, null, true);
            }
            settled(all);
            putDirectory(tree, opened, directory);
        }
    }

    /** Opens a directory of the index; null if it is not there, which is told again or tried again. */
    private @Nullable Beneath open(MountedTree tree, String path, Inode directory, Spot spot) throws IOException {
        String reason = path + " is another directory than it was";
        try {
            Beneath opened = tree.openDirectory(path);
            if (isSame(opened, directory)) {
                return opened;
            }
            opened.close();
        } catch (LinuxException e) {
            reason = message(e);
        }
        unsettled(spot, reason);
        return null;
    }

    private static boolean isSame(Beneath opened, Inode directory) throws LinuxException {
        try {
            FileHandle handle = opened.handle();
            return handle.inode() == directory.number() && handle.generation() == directory.generation();
        } catch (LinuxException e) {
            opened.close();
            throw e;
        }
    }

    /** Names that come and go change what their directory says of itself, which is not told. */
    private void putDirectory(MountedTree tree, Beneath opened, @Nullable Inode directory) throws IOException {
        Sighting now;
        try {
            now = tree.look(opened);
        } catch (IOException e) {
            if (directory != null) {
                unsettled(new Spot(directory.number(), ""), message(e));
            }
            return;
        }
        put(now);
    }

    private void look(MountedTree tree, Beneath opened, Spot spot, String parent, @Nullable String from, boolean deep)
            throws IOException {
        String path = Backend.path(parent, spot.name());
        long before = reader.find(path);
        Sighting now;
        try {
            now = tree.look(opened, parent, spot.name());
        } catch (FileChangedException e) {
            // Nothing is wrong with it. What it was is stale until it is looked at again.
            writer.markStale(before);
            unsettled(spot, message(e));
            return;
        } catch (IOException e) {
            unreadable(spot, before, message(e));
            return;
        }
        if (now != null && now.inode().type() == FileType.REGULAR) {
            mapped.incrementAndGet();
        }
        try {
            if (now == null) {
                if (before >= 0) {
                    writer.removeName(spot.directory(), spot.name());
                    forget(before);
                }
            } else {
                name(spot, path, before, now, from, deep);
            }
        } catch (IllegalArgumentException e) {
            unreadable(spot, before, path + ": " + e.getMessage());
            return;
        }
        settled(spot);
    }

    /** Lets a name stand for what was seen. */
    private void name(Spot spot, String path, long before, Sighting now, @Nullable String from, boolean deep)
            throws IOException {
        long number = now.inode().number();
        Inode known = known(number);
        if (known != null
                && (known.generation() != now.inode().generation()
                        || known.type() != now.inode().type())) {
            if (known.type() == FileType.DIRECTORY) {
                dropContent(number);
                unsettled.keySet().removeIf(other -> other.directory() == number);
                writer.markCurrent(number);
            }
            loseNames(number, path);
            known = null;
        }
        put(now);
        boolean directory = now.inode().type() == FileType.DIRECTORY;
        boolean moved = from != null && reader.find(from) == number;
        if (before == number) {
            // Told to have come from where the index does not have it: what was told of it there found nothing.
            if (directory && (deep || known == null || (from != null && !moved))) {
                toRead.add(path);
            }
            return;
        }
        String elsewhere = directory && known != null ? writer.path(number) : null;
        if (from != null && moved) {
            rename(from, path);
        } else if (elsewhere != null) {
            // A directory has one name.
            rename(elsewhere, path);
            toLook.add(elsewhere);
            toRead.add(path);
        } else {
            writer.addName(spot.directory(), spot.name(), number);
            if (before >= 0) {
                forget(before);
            }
            if (directory) {
                toRead.add(path);
            }
        }
    }

    /** Lets no name stand for a number any more that was given to another file, but the one where that was seen. */
    private void loseNames(long number, String path) throws IOException {
        String stale = writer.path(number);
        while (stale != null
                && !stale.equals(path)
                && writer.removeName(reader.find(parent(stale)), name(stale)) >= 0) {
            toLook.add(stale);
            stale = writer.path(number);
        }
    }

    /** Renames in the index, as far as both directories are known there. */
    private void rename(String from, String to) throws IOException {
        long fromDirectory = reader.find(parent(from));
        long toDirectory = reader.find(parent(to));
        long replaced = reader.find(to);
        long number = reader.find(from);
        if (fromDirectory < 0 || toDirectory < 0 || (to + "/").startsWith(from + "/")) {
            return;
        }
        if (writer.rename(fromDirectory, name(from), toDirectory, name(to)) && replaced >= 0 && replaced != number) {
            forget(replaced);
        }
    }

    private void put(Sighting now) throws IOException {
        writer.put(now.inode(), now.mode(), now.stamp(), now.extents());
    }

    /** An inode that lost a name is removed, with all below it, or has one link less. */
    private void forget(long number) throws IOException {
        String other = writer.path(number);
        if (other != null) {
            toLook.add(other);
        } else {
            drop(number);
        }
    }

    /** Removes what has no name that leads up to the root, with all that is below it. */
    private void drop(long number) throws IOException {
        Inode inode = known(number);
        if (inode != null && inode.type() == FileType.DIRECTORY) {
            dropContent(number);
            removeDirectory(number);
        } else {
            removeFile(number);
        }
    }

    /** Removes a file, unless it has a name elsewhere than in directories that are dropped: that one is looked at. */
    private void removeFile(long number) throws IOException {
        String other = writer.removeUnlessReached(number);
        if (other != null) {
            toLook.add(other);
        }
    }

    private void removeDirectory(long number) throws IOException {
        String other = writer.removeUnlessReached(number);
        if (other != null) {
            toRead.add(other);
        }
        unsettled.keySet().removeIf(spot -> spot.directory() == number);
    }

    private void dropContent(long top) throws IOException {
        ArrayDeque<Long> directories = new ArrayDeque<>(List.of(top));
        while (!directories.isEmpty()) {
            long directory = directories.remove();
            for (Listed child : list(directory)) {
                writer.removeName(directory, child.name());
                boolean directoryToo = child.inode() != null && child.inode().type() == FileType.DIRECTORY;
                if (directoryToo && writer.path(child.number()) == null) {
                    directories.add(child.number());
                } else {
                    removeFile(child.number());
                }
            }
            if (directory != top) {
                removeDirectory(directory);
            }
        }
    }

    private List<Listed> list(long directory) throws IOException {
        try {
            return reader.list(directory);
        } catch (NotDirectoryException e) {
            // It lay below itself, which no sound index has, and is dropped already.
            return List.of();
        }
    }

    /** What the index knows of a number; null if nothing. */
    private @Nullable Inode known(long number) throws IOException {
        FileExtents file = number < 0 ? null : extents(number);
        return file == null ? null : file.inode();
    }

    private @Nullable FileExtents extents(long number) throws IOException {
        try {
            return reader.extents(number);
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** What the index has at a path; null if it has nothing there. */
    public @Nullable FileExtents at(String path) throws IOException {
        long number = reader.find(path);
        return number < 0 ? null : extents(number);
    }

    /** A file that cannot be mapped has no extents rather than those that it had; by another name it may have some. */
    private void unreadable(Spot spot, long number, String reason) throws IOException {
        Inode inode = known(number);
        if (inode != null && inode.type() != FileType.DIRECTORY) {
            if (inode.links() > 1) {
                writer.removeName(spot.directory(), spot.name());
                forget(number);
            } else {
                writer.remove(number);
            }
        }
        unsettled(spot, reason);
    }

    private void unsettled(Spot spot, String reason) throws IOException {
        if (known(spot.directory()) == null) {
            // Dropped meanwhile: where it turns up again, it is read anew.
            return;
        }
        if (unsettled.size() >= MOST_UNSETTLED && !unsettled.containsKey(spot)) {
            overwhelmed = true;
            writer.markDirty("more than " + MOST_UNSETTLED + " places could not be looked at; the last: " + reason);
            return;
        }
        unsettled.put(spot, reason);
        writer.markDirty(spot.directory(), reason);
    }

    private void settled(Spot spot) {
        if (unsettled.remove(spot) != null
                && unsettled.keySet().stream().noneMatch(other -> other.directory() == spot.directory())) {
            writer.markCurrent(spot.directory());
            tellTroubles();
        }
    }

    /** Lets the index tell why directories are dirty, after it told something else. */
    public void tellTroubles() {
        unsettled.entrySet().stream().findFirst().ifPresent(first -> {
            writer.markDirty(first.getKey().directory(), first.getValue());
        });
    }

    private static boolean isGone(IOException problem) {
        return problem instanceof LinuxException e && (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR);
    }

    private static String message(IOException problem) {
        return String.valueOf(problem.getMessage());
    }

    private static String parent(String path) {
        int slash = path.lastIndexOf('/');
        return slash == 0 ? "/" : path.substring(0, slash);
    }

    private static String name(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }
}
