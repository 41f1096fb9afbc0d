package io.aisio.xal.index;

import io.aisio.linux.Mapping;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
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

    /** Slots for each row of a hash that was made to fit. */
    private static final double SPARE = 1.125;

    /** By how much a hash grows at once where more is expected, and what is believed at once. */
    private static final int BOLD = 32;

    /** Bytes of a name, as long as few are shorter. */
    private static final int LIKELY_NAME = 8;

    private static final int LEAST_EXPECTED = 1 << 16;

    final Region region;
    final Tables tables;
    private final Layout layout;
    final byte[] scratch = new byte[NameHash.ROOM];

    /**
     * What the writer alone needs of entries, in columns of ints: the next one that names the same inode, and one, 0 if
     * there is none; the one before, unless it is the first; the listing of its directory that gave it last, 0 if none
     * since it is there. Pages without any cost nothing: most inodes have one name.
     */
    private final Mapping links;

    private final long nextName;
    private final long previousName;
    private final long listed;
    private int listing;

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
    private long @Nullable [] interned;
    private int internedNames;
    private long deadNameBytes;
    private long freeExtents;
    private long toleratedNameBytes;
    private long toleratedExtents;
    private long expected;
    private long announced;

    /** @param seed of its hashes */
    Store(Region region, long seed) throws IOException {
        this.region = region;
        layout = region.layout;
        tables = new Tables(region);
        nextName = 0;
        previousName = 4L * layout.entryRoom;
        listed = 2 * previousName;
        links = Mapping.reserve(3 * previousName);
        tables.longHeader(Layout.SEED, seed);
        tables.header(Layout.ROOT, Tables.NONE);
        tables.header(Layout.NEXT_VERSION, 1);
        try {
            resizeInodeHash(LEAST_SLOTS);
            resizeEntryHash(LEAST_SLOTS);
        } catch (IOException e) {
            close();
            throw e;
        }
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
    boolean hasRoom(int inodes, int directories, int entries, int extents, long names) {
        return inodes <= layout.inodeRoom - tables.header(Layout.INODES) + freeInodes.size()
                && directories <= layout.directoryRoom - tables.header(Layout.DIRECTORIES) + freeDirectories.size()
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
            for (long column : layout.longsOfInodes()) {
                commit(column, 8L * wanted, 8L * layout.inodeRoom);
            }
            for (long column : layout.intsOfInodes()) {
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
            for (long column : layout.intsOfEntries()) {
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

    private int slots(int rows, int room) {
        long likely = Math.clamp(expected, rows, BOLD * (long) rows + LEAST_EXPECTED);
        return (int) Math.min(
                (long) Layout.SLOTS * room, (long) (likely * (likely > rows ? SPARE : GROWTH / FULL)) + LEAST_SLOTS);
    }

    /**
     * Says how many inodes, and names, there will be. It is believed up to a multiple of what came so far, so that a file
     * system that lies takes no memory.
     */
    void expect(long rows) {
        expected = rows;
        if (rows > announced) {
            announced = rows;
            long inodes = Math.min(rows, layout.inodeRoom);
            for (long column : layout.longsOfInodes()) {
                region.expect(column, 8 * inodes);
            }
            for (long column : layout.intsOfInodes()) {
                region.expect(column, 4 * inodes);
            }
            region.expect(layout.mode, 2 * inodes);
            long entries = Math.min(rows, layout.entryRoom);
            for (long column : layout.intsOfEntries()) {
                region.expect(column, 4 * entries);
            }
            // Most have one extent, and a name of more than a few bytes.
            long extents = Math.min(rows, layout.extentRoom);
            region.expect(layout.offset, 8 * extents);
            region.expect(layout.position, 8 * extents);
            region.expect(layout.length, 4 * extents);
            region.expect(layout.names, Math.min(LIKELY_NAME * rows, layout.nameRoom));
        }
    }

    private void commit(long column, long bytes, long most) throws IOException {
        long had = grown.getOrDefault(column, 0L);
        if (bytes > had) {
            grown.put(column, region.grow(column, had, bytes, most));
        }
    }

    /** Makes the hashes as small as they may be while there still is room for some changes. */
    void fit() throws IOException {
        int wanted = fitting(Layout.LIVE_INODES, layout.inodeRoom);
        if (!fits(tables.header(Layout.INODE_SLOTS), wanted)) {
            resizeInodeHash(wanted);
        }
        wanted = fitting(Layout.LIVE_ENTRIES, layout.entryRoom);
        if (!fits(tables.header(Layout.ENTRY_SLOTS), wanted)) {
            resizeEntryHash(wanted);
        }
        interned = null;
        expected = 0;
    }

    private int fitting(long rows, int room) {
        return (int) Math.min((long) Layout.SLOTS * room, (long) (tables.header(rows) * SPARE) + LEAST_SLOTS);
    }

    /** Whether to make a hash anew brings less than a 64th of it. */
    private static boolean fits(int slots, int wanted) {
        return Math.abs((long) slots - wanted) <= wanted >> 6;
    }

    private void resizeInodeHash(int slots) throws IOException {
        commit(layout.inodeHash, 4L * slots, 4L * Layout.SLOTS * layout.inodeRoom);
        region.expect(layout.inodeHash, 4L * slots);
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
        region.expect(layout.entryHash, 4L * slots);
        region.begin();
        clear(layout.entryHash, tables.header(Layout.ENTRY_SLOTS), slots);
        tables.header(Layout.ENTRY_SLOTS, slots);
        for (int entry = 0; entry < tables.header(Layout.ENTRIES); entry++) {
            if (tables.entryInode(entry) >= 0) {
                tables.putEntry(entry, tables.hashOfEntry(entry, scratch));
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

    /** In {@link Tables#dirty}: its names are not as the file system has them; counted in the header. */
    static final int DIRTY = 1;

    /** In {@link Tables#dirty}: all of its names have not been given since its inode changed. */
    static final int UNLISTED = 2;

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

    /**
     * Gives numbers that are not known a row.
     *
     * @param rows of the numbers, NONE where it is not known; then those that they have
     */
    void addInodes(long[] numbers, int[] rows, int count) {
        int slots = tables.header(Layout.INODE_SLOTS);
        long seed = tables.longHeader(Layout.SEED);
        int end = tables.header(Layout.INODES);
        int[] added = new int[count];
        int[] versions = new int[count];
        int adding = 0;
        int version = tables.header(Layout.NEXT_VERSION);
        for (int i = 0; i < count; i++) {
            if (rows[i] != Tables.NONE) {
                continue;
            }
            boolean reused = freeInodes.size() > 0;
            int fresh = reused ? freeInodes.take() : end;
            rows[i] = tables.findOrPutInode(numbers[i], fresh, slots, seed);
            if (rows[i] == fresh) {
                end += reused ? 0 : 1;
                versions[adding] = version + adding;
                added[adding++] = fresh;
            } else if (reused) {
                freeInodes.add(fresh);
            }
        }
        tables.header(Layout.INODES, end);
        tables.addToHeader(Layout.LIVE_INODES, adding);
        tables.header(Layout.NEXT_VERSION, version + adding);
        tables.modes(added, new int[adding], adding);
        tables.longs(layout.stamp, added, new long[adding], adding);
        tables.ints(layout.firstExtent, added, Tables.NONE, adding);
        tables.ints(layout.inodeName, added, Tables.NONE, adding);
        tables.ints(layout.version, added, versions, adding);
    }

    /** Says all but the mode of inodes of which nothing was known, and that are no directories. */
    void putInodes(int[] rows, int count, int[] firstExtent, int[] generation, int[] links, long[] size, long[] stamp) {
        tables.ints(layout.firstExtent, rows, firstExtent, count);
        tables.ints(layout.generation, rows, generation, count);
        tables.ints(layout.links, rows, links, count);
        tables.longs(layout.size, rows, size, count);
        tables.longs(layout.stamp, rows, stamp, count);
        int[] versions = new int[count];
        int version = tables.header(Layout.NEXT_VERSION);
        for (int i = 0; i < count; i++) {
            versions[i] = version + i;
        }
        tables.header(Layout.NEXT_VERSION, version + count);
        tables.ints(layout.version, rows, versions, count);
        tables.addToHeader(Layout.LIVE_FILES, count);
    }

    /** Rows for so many entries. */
    int[] entryRows(int count) {
        int[] rows = new int[count];
        int end = tables.header(Layout.ENTRIES);
        for (int i = 0; i < count; i++) {
            rows[i] = freeEntries.size() > 0 ? freeEntries.take() : end++;
        }
        tables.header(Layout.ENTRIES, end);
        return rows;
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
        tables.children(directory, 0);
        tables.removed(directory, 0);
        tables.dirty(directory, UNLISTED);
        tables.inodeName(inode, directory);
        tables.addToHeader(Layout.LIVE_DIRECTORIES, 1);
        return directory;
    }

    void freeDirectory(int directory) {
        int inode = tables.directoryInode(directory);
        tables.inodeName(inode, tables.directoryName(directory));
        tables.directoryInode(directory, Tables.NONE);
        tables.addToHeader(Layout.LIVE_DIRECTORIES, -1);
        if ((tables.dirty(directory) & DIRTY) != 0) {
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
        return links.segment().get(ValueLayout.JAVA_INT, nextName + 4L * entry) - 1;
    }

    private void nextNameOf(int entry, int other) {
        MemorySegment columns = links.segment();
        if (columns.get(ValueLayout.JAVA_INT, nextName + 4L * entry) != other + 1) {
            columns.set(ValueLayout.JAVA_INT, nextName + 4L * entry, other + 1);
        }
    }

    /** Lets one name of an inode follow another, if it is one. */
    private void follow(int entry, int next) {
        nextNameOf(entry, next);
        if (next != Tables.NONE) {
            links.segment().set(ValueLayout.JAVA_INT, previousName + 4L * next, entry);
        }
    }

    /** Begins to list a directory: no entry is listed. */
    void beginListing() {
        listing++;
        if (listing == 0) {
            links.segment().asSlice(listed).fill((byte) 0);
            listing = 1;
        }
    }

    /** Lists an entry. @return false if it was already */
    boolean list(int entry) {
        if (links.segment().get(ValueLayout.JAVA_INT, listed + 4L * entry) == listing) {
            return false;
        }
        links.segment().set(ValueLayout.JAVA_INT, listed + 4L * entry, listing);
        return true;
    }

    /**
     * Adds a name, which the directory has not.
     *
     * @param name its place
     * @param nameHash as {@link NameHash#of}
     */
    int addEntry(int directory, int name, long nameHash, int inode) {
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
        tables.putEntry(entry, NameHash.in(directory, nameHash));
        tables.addToHeader(Layout.LIVE_ENTRIES, 1);
        link(entry, inode);
        return entry;
    }

    /** Writes rows of entries, and puts them at the beginning of their directory's chain. */
    void writeEntries(int directory, int[] rows, int[] names, int[] inodes) {
        int[] next = new int[rows.length];
        int before = tables.firstChild(directory);
        for (int i = 0; i < rows.length; i++) {
            next[i] = before;
            before = rows[i];
        }
        tables.firstChild(directory, before);
        tables.ints(layout.next, rows, next, rows.length);
        tables.ints(layout.parent, rows, directory, rows.length);
        tables.ints(layout.entryName, rows, names, rows.length);
        tables.ints(layout.entryInode, rows, inodes, rows.length);
    }

    /** Counts entries that were put, and others that are in the chain alone. */
    void countEntries(int directory, int put, int refused) {
        tables.children(directory, tables.children(directory) + put);
        tables.removed(directory, tables.removed(directory) + refused);
        tables.addToHeader(Layout.LIVE_ENTRIES, put);
        sweepIfWorthIt(directory);
    }

    /** The same as {@link #link}, of an entry that was written for the inode and is new. */
    void linkNew(int entry, int inode) {
        if (tables.mode(inode) >>> 12 != 4 && tables.inodeName(inode) == Tables.NONE) {
            tables.inodeName(inode, entry);
        } else {
            link(entry, inode);
        }
    }

    /** Makes an entry one of the names of an inode, behind the first. */
    void link(int entry, int inode) {
        tables.entryInode(entry, inode);
        int first = nameOf(inode);
        if (first == Tables.NONE) {
            nextNameOf(entry, Tables.NONE);
            nameOf(inode, entry);
        } else {
            follow(entry, nextNameOf(first));
            follow(first, entry);
        }
    }

    /** Takes an entry from the names of its inode. */
    void unlink(int entry) {
        int inode = tables.entryInode(entry);
        if (nameOf(inode) == entry) {
            nameOf(inode, nextNameOf(entry));
        } else {
            follow(links.segment().get(ValueLayout.JAVA_INT, previousName + 4L * entry), nextNameOf(entry));
        }
        nextNameOf(entry, Tables.NONE);
    }

    /** Makes an entry the first name of its inode. */
    void nameFirst(int entry) {
        int inode = tables.entryInode(entry);
        int first = nameOf(inode);
        if (first != entry) {
            unlink(entry);
            follow(entry, nameOf(inode));
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
        sweepIfWorthIt(directory);
    }

    void sweepIfWorthIt(int directory) {
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

    /**
     * Writes names, each once if equal ones are to be found; {@link #readyNames} made room then.
     *
     * @param which of the batch
     * @param bytes that they take at most
     * @return their places
     */
    int[] names(NameBatch batch, long[] hashes, int[] which, int bytes, boolean equalOnes) {
        long base = tables.longHeader(Layout.NAMES);
        byte[] written = new byte[bytes];
        int end = 0;
        int[] places = new int[which.length];
        long[] slots = equalOnes ? Objects.requireNonNull(interned) : new long[0];
        for (int k = 0; k < which.length; k++) {
            int i = which[k];
            int from = batch.begin(i);
            int length = batch.begin(i + 1) - from;
            if (equalOnes) {
                long hash = hashes[i];
                int slot = NameHash.place(hash, slots.length);
                while (slots[slot] != 0 && !isInterned(slots[slot], hash, batch.bytes(), from, length, base, written)) {
                    slot = slot + 1 == slots.length ? 0 : slot + 1;
                }
                if (slots[slot] != 0) {
                    places[k] = (int) slots[slot] - 1;
                    continue;
                }
                slots[slot] = hash << 32 | base + end + 1;
                internedNames++;
            }
            places[k] = (int) (base + end);
            written[end] = (byte) length;
            System.arraycopy(batch.bytes(), from, written, end + 1, length);
            end += 1 + length;
        }
        tables.writeNames(base, written, end);
        tables.longHeader(Layout.NAMES, base + end);
        return places;
    }

    /** Whether a slot, tag above and place and one below, is that of a name; names from {@code base} on lie in {@code written}. */
    private boolean isInterned(long slot, long hash, byte[] bytes, int from, int length, long base, byte[] written) {
        if ((int) (slot >>> 32) != (int) hash) {
            return false;
        }
        long place = (slot & 0xFFFF_FFFFL) - 1;
        if (place < base) {
            return tables.isName((int) place, bytes, from, length);
        }
        int at = (int) (place - base);
        return (written[at] & 0xFF) == length
                && Arrays.equals(written, at + 1, at + 1 + length, bytes, from, from + length);
    }

    /** The place of one name among those of many; {@link #readyNames} made room. */
    int intern(byte[] bytes, int length, long nameHash) {
        long[] slots = Objects.requireNonNull(interned);
        int slot = NameHash.place(nameHash, slots.length);
        long base = tables.longHeader(Layout.NAMES);
        while (slots[slot] != 0) {
            if (isInterned(slots[slot], nameHash, bytes, 0, length, base, bytes)) {
                return (int) slots[slot] - 1;
            }
            slot = slot + 1 == slots.length ? 0 : slot + 1;
        }
        slots[slot] = nameHash << 32 | base + 1;
        internedNames++;
        return append(bytes, 0, length);
    }

    /** The place of a name that is written without a look whether it is there. */
    int append(byte[] bytes, int from, int length) {
        long at = tables.longHeader(Layout.NAMES);
        tables.writeName((int) at, bytes, from, length);
        tables.longHeader(Layout.NAMES, at + 1 + length);
        return (int) at;
    }

    /** Makes room on the heap for so many more names to be interned, before a change begins. */
    void readyNames(int names) {
        if (interned == null) {
            internedNames = countNames();
        }
        long wanted = (internedNames + (long) names) * 4 / 3 + 1;
        if (interned == null || interned.length < wanted) {
            long likely = Math.clamp(expected, names, BOLD * (internedNames + (long) names) + LEAST_EXPECTED);
            interned = intern((int) Math.min(Integer.MAX_VALUE - 8, Math.max(2 * wanted, 3 * likely / 2)));
        }
    }

    private int countNames() {
        int count = 0;
        for (long at = 0; at < tables.longHeader(Layout.NAMES); at += 1 + tables.nameLength((int) at)) {
            count++;
        }
        return count;
    }

    /** The hash of all names that are written, with so many slots. */
    private long[] intern(int room) {
        long[] slots = new long[room];
        internedNames = 0;
        long seed = tables.longHeader(Layout.SEED);
        for (long at = 0; at < tables.longHeader(Layout.NAMES); ) {
            int length = tables.name((int) at, scratch);
            long hash = NameHash.of(scratch, 0, length, seed);
            int slot = NameHash.place(hash, room);
            while (slots[slot] != 0) {
                slot = slot + 1 == room ? 0 : slot + 1;
            }
            slots[slot] = hash << 32 | at + 1;
            internedNames++;
            at += 1 + length;
        }
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

    /**
     * Runs of rows for the extents of many inodes, one after another.
     *
     * @param runs how many extents each has
     * @return the first row of each, NONE for those without any
     */
    int[] addRuns(int[] runs, int count) {
        int[] first = new int[count];
        if (freeExtents > 0) {
            for (int i = 0; i < count; i++) {
                first[i] = runs[i] == 0 ? Tables.NONE : addRun(runs[i]);
            }
            return first;
        }
        int end = tables.header(Layout.EXTENTS);
        int extents = 0;
        for (int i = 0; i < count; i++) {
            first[i] = runs[i] == 0 ? Tables.NONE : end;
            end += runs[i] == 0 ? 0 : runRoom(runs[i]);
            extents += runs[i];
        }
        tables.header(Layout.EXTENTS, end);
        tables.addToHeader(Layout.LIVE_EXTENTS, extents);
        return first;
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
        return (deadNameBytes > Math.max(1 << 20, 2 * toleratedNameBytes) && deadNameBytes > names / 2)
                || (freeExtents > Math.max(1 << 16, 2 * toleratedExtents)
                        && freeExtents > tables.header(Layout.EXTENTS) / 2);
    }

    /** Lets it not be wasteful before twice as much is dead as now. */
    void tolerateWaste() {
        toleratedNameBytes = deadNameBytes;
        toleratedExtents = freeExtents;
    }

    /** Bytes of memory that rows, hashes and header take. */
    long bytes() throws IOException {
        if (region.isShared()) {
            return region.allocated();
        }
        long sum = Layout.HEADER_BYTES;
        sum += tables.header(Layout.PROBLEM_BYTES);
        sum += Math.multiplyFull(tables.header(Layout.INODES), 46);
        sum += Math.multiplyFull(tables.header(Layout.DIRECTORIES), 24);
        sum += Math.multiplyFull(tables.header(Layout.ENTRIES), 16);
        sum += Math.multiplyFull(tables.header(Layout.EXTENTS), 20);
        sum += Math.multiplyFull(tables.header(Layout.INODE_SLOTS), 4);
        sum += Math.multiplyFull(tables.header(Layout.ENTRY_SLOTS), 4);
        return sum + tables.longHeader(Layout.NAMES);
    }

    @Override
    public void close() {
        links.close();
    }
}
