package io.aisio.xal.index;

import java.io.IOException;
import java.util.BitSet;

/** Copies what lives of an index into memory that is empty: rows that are free and names that nobody has are left. */
final class Compaction {
    private final Store store;
    private final Tables tables;
    private final Store target;
    private final Tables to;

    Compaction(Store store, Store target) {
        this.store = store;
        tables = store.tables;
        this.target = target;
        to = target.tables;
    }

    /**
     * Copies.
     *
     * @param marked rows of inodes
     * @return the rows that those have in the copy
     * @throws IOException if there is no memory
     */
    BitSet run(BitSet marked) throws IOException {
        byte[] name = new byte[NameHash.ROOM];
        target.expect(tables.header(Layout.LIVE_ENTRIES));
        target.readyNames(tables.header(Layout.LIVE_ENTRIES));
        int[] inodeAt = new int[tables.header(Layout.INODES)];
        BitSet stillMarked = new BitSet();
        for (int inode = 0; inode < inodeAt.length; inode++) {
            if (tables.inodeName(inode) == Store.FREE) {
                continue;
            }
            int extents = tables.firstExtent(inode) == Tables.NONE ? 0 : tables.runRows(tables.firstExtent(inode));
            target.makeRoom(1, 1, 0, Store.runRoom(Math.max(1, extents)), 0);
            int copy = target.addInode(tables.number(inode));
            inodeAt[inode] = copy;
            copyInode(inode, copy, extents);
            if (marked.get(inode)) {
                stillMarked.set(copy);
            }
        }
        int[] entryAt = new int[tables.header(Layout.ENTRIES)];
        for (int entry = 0; entry < entryAt.length; entry++) {
            if (tables.entryInode(entry) != Store.REMOVED) {
                int bytes = tables.name(tables.entryName(entry), name);
                target.makeRoom(0, 0, 1, 0, bytes + 1L);
                int parent = to.inodeName(inodeAt[tables.directoryInode(tables.parent(entry))]);
                long hash = NameHash.of(name, 0, bytes, tables.longHeader(Layout.SEED));
                int place = target.intern(name, bytes, hash);
                entryAt[entry] = target.addEntry(parent, place, hash, inodeAt[tables.entryInode(entry)]);
            }
        }
        for (int inode = 0; inode < inodeAt.length; inode++) {
            if (tables.inodeName(inode) != Store.FREE && store.nameOf(inode) != Tables.NONE) {
                target.nameFirst(entryAt[store.nameOf(inode)]);
            }
        }
        to.header(Layout.ROOT, inodeAt[tables.header(Layout.ROOT)]);
        to.header(Layout.LIVE_FILES, tables.header(Layout.LIVE_FILES));
        to.header(Layout.NEXT_VERSION, tables.header(Layout.NEXT_VERSION));
        copyProblems();
        target.fit();
        return stillMarked;
    }

    private void copyInode(int inode, int copy, int extents) {
        if (tables.isDirectory(inode)) {
            int row = target.addDirectory(copy);
            to.dirty(row, tables.dirty(tables.inodeName(inode)));
            to.addToHeader(Layout.DIRTY_DIRECTORIES, to.dirty(row) & Store.DIRTY);
        }
        to.mode(copy, tables.mode(inode));
        to.size(copy, tables.size(inode));
        to.stamp(copy, tables.stamp(inode));
        to.generation(copy, tables.generation(inode));
        to.links(copy, tables.links(inode));
        to.version(copy, tables.version(inode));
        if (extents > 0) {
            int first = target.addRun(extents);
            to.copyExtents(tables, tables.firstExtent(inode), first, extents);
            to.firstExtent(copy, first);
        }
    }

    private void copyProblems() {
        int used = tables.header(Layout.PROBLEM_BYTES);
        for (int at = 0; at < used; ) {
            byte[] text = tables.problem(at);
            to.problem(at, text);
            at += 2 + text.length;
        }
        to.header(Layout.PROBLEM_BYTES, used);
        to.header(Layout.PROBLEMS, tables.header(Layout.PROBLEMS));
        target.region.reason(store.region.reason());
    }
}
