package io.aisio.xal.index;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.xal.IndexException;
import io.aisio.xal.Volume;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The memory of an index: private, or a file in {@code /dev/shm} of which the owner holds the lock. It knows the header,
 * the sequence and who lives; what the columns mean others know.
 */
final class Region implements AutoCloseable {
    static final int BUILDING = 0;
    static final int CURRENT = 1;
    static final int DIRTY = 2;
    static final int SUPERSEDED = 3;
    static final int CLOSED = 4;
    /** A change ended halfway. */
    static final int BROKEN = 5;

    /** A reader waits so long for one change to end: more than rebuilding a hash of 100 million names takes. */
    static final long PATIENCE_NANOS = 30_000_000_000L;

    /** A reader asks so seldom whether the owner lives, while it waits: a change takes microseconds. */
    private static final long ASK_NANOS = 10_000_000L;

    /** How often a lock is tried again that a reader may have held for a moment. */
    private static final int LOCK_TRIES = 20;

    /** Space in /dev/shm is taken in pieces of at least this. */
    private static final long LEAST_GROWTH = 64 << 10;

    private static final VarHandle SEQUENCE = JAVA_LONG.varHandle();
    private static final VarHandle INT = JAVA_INT.varHandle();

    final String name;
    final Layout layout;
    final MemorySegment memory;
    private final Mapping mapping;
    private final @Nullable OpenFile file;
    private final boolean owner;
    private volatile boolean closed;
    /** How long a reader waits for one change to end, in nanoseconds. */
    long patience = PATIENCE_NANOS;

    private Region(String name, Layout layout, Mapping mapping, @Nullable OpenFile file, boolean owner) {
        this.name = name;
        this.layout = layout;
        this.mapping = mapping;
        this.memory = mapping.segment();
        this.file = file;
        this.owner = owner;
    }

    /** Private memory. */
    static Region create(Layout layout) throws IOException {
        Region region = new Region("index", layout, Mapping.reserve(layout.bytes), null, true);
        region.writeHeader();
        return region;
    }

    /** A file, made new and locked; one whose owner is dead is removed first. */
    static Region create(Path path, Layout layout) throws IOException {
        OpenFile file = createLocked(path);
        try {
            file.resize(layout.bytes);
            file.allocate(0, Layout.HEADER_BYTES + Layout.PROBLEM_ROOM);
            Region region = new Region(path.toString(), layout, Mapping.of(file, layout.bytes), file, true);
            region.writeHeader();
            return region;
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(path);
            file.close();
            throw e;
        }
    }

    private static OpenFile createLocked(Path path) throws IOException {
        for (int tries = 0; ; tries++) {
            try {
                OpenFile file = OpenFile.create(path, 0600);
                if (claim(file)) {
                    return file;
                }
                file.close();
            } catch (LinuxException e) {
                if (e.errno() != Errno.EEXIST || tries == LOCK_TRIES) {
                    throw e;
                }
                sweep(path);
            }
        }
    }

