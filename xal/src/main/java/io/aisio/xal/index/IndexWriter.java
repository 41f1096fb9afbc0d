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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
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

    private final @Nullable Path shared;
    private final Volume volume;
    private final int blockBytes;
    private Store store;
    private Tables tables;
    private Tree tree;
    private volatile Region region;
    private BitSet marked = new BitSet();
    private boolean reading;
    private final BitSet seen = new BitSet();
    private final byte[] name = new byte[NameHash.ROOM];
    private final StagedExtents staged;

    private IndexWriter(Volume volume, @Nullable Path shared, Region region) throws IOException {
        this.volume = volume;
        this.shared = shared;
        blockBytes = volume.blockBytes();
        this.region = region;
        store = new Store(region);
        tables = store.tables;
        tree = new Tree(store);
        staged = new StagedExtents(blockBytes);
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
        change(() -> tables.header(Layout.ROOT, tree.inodeOf(root)));
    }

    /** Removes what is gone, and tells what does not fit into the tree; from then on the index is current. */
    public synchronized void endReading() throws IOException {
        for (int inode = 0; inode < tables.header(Layout.INODES); inode++) {
            if (tables.inodeName(inode) != Store.FREE && tables.mode(inode) != 0 && !marked.get(inode)) {
                int gone = inode;
                change(() -> tree.removeInode(gone));
            }
        }
        if (!tables.isDirectory(tables.header(Layout.ROOT))) {
            throw new IndexException(region.name, "the root directory was not read");
        }
        new TreeCheck(store).run(entry -> change(() -> store.nameFirst(entry)), this::tell);
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
        staged.clear();
        for (int e = batch.firstExtent(i); e < batch.firstExtent(i + 1); e++) {
            String problem = staged.add(batch.offset(e), batch.position(e), batch.length(e), batch.flags(e));
            if (problem != null) {
                damaged(new IndexException(volume.source(), "inode " + batch.number(i) + ": " + problem));
                return;
            }
        }
        put(batch.number(i), batch.generation(i), batch.mode(i), batch.links(i), batch.size(i), batch.stamp(i));
    }

    /** Puts an inode with the rows that are staged. */
    private void put(long number, int generation, int mode, long links, long size, long stamp) throws IOException {
        try {
            FileType _ = FileType.ofMode(mode);
        } catch (IllegalArgumentException e) {
            damaged(new IndexException(volume.source(), "inode " + number + ": " + e.getMessage()));
            return;
        }
        room(1, 0, Store.runRoom(Math.max(1, staged.rows())), 0);
        change(() -> {
            int inode = tree.inodeOf(number);
            if (tables.mode(inode) != 0 && tables.generation(inode) != generation && tables.isDirectory(inode)) {
                tree.removeChildren(tables.inodeName(inode));
            }
            tree.changeType(inode, mode);
            if (tables.isDirectory(inode) && tables.stamp(inode) != stamp) {
                int row = tables.inodeName(inode);
                tables.dirty(row, tables.dirty(row) | Store.UNLISTED);
            }
            boolean same = staged.areThoseOf(tables, inode);
            if (!same) {
                tree.replaceExtents(inode, staged);
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
            change(() ->
                    seen.set(store.addEntry(directory, store.name(name, bytes, true), tree.inodeOf(batch.inode(i)))));
        } else {
            seen.set(entry);
            if (tables.number(tables.entryInode(entry)) != batch.inode(i)) {
                store.makeRoom(1, 0, 0, 0, 0);
                change(() -> tree.retarget(entry, batch.inode(i)));
            }
        }
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
            change(() -> tree.removeEntry(entry));
        }
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
        staged.clear();
        for (Extent extent : extents) {
            String problem = staged.add(extent.offset(), extent.position(), extent.length(), extent.flags());
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
        stageAll(Splice.of(before, from, to, mapped));
        room(0, 0, Store.runRoom(Math.max(1, staged.rows())), 0);
        int row = tables.findInode(number);
        if (!staged.areThoseOf(tables, row)) {
            change(() -> {
                tree.replaceExtents(row, staged);
                tables.version(row, store.nextVersion());
            });
        }
        compactIfWasteful();
        return true;
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
            change(() -> tree.removeInode(inode));
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
        int row = tree.directoryOf(directory);
        if (row == Tables.NONE) {
            return false;
        }
        int entry = findEntry(row, bytes);
        change(() -> {
            if (entry == Tables.NONE) {
                store.addEntry(row, store.name(name, bytes.length, false), tree.inodeOf(number));
            } else if (tables.number(tables.entryInode(entry)) != number) {
                tree.retarget(entry, number);
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
        int row = tree.directoryOf(directory);
        int entry = row == Tables.NONE ? Tables.NONE : findEntry(row, FileName.encode(text));
        if (entry == Tables.NONE) {
            return -1;
        }
        long number = tables.number(tables.entryInode(entry));
        change(() -> tree.removeEntry(entry));
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
        int row = tree.directoryOf(directory);
        int toRow = tree.directoryOf(toDirectory);
        int entry = row == Tables.NONE ? Tables.NONE : findEntry(row, bytes);
        if (entry == Tables.NONE || toRow == Tables.NONE) {
            return false;
        }
        int replaced = findEntry(toRow, toBytes);
        if (replaced != entry) {
            change(() -> {
                long number = tables.number(tables.entryInode(entry));
                if (replaced != Tables.NONE) {
                    tree.removeEntry(replaced);
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
        int row = tree.directoryOf(directory);
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
        int row = tree.directoryOf(directory);
        if (row != Tables.NONE && (tables.dirty(row) & Store.DIRTY) != 0) {
            change(() -> {
                tables.dirty(row, tables.dirty(row) & ~Store.DIRTY);
                tables.addToHeader(Layout.DIRTY_DIRECTORIES, -1);
            });
        }
    }

    /** A path by which an inode is found, for messages; null if it is not known or has no name. */
    public synchronized @Nullable String path(long number) {
        return tree.path(number);
    }

    /** Bytes of memory that are in use, without those that only this writer needs. */
    public synchronized long bytes() throws IOException {
        return store.bytes();
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
        BitSet stillMarked;
        try {
            next.describe(volume);
            target = new Store(next);
            stillMarked = new Compaction(store, target).run(marked);
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
        tree = new Tree(target);
        marked = stillMarked;
        region = next;
        old.begin();
        old.state(Region.SUPERSEDED);
        old.end();
        old.close();
        oldStore.close();
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
