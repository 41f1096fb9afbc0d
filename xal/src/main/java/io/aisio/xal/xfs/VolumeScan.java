package io.aisio.xal.xfs;

import io.aisio.xal.BlockReads;
import io.aisio.xal.BlockSource;
import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.XfsException;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * Reads all inodes of a file system in the order in which they lie, then all directories, on as many threads as there are
 * processors, or ways to read the source. Each thread has reads in flight while it looks at what came.
 *
 * <pre>
 *   each allocation group: inode B-tree ──► chunks ──► runs
 *   each run:              large reads ──► inodes, extents ──► Catalog
 *   then each directory:   its inode, its blocks ──► names ──► Catalog
 * </pre>
 */
final class VolumeScan {
    /** Bytes of one read of inodes. What a device does not take at once the source cuts. */
    private static final int READ_BYTES = 256 * 1024;
    /** Reads of inodes that each thread has in flight. */
    private static final int SLOTS = 4;
    /** Directories that a thread takes at once. */
    private static final int DIRECTORIES = 64;

    private final Geometry geometry;
    private final BlockSource source;
    private final SharedBlocks shared;
    private final Catalog catalog;

    private VolumeScan(Geometry geometry, BlockSource source, SharedBlocks shared, Catalog catalog) {
        this.geometry = geometry;
        this.source = source;
        this.shared = shared;
        this.catalog = catalog;
    }

    /**
     * Chunks that lie one after another.
     *
     * @param firstInode of the allocation group
     * @param whole whether they can be read at once
     */
    private record Run(long firstInode, List<InodeChunk> chunks, boolean whole) {}

    /**
     * Reads everything. What cannot be read is told to the catalog, and hides nothing else.
     *
     * @throws IOException if the source has no way left to read by
     * @throws InterruptedIOException if this thread is interrupted
     */
    static void read(Geometry geometry, BlockSource source, SharedBlocks shared, Catalog catalog) throws IOException {
        new VolumeScan(geometry, source, shared, catalog).run();
    }

