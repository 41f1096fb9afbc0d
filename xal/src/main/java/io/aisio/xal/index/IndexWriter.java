package io.aisio.xal.index;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.IndexException;
import io.aisio.xal.Inode;
import io.aisio.xal.Volume;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.FileName;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The owner of an index, who alone changes it: takes all that a backend reads, for the first time or again, and single
 * changes that somebody watched. Any thread may call it; one at a time is let in. Readers see each change whole.
 *
 * <p>A change costs in proportion to itself: that of one extent to the extents of its file. Before it begins, memory is
 * taken; where there is none, it is an {@link UncheckedIOException} in a {@link Catalog}'s methods, an
 * {@link IOException} elsewhere, and nothing was changed.
 */
public final class IndexWriter implements Catalog, AutoCloseable {
    /** Room of a new index in inodes, if the file system has fewer or does not tell: address space, no memory. */
    private static final int LEAST_ROOM = 1 << 22;

    /** One row holds so many blocks at most, a power of two below 2^32. */
    private static final long ROW_BLOCKS = 1L << 31;

    private final @Nullable Path shared;
    private final Volume volume;
    private final int blockBytes;
    private Store store;
    private Tables tables;
    private volatile Region region;
    private BitSet marked = new BitSet();
    private boolean reading;
    private final BitSet seen = new BitSet();
    private final byte[] name = new byte[NameHash.ROOM];

    private int rows;
    private long[] offset = new long[64];
    private long[] position = new long[64];
    private long[] length = new long[64];
    private int[] flags = new int[64];
    private long[] marks = new long[64];

    private IndexWriter(Volume volume, @Nullable Path shared, Region region) throws IOException {
        this.volume = volume;
        this.shared = shared;
        blockBytes = volume.blockBytes();
        this.region = region;
        store = new Store(region);
        tables = store.tables;
        region.describe(volume);
    }

    /**
     * Makes an index without anything in it.
     *
     * @param shared the file that other processes map, or null for private memory
     * @throws IndexException if the file is in use, or somebody else's
     * @throws IOException if there is no memory
     */
    public static IndexWriter create(Volume volume, @Nullable Path shared) throws IOException {
        return create(volume, shared, Math.max(LEAST_ROOM, 2 * volume.inodes()));
    }

    static IndexWriter create(Volume volume, @Nullable Path shared, long room) throws IOException {
        Layout layout = Layout.forInodes(room);
        Region region = shared == null ? Region.create(layout) : Region.create(shared, layout);
        try {
            return new IndexWriter(volume, shared, region);
        } catch (IOException | RuntimeException e) {
            if (shared != null) {
                region.remove(shared);
            }
            region.close();
            throw e;
        }
    }

    Region region() {
        return region;
    }

    /** A reader of this index. */
    public IndexReader reader() {
        return new IndexReader(this);
    }

    /** Begins to take all anew; what is not given or kept until {@link #endReading} is removed then. */
    public synchronized void beginReading(long root) throws IOException {
        reading = true;
        marked.clear();
        store.expect(Math.max(volume.inodes(), tables.header(Layout.LIVE_INODES)));
        change(() -> {
            tables.header(Layout.PROBLEM_BYTES, 0);
            tables.header(Layout.PROBLEMS, 0);
        });
        room(1, 0, 0, 0);
        change(() -> tables.header(Layout.ROOT, inodeOf(root)));
    }

    /** Removes what is gone, and tells what does not fit into the tree; from then on the index is current. */
    public synchronized void endReading() throws IOException {
        for (int inode = 0; inode < tables.header(Layout.INODES); inode++) {
            if (tables.inodeName(inode) != Store.FREE && tables.mode(inode) != 0 && !marked.get(inode)) {
                int gone = inode;
                change(() -> removeInode(gone));
            }
        }
        if (!tables.isDirectory(tables.header(Layout.ROOT))) {
            throw new IndexException(region.name, "the root directory was not read");
        }
        checkTree();
        store.fit();
        reading = false;
        change(() -> {
            region.reason("");
            region.state(Region.CURRENT);
        });
    }

