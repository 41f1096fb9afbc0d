package io.aisio.xal.mount;

import io.aisio.linux.Beneath;
import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.LinuxException;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.backend.Backend;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Reads a whole mounted tree, each directory as one piece of work, on as many threads as there are processors.
 *
 * <pre>
 *   directory ──► names ──► each: statx, handle ──► known as it is? keep
 *                                               └─► else map it ──► Catalog
 *             └─► directories in it, as more work
 * </pre>
 *
 * <p>A file is kept unread if its stamp is the one that it had: made of the time of its last change, its size and what it
 * has allocated. From Linux 6.13 on, XFS, ext4 and btrfs give each change that comes after a look at the time a time of
 * its own; before, two changes within a tick of the clock (1 to 10 ms) may share one. What moves blocks without changing
 * any of the three is not seen: a file that is defragmented (xfs_fsr), one whose blocks another comes to share.
 */
final class TreeScan {
    /** Inodes that a catalog is given at once, of a large directory: chosen to keep batches small. */
    private static final int BATCH = 1024;
    /** How often a name is looked at that other files are given meanwhile: chosen so that it ends. */
    private static final int ATTEMPTS = 4;
    /** Spreads the parts of a stamp over its bits: 2^64 divided by the golden ratio. */
    private static final long MIX = 0x9E37_79B9_7F4A_7C15L;

    private final MountedTree tree;
    private final Catalog catalog;
    private final ExecutorService workers;
    /** Of each inode that was found: done once the catalog has it. */
    private final ConcurrentHashMap<Long, CompletableFuture<Void>> found = new ConcurrentHashMap<>();
    /** Directories that are still to be read. */
    private final AtomicLong pending = new AtomicLong();

    private final CompletableFuture<Void> done = new CompletableFuture<>();

    private TreeScan(MountedTree tree, Catalog catalog, ExecutorService workers) {
        this.tree = tree;
        this.catalog = catalog;
        this.workers = workers;
    }

