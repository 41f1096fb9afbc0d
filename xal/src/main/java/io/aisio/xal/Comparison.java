package io.aisio.xal;

import io.aisio.linux.Beneath;
import io.aisio.xal.mount.MountedTree;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/**
 * Compares what two ways to read one file system tell of its files, and what a device holds with what the file system
 * reads. One thread uses it.
 *
 * <p>What is compared should stand still: synced, and mounted read-only or frozen. Files that change meanwhile are
 * counted apart where the kernel is asked.
 */
public final class Comparison {
    /** Bytes compared at once: chosen so that a device reads them at full speed. */
    private static final int CHUNK = 1 << 20;

    private final Listener listener;
    private long entries;
    private long extents;
    private long bytes;
    private long differences;
    private long damaged;
    private long changed;
    private long elsewhere;

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
    }

    /**
     * What was compared so far.
     *
     * @param entries names, of all types
     * @param extents after those that continue each other were joined
     * @param bytes of files
     * @param differences told to the listener
     * @param damaged told to the listener
     * @param changed files that changed while they were compared; they differ in nothing that is counted
     * @param elsewhere bytes that the device does not hold as they are, and so were not compared
     */
    public record Counts(
            long entries, long extents, long bytes, long differences, long damaged, long changed, long elsewhere) {}

    /** What was compared so far. */
    public Counts counts() {
        return new Counts(entries, extents, bytes, differences, damaged, changed, elsewhere);
    }

    /**
     * Compares names, inodes and the maps of regular files. All entries of the first are held in memory.
     *
     * @throws IOException if a root cannot be read
     */
    public void maps(Xal first, Xal second) throws IOException {
        TreeMap<String, Entry> rest = new TreeMap<>();
        first.walk("/", visitor(entry -> rest.put(entry.path(), entry)));
        second.walk("/", visitor(entry -> {
            entries++;
            Entry other = rest.remove(entry.path());
            if (other == null) {
                differs(entry.path(), "existence", "missing", entry.inode().toString());
            } else {
                inodes(entry.path(), other.inode(), entry.inode());
                if (entry.type() == FileType.REGULAR && other.type() == FileType.REGULAR) {
                    extents(first, other, second, entry);
                }
            }
        }));
        rest.forEach((path, entry) -> {
            entries++;
            differs(path, "existence", entry.inode().toString(), "missing");
        });
    }

    private void inodes(String path, Inode first, Inode second) {
        if (!first.equals(second)) {
            differs(path, "inode", first.toString(), second.toString());
        }
    }

    private void extents(Xal first, Entry one, Xal second, Entry other) {
        try {
            List<Extent> left = joined(first.extents(one));
            List<Extent> right = joined(second.extents(other));
            extents += right.size();
            if (!left.equals(right)) {
                int at = 0;
                while (at < left.size() && at < right.size() && left.get(at).equals(right.get(at))) {
                    at++;
                }
                differs(other.path(), "extent " + at + " of the joined", told(left, at), told(right, at));
            }
        } catch (IOException e) {
            damaged(other.path(), e);
        }
    }

    private static String told(List<Extent> extents, int at) {
        return at < extents.size() ? extents.get(at).toString() : "none, there are " + extents.size();
    }

    /**
     * Neighbours that continue each other as one, shared if a part of it is: where a map is cut is a matter of the one who
     * tells it.
     */
    private static List<Extent> joined(List<Extent> extents) {
        List<Extent> joined = new ArrayList<>();
        for (Extent extent : extents) {
            Extent last = joined.isEmpty() ? null : joined.getLast();
            if (last != null
                    && last.end() == extent.offset()
                    && last.position() + last.length() == extent.position()
                    && ((last.flags() ^ extent.flags()) & ~Extent.SHARED) == 0) {
                joined.removeLast();
                extent = new Extent(
                        last.offset(), last.position(), last.length() + extent.length(), last.flags() | extent.flags());
            }
            joined.add(extent);
        }
        return joined;
    }

    /**
     * Compares what the kernel reads of each regular file with what its device holds where the file's extents lie.
     *
     * @param mounted made by {@link Xal#mounted} with sync
     * @param device that the file system lies on, read past the kernel's cache of the device
     * @throws IllegalArgumentException if the first is not mounted
     * @throws IOException if the root cannot be read
     */
    public void bytes(Xal mounted, BlockSource device) throws IOException {
        if (!(mounted.backend() instanceof MountedTree tree)) {
            throw new IllegalArgumentException(mounted.volume().source() + " is read from its device, not mounted");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment read = arena.allocate(CHUNK, 4096);
            MemorySegment held = arena.allocate(CHUNK, 4096);
            mounted.walk("/", visitor(entry -> {
                if (entry.type() == FileType.REGULAR) {
                    entries++;
                    bytes(tree, entry, device, read, held);
                }
            }));
        }
    }

    private void bytes(MountedTree tree, Entry entry, BlockSource device, MemorySegment read, MemorySegment held) {
        try (Beneath file = tree.open(entry)) {
            var before = file.status();
            List<Extent> map = tree.extents(entry);
            long differs = -1;
            for (Piece piece : Piece.of(map, before.size())) {
                if (piece.kind() == Piece.Kind.ELSEWHERE) {
                    elsewhere += piece.length();
                } else if (differs < 0) {
                    differs = differing(file, piece, device, read, held);
                }
            }
            var after = file.status();
            if (!before.changed().equals(after.changed())
                    || before.size() != after.size()
                    || !tree.extents(entry).equals(map)) {
                changed++;
            } else if (differs >= 0) {
                differs(entry.path(), "bytes", "as read, from byte " + differs, "as " + device.name() + " holds them");
            }
            bytes += before.size();
        } catch (IOException e) {
            damaged(entry.path(), e);
        }
    }

    /** The offset of the first chunk's byte that differs, or -1. */
    private static long differing(Beneath file, Piece piece, BlockSource device, MemorySegment read, MemorySegment held)
            throws IOException {
        for (long done = 0; done < piece.length(); done += CHUNK) {
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

    private void differs(String path, String what, String first, String second) {
        differences++;
        listener.differs(path, what, first, second);
    }

    private void damaged(String path, IOException problem) {
        damaged++;
        listener.damaged(path, problem);
    }

    /** Passes entries on, and tells what is damaged. */
    private Xal.Visitor visitor(java.util.function.Consumer<Entry> entries) {
        return new Xal.Visitor() {
            @Override
            public void visit(Entry entry) {
                entries.accept(entry);
            }

            @Override
            public void damaged(String path, IOException problem) {
                Comparison.this.damaged(path, problem);
            }
        };
    }
}
