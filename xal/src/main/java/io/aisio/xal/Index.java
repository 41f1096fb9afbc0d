package io.aisio.xal;

import io.aisio.linux.OpenFile;
import io.aisio.xal.backend.Backend;
import io.aisio.xal.index.IndexReader;
import io.aisio.xal.index.IndexReader.Listed;
import io.aisio.xal.index.IndexWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * All files of a file system and their extents in memory outside of the heap, private or shared between processes.
 *
 * <p>The one who builds it owns it and keeps it current; others {@linkplain #attach attach} to it by name and only read.
 * Reading takes no lock: what the owner changes meanwhile is read again. Any thread may call it.
 */
public final class Index implements AutoCloseable {
    /** The longest path that is walked, in characters, as {@link Xal#walk} has it. */
    private static final int MAX_PATH = 1 << 16;

    private static final Path SHARED_MEMORY = Path.of("/dev/shm");
    private static final int MAX_NAME = 200;

    private final IndexReader reader;
    private final @Nullable IndexWriter writer;
    private final @Nullable Backend backend;
    private final @Nullable Following following;
    /** The lock of whoever reads all again. */
    private final Object refreshing = new Object();

    private Index(
            IndexReader reader,
            @Nullable IndexWriter writer,
            @Nullable Backend backend,
            @Nullable Following following) {
        this.reader = reader;
        this.writer = writer;
        this.backend = backend;
        this.following = following;
    }

    /** What an index is. */
    public enum State {
        /** Its owner keeps it, and knows of nothing that is otherwise in the file system. */
        CURRENT,
        /** Its owner knows that the file system is otherwise, and not how. */
        DIRTY,
        /** Nobody keeps it. */
        OWNER_GONE
    }

    /**
     * What an index is, and why.
     *
     * @param state what it is
     * @param reason why it is not current; empty if it is
     */
    public record Status(State state, String reason) {}

    /**
     * How an index follows its file system.
     *
     * @param mode what is done about a change
     * @param sync whether a file is written out before it is mapped: without, extents are {@link Extent#DELAYED} that lie
     *     on the device soon, which is told only by eBPF
     * @param extents whether the kernel tells extents as they change, by eBPF; their {@link Extent#SHARED} is not told
     * @param sharedName as {@link Xal#index(String)} has it; null for private memory
     */
    public record Follow(
            Mode mode,
            boolean sync,
            Watch.Extents extents,
            @Nullable String sharedName) {
        /** Brings the index up to date by inotify and FIEMAP, in private memory. */
        public static final Follow UPDATE = new Follow(Mode.UPDATE, true, Watch.Extents.UNTOLD, null);

        /** Marks the index as dirty by inotify, in private memory. */
        public static final Follow DETECT = new Follow(Mode.DETECT, true, Watch.Extents.UNTOLD, null);

        /** What is done about a change. */
        public enum Mode {
            /** The index is dirty from then on until it is {@linkplain Index#refresh refreshed}. */
            DETECT,
            /** What changed is looked at, and the index is brought up to date. */
            UPDATE
        }

        /** The same, in memory that other processes may {@linkplain Index#attach attach} to. */
        public Follow shared(String name) {
            return new Follow(mode, sync, extents, name);
        }

        /** The same, where the kernel tells extents as they change. */
        public Follow extents(Watch.Extents told) {
            return new Follow(mode, sync, told, sharedName);
        }
    }

    /**
     * A change that the index holds now.
     *
     * @param change what was told
     * @param path where it is, from the root of what is followed; empty if it is not at one place, or not known
     * @param file what is there now; null if nothing, or if changes are only detected
     * @param fresh those of its extents that were not in the index before
     * @param mapped how many files were mapped for it
     * @param took how long it took to bring the index up to date
     */
    public record Update(
            Change change, String path, @Nullable FileExtents file, List<Extent> fresh, long mapped, Duration took) {}

    /** Is told of each change once the index holds it, always on the same thread, one after another. */
    @FunctionalInterface
    public interface Listener {
        /**
         * Takes an update. As long as it does not return, nothing more is applied. What it throws ends the following: the
         * index is dirty from then on, and {@link Change.Ended} is told.
         *
         * @throws IOException if what depends on it cannot be brought up to date
         */
        void updated(Update update) throws IOException;
    }

    /**
     * Reads all of a mounted file system, or of a directory in it, into an index, and follows it: at a cost proportional
     * to each change, within milliseconds. Closing the index ends it.
     *
     * <p>What is current is what a {@link Watch} tells. By inotify it is not told of what is written through memory
     * mappings, or to a file with several names through one that is removed before it was looked at, and when the file
     * system takes back blocks behind a file's end; eBPF tells the extents of all that. Neither tells when a file's
     * blocks come to be shared by another one, or no longer are: {@link Extent#SHARED} is as it was when the file itself
     * was looked at last.
     *
     * <p>A place that cannot be looked at makes the index dirty, with the reason, until it can be: it is tried again each
     * second. When changes were missed, or come faster than they are applied, the index is dirty while all is read again.
     * When the file system is unmounted, which this does not hinder for longer than a change is applied, the index stays
     * dirty, and {@link Change.Ended} is told.
     *
     * @param directory where the file system is mounted, or one below
     * @throws IOException as {@link Xal#mounted}, {@link Watch#open} and {@link Xal#index(String)}
     */
    public static Index follow(Path directory, Follow how, Listener listener) throws IOException {
        return follow(directory, how, listener, Following.MOST_WAITING);
    }

    /** As {@link #follow(Path, Follow, Listener)}, where all is read again once so many changes wait. */
    static Index follow(Path directory, Follow how, Listener listener, int mostWaiting) throws IOException {
        Following following = Following.open(directory, how, listener, mostWaiting);
        return new Index(following.writer().reader(), following.writer(), null, following);
    }

    /** By what changes are known, in words; empty if it follows nothing. */
    public String how() {
        return following == null ? "" : following.how();
    }

    /** Why the kernel does not tell extents, as {@link Watch#missing} has it. */
    public String missing() {
        return following == null ? "" : following.missing();
    }

    /** Builds an index, private or shared in a directory. */
    static Index build(Backend backend, @Nullable Path shared, LongConsumer progress) throws IOException {
        IndexWriter writer = IndexWriter.create(backend.describe(), shared);
        Index index = new Index(writer.reader(), writer, backend, null);
        try {
            index.refresh(progress);
            return index;
        } catch (IOException | RuntimeException e) {
            index.close();
            throw e;
        }
    }

    /**
     * The file of a shared index.
     *
     * @throws IllegalArgumentException if the name is none
     */
    static Path sharedPath(String sharedName) {
        if (sharedName.isEmpty()
                || sharedName.length() > MAX_NAME
                || sharedName.chars().anyMatch(c -> c == '/' || c < ' ')) {
            throw new IllegalArgumentException("'" + sharedName + "' cannot name a shared index: a name has 1 to "
                    + MAX_NAME + " characters and no slash");
        }
        return SHARED_MEMORY.resolve("aisio-" + sharedName);
    }

    /**
     * Maps an index that another process owns.
     *
     * @throws IndexException if it is none, another user's, of another version, or not built yet
     * @throws IOException if there is none of this name
     */
    public static Index attach(String sharedName) throws IOException {
        return attach(sharedPath(sharedName));
    }

    /**
     * Maps an index that another process owns and gives the memory of, to who may not open it by its name.
     *
     * @param name by which messages name it
     * @param memory is asked for the memory, and again, on any thread that reads the index, whenever its owner has moved
     *     it to another file
     * @throws IndexException if it is none, of another version, or not built yet
     * @throws IOException if there is none, or it cannot be mapped
     */
    public static Index attach(String name, Memory memory) throws IOException {
        return new Index(IndexReader.attach(name, memory), null, null, null);
    }

    /** Gives the memory of an index that another process owns, as its {@link #openMemory} has opened it. */
    @FunctionalInterface
    public interface Memory {
        /**
         * The file of now.
         *
         * @return an open file, which whoever asked closes; null if there is no such index any more
         * @throws IOException if its owner does not answer
         */
        @Nullable
        OpenFile open() throws IOException;
    }

    /**
     * Opens the memory of a shared index, for a process that it is passed to: to be read and mapped, not to be written to.
     *
     * @throws IllegalStateException if the memory is private
     * @throws IOException if the kernel refuses
     */
    public OpenFile openMemory() throws IOException {
        return reader.openMemory();
    }

    static Index attach(Path shared) throws IOException {
        return new Index(IndexReader.attach(shared), null, null, null);
    }

    /** Who may change it; null if it is another process's. */
    @Nullable
    IndexWriter writer() {
        return writer;
    }

    /** What the file system says of itself. */
    public Volume volume() throws IOException {
        return reader.volume();
    }

    /**
     * What is at a path.
     *
     * @throws NoSuchFileException if a part of the path does not exist
     * @throws NotDirectoryException if a part before the last is no directory
     * @throws IndexException if the inode could not be read when the index was built, or the index is damaged
     */
    public Entry lookup(String path) throws IOException {
        return reader.lookup(path);
    }

    /**
     * The inode number at a path, or -1. Nothing is allocated if the path is ASCII.
     *
     * @throws IndexException if the index is damaged
     */
    public long find(CharSequence path) throws IOException {
        return reader.find(path);
    }

    /**
     * Where a regular file's blocks lie; of anything else the extents are not kept, and the list is empty. The same
     * exceptions as {@link #lookup}.
     */
    public FileExtents extents(String path) throws IOException {
        return reader.extents(path);
    }

    /**
     * Where the blocks of an inode number lie.
     *
     * @throws NoSuchFileException if it is not known
     * @throws IndexException if the index is damaged
     */
    public FileExtents extents(long number) throws IOException {
        return reader.extents(number);
    }

    /**
     * Whether a file's extents and size still are as they were read. False also if nobody knows: if the index is dirty,
     * or its owner has been gone for more than a moment.
     */
    public boolean isCurrent(FileExtents file) throws IOException {
        return reader.isCurrent(file);
    }

    /**
     * Visits a file or directory and all that is beneath it, in the order of {@link Xal#walk}. What changes meanwhile is
     * seen or not; each directory is seen as it was at one moment. Names of what could not be read are told as damaged,
     * the rest of the damage is in {@link #problems}.
     *
     * @throws IOException as {@link #lookup}, or what the visitor throws
     */
    public void walk(String path, Xal.Visitor visitor) throws IOException {
        Entry start = lookup(path);
        visitor.visit(start);
        Deque<Open> open = new ArrayDeque<>();
        Set<Long> entered = new HashSet<>();
        if (start.type() == FileType.DIRECTORY) {
            enter(start.path(), start.inode().number(), visitor, entered, open);
        }
        while (!open.isEmpty()) {
            Open directory = open.getLast();
            if (!directory.rest().hasNext()) {
                open.removeLast();
                continue;
            }
            Listed child = directory.rest().next();
            visit(IndexReader.path(directory.path(), child), child, visitor, entered, open);
        }
    }

    /** A directory under way, and what of it is still to visit. */
    private record Open(String path, Iterator<Listed> rest) {}

    private void visit(String path, Listed child, Xal.Visitor visitor, Set<Long> entered, Deque<Open> open)
            throws IOException {
        Inode inode = child.inode();
        if (inode == null) {
            visitor.damaged(path, problem(path + " names inode " + child.number() + ", which could not be read"));
            return;
        }
        visitor.visit(new Entry(path, inode));
        if (IndexReader.enters(child)) {
            enter(path, inode.number(), visitor, entered, open);
        } else if (inode.type() == FileType.DIRECTORY) {
            visitor.damaged(path, problem(path + ": a directory has one name: this is another"));
        }
    }

    private void enter(String path, long number, Xal.Visitor visitor, Set<Long> entered, Deque<Open> open)
            throws IOException {
        if (!entered.add(number)) {
            // Renamed while the walk went on: it was visited where it was.
            return;
        }
        if (path.length() > MAX_PATH) {
            visitor.damaged(path, problem("a path is longer than " + MAX_PATH + " characters"));
        } else {
            List<Listed> children;
            try {
                children = reader.list(number);
            } catch (NotDirectoryException e) {
                // Removed since its parent was listed.
                return;
            }
            children.sort(Comparator.comparing(Listed::name));
            open.addLast(new Open(path, children.iterator()));
        }
    }

    private IOException problem(String text) throws IOException {
        return new IndexException(volume().source(), text);
    }

    /** Inodes that are no directories. */
    public long files() throws IOException {
        return reader.files();
    }

    /** Directories. */
    public long directories() throws IOException {
        return reader.directories();
    }

    /** Extents of all inodes; one too long for a row of the index counts as often as it has rows. */
    public long extentRows() throws IOException {
        return reader.extentRows();
    }

    /** Bytes of memory in use. */
    public long bytes() throws IOException {
        return reader.bytes();
    }

    /** What could not be read, in words. */
    public List<String> problems() throws IOException {
        return reader.problems();
    }

    /** Whether it is as the file system is, as far as anybody knows. */
    public Status status() throws IOException {
        String stale = reader.staleness();
        if (stale == null) {
            return new Status(State.CURRENT, "");
        }
        return new Status(reader.hasLostOwner() ? State.OWNER_GONE : State.DIRTY, stale);
    }

    /**
     * Reads the file system again. Who reads the index sees each inode and each directory as it was or as it is; files
     * that did not change keep their version. If it fails, the index is dirty. One that follows its file system is dirty
     * until what changed meanwhile is applied.
     *
     * @throws IllegalStateException if another process owns it
     * @throws IOException if the file system cannot be read, or there is no memory
     */
    public void refresh() throws IOException {
        refresh(any -> {});
    }

    private void refresh(LongConsumer progress) throws IOException {
        if (following != null) {
            following.refresh();
            return;
        }
        if (writer == null || backend == null) {
            throw new IllegalStateException("another process owns the index: only its owner reads it again");
        }
        synchronized (refreshing) {
            try {
                writer.beginReading(backend.root().inode().number());
                backend.readAll(new CountedCatalog(writer, progress));
                writer.endReading();
            } catch (IOException | RuntimeException e) {
                writer.markDirty("reading the file system failed: " + e.getMessage());
                throwIfNoMemory(e);
                throw e;
            }
        }
    }

    /** A catalog can throw no {@link IOException} when memory is used up, and a backend may wrap what it throws. */
    private static void throwIfNoMemory(Throwable failure) throws IOException {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof UncheckedIOException io) {
                throw io.getCause();
            }
        }
    }

    /**
     * Gives the memory back. The owner's is removed: who is attached to it is told. Of one that follows its file system, it
     * waits until the listener has returned, except on the listener's own thread. Closing again does nothing.
     */
    @Override
    public void close() throws IOException {
        if (following != null) {
            following.close();
        }
        reader.close();
        if (writer != null) {
            writer.close();
        }
    }
}
