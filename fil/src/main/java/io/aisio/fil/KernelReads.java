package io.aisio.fil;

import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.OpenFile.DirectAlignment;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Reads of one file of the kernel's in flight: by io_uring, or where there is none by calls that are done when they were
 * submitted. Its logical blocks are the file's units of {@link #unit()} bytes; the last may be a part of one, and then as
 * many bytes are read as the file had when it was opened.
 *
 * <p>Unlike a device that is a file it claims nothing, and reads to the file's last byte. {@link DirectFile} sees to it that
 * one thread uses it.
 */
final class KernelReads implements Queue {
    /** One command reads at most this, in bytes: large enough that its cost does not show. */
    static final int MAX_TRANSFER = 1 << 20;

    /** How long a read is started again that the kernel could not begin just now, and the pause before that. */
    private static final long PATIENCE_NANOS = 10_000_000_000L;

    private static final long PAUSE_NANOS = 50_000;

    private final OpenFile file;
    private final FileStatus opened;
    private final boolean direct;
    private final DirectAlignment alignment;
    private final @Nullable IoUring ring;
    private final List<String> notes;

    /** The buffers that the ring has, by their index there. */
    private Buffer[] registered = {};

    // Of each slot: what it reads, into which memory, and how far it is.
    private final @Nullable MemorySegment[] memory;
    private final int[] buffers;
    private final long[] positions;
    private final int[] moved;
    /** When a read was first not begun, by nanoTime; 0 if it was. */
    private final long[] delayed;

    private final boolean[] inFlight;
    private final @Nullable IOException[] failures;

    /** Slots that ended without the ring: a ring of their own. */
    private final int[] done;

    private int firstDone;
    private int doneCount;
    private boolean closed;

    private KernelReads(
            OpenFile file,
            FileStatus opened,
            @Nullable DirectAlignment alignment,
            @Nullable IoUring ring,
            List<String> notes,
            int depth) {
        this.file = file;
        this.opened = opened;
        this.direct = alignment != null;
        this.alignment = alignment == null ? new DirectAlignment(1, 1) : alignment;
        this.ring = ring;
        this.notes = notes;
        memory = new MemorySegment[depth];
        buffers = new int[depth];
        positions = new long[depth];
        moved = new int[depth];
        delayed = new long[depth];
        inFlight = new boolean[depth];
        failures = new IOException[depth];
        done = new int[depth];
    }