    /**
     * Reads everything.
     *
     * @throws IOException if the root cannot be read; what is wrong with a part is told to the catalog
     * @throws InterruptedIOException if this thread is interrupted
     */
    static void read(MountedTree tree, Catalog catalog) throws IOException {
        int threads = Runtime.getRuntime().availableProcessors();
        try (ExecutorService workers = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().name("xal-", 0).daemon().factory())) {
            new TreeScan(tree, catalog, workers).run();
        }
    }

    private void run() throws IOException {
        MountedTree.Found root = tree.foundRoot();
        Work first = new Work();
        found.put(root.inode().number(), first.given);
        first.take(root);
        first.below.add(new Entry("/", root.inode()));
        first.give();
        try {
            done.get();
        } catch (InterruptedException e) {
            workers.shutdownNow();
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while " + tree + " was read");
        } catch (ExecutionException e) {
            workers.shutdownNow();
            // A fault of our own, or of the catalog.
            throw new IllegalStateException("reading " + tree + " failed", e.getCause());
        }
    }

    private void submit(Entry directory) {
        pending.incrementAndGet();
        workers.execute(() -> {
            try {
                new Work().read(directory);
                if (pending.decrementAndGet() == 0) {
                    done.complete(null);
                }
            } catch (InterruptedException e) {
                // Who stopped the workers knows.
                Thread.currentThread().interrupt();
            } catch (RuntimeException | Error e) {
                done.completeExceptionally(e);
            }
        });
    }

    /** One directory under way, on one thread. */
    private final class Work {
        private final InodeBatch inodes = new InodeBatch();
        private final NameBatch names = new NameBatch();
        private final List<Entry> below = new ArrayList<>();
        /** What this batch holds, or keeps. */
        private final Set<Long> ours = new HashSet<>();

        private CompletableFuture<Void> given = new CompletableFuture<>();

        void read(Entry entry) throws InterruptedException {
            try (Beneath directory = tree.openDirectory(entry)) {
                for (Beneath.Name child : directory.list()) {
                    if (Thread.interrupted()) {
                        throw new InterruptedException();
                    }
                    if (!child.isDot()) {
                        read(directory, entry, child);
                    }
                    if (inodes.inodes() >= BATCH) {
                        give();
                    }
                }
                give();
                catalog.names(entry.inode().number(), names);
            } catch (IOException e) {
                if (!isGone(e)) {
                    catalog.damaged(e);
                }
                // It could not be opened or listed, so that none of it was given.
                catalog.unlisted(entry.inode().number());
            } finally {
                // Nobody waits for what will not come.
                given.complete(null);
            }
        }

        /** Reads what a name stands for, again if another file was given the name meanwhile. */
        private void read(Beneath directory, Entry entry, Beneath.Name child) throws InterruptedException {
            String parent = entry.path();
            String name = FileName.decode(child.bytes());
            long number = child.inode();
            for (int attempt = 1; ; attempt++) {
                boolean claimed = false;
                try {
                    MountedTree.Found now = tree.find(directory, child.bytes(), parent);
                    number = now.inode().number();
                    claimed = claim(number);
                    if (claimed) {
                        take(directory, Backend.path(parent, name), child.bytes(), now);
                    }
                    break;
                } catch (IOException e) {
                    if (claimed) {
                        giveUp(number);
                    }
                    if (isGone(e)) {
                        return;
                    }
                    boolean changed = e instanceof FileChangedException;
                    if (!changed || attempt == ATTEMPTS) {
                        names.setIncomplete();
                        boolean named =
                                !changed || catalog.changing(entry.inode().number(), name, number, e);
                        if (!changed) {
                            catalog.damaged(e);
                        }
                        if (!named || (!claimed && found.containsKey(number))) {
                            // The root of a subvolume is called as the root here is.
                            return;
                        }
                        // Its name is given all the same: what it stands for cannot be read.
                        break;
                    }
                }
            }
            names.add(MemorySegment.ofArray(child.bytes()), 0, child.bytes().length, number, 0);
        }

        /** @return whether it is this one's to take; if not, the catalog has it, or gets it with this batch */
        @SuppressWarnings("ReferenceEquality") // a later claim of the same inode is another
        private boolean claim(long number) throws InterruptedException {
            while (true) {
                CompletableFuture<Void> other = found.putIfAbsent(number, given);
                if (other == null) {
                    ours.add(number);
                    return true;
                }
                if (ours.contains(number)) {
                    return false;
                }
                if (!other.isDone()) {
                    // Who waits for this one must not be waited for.
                    give();
                    try {
                        other.get();
                    } catch (ExecutionException e) {
                        throw new IllegalStateException("a batch is given, and does not fail", e);
                    }
                }
                if (found.get(number) == other) {
                    return false;
                }
                // It was given up before its batch was given.
            }
        }

        /** Leaves what was claimed but could not be taken by this name to who finds another of its names. */
        private void giveUp(long number) {
            ours.remove(number);
            found.remove(number, given);
        }

        /** Takes what has no map. */
        void take(MountedTree.Found now) {
            if (!keep(now)) {
                add(now, List.of());
            }
        }

        private void take(Beneath directory, String path, byte[] name, MountedTree.Found now) throws IOException {
            Inode inode = now.inode();
            if (inode.type() != FileType.REGULAR) {
                take(now);
            } else if (!keep(now)) {
                try (Beneath file = directory.openFile(name, tree.shown(path))) {
                    tree.same(new Entry(path, inode), file);
                    MountedTree.Map map = tree.map(file, path);
                    add(new MountedTree.Found(map.status(), tree.inode(map.status(), file.handle())), map.extents());
                }
            }
            if (inode.type() == FileType.DIRECTORY) {
                below.add(new Entry(path, inode));
            }
        }

        private boolean keep(MountedTree.Found now) {
            Inode inode = now.inode();
            boolean known = catalog.knows(inode.number(), inode.generation(), stamp(now.status()));
            if (known) {
                catalog.keep(inode.number());
            }
            return known;
        }

        private void add(MountedTree.Found now, List<Extent> extents) {
            Inode inode = now.inode();
            FileStatus status = now.status();
            long stamp = stamp(tree, status, extents);
            inodes.addInode(inode.number(), inode.generation(), status.mode(), inode.links(), inode.size(), stamp);
            for (Extent extent : extents) {
                inodes.addExtent(extent.offset(), extent.position(), extent.length(), extent.flags());
            }
        }

        /** Gives what was read, and only then lets others read what is below. */
        private void give() {
            catalog.inodes(inodes);
            inodes.clear();
            ours.clear();
            given.complete(null);
            given = new CompletableFuture<>();
            below.forEach(TreeScan.this::submit);
            below.clear();
        }
    }

    /** Whether it was removed meanwhile, with which nothing is wrong. */
    private static boolean isGone(IOException problem) {
        return problem instanceof LinuxException e && (e.errno() == Errno.ENOENT || e.errno() == Errno.ESTALE);
    }

    /** Of a file with this map; no other stamp is equal to it if the map may change untold. */
    static long stamp(MountedTree tree, FileStatus status, List<Extent> extents) {
        return tree.settled(extents)
                ? stamp(status)
                : ThreadLocalRandom.current().nextLong();
    }

    private static long stamp(FileStatus status) {
        long stamp = Duration.between(Instant.EPOCH, status.changed()).toNanos();
        stamp = stamp * MIX ^ status.size();
        return stamp * MIX ^ status.allocated();
    }
}
