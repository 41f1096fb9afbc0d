package io.aisio.xal.index;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileExtents;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.Index;
import io.aisio.xal.IndexException;
import io.aisio.xal.Inode;
import io.aisio.xal.Volume;
import io.aisio.xal.backend.Backend;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads an index, its writer's or another process's, without a lock: what is changed while it is read is read again.
 * Nothing that lies there is trusted; what makes no sense is an {@link IndexException}. Any thread may call it.
 */
public final class IndexReader implements AutoCloseable {
    private static final int ABSENT = -1;
    private static final int NOT_DIRECTORY = -2;

    /** A process is asked so seldom whether it lives: a millisecond is more than a thousand look-ups. */
    private static final long ASK_NANOS = 10_000_000L;

    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    private final @Nullable IndexWriter writer;
    private final @Nullable Source shared;
    private volatile @Nullable View view;
    private volatile boolean closed;
    private volatile long asked;
    private volatile boolean ownerGone;

    /** Where the regions of another process's index come from, one after another. */
    @FunctionalInterface
    private interface Source {
        /** The one of now; null if there is none any more. */
        @Nullable
        Region open() throws IOException;
    }

    /** A region and its columns. */
    private record View(Region region, Tables tables) {}

    /** Where a thread puts the name that it looks for, and how far along the path that was. */
    private static final class Scratch {
        final byte[] name = new byte[NameHash.ROOM];
        int end;
    }

    /** A child of a directory; the inode is null if it was not read. */
    public record Listed(String name, long number, @Nullable Inode inode, boolean isOtherName) {}

    /** What is read under the sequence lock. */
    private interface Read<T> {
        T of(View view) throws IOException;
    }

    IndexReader(IndexWriter writer) {
        this.writer = writer;
        this.shared = null;
    }

    private IndexReader(Source shared, Region region) {
        this.writer = null;
        this.shared = shared;
        view = new View(region, new Tables(region));
    }

    /**
     * Maps another process's index to read.
     *
     * @throws IndexException if it is none, another user's, of another version, or not built yet
     * @throws IOException if it cannot be opened
     */
    public static IndexReader attach(Path shared) throws IOException {
        return attach(shared, Region.PATIENCE_NANOS);
    }

    /** As {@link #attach(Path)}, waiting no longer than so many nanoseconds for one change to end. */
    static IndexReader attach(Path shared, long patience) throws IOException {
        return attach(() -> open(shared), Region.attach(shared), patience);
    }

    /**
     * Maps another process's index to read, of which that process gives the file.
     *
     * @param name by which messages name it
     * @param memory is asked for the file, and again whenever the index was copied to another
     * @throws IndexException if it is none, of another version, or not built yet
     * @throws IOException if there is none, or it cannot be mapped
     */
    public static IndexReader attach(String name, Index.Memory memory) throws IOException {
        Source source = () -> {
            OpenFile file = memory.open();
            return file == null ? null : Region.attach(name, file);
        };
        Region first = source.open();
        if (first == null) {
            throw new IndexException(name, "there is none");
        }
        return attach(source, first, Region.PATIENCE_NANOS);
    }

    private static IndexReader attach(Source source, Region region, long patience) throws IOException {
        region.patience = patience;
        if (region.state() == Region.BUILDING) {
            int owner = region.owner();
            region.close();
            throw new IndexException(region.name, "it is being built by process " + owner);
        }
        return new IndexReader(source, region);
    }