    /**
     * Opens a file.
     *
     * @param byRing whether io_uring is used where there is one
     * @throws IllegalArgumentException if it is no regular file, or one of another file system than the kernel's
     * @throws IOException if the kernel refuses
     */
    static KernelReads open(Path path, DirectFile.Cache cache, int depth, boolean byRing) throws IOException {
        if (!path.getFileSystem().equals(FileSystems.getDefault())) {
            throw new IllegalArgumentException(
                    "%s is no path of the kernel's; a file of a device is opened with its device".formatted(path));
        }
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            // Asked before it is opened: a pipe would wait for who writes to it.
            throw new IllegalArgumentException(path + " is no regular file");
        }
        OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY);
        try {
            FileStatus status = file.status();
            if (!status.isRegular()) {
                throw new IllegalArgumentException(path + " is no regular file");
            }
            List<String> notes = new ArrayList<>();
            DirectAlignment alignment = null;
            if (cache != DirectFile.Cache.THROUGH) {
                try {
                    DirectAlignment needed = alignment(file);
                    OpenFile past = openDirect(file, needed);
                    file.close();
                    file = past;
                    alignment = needed;
                } catch (IOException e) {
                    if (cache == DirectFile.Cache.PAST) {
                        throw e;
                    }
                    notes.add("not direct: " + e.getMessage());
                }
            }
            return new KernelReads(file, status, alignment, byRing ? openRing(file, depth, notes) : null, notes, depth);
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Opens the file past the page cache, and reads its first block: some file systems only then say that they cannot. */
    private static OpenFile openDirect(OpenFile file, DirectAlignment alignment) throws IOException {
        OpenFile past = file.again(true);
        try (Mapping block = Mapping.anonymous(alignment.positionBytes())) {
            past.read(block.segment().asSlice(0, alignment.positionBytes()), 0);
            return past;
        } catch (LinuxException e) {
            if (e.errno() != Errno.EINVAL && e.errno() != Errno.EOPNOTSUPP) {
                // What the device says of its first block is for whoever reads it.
                return past;
            }
            past.close();
            throw e;
        }
    }

    /** What it takes to go past the page cache; where the kernel does not tell, a page is always enough. */
    private static DirectAlignment alignment(OpenFile file) throws IOException {
        DirectAlignment alignment = file.directAlignment();
        if (alignment == null) {
            return new DirectAlignment(Mapping.PAGE_SIZE, Mapping.PAGE_SIZE);
        }
        int unit = alignment.positionBytes();
        if (unit == 0) {
            throw new IOException(file.path() + ": the file system reads nothing past the page cache");
        }
        if (unit > MAX_TRANSFER || Integer.bitCount(unit) != 1 || alignment.memoryBytes() > Mapping.PAGE_SIZE) {
            throw new IOException("%s: what goes past the page cache is to be aligned to %d bytes, in memory to %d"
                    .formatted(file.path(), unit, alignment.memoryBytes()));
        }
        return alignment;
    }

    private static @Nullable IoUring openRing(OpenFile file, int depth, List<String> notes) {
        try {
            return IoUring.open(file, depth);
        } catch (LinuxException e) {
            notes.add("no io_uring: " + IoUring.refusal(e.errno()));
            return null;
        }
    }

    /** Has the ring keep the pages of these buffers at hand, if it can; {@link #path()} says why if not. */
    void register(Buffer... wanted) {
        if (ring == null) {
            return;
        }
        try {
            ring.reserveBuffers(wanted.length);
            for (int i = 0; i < wanted.length; i++) {
                ring.registerBuffer(i, wanted[i].segment());
            }
            registered = wanted.clone();
        } catch (LinuxException e) {
            notes.add("buffers not registered: " + e.getMessage());
        }
    }

    /** Which way data takes, for people. */
    String path() {
        String path = "kernel, " + (ring == null ? "pread" : "io_uring") + (direct ? ", direct" : ", page cache");
        return notes.isEmpty() ? path : path + " (" + String.join("; ", notes) + ")";
    }

    /** What positions and lengths are multiples of, in bytes: 1 through the page cache. */
    int unit() {
        return alignment.positionBytes();
    }

    /** What addresses of memory are multiples of. */
    int memoryAlignment() {
        return Math.max(1, alignment.memoryBytes());
    }

    /** The file's size in bytes when it was opened. */
    long size() {
        return opened.size();
    }

    /**
     * Refuses if somebody changed the file since it was opened.
     *
     * @throws IOException that says how
     */
    void requireUnchanged() throws IOException {
        FileStatus now = file.status();
        if (now.size() != opened.size() || !now.modified().equals(opened.modified())) {
            throw new IOException("%s was changed since it was opened: from %d bytes of %s to %d of %s; open it again"
                    .formatted(file.path(), opened.size(), opened.modified(), now.size(), now.modified()));
        }
    }

    @Override
    public int depth() {
        return done.length;
    }

    @Override
    public int outstanding() {
        return doneCount + (ring == null ? 0 : ring.outstanding());
    }

    @Override
    public void bindRead(int slot, Buffer buffer, long offset, int bytes) {
        requireOpen();
        if (inFlight[slot]) {
            throw new IllegalStateException(file.path() + ": slot " + slot + " is in flight");
        }
        if (!buffer.segment().scope().isAlive()) {
            // The kernel would write to what is at the address now.
            throw new IllegalStateException(file.path() + ": the buffer is closed");
        }
        memory[slot] = buffer.segment().asSlice(offset, bytes);
        buffers[slot] = IoUring.NO_BUFFER;
        for (int i = 0; i < registered.length; i++) {
            if (registered[i] == buffer) {
                buffers[slot] = i;
            }
        }
    }

    @Override
    public void bindWrite(int slot, Buffer buffer, long offset, int bytes) {
        throw new UnsupportedOperationException(file.path() + " is only read here");
    }

    @Override
    public void submit(int[] slots, long[] lbas, int n) throws IOException {
        requireOpen();
        for (int i = 0; i < n; i++) {
            int slot = slots[i];
            inFlight[slot] = true;
            failures[slot] = null;
            positions[slot] = lbas[i] * unit();
            moved[slot] = 0;
            delayed[slot] = 0;
            if (ring == null) {
                call(slot);
            } else {
                start(ring, slot);
            }
        }
        if (ring != null) {
            tellKernel(ring);
        }
    }

    private void call(int slot) {
        try {
            ended(slot, file.read(bound(slot), positions[slot]));
        } catch (LinuxException e) {
            failures[slot] = e;
        }
        done(slot);
    }

    private MemorySegment bound(int slot) {
        MemorySegment bound = memory[slot];
        if (bound == null) {
            throw new IllegalStateException(file.path() + ": slot " + slot + " has no read bound");
        }
        return bound;
    }

    /** Starts what is left of a slot's read. */
    private void start(IoUring ring, int slot) {
        ring.bindRead(slot, bound(slot).asSlice(moved[slot]), buffers[slot]);
        ring.start(slot, positions[slot] + moved[slot]);
    }

    private void tellKernel(IoUring ring) {
        try {
            ring.submit();
        } catch (LinuxException e) {
            // What it has may still end; what it does not have has failed.
            for (int slot = ring.takeBack(); slot >= 0; slot = ring.takeBack()) {
                failures[slot] = e;
                done(slot);
            }
        }
    }

    private void done(int slot) {
        done[(firstDone + doneCount++) % done.length] = slot;
    }

    /** Whether all was read that the file has there; if not, why is noted. */
    private void ended(int slot, long bytes) {
        long wanted = Math.min(bound(slot).byteSize(), opened.size() - positions[slot]);
        if (bytes < wanted) {
            failures[slot] = new IOException("%s ends at byte %d, though it had %d bytes when it was opened"
                    .formatted(file.path(), positions[slot] + bytes, opened.size()));
        }
    }

    @Override
    public int poll(int[] completed) {
        requireOpen();
        int n = takeDone(completed, 0);
        if (ring == null) {
            return n;
        }
        try {
            boolean again = false;
            boolean pause = false;
            while (n < completed.length && ring.next()) {
                int slot = ring.slot();
                if (isLater(ring.result()) && isPatient(slot)) {
                    start(ring, slot);
                    again = true;
                    pause = true;
                } else if (goesOn(ring, slot, ring.result())) {
                    again = true;
                } else {
                    completed[n++] = end(slot);
                }
            }
            if (pause) {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
            if (again) {
                tellKernel(ring);
                n = takeDone(completed, n);
            }
        } catch (LinuxException e) {
            if (n == 0) {
                throw new UncheckedIOException(e);
            }
            // It lasts: the next poll has nothing to tell but this.
        }
        return n;
    }

    /** Hands back what ended without the ring, behind the first {@code from}; how many there are then. */
    private int takeDone(int[] completed, int from) {
        int n = from;
        while (n < completed.length && doneCount > 0) {
            completed[n++] = end(done[firstDone]);
            firstDone = (firstDone + 1) % done.length;
            doneCount--;
        }
        return n;
    }

    private int end(int slot) {
        inFlight[slot] = false;
        return failures[slot] == null ? slot : ~slot;
    }

    private static boolean isLater(int result) {
        return result == -Errno.EAGAIN || result == -Errno.EINTR || result == -Errno.ECANCELED;
    }

    private boolean isPatient(int slot) {
        long now = System.nanoTime();
        if (delayed[slot] == 0) {
            delayed[slot] = now | 1;
        }
        return now - delayed[slot] < PATIENCE_NANOS;
    }

    /** Starts the rest of what the kernel read a part of; if it is over, how is noted. */
    private boolean goesOn(IoUring ring, int slot, int result) {
        if (result < 0) {
            failures[slot] = new LinuxException("read", file.path().toString(), -result);
            return false;
        }
        moved[slot] += result;
        long wanted = Math.min(bound(slot).byteSize(), opened.size() - positions[slot]);
        if (result > 0 && moved[slot] < wanted && moved[slot] % unit() == 0) {
            delayed[slot] = 0;
            start(ring, slot);
            return true;
        }
        ended(slot, moved[slot]);
        return false;
    }

    @Override
    public boolean sleeps() {
        return ring != null;
    }

    @Override
    public int await(int[] completed) throws IOException {
        try {
            int n = poll(completed);
            while (n == 0 && ring != null && ring.outstanding() > 0) {
                ring.await(1);
                n = poll(completed);
            }
            return n;
        } catch (UncheckedIOException e) {
            // A look cannot throw what a wait may.
            throw e.getCause();
        }
    }

    @Override
    public IOException failure(int slot) {
        IOException failure = failures[slot];
        if (failure == null) {
            throw new IllegalStateException(file.path() + ": slot " + slot + " has not failed");
        }
        return failure;
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(file.path() + " is closed");
        }
    }

    /** Waits for what the kernel has, and closes the file. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            if (ring != null) {
                ring.close();
            }
        } finally {
            file.close();
        }
    }
}
