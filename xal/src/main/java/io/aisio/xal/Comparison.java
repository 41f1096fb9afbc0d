package io.aisio.xal;

import io.aisio.linux.Beneath;
import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.LinuxException;
import io.aisio.xal.mount.FileChangedException;
import io.aisio.xal.mount.MountedTree;
import io.aisio.xal.mount.XfsLog;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Compares what two ways to read one file system tell of its files, and what a device holds with what the file system
 * reads. One thread uses it; it ends with an {@link InterruptedIOException} when that is interrupted.
 *
 * <p>What is compared best stands still: mounted to read, or frozen. Of what is written to meanwhile, files that change
 * are looked at again, and counted apart if they do not come to rest.
 */
public final class Comparison {
    /** Bytes compared at once: chosen so that a device reads them at full speed. */
    private static final int CHUNK = 1 << 20;
    /** How often what was not alike is looked at again: chosen so that a comparison under a busy writer ends too. */
    private static final int ROUNDS = 3;
    /** How often progress is told: chosen so that a person sees it move. */
    private static final long PROGRESS_NANOS = 100_000_000;

    private final Listener listener;
    private long toldNanos = System.nanoTime();
    private long entries;
    private long extents;
    private long bytes;
    private long differences;
    private long damaged;
    private long changed;
    private long unsettled;
    private long elsewhere;
    /** Whether nobody can write to what is compared. */
    private boolean still;

    /** @param listener is told each difference */
    public Comparison(Listener listener) {
        this.listener = listener;
    }

    /** Is told what differs. */
    public interface Listener {
        /**
         * Two sides that should be alike.
         *
         * @param path of the file
         * @param what differs, such as {@code size}
         * @param first how the one has it
         * @param second how the other has it
         */
        void differs(String path, String what, String first, String second);

        /** Something that one side could not read, so that it was not compared. */
        void damaged(String path, IOException problem);

        /**
         * How far it is, told a few times a second.
         *
         * @param doing what it does, for people
         */
        default void progress(String doing) {}
    }

    /**
     * What was compared so far.
     *
     * @param entries names, of all types
     * @param extents after those that continue each other were joined
     * @param bytes of files
     * @param differences told to the listener
     * @param damaged told to the listener
     * @param changed names of what changed whenever it was compared, where somebody may write; they differ in nothing
     *     that is counted
     * @param unsettled names of what was not alike and could not be decided, because the file system had not written in
     *     place what its log holds, or could no longer be read from its blocks
     * @param elsewhere bytes that the device does not hold as they are, and so were not compared
     */
    public record Counts(
            long entries,
            long extents,
            long bytes,
            long differences,
            long damaged,
            long changed,
            long unsettled,
            long elsewhere) {}

    /** What was compared so far. */
    public Counts counts() {
        return new Counts(entries, extents, bytes, differences, damaged, changed, unsettled, elsewhere);
    }

    /**
     * Compares names, inodes and the maps of regular files of what stands still. All entries of the first are held in
     * memory.
     *
     * @throws IOException if a root cannot be read
     */
    public void maps(Xal first, Xal second) throws IOException {
        MapPass pass = new MapPass(() -> {});
        pass.run(first, "/", second);
        count(pass);
        pass.doubts().forEach(this::tell);
    }

    /**
     * Compares names, inodes and the maps of regular files of a mounted XFS, as its kernel and as its blocks tell them.
     *
     * <p>XFS writes what changes to its log first, and in place later. So what is not alike is looked at again once
     * {@link XfsLog} says that all is in place that was logged before; it differs if it still is not alike, and the kernel
     * told the same of it all the while.
     *
     * @param mounted made by {@link Xal#mounted} with sync
     * @param device that the file system lies on, read past the kernel's cache of the device
     * @param frozen whether it is: then nothing is written, and all is in place, as it is where it is mounted to read
     * @throws IllegalArgumentException if the first is not mounted
     * @throws IOException if the root cannot be read, or XFS does not tell what is in place
     */
    public void maps(Xal mounted, BlockSource device, boolean frozen) throws IOException {
        MountedTree tree = tree(mounted);
        still = frozen || tree.readOnly();
        tree.syncFileSystem();
        MapPass pass = pass(mounted, tree, device);
        for (int round = 0; round < ROUNDS && pass.failed() && (still || settle(tree, 1)); round++) {
            pass = pass(mounted, tree, device);
        }
        if (pass.failed()) {
            pass.doubts().forEach(this::tell);
            return;
        }
        MapPass whole = pass;
        Map<String, Kernel> before = kernel(mounted, pass.doubts().keySet());
        for (int round = 0; round < ROUNDS && !before.isEmpty(); round++) {
            if (!still && !settle(tree, before.size())) {
                count(whole);
                unsettled += before.size();
                return;
            }
            pass = pass(mounted, tree, device);
            Set<String> open = new TreeSet<>(before.keySet());
            if (!pass.failed()) {
                whole = pass;
                // What is alike now, or was before, is so.
                open.retainAll(pass.doubts().keySet());
            }
            Map<String, Kernel> after = kernel(mounted, open);
            for (String path : open) {
                List<MapPass.Doubt> doubts =
                        pass.failed() ? null : pass.doubts().get(path);
                Kernel now = after.get(path);
                if (doubts != null && now != null && now.equals(before.get(path))) {
                    tell(path, doubts);
                    after.remove(path);
                }
            }
            before = after;
        }
        count(whole);
        if (pass.failed()) {
            pass.doubts().forEach(this::tell);
            unsettled += before.size();
        } else if (still) {
            Map<String, List<MapPass.Doubt>> doubts = pass.doubts();
            before.keySet().forEach(path -> tell(path, doubts.getOrDefault(path, List.of())));
        } else {
            changed += before.size();
        }
    }

