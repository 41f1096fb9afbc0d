package io.aisio.xal.index;

import io.aisio.xal.FileName;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Inodes, their extents and the names that stand for them, each step leaving the rows of a {@link Store} consistent. Who
 * calls it has made room and begun a change. One thread at a time uses it.
 */
final class Tree {
    private final Store store;
    private final Tables tables;

    Tree(Store store) {
        this.store = store;
        tables = store.tables;
    }

    /** The row of a number, a new one without anything known if there is none. */
    int inodeOf(long number) {
        int inode = tables.findInode(number);
        return inode == Tables.NONE ? store.addInode(number) : inode;
    }

    /** The row of a directory by its inode number, or NONE. */
    int directoryOf(long number) {
        int inode = tables.findInode(number);
        return inode == Tables.NONE || !tables.isDirectory(inode) ? Tables.NONE : tables.inodeName(inode);
    }

    /** Makes an inode what a mode says, or unknown (0); of a directory all names in it go. */
    void changeType(int inode, int mode) {
        int before = tables.mode(inode);
        boolean directory = mode >>> 12 == 4;
        if (tables.isDirectory(inode) && !directory) {
            removeChildren(tables.inodeName(inode));
            store.freeDirectory(tables.inodeName(inode));
        } else if (!tables.isDirectory(inode) && directory) {
            store.addDirectory(inode);
        }
        boolean wasFile = before != 0 && before >>> 12 != 4;
        boolean isFile = mode != 0 && !directory;
        tables.mode(inode, mode);
        tables.addToHeader(Layout.LIVE_FILES, (isFile ? 1 : 0) - (wasFile ? 1 : 0));
    }

    /** Gives an inode those extents that are selected. */
    void replaceExtents(int inode, StagedExtents extents) {
        if (tables.firstExtent(inode) != Tables.NONE) {
            store.freeRun(tables.firstExtent(inode));
        }
        int first = extents.selected() == 0 ? Tables.NONE : store.addRun(extents.selected());
        extents.write(tables, first);
        tables.firstExtent(inode, first);
    }

    /** Lets a name stand for another inode. */
    void retarget(int entry, long number) {
        int before = tables.entryInode(entry);
        store.unlink(entry);
        store.link(entry, inodeOf(number));
        dropIfForgotten(before);
    }

    /** Removes a name, and its inode if nothing else is known of it. */
    void removeEntry(int entry) {
        int inode = tables.entryInode(entry);
        store.removeEntry(entry);
        dropIfForgotten(inode);
    }

    /** Frees an inode of which nothing is known and that nobody names. */
    void dropIfForgotten(int inode) {
        if (tables.mode(inode) == 0 && store.nameOf(inode) == Tables.NONE && inode != tables.header(Layout.ROOT)) {
            store.freeInode(inode);
        }
    }

    /** Removes all names in a directory. */
    void removeChildren(int directory) {
        for (int entry = tables.firstChild(directory); entry != Tables.NONE; entry = tables.next(entry)) {
            if (tables.entryInode(entry) != Store.REMOVED) {
                int inode = tables.entryInode(entry);
                // The chain is swept only afterwards, for this goes along it.
                tables.removed(directory, Integer.MIN_VALUE);
                store.removeEntry(entry);
                dropIfForgotten(inode);
            }
        }
        store.sweep(directory);
    }

    /** Forgets all of an inode but the names that stand for it. */
    void removeInode(int inode) {
        changeType(inode, 0);
        if (tables.firstExtent(inode) != Tables.NONE) {
            store.freeRun(tables.firstExtent(inode));
            tables.firstExtent(inode, Tables.NONE);
        }
        tables.version(inode, store.nextVersion());
        dropIfForgotten(inode);
    }

    /** A path by which an inode is found, for messages; null if it is not known or has no name. */
    @Nullable
    String path(long number) {
        int inode = tables.findInode(number);
        if (inode == Tables.NONE) {
            return null;
        }
        Deque<String> parts = new ArrayDeque<>();
        for (int steps = 0; inode != tables.header(Layout.ROOT); steps++) {
            int entry = store.nameOf(inode);
            if (entry == Tables.NONE || steps > tables.header(Layout.DIRECTORIES)) {
                return null;
            }
            int bytes = tables.name(tables.entryName(entry), store.scratch);
            parts.addFirst(FileName.decode(Arrays.copyOf(store.scratch, bytes)));
            inode = tables.directoryInode(tables.parent(entry));
        }
        return "/" + String.join("/", parts);
    }
}