    @Override
    public synchronized void inodes(InodeBatch batch) {
        try {
            room(batch.inodes(), 0, batch.inodes() + 2 * batch.extents(), 0);
            for (int i = 0; i < batch.inodes(); i++) {
                stage(batch, i);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void stage(InodeBatch batch, int i) throws IOException {
        rows = 0;
        for (int e = batch.firstExtent(i); e < batch.firstExtent(i + 1); e++) {
            String problem = stage(batch.offset(e), batch.position(e), batch.length(e), batch.flags(e));
            if (problem != null) {
                damaged(new IndexException(volume.source(), "inode " + batch.number(i) + ": " + problem));
                return;
            }
        }
        put(batch.number(i), batch.generation(i), batch.mode(i), batch.links(i), batch.size(i), batch.stamp(i));
    }

    /**
     * Adds an extent to the rows that the next inode gets.
     *
     * @return what is wrong with it, or null
     */
    private @Nullable String stage(long from, long at, long bytes, int what) {
        boolean inBlocks = from % blockBytes == 0 && at % blockBytes == 0 && bytes % blockBytes == 0;
        long unit = inBlocks ? blockBytes : 1;
        boolean overlaps = rows > 0 && from < stagedEnd();
        if (bytes < 1 || from + bytes < from || overlaps || !Tables.fits(from / unit, at / unit)) {
            return "an extent of " + bytes + " bytes at " + from + " in the file and " + at + " on the device"
                    + (overlaps ? " begins before the one ahead of it ends" : " cannot be");
        }
        long mark = inBlocks ? 0 : Tables.IN_BYTES;
        for (long done = 0; done < bytes / unit; done += ROW_BLOCKS) {
            if (rows == offset.length) {
                offset = Arrays.copyOf(offset, 2 * rows);
                position = Arrays.copyOf(position, 2 * rows);
                length = Arrays.copyOf(length, 2 * rows);
                flags = Arrays.copyOf(flags, 2 * rows);
                marks = Arrays.copyOf(marks, 2 * rows);
            }
            offset[rows] = from / unit + done;
            position[rows] = at / unit + done;
            length[rows] = Math.min(ROW_BLOCKS, bytes / unit - done);
            flags[rows] = what;
            marks[rows] = mark | (done > 0 ? Tables.CONTINUED : 0);
            rows++;
        }
        return null;
    }

    private long stagedEnd() {
        long unit = (marks[rows - 1] & Tables.IN_BYTES) != 0 ? 1 : blockBytes;
        return (offset[rows - 1] + length[rows - 1]) * unit;
    }

    /** Puts an inode with the rows that are staged. */
    private void put(long number, int generation, int mode, long links, long size, long stamp) throws IOException {
        try {
            FileType _ = FileType.ofMode(mode);
        } catch (IllegalArgumentException e) {
            damaged(new IndexException(volume.source(), "inode " + number + ": " + e.getMessage()));
            return;
        }
        room(1, 0, Store.runRoom(Math.max(1, rows)), 0);
        change(() -> {
            int inode = inodeOf(number);
            if (tables.mode(inode) != 0 && tables.generation(inode) != generation && tables.isDirectory(inode)) {
                removeChildren(tables.inodeName(inode));
            }
            changeType(inode, mode);
            if (tables.isDirectory(inode) && tables.stamp(inode) != stamp) {
                int row = tables.inodeName(inode);
                tables.dirty(row, tables.dirty(row) | Store.UNLISTED);
            }
            boolean same = sameExtents(inode);
            if (!same) {
                replaceExtents(inode);
            }
            if (!same || tables.size(inode) != size || tables.generation(inode) != generation) {
                tables.version(inode, store.nextVersion());
            }
            tables.size(inode, size);
            tables.stamp(inode, stamp);
            tables.generation(inode, generation);
            tables.links(inode, (int) links);
            marked.set(inode);
        });
    }

    private void changeType(int inode, int mode) {
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

    private boolean sameExtents(int inode) {
        int first = tables.firstExtent(inode);
        if (first == Tables.NONE || rows == 0) {
            return first == Tables.NONE && rows == 0;
        }
        for (int i = 0; i < rows; i++) {
            long last = i == rows - 1 ? Tables.LAST : 0;
            if (!tables.isExtent(first + i, offset[i], position[i], length[i], flags[i], marks[i] | last)) {
                return false;
            }
        }
        return true;
    }

    private void replaceExtents(int inode) {
        if (tables.firstExtent(inode) != Tables.NONE) {
            store.freeRun(tables.firstExtent(inode));
        }
        int first = rows == 0 ? Tables.NONE : store.addRun(rows);
        for (int i = 0; i < rows; i++) {
            long last = i == rows - 1 ? Tables.LAST : 0;
            tables.extent(first + i, offset[i], position[i], length[i], flags[i], marks[i] | last);
        }
        tables.firstExtent(inode, first);
    }

    /** The row of a number, a new one without anything known if there is none. */
    private int inodeOf(long number) {
        int inode = tables.findInode(number);
        return inode == Tables.NONE ? store.addInode(number) : inode;
    }

    @Override
    public synchronized void names(long directory, NameBatch batch) {
        try {
            room(batch.names(), batch.names(), 0, batch.begin(batch.names()) - batch.begin(0) + batch.names());
            int inode = tables.findInode(directory);
            store.expect(tables.header(Layout.LIVE_INODES));
            if (inode == Tables.NONE || !tables.isDirectory(inode)) {
                damaged(new IndexException(
                        volume.source(), "inode " + directory + " has names, and was not read as a directory"));
                return;
            }
            int row = tables.inodeName(inode);
            for (int i = 0; i < batch.names(); i++) {
                give(directory, row, batch, i);
            }
            removeUnseen(row);
            if (tables.dirty(row) != 0) {
                change(() -> {
                    tables.addToHeader(Layout.DIRTY_DIRECTORIES, -(tables.dirty(row) & Store.DIRTY));
                    tables.dirty(row, 0);
                });
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            seen.clear();
        }
    }

    private void give(long number, int directory, NameBatch batch, int i) throws IOException {
        int bytes = batch.begin(i + 1) - batch.begin(i);
        System.arraycopy(batch.bytes(), batch.begin(i), name, 0, bytes);
        NameHash.WORDS.set(name, bytes, 0L);
        int entry = tables.findEntry(directory, name, bytes);
        if (entry != Tables.NONE && seen.get(entry)) {
            String text = FileName.decode(Arrays.copyOf(name, bytes));
            damaged(new IndexException(
                    volume.source(), "directory inode " + number + ": two of its entries are named " + text));
            return;
        }
        if (entry == Tables.NONE) {
            store.makeRoom(1, 0, 1, 0, bytes + 1L);
            change(() -> seen.set(store.addEntry(directory, store.name(name, bytes, true), inodeOf(batch.inode(i)))));
        } else {
            seen.set(entry);
            if (tables.number(tables.entryInode(entry)) != batch.inode(i)) {
                store.makeRoom(1, 0, 0, 0, 0);
                change(() -> retarget(entry, batch.inode(i)));
            }
        }
    }

    private void retarget(int entry, long number) {
        int before = tables.entryInode(entry);
        int directory = tables.parent(entry);
        store.unlink(entry);
        store.link(entry, inodeOf(number));
        dropIfForgotten(before);
        tables.directoryVersion(directory, store.nextVersion());
    }

    private void removeUnseen(int directory) {
        if (tables.children(directory) == seen.cardinality()) {
            return;
        }
        List<Integer> gone = new ArrayList<>();
        for (int entry = tables.firstChild(directory); entry != Tables.NONE; entry = tables.next(entry)) {
            if (tables.entryInode(entry) != Store.REMOVED && !seen.get(entry)) {
                gone.add(entry);
            }
        }
        for (int entry : gone) {
            change(() -> removeEntry(entry));
        }
    }

    private void removeEntry(int entry) {
        int inode = tables.entryInode(entry);
        store.removeEntry(entry);
        dropIfForgotten(inode);
    }

    /** Frees an inode of which nothing is known and that nobody names. */
    private void dropIfForgotten(int inode) {
        if (tables.mode(inode) == 0 && store.nameOf(inode) == Tables.NONE && inode != tables.header(Layout.ROOT)) {
            store.freeInode(inode);
        }
    }

    private void removeChildren(int directory) {
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

    private void removeInode(int inode) {
        changeType(inode, 0);
        rows = 0;
        replaceExtents(inode);
        tables.version(inode, store.nextVersion());
        dropIfForgotten(inode);
    }

    /** {@inheritDoc} A directory is known once all of its names were given since its inode changed. */
    @Override
    public synchronized boolean knows(long number, int generation, long stamp) {
        int inode = tables.findInode(number);
        return inode != Tables.NONE
                && tables.mode(inode) != 0
                && tables.generation(inode) == generation
                && tables.stamp(inode) == stamp
                && !(tables.isDirectory(inode) && tables.dirty(tables.inodeName(inode)) != 0);
    }

    @Override
    public synchronized void keep(long number) {
        int inode = tables.findInode(number);
        if (inode == Tables.NONE || tables.mode(inode) == 0) {
            throw new IllegalArgumentException("inode " + number + " is not known and cannot be kept");
        }
        marked.set(inode);
    }

    @Override
    public synchronized void damaged(IOException problem) {
        String message = problem.getMessage();
        byte[] text = (message == null ? problem.toString() : message).getBytes(UTF_8);
        byte[] kept = text.length > 1000 ? Arrays.copyOf(text, 1000) : text;
        change(() -> {
            int used = tables.header(Layout.PROBLEM_BYTES);
            tables.addToHeader(Layout.PROBLEMS, 1);
            if (used + 2 + kept.length <= Layout.PROBLEM_ROOM) {
                tables.problem(used, kept);
                tables.header(Layout.PROBLEM_BYTES, used + 2 + kept.length);
            }
        });
    }

    /**
     * Puts an inode, new or as it is now, with all its extents.
     *
     * @param mode file type and permissions, as {@code st_mode}
     * @param stamp as {@link InodeBatch#stamp}
     * @throws IllegalArgumentException if an extent cannot be
     * @throws IOException if there is no memory
     */
    public synchronized void put(Inode inode, int mode, long stamp, List<Extent> extents) throws IOException {
        stageAll(extents);
        put(inode.number(), inode.generation(), mode, inode.links(), inode.size(), stamp);
        compactIfWasteful();
    }

    private void stageAll(List<Extent> extents) {
        rows = 0;
        for (Extent extent : extents) {
            String problem = stage(extent.offset(), extent.position(), extent.length(), extent.flags());
            if (problem != null) {
                throw new IllegalArgumentException(problem);
            }
        }
    }

    /**
     * Maps a part of a file: what was mapped there before is not any more. Neighbours that it continues become one with
     * it. It costs in proportion to the extents of the file.
     *
     * @return false if the inode is not known
     */
    public synchronized boolean map(long number, Extent extent) throws IOException {
        return splice(number, extent.offset(), extent.end(), extent);
    }

    /**
     * Unmaps a part of a file, which becomes a hole.
     *
     * @param from first byte of it
     * @param to the byte behind it
     * @return false if the inode is not known
     */
    public synchronized boolean unmap(long number, long from, long to) throws IOException {
        return splice(number, from, to, null);
    }

    private boolean splice(long number, long from, long to, @Nullable Extent mapped) throws IOException {
        int inode = tables.findInode(number);
        if (inode == Tables.NONE || tables.mode(inode) == 0) {
            return false;
        }
        List<Extent> before = new ArrayList<>();
        tables.extents(tables.firstExtent(inode), blockBytes, before);
        List<Extent> after = new ArrayList<>(before.size() + 2);
        boolean added = mapped == null;
        for (Extent extent : before) {
            if (extent.offset() < from) {
                append(after, part(extent, extent.offset(), Math.min(extent.end(), from)));
            }
            if (!added && extent.end() > from) {
                append(after, mapped);
                added = true;
            }
            if (extent.end() > to) {
                append(after, part(extent, Math.max(extent.offset(), to), extent.end()));
            }
        }
        if (!added) {
            append(after, mapped);
        }
        stageAll(after);
        room(0, 0, Store.runRoom(Math.max(1, rows)), 0);
        int row = tables.findInode(number);
        if (!sameExtents(row)) {
            change(() -> {
                replaceExtents(row);
                tables.version(row, store.nextVersion());
            });
        }
        compactIfWasteful();
        return true;
    }

    private static Extent part(Extent extent, long from, long to) {
        return new Extent(from, extent.position() + (from - extent.offset()), to - from, extent.flags());
    }

    private static void append(List<Extent> extents, @Nullable Extent next) {
        if (next == null) {
            return;
        }
        Extent last = extents.isEmpty() ? null : extents.getLast();
        if (last != null
                && last.end() == next.offset()
                && last.position() + last.length() == next.position()
                && last.flags() == next.flags()) {
            extents.removeLast();
            extents.addLast(new Extent(last.offset(), last.position(), last.length() + next.length(), last.flags()));
        } else {
            extents.addLast(next);
        }
    }

    /**
     * Changes a file's size alone.
     *
     * @return false if the inode is not known
     */
    public synchronized boolean resize(long number, long size) {
        int inode = tables.findInode(number);
        if (inode == Tables.NONE || tables.mode(inode) == 0) {
            return false;
        }
        if (tables.size(inode) != size) {
            change(() -> {
                tables.size(inode, size);
                tables.version(inode, store.nextVersion());
            });
        }
        return true;
    }

    /** Removes an inode; names that it still has are damaged from then on. Of a directory all names in it go too. */
    public synchronized void remove(long number) throws IOException {
        int inode = tables.findInode(number);
        if (inode != Tables.NONE && tables.mode(inode) != 0) {
            change(() -> removeInode(inode));
            compactIfWasteful();
        }
    }

    /**
     * Adds a name, or lets one that is there name another inode.
     *
     * @return false if the directory is not known
     */
    public synchronized boolean addName(long directory, String text, long number) throws IOException {
        byte[] bytes = FileName.encode(text);
        room(1, 1, 0, 256);
        int row = directoryOf(directory);
        if (row == Tables.NONE) {
            return false;
        }
        int entry = findEntry(row, bytes);
        change(() -> {
            if (entry == Tables.NONE) {
                store.addEntry(row, store.name(name, bytes.length, false), inodeOf(number));
            } else if (tables.number(tables.entryInode(entry)) != number) {
                retarget(entry, number);
            }
        });
        return true;
    }

    /**
     * Removes a name. Its inode stays until it is {@linkplain #remove removed}.
     *
     * @return the inode number that it stood for, or -1 if it was not there
     */
    public synchronized long removeName(long directory, String text) throws IOException {
        int row = directoryOf(directory);
        int entry = row == Tables.NONE ? Tables.NONE : findEntry(row, FileName.encode(text));
        if (entry == Tables.NONE) {
            return -1;
        }
        long number = tables.number(tables.entryInode(entry));
        change(() -> removeEntry(entry));
        compactIfWasteful();
        return number;
    }

    /**
     * Renames, in one change: what had the new name loses it. Of a directory one name changes, whatever is in it.
     *
     * @return false if the old name or the new directory is not known; then nothing is changed
     */
    public synchronized boolean rename(long directory, String text, long toDirectory, String toText)
            throws IOException {
        byte[] bytes = FileName.encode(text);
        byte[] toBytes = FileName.encode(toText);
        room(0, 1, 0, 256);
        int row = directoryOf(directory);
        int toRow = directoryOf(toDirectory);
        int entry = row == Tables.NONE ? Tables.NONE : findEntry(row, bytes);
        if (entry == Tables.NONE || toRow == Tables.NONE) {
            return false;
        }
        int replaced = findEntry(toRow, toBytes);
        if (replaced != entry) {
            change(() -> {
                long number = tables.number(tables.entryInode(entry));
                if (replaced != Tables.NONE) {
                    removeEntry(replaced);
                }
                int inode = tables.entryInode(entry);
                store.removeEntry(entry);
                store.addEntry(toRow, store.name(name, toBytes.length, false), inode);
                assert tables.number(inode) == number;
            });
            compactIfWasteful();
        }
        return true;
    }

    private int directoryOf(long number) {
        int inode = tables.findInode(number);
        return inode == Tables.NONE || !tables.isDirectory(inode) ? Tables.NONE : tables.inodeName(inode);
    }

    private int findEntry(int directory, byte[] bytes) {
        if (bytes.length < 1 || bytes.length > 255) {
            throw new IllegalArgumentException("a name of " + bytes.length + " bytes");
        }
        System.arraycopy(bytes, 0, name, 0, bytes.length);
        NameHash.WORDS.set(name, bytes.length, 0L);
        return tables.findEntry(directory, name, bytes.length);
    }

    /** Says that not all is as the file system has it now; a refresh mends it. */
    public synchronized void markDirty(String reason) {
        change(() -> {
            region.reason(reason);
            region.state(Region.DIRTY);
        });
    }

    /**
     * Says that the names of a directory are not as the file system has them now; its names given anew, or a refresh,
     * mend it.
     */
    public synchronized void markDirty(long directory, String reason) {
        int row = directoryOf(directory);
        if (row == Tables.NONE) {
            markDirty(reason);
        } else if ((tables.dirty(row) & Store.DIRTY) == 0) {
            change(() -> {
                region.reason(reason);
                tables.dirty(row, tables.dirty(row) | Store.DIRTY);
                tables.addToHeader(Layout.DIRTY_DIRECTORIES, 1);
            });
        }
    }

    /** Takes {@link #markDirty(String)} back: what was otherwise in the file system is known now. */
    public synchronized void markCurrent() {
        change(() -> {
            if (tables.header(Layout.DIRTY_DIRECTORIES) == 0) {
                region.reason("");
            }
            region.state(Region.CURRENT);
        });
    }

    /** Takes {@link #markDirty(long, String)} back: all names of the directory are as the file system has them. */
    public synchronized void markCurrent(long directory) {
        int row = directoryOf(directory);
        if (row != Tables.NONE && (tables.dirty(row) & Store.DIRTY) != 0) {
            change(() -> {
                tables.dirty(row, tables.dirty(row) & ~Store.DIRTY);
                tables.addToHeader(Layout.DIRTY_DIRECTORIES, -1);
            });
        }
    }

    /** A path by which an inode is found, for messages; null if it is not known or has no name. */
    public synchronized @Nullable String path(long number) {
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
            int bytes = tables.name(tables.entryName(entry), name);
            parts.addFirst(FileName.decode(Arrays.copyOf(name, bytes)));
            inode = tables.directoryInode(tables.parent(entry));
        }
        return "/" + String.join("/", parts);
    }

    /** Bytes of memory that are in use, without those that only this writer needs. */
    public synchronized long bytes() throws IOException {
        return store.bytes();
    }

    /** Chooses for each directory the name by which it is reached from the root, and tells what is left over. */
    private void checkTree() {
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
                    tell(
                            inode,
                            "a directory has one name: another is in directory inode "
                                    + tables.number(tables.directoryInode(directory)));
                } else {
                    reached.set(tables.inodeName(inode));
                    open.add(tables.inodeName(inode));
                    int first = entry;
                    change(() -> store.nameFirst(first));
                }
            }
        }
        for (int row = 0; row < directories; row++) {
            if (tables.directoryInode(row) != Tables.NONE && !reached.get(row)) {
                tell(tables.directoryInode(row), "it cannot be reached from the root");
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

    private void tell(int inode, String problem) {
        damaged(new IndexException(volume.source(), "directory inode " + tables.number(inode) + ": " + problem));
    }

    /** Does something that readers see whole or not at all. */
    private void change(Runnable change) {
        boolean done = false;
        region.begin();
        try {
            change.run();
            done = true;
        } finally {
            if (done) {
                region.end();
            } else {
                region.state(Region.BROKEN);
            }
        }
    }

    /** Makes room for more rows; where a column ends, all is copied to where there is more. */
    private void room(int inodes, int entries, int extents, long names) throws IOException {
        if (region.state() == Region.BROKEN || region.state() == Region.CLOSED) {
            throw new IndexException(region.name, "a change of it ended halfway, or it is closed");
        }
        if (!store.hasRoom(inodes, entries, extents, names)) {
            Layout layout = region.layout;
            compact(new Layout(
                    more(layout.inodeRoom, inodes),
                    more(layout.directoryRoom, inodes),
                    more(layout.entryRoom, entries),
                    more(layout.extentRoom, extents),
                    Math.min(Layout.MAX_NAMES, 2 * (layout.nameRoom + names))));
            if (!store.hasRoom(inodes, entries, extents, names)) {
                throw new IndexException(
                        region.name,
                        "it is full: a column has no more than " + Layout.MAX_ROWS + " rows, the names "
                                + Layout.MAX_NAMES + " bytes");
            }
        }
        // A batch takes memory as it goes; what is asked for here is one inode's or one name's.
        if (inodes <= 1 && entries <= 1) {
            store.makeRoom(inodes, inodes, entries, extents, names);
        }
    }

    private static int more(int rows, int wanted) {
        return (int) Math.min(Layout.MAX_ROWS, 2L * (rows + (long) wanted));
    }

    private void compactIfWasteful() throws IOException {
        if (store.isWasteful()) {
            compact(region.layout);
        }
    }

    /** Copies what lives into new memory, which takes the place of the old. */
    private void compact(Layout layout) throws IOException {
        Region next = shared == null
                ? Region.create(layout)
                : Region.create(shared.resolveSibling("." + shared.getFileName()), layout);
        Store target;
        try {
            next.describe(volume);
            target = new Store(next);
            copy(target);
            next.state(region.state());
            if (shared != null) {
                next.replace(shared);
            }
        } catch (IOException | RuntimeException e) {
            if (shared != null) {
                next.remove(shared.resolveSibling("." + shared.getFileName()));
            }
            next.close();
            throw e;
        }
        Region old = region;
        Store oldStore = store;
        store = target;
        tables = target.tables;
        region = next;
        old.begin();
        old.state(Region.SUPERSEDED);
        old.end();
        old.close();
        oldStore.close();
    }

    private void copy(Store target) throws IOException {
        Tables to = target.tables;
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
            copyInode(target, inode, copy, extents);
            if (marked.get(inode)) {
                stillMarked.set(copy);
            }
        }
        int[] entryAt = new int[tables.header(Layout.ENTRIES)];
        for (int entry = 0; entry < entryAt.length; entry++) {
            if (tables.entryInode(entry) != Store.REMOVED && isLive(entry)) {
                int bytes = tables.name(tables.entryName(entry), name);
                target.makeRoom(0, 0, 1, 0, bytes + 1L);
                int parent = to.inodeName(inodeAt[tables.directoryInode(tables.parent(entry))]);
                entryAt[entry] =
                        target.addEntry(parent, target.name(name, bytes, true), inodeAt[tables.entryInode(entry)]);
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
        copyProblems(target);
        target.fit();
        marked = stillMarked;
    }

    /** A removed entry that was swept keeps the mark of removal; a row that was never used has none. */
    private boolean isLive(int entry) {
        return tables.entryInode(entry) >= 0;
    }

    private void copyInode(Store target, int inode, int copy, int extents) {
        Tables to = target.tables;
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

    private void copyProblems(Store target) {
        int used = tables.header(Layout.PROBLEM_BYTES);
        for (int at = 0; at < used; ) {
            byte[] text = tables.problem(at);
            target.tables.problem(at, text);
            at += 2 + text.length;
        }
        target.tables.header(Layout.PROBLEM_BYTES, used);
        target.tables.header(Layout.PROBLEMS, tables.header(Layout.PROBLEMS));
        target.region.reason(region.reason());
    }

    /** Gives the memory back; a shared file is removed, and who reads it is told. Closing again does nothing. */
    @Override
    public synchronized void close() throws IOException {
        if (!region.memory.scope().isAlive()) {
            return;
        }
        region.begin();
        region.state(Region.CLOSED);
        region.end();
        if (shared != null) {
            region.remove(shared);
        }
        region.close();
        store.close();
    }

    boolean isReading() {
        return reading;
    }
}
