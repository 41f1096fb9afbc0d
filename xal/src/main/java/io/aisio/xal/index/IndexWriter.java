package io.aisio.xal.index;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.xal.Extent;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.IndexException;
import io.aisio.xal.Inode;
import io.aisio.xal.Volume;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
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

    /** Inodes that are taken as one change at most: readers wait so long. */
    private static final int CHANGE_INODES = 1024;

    private final @Nullable Path shared;
    private final Volume volume;
    private final int blockBytes;
    private Store store;
    private Tables tables;
    private Tree tree;
    private volatile Region region;
    /** Of its hashes. */
    private final long seed = ThreadLocalRandom.current().nextLong();

    private BitSet marked = new BitSet();
    private boolean reading;
    private final StagedExtents staged;

    private IndexWriter(Volume volume, @Nullable Path shared, Region region) throws IOException {
        this.volume = volume;
        this.shared = shared;
        blockBytes = volume.blockBytes();
        this.region = region;
        store = new Store(region, seed);
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
        room(1, 0, 0, 0, 0);
        change(() -> tables.header(Layout.ROOT, tree.inodeOf(root)));
    }

    /** Removes what is gone, and tells what does not fit into the tree; from then on the index is current. */
    public synchronized void endReading() throws IOException {
        completeReading();
        markCurrent();
    }

    /** As {@link #endReading}, but the index is not current before {@link #markCurrent()} says so. */
    public synchronized void completeReading() throws IOException {
        for (int inode = 0; inode < tables.header(Layout.INODES); inode++) {
            if (tables.inodeName(inode) != Store.FREE && tables.mode(inode) != 0 && !marked.get(inode)) {
                int gone = inode;
                change(() -> {
                    removeNamesThatGo(gone);
                    tree.removeInode(gone);
                });
            }
        }
        if (!tables.isDirectory(tables.header(Layout.ROOT))) {
            throw new IndexException(region.name, "the root directory was not read");
        }
        new TreeCheck(store).run(entry -> change(() -> store.nameFirst(entry)), this::tell);
        store.fit();
        reading = false;
    }

    /** Removes the names of an inode in directories that go too: who lists one of those sees none without its inode. */
    private void removeNamesThatGo(int inode) {
        for (int entry = store.nameOf(inode); entry != Tables.NONE; ) {
            int next = store.nextNameOf(entry);
            if (!marked.get(tables.directoryInode(tables.parent(entry)))) {
                store.removeEntry(entry);
            }
            entry = next;
        }
    }

    @Override
    public synchronized void inodes(InodeBatch batch) {
        try {
            for (int from = 0; from < batch.inodes(); from += CHANGE_INODES) {
                inodes(batch, from, Math.min(from + CHANGE_INODES, batch.inodes()));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Takes some inodes of a batch, as one change. */
    private void inodes(InodeBatch batch, int from, int to) throws IOException {
        Given given = new Given(batch, to - from);
        staged.clear();
        for (int i = from; i < to; i++) {
            String problem = given.add(i);
            if (problem != null) {
                given.problems.add(new IndexException(volume.source(), "inode " + batch.number(i) + ": " + problem));
            }
        }
        if (room(given.find(), given.directories, 0, given.runs, 0)) {
            // All was copied: rows are others now.
            int _ = given.find();
        }
        change(given::apply);
        given.problems.forEach(this::damaged);
    }

    /** Inodes of a batch that are taken as one change. */
    private final class Given {
        private final InodeBatch batch;
        private final List<IOException> problems = new ArrayList<>();
        private int count;
        private int directories;
        /** Rows that their extents take. */
        private int runs;
        /** Which of the batch each is. */
        private final int[] which;

        private final long[] numbers;
        private final int[] rows;
        /** Where the extents of each begin among those that are staged, and end. */
        private final int[] begin;

        private final int[] end;

        Given(InodeBatch batch, int most) {
            this.batch = batch;
            which = new int[most];
            numbers = new long[most];
            rows = new int[most];
            begin = new int[most];
            end = new int[most];
        }

        /** Adds one, unless something is wrong with it: that is returned. */
        @Nullable
        String add(int i) {
            String unknown = unknownType(batch.mode(i));
            if (unknown != null) {
                return unknown;
            }
            staged.begin();
            begin[count] = staged.rows();
            for (int e = batch.firstExtent(i); e < batch.firstExtent(i + 1); e++) {
                String problem = staged.add(batch.offset(e), batch.position(e), batch.length(e), batch.flags(e));
                if (problem != null) {
                    return problem;
                }
            }
            end[count] = staged.rows();
            which[count] = i;
            numbers[count] = batch.number(i);
            runs += Store.runRoom(Math.max(1, end[count] - begin[count]));
            directories += isDirectory(batch.mode(i)) ? 1 : 0;
            count++;
            return null;
        }

        /** Looks up their rows, and tells how many are not known. */
        int find() {
            int fresh = 0;
            int row = Tables.NONE;
            for (int k = 0; k < count; k++) {
                row = tables.findInode(numbers[k], row + 1);
                rows[k] = row;
                fresh += row == Tables.NONE ? 1 : 0;
            }
            return fresh;
        }

        void apply() {
            store.addInodes(numbers, rows, count);
            int[] plain = new int[count];
            int plainCount = 0;
            for (int k = 0; k < count; k++) {
                marked.set(rows[k]);
                int mode = batch.mode(which[k]);
                if (tables.mode(rows[k]) == 0 && !isDirectory(mode)) {
                    // At once, so that one that is given again is known.
                    tables.mode(rows[k], mode);
                    plain[plainCount++] = k;
                }
            }
            putNew(plain, plainCount);
            for (int k = 0, next = 0; k < count; k++) {
                if (next < plainCount && plain[next] == k) {
                    next++;
                } else {
                    int i = which[k];
                    staged.select(begin[k], end[k]);
                    put(numbers[k], batch.generation(i), batch.mode(i), batch.links(i), batch.size(i), batch.stamp(i));
                }
            }
        }

        /** Puts those of which nothing is known and that are no directories: column by column. */
        private void putNew(int[] plain, int plainCount) {
            int[] target = new int[plainCount];
            int[] extents = new int[plainCount];
            int[] generation = new int[plainCount];
            int[] links = new int[plainCount];
            long[] size = new long[plainCount];
            long[] stamp = new long[plainCount];
            for (int p = 0; p < plainCount; p++) {
                int k = plain[p];
                int i = which[k];
                target[p] = rows[k];
                extents[p] = end[k] - begin[k];
                generation[p] = batch.generation(i);
                links[p] = (int) batch.links(i);
                size[p] = batch.size(i);
                stamp[p] = batch.stamp(i);
            }
            int[] first = store.addRuns(extents, plainCount);
            int[] extentRows = new int[staged.rows()];
            Arrays.fill(extentRows, Tables.NONE);
            for (int p = 0; p < plainCount; p++) {
                for (int e = 0; e < extents[p]; e++) {
                    extentRows[begin[plain[p]] + e] = first[p] + e;
                }
            }
            staged.writeAll(tables, extentRows);
            store.putInodes(target, plainCount, first, generation, links, size, stamp);
        }
    }

    private static boolean isDirectory(int mode) {
        return mode >>> 12 == 4;
    }

    /** What is wrong with a mode, or null. */
    private static @Nullable String unknownType(int mode) {
        try {
            FileType _ = FileType.ofMode(mode);
            return null;
        } catch (IllegalArgumentException e) {
            return e.getMessage();
        }
    }

    /** Puts an inode with the extents that are selected, within a change for which there is room. */
    private void put(long number, int generation, int mode, long links, long size, long stamp) {
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
        if (!same
                || tables.size(inode) != size
                || tables.generation(inode) != generation
                || tables.version(inode) == Tables.STALE) {
            tables.version(inode, store.nextVersion());
        }
        tables.size(inode, size);
        tables.stamp(inode, stamp);
        tables.generation(inode, generation);
        tables.links(inode, (int) links);
        marked.set(inode);
    }

    @Override
    public void names(long directory, NameBatch batch) {
        // Before the lock is taken: several threads give names.
        long[] hashes = NameHash.of(batch, seed);
        try {
            names(directory, batch, hashes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private synchronized void names(long directory, NameBatch batch, long[] hashes) throws IOException {
        if (tree.directoryOf(directory) == Tables.NONE) {
            if (batch.names() == 0) {
                return;
            }
            damaged(new IndexException(
                    volume.source(), "inode " + directory + " has names, and was not read as a directory"));
            return;
        }
        Listing listing = listing(directory, batch, hashes);
        if (room(listing.newInodes(), 0, listing.newEntries(), 0, listing.newNameBytes())) {
            // All was copied: rows are others now.
            listing = listing(directory, batch, hashes);
        }
        // Many directories are given while all is read, and have names in common.
        boolean bulk = reading;
        if (bulk) {
            store.expect(Math.max(volume.inodes(), tables.header(Layout.LIVE_INODES)));
            store.readyNames(listing.newEntries());
        }
        int row = tree.directoryOf(directory);
        // What is told of a directory is told again when all is read again: it is not known by its stamp.
        boolean whole = !batch.isIncomplete()
                && listing.twice().isEmpty()
                && listing.mistyped().isEmpty();
        if (!whole || tables.dirty(row) != 0 || !listing.changesNothing()) {
            Listing given = listing;
            change(() -> {
                given.apply(bulk);
                tables.addToHeader(Layout.DIRTY_DIRECTORIES, -(tables.dirty(row) & Store.DIRTY));
                tables.dirty(row, whole ? 0 : Store.UNLISTED);
            });
        }
        for (String problem : listing.mistyped()) {
            damaged(new IndexException(volume.source(), "directory inode " + directory + ": " + problem));
        }
        for (String name : listing.twice()) {
            damaged(new IndexException(
                    volume.source(), "directory inode " + directory + ": two of its entries are named " + name));
        }
    }

    private Listing listing(long directory, NameBatch batch, long[] hashes) {
        return new Listing(tree, store, tree.directoryOf(directory), batch, hashes);
    }

    /** {@inheritDoc} A directory is known once all of its names were given since its inode changed. */
    @Override
    public synchronized boolean knows(long number, int generation, long stamp) {
        int inode = tables.findInode(number);
        return inode != Tables.NONE
                && tables.mode(inode) != 0
                && tables.generation(inode) == generation
                && tables.stamp(inode) == stamp
                && tables.version(inode) != Tables.STALE
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

    /**
     * Keeps an inode that changed each time that it was looked at, as it was: it is {@linkplain #markStale stale}.
     *
     * @return false if it is not known
     */
    public synchronized boolean keepStale(long number) {
        int inode = tables.findInode(number);
        if (inode == Tables.NONE || tables.mode(inode) == 0) {
            return false;
        }
        markStale(number);
        marked.set(inode);
        return true;
    }

    @Override
    public synchronized void damaged(IOException problem) {
        if (region.state() == Region.BROKEN) {
            return;
        }
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
        FileType _ = FileType.ofMode(mode);
        stageAll(extents);
        room(1, 1, 0, Store.runRoom(Math.max(1, staged.rows())), 0);
        change(() -> put(inode.number(), inode.generation(), mode, inode.links(), inode.size(), stamp));
        compactIfWasteful();
    }

    private void stageAll(List<Extent> extents) {
        staged.clear();
        staged.begin();
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
        room(0, 0, 0, Store.runRoom(Math.max(1, staged.rows())), 0);
        int row = tables.findInode(number);
        if (!staged.areThoseOf(tables, row)) {
            change(() -> {
                tree.replaceExtents(row, staged);
                renew(row);
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
                renew(inode);
            });
        }
        return true;
    }

    /** Gives an inode of which a part changed another version; one that is stale stays so until all of it is put. */
    private void renew(int inode) {
        if (tables.version(inode) != Tables.STALE) {
            tables.version(inode, store.nextVersion());
        }
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
     * Removes an inode unless a name of it leads up to the root, in one change with names that do not, so that nobody sees
     * one of those without it. Of a directory all names in it go too.
     *
     * @return a path by which it is still found; null if it is gone
     */
    public synchronized @Nullable String removeUnlessReached(long number) throws IOException {
        int inode = tables.findInode(number);
        if (inode != Tables.NONE && tables.mode(inode) != 0 && tree.path(number) == null) {
            change(() -> {
                int entry = store.nameOf(inode);
                while (entry != Tables.NONE && tree.path(number) == null) {
                    store.removeEntry(entry);
                    entry = store.nameOf(inode);
                }
                if (entry == Tables.NONE) {
                    tree.removeInode(inode);
                }
            });
            compactIfWasteful();
        }
        return tree.path(number);
    }

    /**
     * Adds a name, or lets one that is there name another inode.
     *
     * @return false if the directory is not known
     */
    public synchronized boolean addName(long directory, String text, long number) throws IOException {
        byte[] bytes = FileName.encode(text);
        room(1, 0, 1, 0, 256);
        int row = tree.directoryOf(directory);
        if (row == Tables.NONE) {
            return false;
        }
        int entry = findEntry(row, bytes);
        change(() -> {
            if (entry == Tables.NONE) {
                store.addEntry(row, store.append(bytes, 0, bytes.length), hash(bytes), tree.inodeOf(number));
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
        room(0, 0, 1, 0, 256);
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
                store.addEntry(toRow, store.append(toBytes, 0, toBytes.length), hash(toBytes), inode);
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
        return tables.findEntry(directory, bytes, bytes.length);
    }

    private long hash(byte[] bytes) {
        return NameHash.of(bytes, 0, bytes.length, seed);
    }

    /** Says that not all is as the file system has it now; a refresh mends it. */
    public synchronized void markDirty(String reason) {
        if (region.state() == Region.BROKEN) {
            // Worse than that, and told already.
            return;
        }
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
        } else if (region.state() != Region.BROKEN) {
            change(() -> {
                region.reason(reason);
                tables.addToHeader(Layout.DIRTY_DIRECTORIES, (tables.dirty(row) & Store.DIRTY) == 0 ? 1 : 0);
                tables.dirty(row, tables.dirty(row) | Store.DIRTY);
            });
        }
    }

    /**
     * Says that an inode is not as the file system has it now: nobody's extents of it are current before it is put again,
     * or read again.
     */
    public synchronized void markStale(long number) {
        int inode = tables.findInode(number);
        if (inode != Tables.NONE && tables.mode(inode) != 0) {
            change(() -> tables.version(inode, Tables.STALE));
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
        if (region.state() == Region.BROKEN) {
            throw new IllegalStateException(region.name + ": a change of it ended halfway; it must be built anew");
        }
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

    /**
     * Takes memory for more rows; where a column ends, all is copied to where there is more.
     *
     * @return whether it was copied
     */
    private boolean room(int inodes, int directories, int entries, int extents, long names) throws IOException {
        if (region.state() == Region.BROKEN || region.state() == Region.CLOSED) {
            throw new IndexException(region.name, "a change of it ended halfway, or it is closed");
        }
        boolean copied = false;
        if (!store.hasRoom(inodes, directories, entries, extents, names)) {
            Layout layout = region.layout;
            compact(new Layout(
                    more(layout.inodeRoom, inodes),
                    more(layout.directoryRoom, directories),
                    more(layout.entryRoom, entries),
                    more(layout.extentRoom, extents),
                    Math.min(Layout.MAX_NAMES, 2 * (layout.nameRoom + names))));
            copied = true;
            if (!store.hasRoom(inodes, directories, entries, extents, names)) {
                throw new IndexException(
                        region.name,
                        "it is full: a column has no more than " + Layout.MAX_ROWS + " rows, the names "
                                + Layout.MAX_NAMES + " bytes");
            }
        }
        store.makeRoom(inodes, directories, entries, extents, names);
        return copied;
    }

    private static int more(int rows, int wanted) {
        return (int) Math.min(Layout.MAX_ROWS, 2L * (rows + (long) wanted));
    }

    /** The change that was made holds, also if there is no memory to copy the rest to: then it is tried again later. */
    private void compactIfWasteful() {
        if (store.isWasteful()) {
            try {
                compact(region.layout);
            } catch (IOException e) {
                store.tolerateWaste();
            }
        }
    }

    /** Copies what lives into new memory, which takes the place of the old. */
    private void compact(Layout layout) throws IOException {
        Region next = shared == null
                ? Region.create(layout)
                : Region.create(shared.resolveSibling("." + shared.getFileName()), layout);
        Store target = null;
        BitSet stillMarked;
        try {
            next.describe(volume);
            target = new Store(next, seed);
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
            if (target != null) {
                target.close();
            }
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
}
