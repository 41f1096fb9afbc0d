package io.aisio.xal.xfs;

import io.aisio.xal.BlockSource;
import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.XfsException;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Reads all inodes of a file system in the order in which they lie, then all directories, on as many threads as there are
 * processors.
 *
 * <pre>
 *   each allocation group: inode B-tree ──► chunks ──► large reads ──► inodes, extents ──► Catalog
 *   then each directory:   its blocks ──► names ──► Catalog
 * </pre>
 */
final class VolumeScan {
    /** Bytes of one read: what a kernel or a controller takes at once without cutting it. */
    private static final int READ_BYTES = 256 * 1024;
    /** Directories that a thread takes at once. */
    private static final int DIRECTORIES = 64;

    private static final int PAGE = 4096;

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
     * Reads everything.
     *
     * @throws IOException if nothing more can be read; what is wrong with a part of it is told to the catalog
     * @throws InterruptedIOException if this thread is interrupted
     */
    static void read(Geometry geometry, BlockSource source, SharedBlocks shared, Catalog catalog) throws IOException {
        new VolumeScan(geometry, source, shared, catalog).run();
    }

    private void run() throws IOException {
        int threads = Runtime.getRuntime().availableProcessors();
        try (ExecutorService workers = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().name("xal-", 0).daemon().factory())) {
            List<Callable<long[]>> groups = new ArrayList<>();
            for (long ag = 0; ag < geometry.agCount(); ag++) {
                long number = ag;
                groups.add(() -> inodes(number));
            }
            List<Callable<long[]>> listings = new ArrayList<>();
            for (long[] directories : all(workers, groups)) {
                for (int from = 0; from < directories.length; from += DIRECTORIES) {
                    long[] some =
                            Arrays.copyOfRange(directories, from, Math.min(from + DIRECTORIES, directories.length));
                    listings.add(() -> names(some));
                }
            }
            all(workers, listings);
        }
    }

    /** Runs tasks to their ends. After a failure, or when this thread is interrupted, those that run are stopped. */
    private static List<long[]> all(ExecutorService workers, List<Callable<long[]>> tasks) throws IOException {
        List<Future<long[]>> running = new ArrayList<>();
        tasks.forEach(task -> running.add(workers.submit(task)));
        List<long[]> results = new ArrayList<>();
        try {
            for (Future<long[]> one : running) {
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

    /** Reads the inodes of an allocation group. @return the numbers of its directories */
    private long[] inodes(long ag) throws IOException {
        try (MetadataReader reader = new MetadataReader(source);
                Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(READ_BYTES, PAGE);
            List<InodeChunk> chunks = chunks(ag, reader);
            Group group = new Group(ag, reader, buffer);
            for (int i = 0; i < chunks.size(); ) {
                stopIfInterrupted();
                i += group.read(chunks, i);
            }
            return group.directories();
        }
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
                where.check(chunk.first() >= least, "startino", chunk.first(), least + " or more, behind that before");
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

    /** One allocation group under way, on one thread. */
    private final class Group {
        private final long firstInode;
        private final MetadataReader reader;
        private final MemorySegment buffer;
        private final PlainFiles plain;
        private final InodeBatch batch = new InodeBatch();
        private long[] directories = new long[16];
        private int directoryCount;

        Group(long ag, MetadataReader reader, MemorySegment buffer) {
            this.firstInode = ag << geometry.agBlockLog() << geometry.inodesPerBlockLog();
            this.reader = reader;
            this.buffer = buffer;
            plain = new PlainFiles(geometry, buffer);
        }

        /**
         * Reads the inodes of chunks that lie one after another without a hole.
         *
         * @return how many chunks those were
         */
        int read(List<InodeChunk> chunks, int from) throws IOException {
            InodeChunk first = chunks.get(from);
            int bytes = InodeChunk.INODES << geometry.inodeLog();
            if (first.holes() != 0 || bytes > buffer.byteSize()) {
                one(first);
                return 1;
            }
            int count = 1;
            while (from + count < chunks.size()
                    && (count + 1L) * bytes <= buffer.byteSize()
                    && chunks.get(from + count).holes() == 0
                    && chunks.get(from + count).first() == first.first() + (long) count * InodeChunk.INODES) {
                count++;
            }
            long position = geometry.inodePosition(firstInode + first.first());
            MemorySegment target = buffer.asSlice(0, (long) count * bytes);
            if (position % source.alignment() != 0 || target.byteSize() % source.alignment() != 0) {
                for (int i = 0; i < count; i++) {
                    one(chunks.get(from + i));
                }
                return count;
            }
            try {
                source.read(position, target);
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                // Read in smaller pieces, so that what cannot be read hides as little as it can.
                for (int i = 0; i < count; i++) {
                    one(chunks.get(from + i));
                }
                return count;
            }
            for (int i = 0; i < count; i++) {
                parse(chunks.get(from + i), i * bytes);
            }
            catalog.inodes(batch);
            batch.clear();
            return count;
        }

        /** Reads a chunk inode by inode: with holes in it, or that lies across what the source reads at once. */
        private void one(InodeChunk chunk) throws IOException {
            for (int i = 0; i < InodeChunk.INODES; i++) {
                if ((chunk.free() >>> i & 1) == 0) {
                    long number = firstInode + chunk.first() + i;
                    try {
                        add(number, reader.read(geometry.inodePosition(number), geometry.inodeSize()));
                    } catch (InterruptedIOException e) {
                        throw e;
                    } catch (IOException e) {
                        catalog.damaged(e);
                    }
                }
            }
            catalog.inodes(batch);
            batch.clear();
        }

        /** Reads the inodes of a chunk that lies in the buffer. */
        private void parse(InodeChunk chunk, int begin) throws IOException {
            for (long used = ~chunk.free(); used != 0; used &= used - 1) {
                int i = Long.numberOfTrailingZeros(used);
                int at = begin + (i << geometry.inodeLog());
                long number = firstInode + chunk.first() + i;
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
            long number = core.inode().number();
            batch.addInode(
                    number,
                    core.inode().generation(),
                    OnDisk.u16(s, InodeCore.MODE),
                    core.inode().links(),
                    core.inode().size(),
                    OnDisk.i64(s, InodeCore.CHANGECOUNT));
            if (core.inode().type() == FileType.DIRECTORY) {
                if (directoryCount == directories.length) {
                    directories = Arrays.copyOf(directories, 2 * directoryCount);
                }
                directories[directoryCount++] = number;
            } else if (core.inode().type() == FileType.REGULAR) {
                for (Extent extent : BlockMap.read(geometry, reader, shared, core)) {
                    batch.addExtent(extent.offset(), extent.position(), extent.length(), extent.flags());
                }
            }
        }

        long[] directories() {
            return Arrays.copyOf(directories, directoryCount);
        }
    }

    /** Lists directories. @return nothing */
    private long[] names(long[] directories) throws IOException {
        try (MetadataReader reader = new MetadataReader(source)) {
            NameBatch batch = new NameBatch();
            for (long number : directories) {
                stopIfInterrupted();
                batch.clear();
                try {
                    long position = geometry.inodePosition(number);
                    MemorySegment s = reader.read(position, geometry.inodeSize());
                    InodeCore core = InodeCore.parse(geometry, number, s, geometry.where("inode", number, position));
                    if (catalog.knows(number, core.inode().generation(), OnDisk.i64(s, InodeCore.CHANGECOUNT))) {
                        catalog.keep(number);
                        continue;
                    }
                    DirectoryReader.list(
                            geometry,
                            reader,
                            core,
                            (from, offset, length, inode, _) -> batch.add(from, offset, length, inode),
                            catalog::damaged);
                } catch (InterruptedIOException e) {
                    throw e;
                } catch (IOException e) {
                    catalog.damaged(e);
                }
                catalog.names(number, batch);
            }
            return new long[0];
        }
    }

    private static void stopIfInterrupted() throws InterruptedIOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }
}
