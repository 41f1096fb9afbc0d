package io.aisio.xnvme;

import io.aisio.linux.Errno;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.OpenFile.DirectAlignment;
import io.aisio.xnvme.Capabilities.Queues;
import io.aisio.xnvme.Capabilities.Trait;
import io.aisio.xnvme.spi.CallQueue;
import io.aisio.xnvme.spi.CallTarget;
import io.aisio.xnvme.spi.ImageFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A file or block device of the kernel's: its queues are rings of io_uring, or calls of {@code pread} and {@code pwrite};
 * data goes past the page cache or through it. Which it is, and why not what would be better, {@link #path()} tells.
 */
final class FileDevice implements Device, UringTarget, CallTarget {
    /** One call to the kernel moves at most this: large enough that its cost does not show. */
    private static final int MAX_TRANSFER = 1 << 20;
    /** A bound for the arrays of a queue of calls; the kernel has none. */
    private static final int MAX_DEPTH = 65535;

    private static final int USUAL_LBA = 512;

    private final String name;
    /** Has the claim. */
    private final OpenFile claimed;
    /**
     * What data goes through: the same file opened once more, as a ring may keep it for a while when it is closed, and the
     * claim with it.
     */
    private final OpenFile file;

    private final FileOptions options;
    private final boolean direct;
    private final boolean uring;
    private final int memoryAlignment;
    private final Geometry geometry;
    private final List<String> notes;
    private final AtomicInteger openQueues = new AtomicInteger();
    private volatile boolean closed;
    private volatile @Nullable String notRegistered;

    private FileDevice(
            OpenFile claimed,
            OpenFile file,
            FileOptions options,
            boolean direct,
            boolean uring,
            int memoryAlignment,
            Geometry geometry,
            List<String> notes) {
        name = options.uri().text();
        this.claimed = claimed;
        this.file = file;
        this.options = options;
        this.direct = direct;
        this.uring = uring;
        this.memoryAlignment = memoryAlignment;
        this.geometry = geometry;
        this.notes = notes;
    }

    static FileDevice open(FileOptions options) throws IOException {
        Path path = Path.of(options.uri().target());
        if (Files.isDirectory(path)) {
            throw new IllegalArgumentException("'" + path + "' is a folder, no device");
        }
        OpenFile claimed = ImageFile.open(path, options.readOnly());
        OpenFile file = null;
        try {
            List<String> notes = new ArrayList<>();
            int lba = lbaBytes(claimed, options);
            long size = claimed.size();
            if (size < lba) {
                throw new IllegalArgumentException(
                        "'%s' holds %d bytes, not even one logical block of %d: give it a size"
                                        .formatted(path, size, lba)
                                + " with 'truncate -s 1G " + path + "'");
            }
            DirectAlignment alignment = new DirectAlignment(1, 1);
            if (options.wantsDirect()) {
                try {
                    alignment = alignment(claimed, lba);
                    file = openDirect(claimed, lba, alignment);
                } catch (IOException e) {
                    if (options.forcesDirect()) {
                        throw e;
                    }
                    alignment = new DirectAlignment(1, 1);
                    notes.add("not direct: " + e.getMessage());
                }
            }
            boolean direct = file != null;
            if (file == null) {
                file = claimed.again(false);
            }
            boolean uring = options.wantsUring() && offersUring(file, options, lba, notes);
            int depth = uring ? IoUring.MAX_SLOTS : MAX_DEPTH;
            FileDevice device = new FileDevice(
                    claimed,
                    file,
                    options,
                    direct,
                    uring,
                    alignment.memoryBytes(),
                    new Geometry(lba, size / lba, MAX_TRANSFER, depth, Integer.MAX_VALUE),
                    List.copyOf(notes));
            if (uring) {
                device.tryRegistering();
            }
            return device;
        } catch (IOException | RuntimeException e) {
            if (file != null) {
                file.close();
            }
            claimed.close();
            throw e;
        }
    }

    private static int lbaBytes(OpenFile file, FileOptions options) throws LinuxException {
        Integer lba = options.lbaBytes();
        if (lba != null) {
            return lba;
        }
        return file.status().isBlockDevice() ? file.logicalBlockBytes() : USUAL_LBA;
    }

    /** What it takes to go past the page cache. */
    private static DirectAlignment alignment(OpenFile file, int lba) throws IOException {
        DirectAlignment alignment = file.directAlignment();
        if (alignment == null) {
            // A kernel or a file system that does not tell: a page is always enough, and the first read shows.
            int block = file.status().isBlockDevice() ? file.logicalBlockBytes() : lba;
            alignment = new DirectAlignment(Mapping.PAGE_SIZE, block);
        }
        if (alignment.positionBytes() == 0) {
            throw new IOException(file.path() + ": the file system reads nothing past the page cache");
        }
        if (lba % alignment.positionBytes() != 0) {
            throw new IOException(
                    "%s: past the page cache only multiples of %d bytes are read, and a logical block has %d;"
                                    .formatted(file.path(), alignment.positionBytes(), lba)
                            + " add lba=" + alignment.positionBytes());
        }
        return alignment;
    }

    /** Opens the file past the page cache, and reads a block: some file systems only then say that they cannot. */
    private static OpenFile openDirect(OpenFile claimed, int lba, DirectAlignment alignment) throws IOException {
        OpenFile file = claimed.again(true);
        try (Mapping memory = Mapping.anonymous(Math.max(lba, alignment.memoryBytes()))) {
            file.read(memory.segment().asSlice(0, lba), 0);
        } catch (LinuxException e) {
            // What the device says of its first block is for whoever reads it.
            if (e.errno() == Errno.EINVAL || e.errno() == Errno.EOPNOTSUPP) {
                file.close();
                throw e;
            }
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
        return file;
    }

    /** Whether queues can be rings. If not, and that was asked for, it is an error. */
    private static boolean offersUring(OpenFile file, FileOptions options, int lba, List<String> notes)
            throws IOException {
        try (IoUring ring = IoUring.open(file, ring(options, 1, false))) {
            if (!options.devicePolled()) {
                return true;
            }
            try {
                requirePolled(ring, file, lba);
                return true;
            } catch (LinuxException e) {
                throw new IOException(
                        options.uri() + ": a first read that is polled fails: " + e.getMessage() + "; leave out iopoll",
                        e);
            }
        } catch (LinuxException e) {
            String why = IoUring.refusal(e.errno());
            if (options.forcesUring()) {
                throw new IOException(
                        options.uri() + ": no io_uring: " + why + "; leave out path=uring, sqpoll and iopoll", e);
            }
            notes.add("no io_uring: " + why);
            return false;
        }
    }

    private static void requirePolled(IoUring ring, OpenFile file, int lba) throws IOException {
        try (Mapping memory = Mapping.anonymous(lba)) {
            ring.read(0, 0, memory.segment().asSlice(0, lba));
            ring.await(1);
            if (ring.next() && (ring.result() == -Errno.EOPNOTSUPP || ring.result() == -Errno.EINVAL)) {
                throw new IOException(file.path() + ": its driver is not polled (" + Errno.name(-ring.result())
                        + "); nvme needs the module parameter poll_queues. Leave out iopoll");
            }
        }
    }

    private static IoUring.Options ring(FileOptions options, int slots, boolean singleIssuer) {
        return new IoUring.Options(slots, singleIssuer, options.devicePolled(), options.submissionPolled(), false);
    }

    /** So that what the path can is known before a queue is opened. */
    private void tryRegistering() throws IOException {
        try (IoUring ring = openRing(1, false);
                Mapping memory = Mapping.anonymous(1)) {
            ring.reserveBuffers(1);
            ring.registerBuffer(0, memory.segment());
        } catch (LinuxException e) {
            notRegistered(e);
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String path() {
        StringBuilder path = new StringBuilder("kernel, ").append(uring ? "io_uring" : "pread and pwrite");
        if (uring && options.submissionPolled()) {
            path.append(", submission polled");
        }
        if (uring && options.devicePolled()) {
            path.append(", device polled");
        }
        path.append(direct ? ", direct" : ", page cache");
        List<String> all = new ArrayList<>(notes);
        if (uring && notRegistered != null) {
            all.add("buffers not registered: " + notRegistered);
        }
        return all.isEmpty() ? path.toString() : path + " (" + String.join("; ", all) + ")";
    }

    @Override
    public Capabilities capabilities() {
        return Capabilities.of(uring ? Queues.IO_URING : Queues.SYSTEM_CALLS, direct ? Trait.DIRECT : Trait.BUFFERED)
                .with(Trait.WRITES, !options.readOnly())
                .with(Trait.ZERO_COPY, direct)
                .with(Trait.SLEEPS, uring && !options.devicePolled())
                .with(Trait.DEVICE_POLLED, uring && options.devicePolled())
                .with(Trait.SUBMISSION_POLLED, uring && options.submissionPolled())
                .with(Trait.REGISTERED_FILE, uring)
                .with(Trait.REGISTERED_BUFFERS, uring && notRegistered == null);
    }

    @Override
    public Geometry geometry() {
        return geometry;
    }

    @Override
    public Buffer allocate(long bytes) throws IOException {
        return HostMemory.buffer(bytes);
    }

    @Override
    public Queue openQueue(int depth) throws IOException {
        if (depth < 1 || depth > geometry.maxQueueDepth()) {
            throw new IllegalArgumentException(
                    name + ": a queue of depth " + depth + "; 1 to " + geometry.maxQueueDepth() + " are possible");
        }
        synchronized (openQueues) {
            if (closed) {
                throw new IllegalStateException(name + " is closed");
            }
            Queue queue = uring ? UringQueue.open(this, depth) : new CallQueue(this, depth);
            openQueues.incrementAndGet();
            return queue;
        }
    }

    @Override
    public void read(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        read(lba, buffer.segment().asSlice(offset, bytes));
    }

    @Override
    public void write(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        write(lba, buffer.segment().asSlice(offset, bytes));
    }

    @Override
    public void read(long lba, MemorySegment target) throws IOException {
        requireRange(lba, target.byteSize());
        long position = lba * geometry.lbaBytes();
        long n = straight(target) ? file.read(target, position) : readAside(target, position);
        if (n != target.byteSize()) {
            throw ended(lba, n, target.byteSize());
        }
    }

    @Override
    public void write(long lba, MemorySegment source) throws IOException {
        requireRange(lba, source.byteSize());
        if (options.readOnly()) {
            throw new LinuxException("pwrite", name, Errno.EROFS);
        }
        long position = lba * geometry.lbaBytes();
        if (straight(source)) {
            file.write(source, position);
        } else {
            writeAside(source, position);
        }
    }

    private boolean straight(MemorySegment memory) {
        return memory.address() % memoryAlignment == 0;
    }

    /** Through memory that is aligned, a part after the other. */
    private long readAside(MemorySegment target, long position) throws LinuxException {
        try (Mapping aside = Mapping.anonymous(Math.min(target.byteSize(), MAX_TRANSFER))) {
            for (long done = 0; done < target.byteSize(); ) {
                long part = Math.min(MAX_TRANSFER, target.byteSize() - done);
                long n = file.read(aside.segment().asSlice(0, part), position + done);
                MemorySegment.copy(aside.segment(), 0, target, done, n);
                done += n;
                if (n != part) {
                    return done;
                }
            }
            return target.byteSize();
        }
    }

    private void writeAside(MemorySegment source, long position) throws LinuxException {
        try (Mapping aside = Mapping.anonymous(Math.min(source.byteSize(), MAX_TRANSFER))) {
            for (long done = 0; done < source.byteSize(); done += MAX_TRANSFER) {
                long part = Math.min(MAX_TRANSFER, source.byteSize() - done);
                MemorySegment.copy(source, done, aside.segment(), 0, part);
                file.write(aside.segment().asSlice(0, part), position + done);
            }
        }
    }

    private void requireRange(long lba, long bytes) throws IOException {
        if (bytes % geometry.lbaBytes() != 0) {
            throw new IllegalArgumentException(
                    bytes + " bytes are no multiple of the logical block size, " + geometry.lbaBytes());
        }
        IOException beyond = beyond(lba, bytes);
        if (beyond != null) {
            throw beyond;
        }
    }

    private @Nullable IOException beyond(long lba, long bytes) {
        long blocks = bytes / geometry.lbaBytes();
        return lba >= 0 && lba <= geometry.lbaCount() - blocks
                ? null
                : new IOException("%s: LBA %s and %d blocks from there are beyond the end at LBA %d"
                        .formatted(name, Long.toUnsignedString(lba), blocks, geometry.lbaCount()));
    }

    private IOException ended(long lba, long done, long bytes) {
        return new IOException("%s: ended after %d of %d bytes at LBA %d".formatted(name, done, bytes, lba));
    }

    @Override
    public void flush() throws IOException {
        file.flush();
    }

    @Override
    public void close() {
        synchronized (openQueues) {
            if (openQueues.get() > 0) {
                throw new IllegalStateException(name + ": " + openQueues + " of its queues are open");
            }
            closed = true;
            file.close();
            claimed.close();
        }
    }

    // What its rings ask.

    @Override
    public IoUring openRing(int slots, boolean singleIssuer) throws LinuxException {
        return IoUring.open(file, ring(options, slots, singleIssuer));
    }

    @Override
    public int memoryAlignment() {
        return memoryAlignment;
    }

    /** Linux takes the pages of a registered buffer for pieces, of which each must be whole blocks where it goes direct. */
    @Override
    public int registeredAlignment() {
        return direct ? Math.max(memoryAlignment, Math.min(geometry.lbaBytes(), Mapping.PAGE_SIZE)) : 1;
    }

    @Override
    public boolean sleeps() {
        return !options.devicePolled();
    }

    @Override
    public boolean checksRange() {
        return true;
    }

    @Override
    public int positionShift() {
        return Integer.numberOfTrailingZeros(geometry.lbaBytes());
    }

    @Override
    public boolean countsBytes() {
        return true;
    }

    @Override
    public void bind(IoUring ring, int slot, boolean write, MemorySegment data, int buffer) {
        if (write) {
            ring.bindWrite(slot, data, buffer);
        } else {
            ring.bindRead(slot, data, buffer);
        }
    }

    @Override
    public void notRegistered(LinuxException why) {
        notRegistered = Errno.name(why.errno());
    }

    @Override
    public @Nullable IOException refusal(boolean write, long lba, int bytes) {
        IOException beyond = beyond(lba, bytes);
        return beyond == null && write && options.readOnly() ? new LinuxException("write", name, Errno.EROFS) : beyond;
    }

    @Override
    public IOException failure(boolean write, long lba, int done, int bytes, int result) {
        if (result >= 0) {
            return ended(lba, done, bytes);
        }
        return new LinuxException(
                write ? "io_uring write" : "io_uring read", "%s, LBA %d".formatted(name, lba), -result);
    }

    @Override
    public void queueClosed() {
        openQueues.decrementAndGet();
    }
}
