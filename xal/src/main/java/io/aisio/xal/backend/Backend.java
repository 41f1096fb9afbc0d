package io.aisio.xal.backend;

import io.aisio.xal.Attributes;
import io.aisio.xal.Child;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.Volume;
import io.aisio.xal.Xal;
import io.aisio.xal.mount.MountedTree;
import io.aisio.xal.xfs.XfsVolume;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One way to read one file system. Any thread may call it. */
public sealed interface Backend extends AutoCloseable permits XfsVolume, MountedTree {
    /** What the file system says of itself. */
    Volume describe();

    /**
     * The root directory.
     *
     * @throws IOException if it cannot be read
     */
    Entry root() throws IOException;

    /**
     * Reads the inode that a directory's entry names.
     *
     * @param path of the directory, as {@link Entry#path}
     * @throws IOException if it is free or damaged, or of another type than the directory says
     */
    Entry child(String path, Child child) throws IOException;

    /**
     * The child of a name.
     *
     * @return null if the directory has none of this name
     * @throws IOException if none was found, and a part of the directory could not be read
     */
    @Nullable
    Child find(Entry directory, String name) throws IOException;

    /**
     * Lists a directory. A part that is damaged hides no other.
     *
     * @param children takes each, in no order; {@code .} and {@code ..} are left out
     * @param problems takes what kept some from being read; without any, the listing is complete
     */
    void list(Entry directory, Consumer<Child> children, Consumer<IOException> problems);

    /**
     * Where a file's blocks lie, in the order of their offsets, those behind its end too.
     *
     * @throws IOException if the map is damaged or cannot be had, or the file is not what it was when the entry was read
     */
    List<Extent> extents(Entry file) throws IOException;

    /**
     * All that the inode of an entry says; of a symbolic link, also where it leads.
     *
     * @throws IOException if it cannot be read, or is not what it was when the entry was read
     */
    Attributes attributes(Entry entry) throws IOException;

    /**
     * Reads all inodes, their extents and their names, on several threads.
     *
     * @throws IOException if nothing more can be read; what is wrong with a part of it is told to the catalog
     * @throws java.io.InterruptedIOException if this thread is interrupted
     */
    void readAll(Catalog catalog) throws IOException;

    /**
     * Whether the file system was written to since it was opened, so that what was read may be out of date.
     *
     * @throws IOException if that cannot be read
     */
    boolean isStale() throws IOException;

    /** The blocks by which {@link #isStale} is told; none of a mounted file system. */
    List<Xal.Sign> signs();

    /** What to tell of a directory that is sound in itself but does not fit into the tree. */
    IOException damaged(Entry directory, String problem);

    /** Gives back what reading took. Closing again does nothing. */
    @Override
    void close();

    /** The path of a child, given that of its directory. */
    static String path(String directory, String name) {
        return directory.equals("/") ? "/" + name : directory + "/" + name;
    }
}
