package io.aisio.xal.index;

import io.aisio.linux.Mapping;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The rows of one region as its writer keeps them: rows in use and free ones, hashes, chains. Room is made before a
 * change begins ({@link #hasRoom}, then {@link #makeRoom}), so that nothing fails halfway. One thread at a time uses it.
 */
final class Store implements AutoCloseable {
    /** How full a hash may become: with tags, longer searches cost little, and each slot costs memory. */
    private static final double FULL = 0.9;

    /** By how much a hash that is full grows. */
    private static final double GROWTH = 1.25;

    private static final int LEAST_SLOTS = 64;

    final Region region;
    final Tables tables;
    private final Layout layout;
    final byte[] scratch = new byte[NameHash.ROOM];

    /** The next entry that names the same inode, and one: 0 if there is none. Pages without one cost nothing. */
    private final Mapping nextName;

    private final Numbers freeInodes = new Numbers();
    private final Numbers freeDirectories = new Numbers();
    private final Numbers freeEntries = new Numbers();
    private final Map<Integer, Numbers> freeRuns = new HashMap<>();
    private final Map<Long, Long> grown = new HashMap<>();
    private int inodesReady;
    private int directoriesReady;
    private int entriesReady;
    private int extentsReady;
    private long namesReady;
    private int @Nullable [] interned;
    private int internedNames;
    private long deadNameBytes;
    private long freeExtents;

    Store(Region region) throws IOException {
        this.region = region;
        layout = region.layout;
        tables = new Tables(region);
        nextName = Mapping.reserve(4L * layout.entryRoom);
        tables.longHeader(Layout.SEED, ThreadLocalRandom.current().nextLong());
        tables.header(Layout.ROOT, Tables.NONE);
        tables.header(Layout.NEXT_VERSION, 1);
        resizeInodeHash(LEAST_SLOTS);
        resizeEntryHash(LEAST_SLOTS);
    }

    /** A list of numbers, the last of which is taken first. */
    static final class Numbers {
        private int[] numbers = new int[8];
        private int size;

        void add(int number) {
            if (size == numbers.length) {
                numbers = Arrays.copyOf(numbers, 2 * size);
            }
            numbers[size++] = number;
        }

        int size() {
            return size;
        }

        int take() {
            return numbers[--size];
        }
    }

    /** Whether the columns have room for so many more rows. */
    boolean hasRoom(int inodes, int entries, int extents, long names) {
        return inodes <= layout.inodeRoom - tables.header(Layout.INODES) + freeInodes.size()
                && inodes <= layout.directoryRoom - tables.header(Layout.DIRECTORIES)
                && entries <= layout.entryRoom - tables.header(Layout.ENTRIES) + freeEntries.size()
                && extents <= layout.extentRoom - tables.header(Layout.EXTENTS)
                && names <= layout.nameRoom - tables.longHeader(Layout.NAMES);
    }

    /**
     * Takes space for so many more rows.
     *
     * @throws IOException if there is none
     */
    void makeRoom(int inodes, int directories, int entries, int extents, long names) throws IOException {
        int wanted = tables.header(Layout.INODES) + Math.max(0, inodes - freeInodes.size());
        if (wanted > inodesReady) {
            wanted = (int) Math.min(layout.inodeRoom, wanted + (wanted >> 5) + 512L);
            for (long column : new long[] {layout.number, layout.size, layout.stamp}) {
                commit(column, 8L * wanted, 8L * layout.inodeRoom);
            }
            for (long column :
                    new long[] {layout.generation, layout.links, layout.version, layout.firstExtent, layout.inodeName
                    }) {
                commit(column, 4L * wanted, 4L * layout.inodeRoom);
            }
            commit(layout.mode, 2L * wanted, 2L * layout.inodeRoom);
            inodesReady = wanted;
        }
        wanted = tables.header(Layout.DIRECTORIES) + Math.max(0, directories - freeDirectories.size());
        if (wanted > directoriesReady) {
            wanted = (int) Math.min(layout.directoryRoom, wanted + (wanted >> 5) + 64L);
            for (long column : new long[] {
                layout.directoryInode,
                layout.directoryName,
                layout.firstChild,
                layout.directoryVersion,
                layout.children,
                layout.removed,
                layout.dirty
            }) {
                commit(column, 4L * wanted, 4L * layout.directoryRoom);
            }
            directoriesReady = wanted;
        }
        wanted = tables.header(Layout.ENTRIES) + Math.max(0, entries - freeEntries.size());
        if (wanted > entriesReady) {
            wanted = (int) Math.min(layout.entryRoom, wanted + (wanted >> 5) + 512L);
            for (long column : new long[] {layout.parent, layout.entryInode, layout.entryName, layout.next}) {
                commit(column, 4L * wanted, 4L * layout.entryRoom);
            }
            entriesReady = wanted;
        }
        wanted = tables.header(Layout.EXTENTS) + extents;
        if (wanted > extentsReady) {
            wanted = (int) Math.min(layout.extentRoom, wanted + (wanted >> 5) + 512L);
            commit(layout.offset, 8L * wanted, 8L * layout.extentRoom);
            commit(layout.position, 8L * wanted, 8L * layout.extentRoom);
            commit(layout.length, 4L * wanted, 4L * layout.extentRoom);
            extentsReady = wanted;
        }
        long wantedNames = tables.longHeader(Layout.NAMES) + names;
        if (wantedNames > namesReady) {
            wantedNames = Math.min(layout.nameRoom, wantedNames + (wantedNames >> 5) + (16 << 10));
            commit(layout.names, wantedNames + Layout.NAME_SLACK, layout.nameRoom + Layout.NAME_SLACK);
            namesReady = wantedNames;
        }
        int most = tables.header(Layout.LIVE_INODES) + inodes;
        if (most > FULL * tables.header(Layout.INODE_SLOTS)) {
            resizeInodeHash(slots(most, layout.inodeRoom));
        }
        most = tables.header(Layout.LIVE_ENTRIES) + entries;
        if (most > FULL * tables.header(Layout.ENTRY_SLOTS)) {
            resizeEntryHash(slots(most, layout.entryRoom));
        }
    }

    private static int slots(int rows, int room) {
        return (int) Math.min((long) Layout.SLOTS * room, (long) (rows / FULL * GROWTH) + LEAST_SLOTS);
    }

    private void commit(long column, long bytes, long most) throws IOException {
        long had = grown.getOrDefault(column, 0L);
        if (bytes > had) {
            grown.put(column, region.grow(column, had, bytes, most));
        }
    }

    /** Makes the hashes as small as they may be while there still is room for some changes. */
    void fit() throws IOException {
        resizeInodeHash((int) Math.min(
                (long) Layout.SLOTS * layout.inodeRoom, tables.header(Layout.LIVE_INODES) * 9L / 8 + LEAST_SLOTS));
        resizeEntryHash((int) Math.min(
                (long) Layout.SLOTS * layout.entryRoom, tables.header(Layout.LIVE_ENTRIES) * 9L / 8 + LEAST_SLOTS));
        interned = null;
    }

    private void resizeInodeHash(int slots) throws IOException {
        commit(layout.inodeHash, 4L * slots, 4L * Layout.SLOTS * layout.inodeRoom);
        region.begin();
        clear(layout.inodeHash, tables.header(Layout.INODE_SLOTS), slots);
        tables.header(Layout.INODE_SLOTS, slots);
        for (int inode = 0; inode < tables.header(Layout.INODES); inode++) {
            if (tables.inodeName(inode) != FREE) {
                tables.putInode(inode);
            }
        }
        region.end();
        release(layout.inodeHash, slots);
    }

    private void resizeEntryHash(int slots) throws IOException {
        commit(layout.entryHash, 4L * slots, 4L * Layout.SLOTS * layout.entryRoom);
        region.begin();
        clear(layout.entryHash, tables.header(Layout.ENTRY_SLOTS), slots);
        tables.header(Layout.ENTRY_SLOTS, slots);
        for (int entry = 0; entry < tables.header(Layout.ENTRIES); entry++) {
            if (tables.entryInode(entry) >= 0) {
                tables.putEntry(entry, scratch);
            }
        }
        region.end();
        release(layout.entryHash, slots);
    }

    private void clear(long column, int old, int slots) {
        region.memory.asSlice(column, 4L * Math.max(old, 0)).fill((byte) 0);
        if (slots > old) {
            region.memory.asSlice(column + 4L * old, 4L * (slots - old)).fill((byte) 0);
        }
    }

    private void release(long column, int slots) throws IOException {
        long kept = Math.ceilDiv(4L * slots, Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE;
        long had = grown.getOrDefault(column, 0L);
        if (had - kept >= Mapping.PAGE_SIZE) {
            region.zero(column + kept, had - kept);
            grown.put(column, kept);
        }
    }

    /** In {@link Tables#inodeName}: the row is free. Nobody names it is {@link Tables#NONE}. */
    static final int FREE = -2;

    int addInode(long number) {
        int inode;
        if (freeInodes.size() > 0) {
            inode = freeInodes.take();
        } else {
            inode = tables.header(Layout.INODES);
            tables.header(Layout.INODES, inode + 1);
        }
        tables.number(inode, number);
        tables.mode(inode, 0);
        tables.stamp(inode, 0);
        tables.firstExtent(inode, Tables.NONE);
        tables.inodeName(inode, Tables.NONE);
        tables.version(inode, nextVersion());
        tables.putInode(inode);
        tables.addToHeader(Layout.LIVE_INODES, 1);
        return inode;
    }

    void freeInode(int inode) {
        tables.dropInode(inode, scratch);
        tables.inodeName(inode, FREE);
        tables.mode(inode, 0);
        tables.addToHeader(Layout.LIVE_INODES, -1);
        freeInodes.add(inode);
    }

    int nextVersion() {
        int version = tables.header(Layout.NEXT_VERSION);
        tables.header(Layout.NEXT_VERSION, version + 1);
        return version;
    }

    /** Gives an inode that becomes a directory its row, and the names that it had. */
    int addDirectory(int inode) {
        int directory;
        if (freeDirectories.size() > 0) {
            directory = freeDirectories.take();
        } else {
            directory = tables.header(Layout.DIRECTORIES);
            tables.header(Layout.DIRECTORIES, directory + 1);
        }
        tables.directoryInode(directory, inode);
        tables.directoryName(directory, tables.inodeName(inode));
        tables.firstChild(directory, Tables.NONE);
        tables.directoryVersion(directory, nextVersion());
        tables.children(directory, 0);
        tables.removed(directory, 0);
        tables.dirty(directory, 0);
        tables.inodeName(inode, directory);
        tables.addToHeader(Layout.LIVE_DIRECTORIES, 1);
        return directory;
    }

    void freeDirectory(int directory) {
        int inode = tables.directoryInode(directory);
        tables.inodeName(inode, tables.directoryName(directory));
        tables.directoryInode(directory, Tables.NONE);
        tables.addToHeader(Layout.LIVE_DIRECTORIES, -1);
        if (tables.dirty(directory) != 0) {
            tables.addToHeader(Layout.DIRTY_DIRECTORIES, -1);
        }
        freeDirectories.add(directory);
    }

    /** The first entry that names an inode, or NONE. */
    int nameOf(int inode) {
        int name = tables.inodeName(inode);
        return tables.isDirectory(inode) ? tables.directoryName(name) : name;
    }

    void nameOf(int inode, int entry) {
        if (tables.isDirectory(inode)) {
            tables.directoryName(tables.inodeName(inode), entry);
        } else {
            tables.inodeName(inode, entry);
        }
    }

    /** The next entry that names the same inode, or NONE. */
    int nextNameOf(int entry) {
        return nextName.segment().get(ValueLayout.JAVA_INT, 4L * entry) - 1;
    }

    private void nextNameOf(int entry, int other) {
        MemorySegment column = nextName.segment();
        if (column.get(ValueLayout.JAVA_INT, 4L * entry) != other + 1) {
            column.set(ValueLayout.JAVA_INT, 4L * entry, other + 1);
        }
    }

    /** Adds a name, which the directory has not. */
    int addEntry(int directory, int name, int inode) {
        int entry;
        if (freeEntries.size() > 0) {
            entry = freeEntries.take();
        } else {
            entry = tables.header(Layout.ENTRIES);
            tables.header(Layout.ENTRIES, entry + 1);
        }
        tables.parent(entry, directory);
        tables.entryName(entry, name);
        tables.entryInode(entry, inode);
        tables.next(entry, tables.firstChild(directory));
        tables.firstChild(directory, entry);
        tables.children(directory, tables.children(directory) + 1);
        tables.directoryVersion(directory, nextVersion());
        tables.putEntry(entry, scratch);
        tables.addToHeader(Layout.LIVE_ENTRIES, 1);
        link(entry, inode);
        return entry;
    }

    /** Makes an entry one of the names of an inode, behind the first. */
    void link(int entry, int inode) {
        tables.entryInode(entry, inode);
        int first = nameOf(inode);
        if (first == Tables.NONE) {
            nextNameOf(entry, Tables.NONE);
            nameOf(inode, entry);
        } else {
            nextNameOf(entry, nextNameOf(first));
            nextNameOf(first, entry);
        }
    }

    /** Takes an entry from the names of its inode. */
    void unlink(int entry) {
        int inode = tables.entryInode(entry);
        int name = nameOf(inode);
        if (name == entry) {
            nameOf(inode, nextNameOf(entry));
        } else {
            while (nextNameOf(name) != entry) {
                name = nextNameOf(name);
            }
            nextNameOf(name, nextNameOf(entry));
        }
        nextNameOf(entry, Tables.NONE);
    }

    /** Makes an entry the first name of its inode. */
    void nameFirst(int entry) {
        int inode = tables.entryInode(entry);
        int first = nameOf(inode);
        if (first != entry) {
            unlink(entry);
            nextNameOf(entry, nameOf(inode));
            nameOf(inode, entry);
        }
    }

    /** In {@link Tables#entryInode}: the entry is removed and still in its directory's chain. */
    static final int REMOVED = -1;

    /** Removes a name. Its row stays in the chain of the directory until so many are dead that a sweep is worth it. */
    void removeEntry(int entry) {
        int directory = tables.parent(entry);
        tables.dropEntry(entry, scratch);
        unlink(entry);
        tables.entryInode(entry, REMOVED);
        deadNameBytes += 1 + tables.nameLength(tables.entryName(entry));
        tables.addToHeader(Layout.LIVE_ENTRIES, -1);
        tables.children(directory, tables.children(directory) - 1);
        tables.removed(directory, tables.removed(directory) + 1);
        tables.directoryVersion(directory, nextVersion());
        if (tables.removed(directory) > tables.children(directory) + 16) {
            sweep(directory);
        }
    }

    /** Takes the removed entries out of a directory's chain. */
    void sweep(int directory) {
        int kept = Tables.NONE;
        for (int entry = tables.firstChild(directory); entry != Tables.NONE; ) {
            int next = tables.next(entry);
            if (tables.entryInode(entry) == REMOVED) {
                freeEntries.add(entry);
                if (kept == Tables.NONE) {
                    tables.firstChild(directory, next);
                } else {
                    tables.next(kept, next);
                }
            } else {
                kept = entry;
            }
            entry = next;
        }
        tables.removed(directory, 0);
    }

    /** The place of a name, written if it is not among those interned; eight zeros follow it. */
    int name(byte[] name, int length, boolean bulk) {
        if (!bulk) {
            return append(name, length);
        }
        int[] slots = interned(0);
        int place = NameHash.place(NameHash.of(name, length, 0, tables.longHeader(Layout.SEED)), slots.length);
        while (slots[place] != 0) {
            if (tables.nameEquals(slots[place] - 1, name, length)) {
                return slots[place] - 1;
            }
            place = place + 1 == slots.length ? 0 : place + 1;
        }
        int at = append(name, length);
        slots[place] = at + 1;
        internedNames++;
        if (internedNames > slots.length * 3L / 4) {
            interned(2 * slots.length);
        }
        return at;
    }

    private int append(byte[] name, int length) {
        long at = tables.longHeader(Layout.NAMES);
        tables.writeName((int) at, name, length);
        tables.longHeader(Layout.NAMES, at + 1 + length);
        return (int) at;
    }

    /** The hash of all names, made of those that are there if it is not, or is to have more slots. */
    private int[] interned(int wanted) {
        int[] slots = interned;
        if (slots != null && slots.length >= wanted) {
            return slots;
        }
        slots = new int[Math.max(wanted, 2 * tables.header(Layout.LIVE_ENTRIES) + 1024)];
        internedNames = 0;
        byte[] other = new byte[NameHash.ROOM];
        for (long at = 0; at < tables.longHeader(Layout.NAMES); ) {
            int length = tables.name((int) at, other);
            int place = NameHash.place(NameHash.of(other, length, 0, tables.longHeader(Layout.SEED)), slots.length);
            while (slots[place] != 0) {
                place = place + 1 == slots.length ? 0 : place + 1;
            }
            slots[place] = (int) at + 1;
            internedNames++;
            at += 1 + length;
        }
        interned = slots;
        return slots;
    }

    /** How many rows a run of so many extents takes: one that grows is moved now and then only. */
    static int runRoom(int extents) {
        if (extents <= 4) {
            return extents;
        }
        int step = Integer.highestOneBit(extents - 1) >> 2;
        return Math.ceilDiv(extents, step) * step;
    }

    /** A run of rows for so many extents, at least 1. */
    int addRun(int extents) {
        int room = runRoom(extents);
        tables.addToHeader(Layout.LIVE_EXTENTS, extents);
        Numbers free = freeRuns.get(room);
        if (free != null && free.size() > 0) {
            freeExtents -= room;
            return free.take();
        }
        int first = tables.header(Layout.EXTENTS);
        tables.header(Layout.EXTENTS, first + room);
        return first;
    }

    void freeRun(int first) {
        int extents = tables.runRows(first);
        int room = runRoom(extents);
        tables.addToHeader(Layout.LIVE_EXTENTS, -extents);
        freeRuns.computeIfAbsent(room, any -> new Numbers()).add(first);
        freeExtents += room;
    }

    /** Whether so much is dead that copying the rest is worth it. */
    boolean isWasteful() {
        long names = tables.longHeader(Layout.NAMES);
        return (deadNameBytes > 1 << 20 && deadNameBytes > names / 2)
                || (freeExtents > 1 << 16 && freeExtents > tables.header(Layout.EXTENTS) / 2);
    }

    /** Bytes of memory that rows, hashes and header take. */
    long bytes() throws IOException {
        if (region.isShared()) {
            return region.allocated();
        }
        long sum = Layout.HEADER_BYTES;
        sum += tables.header(Layout.PROBLEM_BYTES);
        sum += Math.multiplyFull(tables.header(Layout.INODES), 46);
        sum += Math.multiplyFull(tables.header(Layout.DIRECTORIES), 28);
        sum += Math.multiplyFull(tables.header(Layout.ENTRIES), 16);
        sum += Math.multiplyFull(tables.header(Layout.EXTENTS), 20);
        sum += Math.multiplyFull(tables.header(Layout.INODE_SLOTS), 4);
        sum += Math.multiplyFull(tables.header(Layout.ENTRY_SLOTS), 4);
        return sum + tables.longHeader(Layout.NAMES);
    }

    @Override
    public void close() {
        nextName.close();
    }
}