    private static @Nullable Region open(Path shared) throws IOException {
        try {
            return Region.attach(shared);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                return null;
            }
            throw e;
        }
    }

    private View view() throws IOException {
        View now = view;
        if (closed) {
            throw new IllegalStateException("the index is closed");
        }
        if (writer != null) {
            Region region = writer.region();
            if (now == null || now.region() != region) {
                now = new View(region, new Tables(region));
                view = now;
            }
            return now;
        }
        if (now == null || (now.region().state() == Region.SUPERSEDED && !ownerGone)) {
            return attachAgain(now);
        }
        return now;
    }

    private synchronized View attachAgain(@Nullable View old) throws IOException {
        View now = view;
        if (now != null && (old == null || now.region() != old.region())) {
            return now;
        }
        if (shared == null || closed) {
            throw new IllegalStateException("the index is closed");
        }
        Region region = shared.open();
        if (region == null) {
            if (old == null) {
                throw new IllegalStateException("the index is closed");
            }
            ownerGone = true;
            return old;
        }
        now = new View(region, new Tables(region));
        if (old != null) {
            region.patience = old.region().patience;
            if (now.tables().longHeader(Layout.SEED) != old.tables().longHeader(Layout.SEED)) {
                // Somebody else's by the same name: the owner's keeps its seed wherever it is copied to.
                region.close();
                ownerGone = true;
                return old;
            }
        }
        view = now;
        if (old != null) {
            old.region().close();
        }
        return now;
    }

    private <T> T read(Read<T> read) throws IOException {
        while (true) {
            View now = view();
            try {
                long sequence = now.region().sequence();
                T result;
                try {
                    result = read.of(now);
                } catch (IndexOutOfBoundsException | ArithmeticException e) {
                    if (now.region().unchanged(sequence)) {
                        throw new IndexException(now.region().name, "it is damaged: " + e.getMessage());
                    }
                    continue;
                } catch (IOException e) {
                    if (now.region().unchanged(sequence)) {
                        throw e;
                    }
                    continue;
                }
                if (now.region().unchanged(sequence)) {
                    return result;
                }
            } catch (IllegalStateException e) {
                // The memory was given back: by its owner, who copied all elsewhere, or for good.
                if (closed || now.region() == view().region()) {
                    throw new IllegalStateException("the index is closed", e);
                }
            } catch (InternalError e) {
                throw new IndexException(now.region().name, "its memory was taken away: " + e.getMessage());
            }
        }
    }

    /** What the file system says of itself. */
    public Volume volume() throws IOException {
        return read(now -> now.region().volume());
    }

    /** The inode number at a path, or -1. */
    public long find(CharSequence path) throws IOException {
        while (true) {
            View now = view();
            Region region = now.region();
            long sequence;
            try {
                sequence = region.sequence();
                int inode = walk(now.tables(), path);
                long number = inode < 0 ? -1 : now.tables().number(inode);
                if (region.unchanged(sequence)) {
                    return number;
                }
            } catch (IndexOutOfBoundsException | IllegalStateException | InternalError e) {
                // Torn, damaged or closed: the slow way tells which.
                return read(view -> {
                    int inode = walk(view.tables(), path);
                    return inode < 0 ? -1L : view.tables().number(inode);
                });
            }
        }
    }

    /** What is at a path; the same exceptions as {@link io.aisio.xal.Xal#lookup}. */
    public Entry lookup(String path) throws IOException {
        return read(now -> new Entry(clean(path), now.tables().inode(locate(now, path))));
    }

    /** The row of what is at a path and was read. */
    private static int locate(View now, String path) throws IOException {
        if (!path.startsWith("/")) {
            throw new NoSuchFileException(path, null, "a path in a file system begins with /");
        }
        int inode = walk(now.tables(), path);
        if (inode == ABSENT) {
            throw new NoSuchFileException(clean(path.substring(0, SCRATCH.get().end)));
        }
        if (inode == NOT_DIRECTORY) {
            throw new NotDirectoryException(clean(path.substring(0, SCRATCH.get().end)));
        }
        if (now.tables().mode(inode) == 0) {
            throw new IndexException(
                    now.region().name,
                    clean(path) + " names inode " + now.tables().number(inode) + ", which could not be read");
        }
        return inode;
    }

    private static int walk(Tables tables, CharSequence path) {
        int inode = tables.checkInode(tables.header(Layout.ROOT));
        int length = path.length();
        Scratch scratch = SCRATCH.get();
        scratch.end = 0;
        if (length == 0 || path.charAt(0) != '/') {
            return ABSENT;
        }
        if (!tables.isDirectory(inode)) {
            throw new IndexOutOfBoundsException("the root is no directory, its mode is " + tables.mode(inode));
        }
        for (int at = 0; at < length; ) {
            if (path.charAt(at) == '/') {
                at++;
                continue;
            }
            int end = at;
            while (end < length && path.charAt(end) != '/') {
                end++;
            }
            if (!tables.isDirectory(inode)) {
                return tables.mode(inode) == 0 ? inode : NOT_DIRECTORY;
            }
            int bytes = encode(path, at, end, scratch.name);
            int entry = bytes < 0
                    ? Tables.NONE
                    : tables.findEntry(tables.checkDirectory(tables.inodeName(inode)), scratch.name, bytes);
            scratch.end = end;
            if (entry == Tables.NONE) {
                return ABSENT;
            }
            inode = tables.checkInode(tables.entryInode(entry));
            at = end;
        }
        return inode;
    }

    /** The bytes of a name; -1 if they are more than a name may have. */
    private static int encode(CharSequence path, int from, int to, byte[] target) {
        if (to - from > 255) {
            return -1;
        }
        for (int i = from; i < to; i++) {
            char c = path.charAt(i);
            if (c >= 0x80) {
                byte[] bytes = FileName.encode(path.subSequence(from, to));
                if (bytes.length > 255) {
                    return -1;
                }
                System.arraycopy(bytes, 0, target, 0, bytes.length);
                return bytes.length;
            }
            target[i - from] = (byte) c;
        }
        return to - from;
    }

    /** The path as {@link Entry} has it: one slash between parts, none behind the last. */
    private static String clean(String path) {
        if (!path.contains("//") && (path.length() == 1 || !path.endsWith("/"))) {
            return path;
        }
        StringBuilder clean = new StringBuilder();
        for (String part : path.split("/", -1)) {
            if (!part.isEmpty()) {
                clean.append('/').append(part);
            }
        }
        return clean.isEmpty() ? "/" : clean.toString();
    }

    /** A file's extents; the same exceptions as {@link #lookup}. */
    public FileExtents extents(String path) throws IOException {
        return read(now -> extents(now, locate(now, path)));
    }

    /**
     * The extents of an inode number.
     *
     * @throws NoSuchFileException if it is not known
     */
    public FileExtents extents(long number) throws IOException {
        return read(now -> {
            int inode = now.tables().findInode(number);
            if (inode == Tables.NONE || now.tables().mode(inode) == 0) {
                throw new NoSuchFileException("inode " + number);
            }
            return extents(now, inode);
        });
    }

    private static FileExtents extents(View now, int inode) {
        Tables tables = now.tables();
        List<Extent> extents = new ArrayList<>();
        tables.extents(tables.firstExtent(inode), tables.header(Layout.BLOCK_BYTES), extents);
        return new FileExtents(tables.inode(inode), List.copyOf(extents), tables.stamp(inode), tables.version(inode));
    }

    /** Whether a file still is as it was read, as far as the index knows; false if it does not know. */
    public boolean isCurrent(FileExtents file) throws IOException {
        if (isOwnerGone()) {
            return false;
        }
        return read(now -> {
            int inode = now.tables().findInode(file.inode().number());
            return now.region().state() == Region.CURRENT
                    && inode != Tables.NONE
                    && now.tables().mode(inode) != 0
                    && file.version() != Tables.STALE
                    && now.tables().version(inode) == file.version();
        });
    }

    /** Whether the owner was gone a moment ago: not asked each time. */
    private boolean isOwnerGone() throws IOException {
        return ownerGone || ((asked == 0 || System.nanoTime() - asked > ASK_NANOS) && hasLostOwner());
    }

    /** What a directory holds, in no order. */
    public List<Listed> list(long directory) throws IOException {
        return read(now -> list(now.tables(), directory));
    }

    private static List<Listed> list(Tables tables, long number) throws IOException {
        int inode = tables.findInode(number);
        if (inode == Tables.NONE || !tables.isDirectory(inode)) {
            throw new NotDirectoryException("inode " + number);
        }
        List<Listed> children = new ArrayList<>();
        byte[] name = new byte[NameHash.ROOM];
        int entry = tables.firstChild(tables.checkDirectory(tables.inodeName(inode)));
        // Brent: an entry is remembered at each power of two, so that a circle is seen within twice its length.
        int remembered = Tables.NONE;
        for (int steps = 1; entry != Tables.NONE; steps++) {
            tables.checkEntry(entry);
            if (entry == remembered) {
                throw new IndexOutOfBoundsException("the entries of directory inode " + number + " go in a circle");
            }
            if (Integer.bitCount(steps) == 1) {
                remembered = entry;
            }
            int child = tables.entryInode(entry);
            if (child != Store.REMOVED) {
                children.add(child(tables, entry, tables.checkInode(child), name));
            }
            entry = tables.next(entry);
        }
        return children;
    }

    private static Listed child(Tables tables, int entry, int inode, byte[] name) {
        int bytes = tables.name(tables.entryName(entry), name);
        boolean other = tables.isDirectory(inode)
                && tables.directoryName(tables.checkDirectory(tables.inodeName(inode))) != entry;
        return new Listed(
                FileName.decode(Arrays.copyOf(name, bytes)),
                tables.number(inode),
                tables.mode(inode) == 0 ? null : tables.inode(inode),
                other);
    }

    /** The path of a child of a directory. */
    public static String path(String directory, Listed child) {
        return Backend.path(directory, child.name());
    }

    /** Whether something is a directory that is to be entered. */
    public static boolean enters(Listed child) {
        return child.inode() != null && child.inode().type() == FileType.DIRECTORY && !child.isOtherName();
    }

    /** What could not be read, in words; the last line tells how many more there were than are kept. */
    public List<String> problems() throws IOException {
        return read(now -> {
            Tables tables = now.tables();
            List<String> problems = new ArrayList<>();
            int used = tables.header(Layout.PROBLEM_BYTES);
            for (int at = 0; at < used && at < Layout.PROBLEM_ROOM - 2; ) {
                byte[] problem = tables.problem(at);
                problems.add(new String(problem, StandardCharsets.UTF_8));
                at += Short.BYTES + problem.length;
            }
            int more = tables.header(Layout.PROBLEMS) - problems.size();
            if (more > 0) {
                problems.add("and " + more + " more");
            }
            return problems;
        });
    }

    /** A count of the header. */
    private long count(long field) throws IOException {
        return read(now -> now.tables().header(field) & 0xFFFF_FFFFL);
    }

    /** Inodes that are not directories. */
    public long files() throws IOException {
        return count(Layout.LIVE_FILES);
    }

    /** Directories. */
    public long directories() throws IOException {
        return count(Layout.LIVE_DIRECTORIES);
    }

    /** Extents, in rows. */
    public long extentRows() throws IOException {
        return count(Layout.LIVE_EXTENTS);
    }

    /** Bytes of memory in use. */
    public long bytes() throws IOException {
        return writer != null ? writer.bytes() : view().region().allocated();
    }

    /** Whether somebody keeps the index, and it is as the file system is; the reason if not. */
    public @Nullable String staleness() throws IOException {
        if (hasLostOwner()) {
            return "its owner, process " + view().region().owner() + ", is gone";
        }
        String reason = read(view -> {
            if (view.region().state() == Region.CURRENT && view.tables().header(Layout.DIRTY_DIRECTORIES) == 0) {
                return "";
            }
            String told = view.region().reason();
            return told.isEmpty() ? "its owner does not say that it is current" : told;
        });
        return reason.isEmpty() ? null : reason;
    }

    /** Whether its owner closed it or died; nobody can become the owner of the same memory. */
    public boolean hasLostOwner() throws IOException {
        while (!ownerGone) {
            Region region = view().region();
            try {
                boolean gone = region.isOwnerGone();
                asked = System.nanoTime();
                if (!gone) {
                    return false;
                }
                // A region that was copied elsewhere is closed too.
                ownerGone = region == view().region();
            } catch (IllegalStateException e) {
                if (closed || region == view().region()) {
                    throw new IllegalStateException("the index is closed", e);
                }
            }
        }
        return true;
    }

    /**
     * The file of the memory, only to be read, for another process to {@linkplain #attach(String, Index.Memory) attach} to.
     *
     * @throws IllegalStateException if the memory is private
     * @throws IOException if the kernel refuses
     */
    public OpenFile openMemory() throws IOException {
        while (true) {
            Region region = view().region();
            try {
                return region.openToRead();
            } catch (IllegalStateException e) {
                // Copied elsewhere meanwhile, or private, or closed.
                if (closed || region == view().region()) {
                    throw e;
                }
            }
        }
    }

    /** Unmaps another process's index. Closing again does nothing; the writer's memory is the writer's. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            View now = view;
            if (writer == null && now != null) {
                now.region().close();
            }
        }
    }
}