    /** Counts what the last pass compared: in those before, much may not have been in place. */
    private void count(MapPass pass) {
        entries += pass.entries();
        extents += pass.extents();
    }

    /** @return whether all that was changed by now is in place */
    private boolean settle(MountedTree tree, int doubts) throws IOException {
        tree.syncFileSystem();
        return XfsLog.of(Placement.of(tree.device()).device())
                .awaitInPlace((waited, limit) ->
                        listener.progress("%d differ: waiting until XFS has written them in place, %d s of at most %d"
                                .formatted(doubts, waited.toSeconds(), limit.toSeconds())));
    }

    private MapPass pass(Xal mounted, MountedTree tree, BlockSource device) throws IOException {
        long[] looked = {0};
        MapPass pass = new MapPass(() -> progress("maps: %d entries", ++looked[0]));
        // Opened anew each time: it keeps what it has read.
        try (Xal onDisk = Xal.openUnrecovered(device)) {
            pass.run(onDisk, tree.inFileSystem(), mounted);
        } catch (InterruptedIOException e) {
            throw e;
        } catch (XfsException | NoSuchFileException | NotDirectoryException e) {
            // Its heads or the way to its root may not be in place yet either.
            pass.fail(e);
        }
        return pass;
    }

    /**
     * What the kernel tells of a path; all null if there is nothing.
     *
     * @param problem why it does not tell
     */
    private record Kernel(
            @Nullable Inode inode, @Nullable Instant changed, long allocated, List<Extent> extents, String problem) {}

    private static Map<String, Kernel> kernel(Xal mounted, Set<String> paths) throws IOException {
        Map<String, Kernel> told = new TreeMap<>();
        for (String path : paths) {
            stopIfInterrupted();
            try {
                Entry entry = mounted.lookup(path);
                Attributes attributes = mounted.attributes(entry);
                told.put(
                        path,
                        new Kernel(
                                attributes.inode(),
                                attributes.changed(),
                                attributes.allocated(),
                                mounted.extents(entry),
                                ""));
            } catch (NoSuchFileException | NotDirectoryException e) {
                told.put(path, new Kernel(null, null, 0, List.of(), ""));
            } catch (IOException e) {
                told.put(path, new Kernel(null, null, 0, List.of(), e.toString()));
            }
        }
        return told;
    }

    private void tell(String path, List<MapPass.Doubt> doubts) {
        for (MapPass.Doubt doubt : doubts) {
            if (doubt.problem() != null) {
                damaged(path, doubt.problem());
            } else {
                differs(path, doubt.what(), doubt.first(), doubt.second());
            }
        }
    }

    /**
     * Compares what the kernel reads of each regular file with what its device holds where the file's extents lie, of a
     * file system that others may write to.
     *
     * @throws IllegalArgumentException as below
     * @throws IOException as below
     */
    public void bytes(Xal mounted, BlockSource device) throws IOException {
        bytes(mounted, device, false);
    }

