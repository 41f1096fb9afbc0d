package io.aisio.xal;

import io.aisio.xal.backend.Backend;
import io.aisio.xal.mount.MountedTree;
import io.aisio.xal.xfs.XfsVolume;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The files of a file system and where their bytes lie, read from its blocks.
 *
 * <p>It reads XFS, version 5, as it lies on the device. The file system must have been unmounted cleanly (a fresh {@code
 * mkfs.xfs -p} is), which its log tells, and nobody may write to it meanwhile. Metadata is read in large
 * aligned pieces of which the latest few are kept. Any thread may call it.
 *
 * <p>Paths begin at the root of the file system, their parts separated by {@code /}; {@code .} and {@code ..} have no
 * meaning in them, and symbolic links are found but never followed.
 */
public final class Xal implements AutoCloseable {
    /** The longest path that is walked, in characters: 16 times Linux's PATH_MAX, so that a hostile tree ends. */
    private static final int MAX_PATH = 1 << 16;

    private final Backend backend;

    private Xal(Backend backend) {
        this.backend = backend;
    }

    /**
     * Opens the file system that a source holds. The source stays the caller's, to be closed after this.
     *
     * @throws XfsException if the source holds no XFS, or one that is damaged, that needs repair, has a feature that is
     *     not known here, or was not unmounted
     * @throws IOException if the source cannot be read
     */
    public static Xal open(BlockSource source) throws IOException {
        return new Xal(XfsVolume.open(source));
    }

    /**
     * Opens a file system that is mounted, or whose log is dirty or on another device. What was written last may be
     * missing, and what is read may not fit together: a block may be told that is another file's by now.
     *
     * @throws XfsException as {@link #open}, but for what the log says
     * @throws IOException if the source cannot be read
     */
    public static Xal openUnrecovered(BlockSource source) throws IOException {
        return new Xal(XfsVolume.openUnrecovered(source));
    }

    /**
     * Opens a directory of a mounted XFS, ext2/3/4 or btrfs on one device (as root), whose kernel is asked where files lie.
     *
     * @param directory a mount point or a directory beneath one, which becomes {@code /}
     * @param sync whether a file is written out before it is mapped, so that all of it has a place
     * @throws IOException if it is no directory, or its file system does not tell where bytes lie on a device
     */
    public static Xal mounted(Path directory, boolean sync) throws IOException {
        return new Xal(MountedTree.open(directory, sync));
    }

    /** What the file system says of itself. */
    public Volume volume() {
        return backend.describe();
    }

    /**
     * What is at a path. The directories on the way are read from their beginning, each time.
     *
     * @throws NoSuchFileException if a part of the path does not exist
     * @throws NotDirectoryException if a part before the last is no directory
     * @throws XfsException if a directory on the way or the inode is damaged
     * @throws IOException if the source cannot be read
     */
    public Entry lookup(String path) throws IOException {
        if (!path.startsWith("/")) {
            throw new NoSuchFileException(path, null, "a path in a file system begins with /");
        }
        Entry found = backend.root();
        for (String name : path.split("/", -1)) {
            if (!name.isEmpty()) {
                if (found.type() != FileType.DIRECTORY) {
                    throw new NotDirectoryException(found.path());
                }
                Child next = backend.find(found, name);
                if (next == null) {
                    throw new NoSuchFileException(Backend.path(found.path(), name));
                }
                found = backend.child(found.path(), next);
            }
        }
        return found;
    }

    /**
     * The root directory.
     *
     * @throws IOException if its inode is damaged or cannot be read
     */
    public Entry root() throws IOException {
        return backend.root();
    }

    /**
     * The names that a directory holds, in no order; their inodes are not looked at. A part that is damaged hides no
     * other.
     *
     * @param problems takes what kept some from being read; without any, the list is complete
     */
    public List<Child> children(Entry directory, Consumer<IOException> problems) {
        List<Child> children = new ArrayList<>();
        backend.list(directory, children::add, problems);
        return children;
    }

    /**
     * Reads the inode that a directory's name stands for.
     *
     * @param child one of {@link #children}
     * @throws XfsException if the inode is free or damaged, or of another type than the directory says
     * @throws IOException if the source cannot be read
     */
    public Entry child(Entry directory, Child child) throws IOException {
        return backend.child(directory.path(), child);
    }

    /**
     * Visits a file or directory, and all that is beneath it: a directory before what it holds, names in the order of
     * their UTF-16 units, so that every run gives the same order. All inodes are read.
     *
     * <p>What is damaged is told to the visitor, and the walk goes on with the rest.
     *
     * @param path where to begin, such as {@code /}
     * @throws NoSuchFileException if a part of the path does not exist
     * @throws NotDirectoryException if a part before the last is no directory
     * @throws XfsException if what is damaged lies on the way to the path
     * @throws IOException if the source cannot be read there, or the visitor throws it
     */
    public void walk(String path, Visitor visitor) throws IOException {
        new Walk(visitor).run(lookup(path));
    }

    /**
     * Where a file's blocks lie, in the order of their offsets, blocks behind the end of the file too.
     *
     * @return empty if it has none: an empty file, a device, a symbolic link or directory that fits into its inode
     * @throws XfsException if its block map is damaged, if it lies on a real-time device, or if it is not what it was when
     *     the entry was read
     * @throws IOException if the source cannot be read
     */
    public List<Extent> extents(Entry file) throws IOException {
        return backend.extents(file);
    }

    /**
     * All that is recorded of a file; of a symbolic link, also where it leads.
     *
     * @throws XfsException if it is damaged, or is not what it was when the entry was read
     * @throws IOException if the source cannot be read
     */
    public Attributes attributes(Entry entry) throws IOException {
        return backend.attributes(entry);
    }

