package io.aisio.xal.index;

import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.backend.NameBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * All names of a directory, given anew: compared first with those that it has, so that it is known what room the change
 * takes, and then changed at once. One thread at a time uses it, and nothing else changes the index in between.
 */
final class Listing {
    /** In {@link #entries}: the name is left out, which is told. */
    private static final int TOLD = -2;

    /** Of the type in a mode. */
    private static final int TYPE_SHIFT = 12;

    private final Tree tree;
    private final Store store;
    private final Tables tables;
    private final int directory;
    private final NameBatch batch;
    private final long[] hashes;
    /** How many names the directory has. */
    private final int before;
    /** The row of each name; NONE if it is new. */
    private final int[] entries;
    /** The row of the inode of each name; NONE if its number is not known. */
    private final int[] inodes;
    /** Names, in words, that another in the batch is equal to. */
    private final List<String> twice = new ArrayList<>();
    /** What is wrong with names whose inode is of another type than the directory says. */
    private final List<String> mistyped = new ArrayList<>();

    private int newInodes;
    private int newEntries;
    private int newNameBytes;
    private int kept;

    /**
     * Compares.
     *
     * @param directory its row
     * @param hashes of the names, as {@link NameHash#of(NameBatch, long)}
     */
    Listing(Tree tree, Store store, int directory, NameBatch batch, long[] hashes) {
        this.tree = tree;
        this.store = store;
        tables = store.tables;
        this.directory = directory;
        this.batch = batch;
        this.hashes = hashes;
        before = tables.children(directory);
        entries = new int[hashes.length];
        inodes = new int[hashes.length];
        if (before > 0) {
            store.beginListing();
        }
        // Inodes of a directory often lie one after another: the next row is looked at first.
        int inode = Tables.NONE;
        for (int i = 0; i < hashes.length; i++) {
            inode = tables.findInode(batch.inode(i), inode + 1);
            inodes[i] = inode;
            if (inode != Tables.NONE && isMistyped(i, tables.mode(inode))) {
                tellMistyped(i, tables.mode(inode));
                entries[i] = TOLD;
                continue;
            }
            newInodes += inode == Tables.NONE ? 1 : 0;
            entries[i] = before == 0 ? Tables.NONE : find(i);
            if (entries[i] == Tables.NONE) {
                newEntries++;
                newNameBytes += 1 + length(i);
            } else if (store.list(entries[i])) {
                kept++;
            } else {
                tellTwice(i);
                entries[i] = TOLD;
            }
        }
    }

    private int find(int i) {
        return tables.findEntry(directory, hashes[i], batch.bytes(), batch.begin(i), length(i));
    }

    private int length(int i) {
        return batch.begin(i + 1) - batch.begin(i);
    }

    /** Whether an inode that was read is not what the directory says: one of both is not the file's. */
    private boolean isMistyped(int i, int mode) {
        return batch.type(i) != 0 && mode != 0 && mode >>> TYPE_SHIFT != batch.type(i);
    }

    private void tellMistyped(int i, int mode) {
        mistyped.add("its entry " + name(i) + " says that inode " + batch.inode(i) + " is of type "
                + FileType.ofMode(batch.type(i) << TYPE_SHIFT) + ", whose mode says " + FileType.ofMode(mode));
    }

    private void tellTwice(int i) {
        twice.add(name(i));
    }

    private String name(int i) {
        return FileName.decode(Arrays.copyOfRange(batch.bytes(), batch.begin(i), batch.begin(i + 1)));
    }

    /** Numbers in the batch that are not known. */
    int newInodes() {
        return newInodes;
    }

    /** Names in the batch that the directory lacks. */
    int newEntries() {
        return newEntries;
    }

    /** What those names take, in bytes. */
    int newNameBytes() {
        return newNameBytes;
    }

    /** Names that were given more than once; all but the first of each are left out. */
    List<String> twice() {
        return twice;
    }

    /** What is wrong with names that are left out because of their inodes' types. */
    List<String> mistyped() {
        return mistyped;
    }

    /** Whether the directory has exactly these names already. */
    boolean changesNothing() {
        if (newEntries > 0 || kept < before) {
            return false;
        }
        for (int i = 0; i < entries.length; i++) {
            if (entries[i] != TOLD && tables.entryInode(entries[i]) != inodes[i]) {
                return false;
            }
        }
        return true;
    }

    /**
     * Changes the directory. Room was made, and a change has begun.
     *
     * @param bulk whether names that other directories have too are to be written once
     */
    void apply(boolean bulk) {
        // Names are added before any is removed: the row of an inode that loses its only name may be freed then.
        if (newEntries > 0) {
            add(bulk);
        }
        for (int i = 0; i < entries.length; i++) {
            int entry = entries[i];
            if (entry >= 0 && tables.number(tables.entryInode(entry)) != batch.inode(i)) {
                tree.retarget(entry, batch.inode(i));
            }
        }
        if (kept < before) {
            removeOthers();
        }
    }

    private void add(boolean bulk) {
        int[] which = new int[newEntries];
        long[] numbers = new long[newEntries];
        int[] inodeRows = new int[newEntries];
        int count = 0;
        for (int i = 0; i < entries.length; i++) {
            if (entries[i] == Tables.NONE) {
                which[count] = i;
                numbers[count] = batch.inode(i);
                inodeRows[count++] = inodes[i];
            }
        }
        store.addInodes(numbers, inodeRows, count);
        int[] rows = store.entryRows(count);
        store.writeEntries(directory, rows, store.names(batch, hashes, which, newNameBytes, bulk), inodeRows);
        int slots = tables.header(Layout.ENTRY_SLOTS);
        int refused = 0;
        for (int k = 0; k < count; k++) {
            int i = which[k];
            long hash = NameHash.in(directory, hashes[i]);
            if (tables.putEntryOnce(rows[k], directory, hash, batch.bytes(), batch.begin(i), length(i), slots)) {
                store.linkNew(rows[k], inodeRows[k]);
            } else {
                tellTwice(i);
                tables.entryInode(rows[k], Store.REMOVED);
                refused++;
            }
            if (before > 0) {
                store.list(rows[k]);
            }
        }
        for (int k = 0; refused > 0 && k < count; k++) {
            tree.dropIfForgotten(inodeRows[k]);
        }
        store.countEntries(directory, count - refused, refused);
    }

    private void removeOthers() {
        List<Integer> gone = new ArrayList<>();
        for (int entry = tables.firstChild(directory); entry != Tables.NONE; entry = tables.next(entry)) {
            if (tables.entryInode(entry) != Store.REMOVED && store.list(entry)) {
                gone.add(entry);
            }
        }
        gone.forEach(tree::removeEntry);
    }
}