    /**
     * Compares what the kernel reads of each regular file with what its device holds where the file's extents lie.
     *
     * @param mounted made by {@link Xal#mounted} with sync
     * @param device that the file system lies on, read past the kernel's cache of the device
     * @param frozen whether it is: then a file that changes or goes all the same is told as a difference or as damaged,
     *     as it is where it is mounted to read
     * @throws IllegalArgumentException if the first is not mounted
     * @throws IOException if the root cannot be read
     */
    public void bytes(Xal mounted, BlockSource device, boolean frozen) throws IOException {
        MountedTree tree = tree(mounted);
        still = frozen || tree.readOnly();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment read = arena.allocate(CHUNK, 4096);
            MemorySegment held = arena.allocate(CHUNK, 4096);
            mounted.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) throws IOException {
                    stopIfInterrupted();
                    if (entry.type() == FileType.REGULAR) {
                        entries++;
                        bytes(tree, entry, device, read, held);
                    }
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    unread(path, problem);
                }
            });
        }
    }

    private void bytes(MountedTree tree, Entry entry, BlockSource device, MemorySegment read, MemorySegment held)
            throws IOException {
        try {
            Look look = look(tree, entry, device, read, held);
            for (int round = 0; round < ROUNDS && (look.differs() >= 0 || look.changed()); round++) {
                look = look(tree, entry, device, read, held);
            }
            if (look.changed() && still) {
                differs(entry.path(), "status or map", "as told first", "as told then, though nobody can write to it");
            } else if (look.changed()) {
                changed++;
            } else if (look.differs() >= 0) {
                differs(
                        entry.path(),
                        "bytes",
                        "as read, from byte " + look.differs(),
                        "as " + device.name() + " holds them");
            }
            bytes += look.size();
            elsewhere += look.elsewhere();
        } catch (IOException e) {
            unread(entry.path(), e);
        }
    }

    /** What is gone or replaced meanwhile is not damaged, where that can be. */
    private void unread(String path, IOException problem) throws IOException {
        if (problem instanceof InterruptedIOException) {
            throw problem;
        }
        boolean gone = problem instanceof LinuxException e && (e.errno() == Errno.ENOENT || e.errno() == Errno.ESTALE);
        if (!still && (gone || problem instanceof FileChangedException)) {
            changed++;
        } else {
            damaged(path, problem);
        }
    }

    /**
     * A file, looked at once.
     *
     * @param differs the offset of the first byte that does, or -1
     * @param changed whether the file was another at the end
     */
    private record Look(long size, long elsewhere, long differs, boolean changed) {}

    private Look look(MountedTree tree, Entry entry, BlockSource device, MemorySegment read, MemorySegment held)
            throws IOException {
        try (Beneath file = tree.open(entry)) {
            FileStatus before = file.status();
            List<Extent> map = tree.extents(entry);
            long differs = -1;
            long missing = 0;
            for (Piece piece : Piece.of(map, before.size())) {
                if (piece.kind() == Piece.Kind.ELSEWHERE) {
                    missing += piece.length();
                } else if (differs < 0) {
                    differs = differing(file, piece, device, read, held);
                }
            }
            FileStatus after = file.status();
            boolean different = !before.changed().equals(after.changed())
                    || before.size() != after.size()
                    || !tree.extents(entry).equals(map);
            return new Look(before.size(), missing, differs, different);
        }
    }

    /** The offset of the first byte that differs, or -1. */
    private long differing(Beneath file, Piece piece, BlockSource device, MemorySegment read, MemorySegment held)
            throws IOException {
        for (long done = 0; done < piece.length(); done += CHUNK) {
            stopIfInterrupted();
            progress("bytes: %d files", entries);
            long length = Math.min(CHUNK, piece.length() - done);
            if (piece.kind() == Piece.Kind.DATA) {
                long whole = Math.ceilDiv(length, device.alignment()) * device.alignment();
                device.read(piece.position() + done, held.asSlice(0, whole));
            } else {
                held.asSlice(0, length).fill((byte) 0);
            }
            long got = file.read(read.asSlice(0, length), piece.offset() + done);
            long at = read.asSlice(0, got).mismatch(held.asSlice(0, length));
            if (at >= 0) {
                return piece.offset() + done + at;
            }
        }
        return -1;
    }

    private void progress(String doing, long count) {
        long now = System.nanoTime();
        if (now - toldNanos >= PROGRESS_NANOS) {
            toldNanos = now;
            listener.progress(doing.formatted(count) + (bytes == 0 ? "" : ", %d MiB".formatted(bytes >> 20)));
        }
    }

    private static MountedTree tree(Xal mounted) {
        if (mounted.backend() instanceof MountedTree tree) {
            return tree;
        }
        throw new IllegalArgumentException(mounted.volume().source() + " is read from its device, not mounted");
    }

    /** To be asked in loops: an interruption ends them. */
    static void stopIfInterrupted() throws InterruptedIOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }

    private void differs(String path, String what, String first, String second) {
        differences++;
        listener.differs(path, what, first, second);
    }

    private void damaged(String path, IOException problem) {
        damaged++;
        listener.damaged(path, problem);
    }
}