    /**
     * How each byte of a regular file is read, from the first to the last.
     *
     * @throws IllegalArgumentException if it is no regular file
     * @throws XfsException as {@link #extents} does
     * @throws IOException if the source cannot be read
     */
    public List<Piece> pieces(Entry file) throws IOException {
        if (file.type() != FileType.REGULAR) {
            throw new IllegalArgumentException(file.path() + " is no regular file but of type " + file.type());
        }
        return Piece.of(extents(file), file.inode().size());
    }

    /**
     * Whether the file system was written to since it was opened, as its superblock and its log tell; what was read of it may
     * be out of date then. It costs two reads of 4 KiB. One that is mounted meanwhile writes to its log within its usual delay
     * of up to a minute. False of a {@linkplain #mounted mounted} one: its kernel is asked each time.
     *
     * @throws IOException if the source cannot be read
     */
    public boolean isStale() throws IOException {
        return backend.isStale();
    }

    /**
     * The blocks that {@link #isStale} looks at, for who reads them in a way of its own.
     *
     * @return none of a mounted file system
     */
    public List<Sign> signs() {
        return backend.signs();
    }

    /**
     * A block that changes whenever somebody writes to the file system.
     *
     * @param position in bytes, a multiple of the device's logical block size
     * @param content what it holds as long as nobody has; a page, or a logical block if that is larger
     */
    public record Sign(long position, MemorySegment content) {}

    /** Who answers. */
    Backend backend() {
        return backend;
    }

    /**
     * Reads all of the file system into an index in private memory.
     *
     * @throws IOException if nothing more can be read; what is wrong with a part is among the index's problems
     */
    public Index index() throws IOException {
        return index(any -> {});
    }

    /**
     * The same, told how far it is.
     *
     * @param progress takes the number of inodes read so far, now and then, on any thread; {@link Volume#inodes} may say
     *     how many there are
     * @throws IOException as {@link #index()}
     */
    public Index index(LongConsumer progress) throws IOException {
        return Index.build(backend, null, progress);
    }

    /**
     * Reads all of the file system into an index that other processes may {@linkplain Index#attach attach} to.
     *
     * @param sharedName 1 to 200 characters without a slash; the file is {@code /dev/shm/aisio-NAME}
     * @throws IndexException if the name is in use, or somebody else's
     * @throws IOException if nothing more can be read, or shared memory is full
     */
    public Index index(String sharedName) throws IOException {
        return Index.build(backend, Index.sharedPath(sharedName), any -> {});
    }

    /** Frees the memory for reading. The source stays open. Closing again does nothing. */
    @Override
    public void close() {
        backend.close();
    }

    /** Is told what a walk finds. */
    public interface Visitor {
        /**
         * An entry whose inode is sound.
         *
         * @throws IOException to end the walk
         */
        void visit(Entry entry) throws IOException;

        /**
         * Something that cannot be read: an inode, or a directory of which a part or all is missing from the walk.
         *
         * @param path the entry that names the inode, or the directory
         * @param problem what is wrong with it
         * @throws IOException to end the walk
         */
        void damaged(String path, IOException problem) throws IOException;
    }

    /** One walk: the directories that are open, from the start downwards, and the path to the last of them. */
    private final class Walk {
        private final Visitor visitor;
        private final Deque<Open> open = new ArrayDeque<>();
        private final Set<Long> seen = new HashSet<>();

        Walk(Visitor visitor) {
            this.visitor = visitor;
        }

        /** A directory under way, and what of it is still to visit. */
        private record Open(String path, Iterator<Child> rest) {}

        void run(Entry start) throws IOException {
            visit(start);
            while (!open.isEmpty()) {
                Open directory = open.getLast();
                if (directory.rest().hasNext()) {
                    next(directory.path(), directory.rest().next());
                } else {
                    open.removeLast();
                }
            }
        }

        private void next(String directory, Child child) throws IOException {
            Entry entry;
            try {
                entry = backend.child(directory, child);
            } catch (IOException e) {
                visitor.damaged(Backend.path(directory, child.name()), e);
                return;
            }
            visit(entry);
        }

        private void visit(Entry entry) throws IOException {
            visitor.visit(entry);
            if (entry.type() == FileType.DIRECTORY) {
                enter(entry);
            }
        }

        private void enter(Entry directory) throws IOException {
            String path = directory.path();
            if (!seen.add(directory.inode().number())) {
                visitor.damaged(path, backend.damaged(directory, "a directory has one name: this is another"));
            } else if (path.length() > MAX_PATH) {
                visitor.damaged(
                        path, backend.damaged(directory, "its path is longer than " + MAX_PATH + " characters"));
            } else {
                List<IOException> problems = new ArrayList<>();
                List<Child> children = new ArrayList<>();
                backend.list(directory, children::add, problems::add);
                children.sort(Comparator.comparing(Child::name));
                String twice = twice(children);
                if (twice != null) {
                    problems.add(backend.damaged(directory, "two of its entries are named " + twice));
                }
                for (IOException problem : problems) {
                    visitor.damaged(path, problem);
                }
                open.addLast(new Open(path, children.iterator()));
            }
        }

        /** The first name that sorted entries share, or null. */
        private static @Nullable String twice(List<Child> names) {
            for (int i = 1; i < names.size(); i++) {
                if (names.get(i).name().equals(names.get(i - 1).name())) {
                    return names.get(i).name();
                }
            }
            return null;
        }
    }
}