    private void run() throws IOException {
        int threads = Runtime.getRuntime().availableProcessors();
        try (ExecutorService workers = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().name("xal-", 0).daemon().factory())) {
            List<Callable<List<Run>>> groups = new ArrayList<>();
            for (long ag = 0; ag < geometry.agCount(); ag++) {
                long number = ag;
                groups.add(() -> runs(number));
            }
            List<Run> runs = new ArrayList<>();
            all(workers, groups).forEach(runs::addAll);
            AtomicInteger nextRun = new AtomicInteger();
            Ways inodes = new Ways(source);
            Callable<long[]> reading = () -> inodes(inodes, runs, nextRun);
            long[] directories = all(workers, Collections.nCopies(threads, reading)).stream()
                    .flatMapToLong(LongStream::of)
                    .sorted()
                    .toArray();
            AtomicInteger nextDirectory = new AtomicInteger();
            Ways names = new Ways(source);
            Callable<long[]> listing = () -> names(names, directories, nextDirectory);
            all(workers, Collections.nCopies(threads, listing));
        }
    }

    /** Runs tasks to their ends. After a failure, or when this thread is interrupted, those that run are stopped. */
    private static <T> List<T> all(ExecutorService workers, List<Callable<T>> tasks) throws IOException {
        List<Future<T>> running = new ArrayList<>();
        tasks.forEach(task -> running.add(workers.submit(task)));
        List<T> results = new ArrayList<>();
        try {
            for (Future<T> one : running) {
                results.add(one.get());
            }
            return results;
        } catch (InterruptedException e) {
            workers.shutdownNow();
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the file system was read");
        } catch (ExecutionException e) {
            workers.shutdownNow();
            Throwable cause = e.getCause();
            if (cause instanceof IOException io) {
                throw io;
            }
            // A fault of our own, or of the catalog.
            throw new IllegalStateException("reading the file system failed", cause);
        }
    }

    /** The chunks of an allocation group, as they are to be read. */
    private List<Run> runs(long ag) throws IOException {
        List<InodeChunk> chunks;
        try (MetadataReader reader = new MetadataReader(source)) {
            chunks = chunks(ag, reader);
        }
        long firstInode = ag << geometry.agBlockLog() << geometry.inodesPerBlockLog();
        int bytes = InodeChunk.INODES << geometry.inodeLog();
        List<Run> runs = new ArrayList<>();
        for (int from = 0; from < chunks.size(); ) {
            InodeChunk first = chunks.get(from);
            int count = 1;
            while (from + count < chunks.size()
                    && (count + 1L) * bytes <= READ_BYTES
                    && first.holes() == 0
                    && chunks.get(from + count).holes() == 0
                    && chunks.get(from + count).first() == first.first() + (long) count * InodeChunk.INODES) {
                count++;
            }
            long position =
                    geometry.inodePosition(firstInode + first.first() + Long.numberOfTrailingZeros(~first.holes()));
            boolean whole = first.holes() == 0
                    && position % source.alignment() == 0
                    && (long) count * bytes % source.alignment() == 0;
            runs.add(new Run(firstInode, chunks.subList(from, from + count), whole));
            from += count;
        }
        return runs;
    }

    /** The chunks of an allocation group; without those beneath damaged blocks of its tree. */
    private List<InodeChunk> chunks(long ag, MetadataReader reader) throws IOException {
        int sector = 1 << geometry.sectorLog();
        long position = geometry.agPosition(ag) + (long) AgInodeHeader.SECTOR * sector;
        Where head = geometry.where("AGI", ag, position);
        List<InodeChunk> chunks = new ArrayList<>();
        List<IOException> problems = new ArrayList<>();
        try {
            MemorySegment agi = reader.read(position, sector);
            AgInodeHeader.check(geometry, ag, agi, head);
            long root = OnDisk.u32(agi, AgInodeHeader.ROOT);
            long levels = OnDisk.u32(agi, AgInodeHeader.LEVEL);
            AgBtree.Records records = (s, at, where) -> {
                InodeChunk chunk = InodeChunk.parse(geometry, ag, s, at, where);
                long least = chunks.isEmpty() ? 0 : chunks.getLast().first() + InodeChunk.INODES;
                if (chunk.first() < least) {
                    throw where.bad("startino", chunk.first(), least + " or more, behind that before");
                }
                chunks.add(chunk);
            };
            InodeChunk.TREE.read(geometry, reader, ag, root, levels, head, records, problems::add);
            if (problems.isEmpty()) {
                checkCounts(agi, chunks, head);
            }
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            problems.add(e);
        }
        problems.forEach(catalog::damaged);
        return chunks;
    }

    private static void checkCounts(MemorySegment agi, List<InodeChunk> chunks, Where head) throws XfsException {
        long count = chunks.stream().mapToLong(InodeChunk::count).sum();
        long toldCount = OnDisk.u32(agi, AgInodeHeader.COUNT);
        head.check(toldCount == count, "count", toldCount, count + ", as the inode B-tree has it");
        long free = chunks.stream().mapToLong(InodeChunk::freeCount).sum();
        long toldFree = OnDisk.u32(agi, AgInodeHeader.FREECOUNT);
        head.check(toldFree == free, "freecount", toldFree, free + ", as the inode B-tree has it");
    }

    /** Reads runs, each of which one thread takes, until there are no more; gives the numbers of directories. */
    private long[] inodes(Ways ways, List<Run> runs, AtomicInteger next) throws IOException {
        try (MetadataReader reader = new MetadataReader(source);
                BlockReads reads = ways.open(SLOTS, READ_BYTES)) {
            if (reads == null) {
                return new long[0];
            }
            Inodes inodes = new Inodes(reader, reads);
            for (int slot = 0; slot < SLOTS; slot++) {
                inodes.start(slot, runs, next);
            }
            while (reads.inFlight() > 0) {
                stopIfInterrupted();
                boolean came = true;
                try {
                    int _ = reads.await();
                } catch (InterruptedIOException e) {
                    throw e;
                } catch (IOException e) {
                    // Read in smaller pieces, so that what cannot be read hides as little as it can.
                    came = false;
                }
                int slot = reads.ended();
                inodes.take(slot, came);
                inodes.start(slot, runs, next);
            }
            return inodes.directories.build().toArray();
        }
    }

    /** The inodes that one thread reads. */
    private final class Inodes {
        private final MetadataReader reader;
        private final BlockReads reads;
        private final Run[] runBySlot = new Run[SLOTS];
        private final PlainFiles[] plainBySlot = new PlainFiles[SLOTS];
        private final InodeBatch batch = new InodeBatch();
        private final LongStream.Builder directories = LongStream.builder();

        Inodes(MetadataReader reader, BlockReads reads) {
            this.reader = reader;
            this.reads = reads;
            for (int slot = 0; slot < SLOTS; slot++) {
                plainBySlot[slot] = new PlainFiles(geometry, reads.buffer(slot));
            }
        }

        /** Begins to read the next run; those that cannot be read at once are read here and now. */
        void start(int slot, List<Run> runs, AtomicInteger next) throws IOException {
            for (int i = next.getAndIncrement(); i < runs.size(); i = next.getAndIncrement()) {
                stopIfInterrupted();
                Run run = runs.get(i);
                if (run.whole()) {
                    runBySlot[slot] = run;
                    long position = geometry.inodePosition(
                            run.firstInode() + run.chunks().getFirst().first());
                    reads.start(slot, position, run.chunks().size() * (InodeChunk.INODES << geometry.inodeLog()));
                    return;
                }
                single(run);
                give();
            }
        }

        /** Takes the run of a slot, inode by inode unless it came at once. */
        void take(int slot, boolean came) throws IOException {
            Run run = runBySlot[slot];
            if (came) {
                int begin = 0;
                MemorySegment buffer = reads.buffer(slot);
                for (InodeChunk chunk : run.chunks()) {
                    parse(run.firstInode() + chunk.first(), chunk, buffer, begin, plainBySlot[slot]);
                    begin += InodeChunk.INODES << geometry.inodeLog();
                }
            } else {
                single(run);
            }
            give();
        }

        /** Reads inode by inode: with holes among them, or with what cannot be read, or of a source of large blocks. */
        private void single(Run run) throws IOException {
            for (InodeChunk chunk : run.chunks()) {
                for (long used = ~chunk.free(); used != 0; used &= used - 1) {
                    long number = run.firstInode() + chunk.first() + Long.numberOfTrailingZeros(used);
                    try {
                        add(number, reader.read(geometry.inodePosition(number), geometry.inodeSize()));
                    } catch (InterruptedIOException e) {
                        throw e;
                    } catch (IOException e) {
                        catalog.damaged(e);
                    }
                }
            }
        }

        /** Reads the inodes of a chunk that lies in a buffer. */
        private void parse(long first, InodeChunk chunk, MemorySegment buffer, int begin, PlainFiles plain)
                throws IOException {
            for (long used = ~chunk.free(); used != 0; used &= used - 1) {
                int i = Long.numberOfTrailingZeros(used);
                int at = begin + (i << geometry.inodeLog());
                long number = first + i;
                if (geometry.internal(number) || !plain.add(at, number, batch)) {
                    add(number, buffer.asSlice(at, geometry.inodeSize()));
                }
            }
        }

        private void add(long number, MemorySegment s) throws IOException {
            if (geometry.internal(number)) {
                return;
            }
            int before = batch.inodes();
            try {
                InodeCore core = InodeCore.parse(
                        geometry, number, s, geometry.where("inode", number, geometry.inodePosition(number)));
                if (core.inode().links() == 0) {
                    // Removed while it was open; nothing names it.
                    return;
                }
                add(core, s);
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                while (batch.inodes() > before) {
                    batch.dropInode();
                }
                catalog.damaged(e);
            }
        }

        private void add(InodeCore core, MemorySegment s) throws IOException {
            batch.addInode(
                    core.inode().number(),
                    core.inode().generation(),
                    OnDisk.u16(s, InodeCore.MODE),
                    core.inode().links(),
                    core.inode().size(),
                    OnDisk.i64(s, InodeCore.CHANGECOUNT));
            if (core.inode().type() == FileType.DIRECTORY) {
                directories.add(core.inode().number());
            } else if (core.inode().type() == FileType.REGULAR) {
                for (Extent extent : BlockMap.read(geometry, reader, shared, core)) {
                    batch.addExtent(extent.offset(), extent.position(), extent.length(), extent.flags());
                }
            }
        }

        private void give() {
            catalog.inodes(batch);
            batch.clear();
        }
    }

    /** Lists directories, of which each thread takes some at once, until there are no more; gives nothing. */
    private long[] names(Ways ways, long[] directories, AtomicInteger next) throws IOException {
        try (MetadataReader reader = new MetadataReader(source);
                BlockReads reads = ReadAhead.open(ways)) {
            if (reads == null) {
                return new long[0];
            }
            Names names = new Names(reader, new ReadAhead(source, reads, reader));
            int from = next.getAndAdd(DIRECTORIES);
            while (from < directories.length) {
                names.read(Arrays.copyOfRange(directories, from, Math.min(from + DIRECTORIES, directories.length)));
                from = next.getAndAdd(DIRECTORIES);
            }
            return new long[0];
        }
    }

    /** The directories that one thread lists. */
    private final class Names {
        private final MetadataReader reader;
        private final ReadAhead ahead;
        private final NameBatch batch = new NameBatch();

        Names(MetadataReader reader, ReadAhead ahead) {
            this.reader = reader;
            this.ahead = ahead;
        }

        void read(long[] numbers) throws IOException {
            for (long number : numbers) {
                ahead.expect(geometry.inodePosition(number), geometry.inodeSize());
            }
            List<InodeCore> changed = new ArrayList<>();
            for (long number : numbers) {
                stopIfInterrupted();
                try {
                    InodeCore core = unlessKept(number);
                    if (core != null) {
                        changed.add(core);
                    }
                } catch (InterruptedIOException e) {
                    throw e;
                } catch (IOException e) {
                    catalog.damaged(e);
                    batch.clear();
                    batch.setIncomplete();
                    catalog.names(number, batch);
                }
            }
            ahead.forget();
            for (InodeCore core : changed) {
                if (core.format() == InodeCore.Format.EXTENTS) {
                    expect(core);
                }
            }
            for (InodeCore core : changed) {
                stopIfInterrupted();
                list(core);
            }
            ahead.forget();
        }

        /** Reads the inode of a directory, and keeps it if it is known; then it is null. */
        private @Nullable InodeCore unlessKept(long number) throws IOException {
            long position = geometry.inodePosition(number);
            // A copy: what is read ahead is overwritten by what comes next.
            MemorySegment s = MemorySegment.ofArray(
                    ahead.read(position, geometry.inodeSize()).toArray(ValueLayout.JAVA_BYTE));
            InodeCore core = InodeCore.parse(geometry, number, s, geometry.where("inode", number, position));
            if (catalog.knows(number, core.inode().generation(), OnDisk.i64(s, InodeCore.CHANGECOUNT))) {
                catalog.keep(number);
                return null;
            }
            return core;
        }

        private void list(InodeCore directory) throws IOException {
            batch.clear();
            try {
                if (directory.format() == InodeCore.Format.BTREE) {
                    expect(directory);
                }
                DirectoryReader.list(
                        geometry,
                        reader,
                        ahead,
                        directory,
                        (from, offset, length, inode, ftype) ->
                                batch.add(from, offset, length, inode, DirectoryEntry.mode(ftype)),
                        this::damaged);
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                damaged(e);
            }
            catalog.names(directory.inode().number(), batch);
        }

        private void damaged(IOException problem) {
            batch.setIncomplete();
            catalog.damaged(problem);
        }

        /** Begins to read a directory's blocks. */
        private void expect(InodeCore directory) throws IOException {
            try {
                for (Extent extent : BlockMap.read(geometry, reader, directory)) {
                    if (extent.offset() < DirectoryReader.LEAF_OFFSET) {
                        ahead.expect(extent.position(), extent.length());
                    }
                }
            } catch (XfsException e) {
                // Told when it is listed.
                return;
            }
        }
    }

    private static void stopIfInterrupted() throws InterruptedIOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }
}
