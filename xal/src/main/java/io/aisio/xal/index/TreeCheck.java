package io.aisio.xal.index;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import java.util.function.IntConsumer;

/** Whether all directories hang together as a tree, once all were given. */
final class TreeCheck {
    /** Takes what is wrong with a directory. */
    interface Problems {
        void tell(int inode, String problem);
    }

    private final Store store;
    private final Tables tables;

    TreeCheck(Store store) {
        this.store = store;
        tables = store.tables;
    }

    /**
     * Chooses for each directory the name by which it is reached from the root, and tells what is left over.
     *
     * @param first takes an entry that is to be the first of its inode's names
     */
    void run(IntConsumer first, Problems problems) {
        int directories = tables.header(Layout.DIRECTORIES);
        BitSet reached = new BitSet(directories);
        Deque<Integer> open = new ArrayDeque<>();
        int root = tables.inodeName(tables.header(Layout.ROOT));
        if (isTree(root)) {
            return;
        }
        reached.set(root);
        open.add(root);
        while (!open.isEmpty()) {
            int directory = open.remove();
            for (int entry = tables.firstChild(directory); entry != Tables.NONE; entry = tables.next(entry)) {
                int inode = tables.entryInode(entry);
                if (inode == Store.REMOVED || !tables.isDirectory(inode)) {
                    continue;
                }
                if (reached.get(tables.inodeName(inode))) {
                    problems.tell(
                            inode,
                            "a directory has one name: another is in directory inode "
                                    + tables.number(tables.directoryInode(directory)));
                } else {
                    reached.set(tables.inodeName(inode));
                    open.add(tables.inodeName(inode));
                    first.accept(entry);
                }
            }
        }
        for (int row = 0; row < directories; row++) {
            if (tables.directoryInode(row) != Tables.NONE && !reached.get(row)) {
                problems.tell(tables.directoryInode(row), "it cannot be reached from the root");
            }
        }
    }

    /** Whether each directory has one name, and all names lead up to the root. */
    private boolean isTree(int root) {
        int directories = tables.header(Layout.DIRECTORIES);
        BitSet reached = new BitSet(directories);
        reached.set(root);
        if (tables.directoryName(root) != Tables.NONE) {
            return false;
        }
        for (int row = 0; row < directories; row++) {
            if (tables.directoryInode(row) == Tables.NONE) {
                continue;
            }
            int steps = 0;
            for (int up = row; !reached.get(up); up = tables.parent(tables.directoryName(up))) {
                int first = tables.directoryName(up);
                if (first == Tables.NONE || store.nextNameOf(first) != Tables.NONE || ++steps > directories) {
                    return false;
                }
            }
            for (int up = row; !reached.get(up); up = tables.parent(tables.directoryName(up))) {
                reached.set(up);
            }
        }
        return true;
    }
}