    /** Removes the file of an owner that is dead. */
    private static void sweep(Path path) throws IOException {
        OpenFile old;
        try {
            old = OpenFile.openItself(path, OpenFile.Access.READ_WRITE);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                return;
            }
            throw e;
        }
        try (old) {
            FileStatus status = old.status();
            if (!status.isRegular() || status.owner() != FileStatus.effectiveUser()) {
                throw new IndexException(path.toString(), "it is user " + status.owner() + "'s, and no index of ours");
            }
            if (!claim(old)) {
                throw new IndexException(path.toString(), "it is in use by process " + owner(old));
            }
            if (old.status().links() != 0) {
                Files.deleteIfExists(path);
            }
        }
    }

    /** Whether the lock was to be had; a reader that asks for the owner has it for a moment. */
    private static boolean claim(OpenFile file) throws IOException {
        for (int tries = 0; tries < LOCK_TRIES; tries++) {
            try {
                file.claim();
                return true;
            } catch (LinuxException e) {
                if (e.errno() != Errno.EAGAIN) {
                    throw e;
                }
                LockSupport.parkNanos(1_000_000);
            }
        }
        return false;
    }

    private static String owner(OpenFile file) throws IOException {
        try (Mapping header = Mapping.anonymous(Layout.HEADER_BYTES)) {
            long read = file.read(header.segment(), 0);
            return read < Layout.HEADER_BYTES
                    ? "unknown"
                    : "" + header.segment().get(JAVA_INT, Layout.OWNER);
        }
    }

    /** Another process's, to read. */
    static Region attach(Path path) throws IOException {
        OpenFile file = OpenFile.openItself(path, OpenFile.Access.READ_ONLY);
        try {
            FileStatus status = file.status();
            if (status.isRegular() && status.owner() != FileStatus.effectiveUser() && status.owner() != 0) {
                throw new IndexException(
                        path.toString(), "it is user " + status.owner() + "'s, and neither yours nor root's");
            }
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
        return attach(path.toString(), file);
    }

    /** Another process's, to read, of which the file is open; it is closed with this, or if this fails. */
    static Region attach(String name, OpenFile file) throws IOException {
        try {
            FileStatus status = file.status();
            if (!status.isRegular()) {
                throw new IndexException(name, "it is no file");
            }
            return new Region(name, check(name, file, status.size()), map(file, status), file, false);
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Its file once more, only to be read, whatever name it has meanwhile. */
    OpenFile openToRead() throws IOException {
        if (file == null) {
            throw new IllegalStateException("the index is private: no other process can map it");
        }
        return file.againToRead();
    }

    private static Mapping map(OpenFile file, FileStatus status) throws IOException {
        return Mapping.of(file, status.size() & -Mapping.PAGE_SIZE);
    }

    private static Layout check(String name, OpenFile file, long size) throws IOException {
        if (size < Layout.HEADER_BYTES) {
            throw new IndexException(name, "it has " + size + " bytes, fewer than a header");
        }
        try (Mapping copy = Mapping.anonymous(Layout.HEADER_BYTES)) {
            MemorySegment header = copy.segment();
            if (file.read(header, 0) != Layout.HEADER_BYTES) {
                throw new IndexException(name, "its header cannot be read");
            }
            if (header.get(JAVA_LONG, Layout.MAGIC) != Layout.MAGIC_VALUE) {
                throw new IndexException(
                        name,
                        "it is no index, or not yet: magic 0x" + Long.toHexString(header.get(JAVA_LONG, Layout.MAGIC)));
            }
            if (header.get(JAVA_INT, Layout.VERSION) != Layout.VERSION_VALUE) {
                throw new IndexException(
                        name,
                        "its layout is version " + header.get(JAVA_INT, Layout.VERSION) + ", known is "
                                + Layout.VERSION_VALUE);
            }
            int inodes = header.get(JAVA_INT, Layout.INODE_ROOM);
            int directories = header.get(JAVA_INT, Layout.DIRECTORY_ROOM);
            int entries = header.get(JAVA_INT, Layout.ENTRY_ROOM);
            int extents = header.get(JAVA_INT, Layout.EXTENT_ROOM);
            long names = header.get(JAVA_LONG, Layout.NAME_ROOM);
            for (int rows : new int[] {inodes, directories, entries, extents}) {
                if (rows < 1 || rows > Layout.MAX_ROWS) {
                    throw new IndexException(name, "a column has room for " + rows + " rows");
                }
            }
            int block = header.get(JAVA_INT, Layout.BLOCK_BYTES);
            if (names < 1 || names > Layout.MAX_NAMES || block < 1) {
                throw new IndexException(name, "room for " + names + " bytes of names, blocks of " + block + " bytes");
            }
            Layout layout = new Layout(inodes, directories, entries, extents, names);
            if (layout.bytes > size) {
                throw new IndexException(name, "it has " + size + " bytes, its columns take " + layout.bytes);
            }
            return layout;
        }
    }

    private void writeHeader() {
        memory.set(JAVA_INT, Layout.VERSION, Layout.VERSION_VALUE);
        memory.set(JAVA_INT, Layout.OWNER, (int) ProcessHandle.current().pid());
        memory.set(JAVA_INT, Layout.INODE_ROOM, layout.inodeRoom);
        memory.set(JAVA_INT, Layout.DIRECTORY_ROOM, layout.directoryRoom);
        memory.set(JAVA_INT, Layout.ENTRY_ROOM, layout.entryRoom);
        memory.set(JAVA_INT, Layout.EXTENT_ROOM, layout.extentRoom);
        memory.set(JAVA_LONG, Layout.NAME_ROOM, layout.nameRoom);
    }

    /** Tells what is indexed; from then on the header is whole. */
    void describe(Volume volume) {
        memory.set(JAVA_INT, Layout.BLOCK_BYTES, volume.blockBytes());
        ByteBuffer out = memory.asSlice(Layout.VOLUME, Layout.VOLUME_ROOM).asByteBuffer();
        out.putLong(volume.blocks()).putLong(volume.freeBlocks()).putLong(volume.inodes());
        for (String text : List.of(
                volume.type(), volume.how(), volume.uuid(), volume.label(), String.join(",", volume.features()))) {
            put(out, text, 255);
        }
        put(out, volume.source(), 1500);
        SEQUENCE.setRelease(memory, Layout.MAGIC, Layout.MAGIC_VALUE);
    }

    private static void put(ByteBuffer out, String text, int room) {
        byte[] bytes = text.getBytes(UTF_8);
        int length = Math.min(bytes.length, room);
        out.putShort((short) length).put(bytes, 0, length);
    }

    Volume volume() throws IndexException {
        ByteBuffer in =
                memory.asSlice(Layout.VOLUME, Layout.VOLUME_ROOM).asReadOnly().asByteBuffer();
        long blocks = in.getLong();
        long freeBlocks = in.getLong();
        long inodes = in.getLong();
        String type = text(in);
        String how = text(in);
        String uuid = text(in);
        String label = text(in);
        String features = text(in);
        return new Volume(
                type,
                text(in),
                how,
                uuid,
                label,
                memory.get(JAVA_INT, Layout.BLOCK_BYTES),
                blocks,
                freeBlocks,
                inodes,
                features.isEmpty() ? List.of() : List.of(features.split(",", -1)));
    }

    private String text(ByteBuffer in) throws IndexException {
        int length = in.getShort();
        if (length < 0 || length > in.remaining() - 2 * Short.BYTES) {
            throw new IndexException(name, "a text of " + length + " bytes in its header");
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        return new String(bytes, UTF_8);
    }

    /**
     * Takes space for a column.
     *
     * @param from how much it has, in bytes from {@code column}
     * @param wanted how much it must have
     * @param most how much it may have
     * @return how much it has now
     * @throws IOException if there is no space left
     */
    long grow(long column, long from, long wanted, long most) throws IOException {
        if (file == null) {
            return Math.min(most, Math.ceilDiv(wanted, Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE);
        }
        long to = Math.min(most, Math.max(wanted, from + Math.max(LEAST_GROWTH, from >> 4)));
        file.allocate(column + from, to - from);
        return to;
    }

    /**
     * Says that a range will be used soon, all of it. Of private memory the kernel then gives huge pages, the last also
     * if no more than half of it is: to give page by page takes it as long as all else.
     */
    void expect(long offset, long bytes) {
        if (file == null) {
            long more = Math.min(Mapping.HUGE_PAGE_SIZE / 2, memory.byteSize() - offset - bytes);
            boolean _ = mapping.preferHugePages(offset, bytes + Math.max(0, more));
        }
    }

    /** Makes a range zero, and gives its pages back. */
    void zero(long offset, long bytes) throws IOException {
        if (file != null) {
            file.zero(offset, bytes);
        } else if (bytes > 0) {
            mapping.zero(offset, bytes);
        }
    }

    /** Begins a change. What readers read from here to {@link #end} they read again. */
    void begin() {
        // Odd, also if a change before ended halfway and it is still.
        SEQUENCE.setVolatile(memory, Layout.SEQUENCE, memory.get(JAVA_LONG, Layout.SEQUENCE) | 1);
        // Partner: the acquire fence in unchanged().
        VarHandle.storeStoreFence();
    }

    /** Ends it. */
    void end() {
        // Partner: getAcquire in sequence().
        SEQUENCE.setRelease(memory, Layout.SEQUENCE, memory.get(JAVA_LONG, Layout.SEQUENCE) + 1);
    }

    /** The sequence before reading: even. */
    long sequence() throws IndexException {
        long sequence = (long) SEQUENCE.getAcquire(memory, Layout.SEQUENCE);
        return (sequence & 1) == 0 ? sequence : awaitChange();
    }

    private long awaitChange() throws IndexException {
        long begun = System.nanoTime();
        long asked = begun;
        for (int spins = 0; ; spins++) {
            long sequence = (long) SEQUENCE.getAcquire(memory, Layout.SEQUENCE);
            if ((sequence & 1) == 0) {
                return sequence;
            }
            if (state() == BROKEN) {
                throw new IndexException(name, "a change of it ended halfway; it must be built anew");
            }
            if (spins < 1000) {
                Thread.onSpinWait();
                continue;
            }
            LockSupport.parkNanos(50_000);
            long now = System.nanoTime();
            if (now - asked > ASK_NANOS) {
                asked = now;
                if (isOwnerGone()) {
                    throw new IndexException(name, "its owner, process " + owner() + ", died while it changed it");
                }
            }
            if (now - begun > patience) {
                throw new IndexException(name, "its owner, process " + owner() + ", has been changing it for too long");
            }
        }
    }

    /** Whether what was read since {@link #sequence} was not changed meanwhile. */
    boolean unchanged(long sequence) {
        // Partner: the fence in begin().
        VarHandle.acquireFence();
        return (long) SEQUENCE.getAcquire(memory, Layout.SEQUENCE) == sequence;
    }

    int state() {
        return (int) INT.getAcquire(memory, Layout.STATE);
    }

    void state(int state) {
        INT.setRelease(memory, Layout.STATE, state);
    }

    int owner() {
        return memory.get(JAVA_INT, Layout.OWNER);
    }

    String reason() {
        int length = Math.clamp(memory.get(JAVA_INT, Layout.REASON), 0, Layout.REASON_ROOM);
        return new String(memory.asSlice(Layout.REASON + 4, length).toArray(JAVA_BYTE), UTF_8);
    }

    void reason(String reason) {
        byte[] bytes = reason.getBytes(UTF_8);
        int length = Math.min(bytes.length, Layout.REASON_ROOM);
        MemorySegment.copy(bytes, 0, memory, JAVA_BYTE, Layout.REASON + 4, length);
        memory.set(JAVA_INT, Layout.REASON, length);
    }

    /** Whether nobody keeps it any more. */
    boolean isOwnerGone() throws IndexException {
        if (owner || file == null) {
            return closed;
        }
        if (state() == CLOSED) {
            return true;
        }
        try {
            // One that was superseded was given up after that was written.
            return !file.isClaimed() && state() != SUPERSEDED;
        } catch (LinuxException e) {
            throw new IndexException(name, e.toString());
        }
    }

    boolean isShared() {
        return file != null;
    }

    /** Bytes of a file that are taken. */
    long allocated() throws IOException {
        return file == null ? 0 : file.status().allocated();
    }

    /** Takes the place of another under its name. */
    void replace(Path path) throws IOException {
        if (file != null) {
            Files.move(file.path(), path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** Removes the file, of which this is the owner. */
    void remove(Path path) throws IOException {
        if (owner && file != null) {
            Files.deleteIfExists(path);
        }
    }

    /** Gives the memory back. Closing again does nothing. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            mapping.close();
            if (file != null) {
                file.close();
            }
        }
    }
}
