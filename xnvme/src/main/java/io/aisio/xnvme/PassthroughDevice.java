package io.aisio.xnvme;

import io.aisio.linux.Errno;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.Sysfs;
import io.aisio.nvme.Command;
import io.aisio.nvme.KernelPassthrough;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.xnvme.Capabilities.Queues;
import io.aisio.xnvme.Capabilities.Trait;
import io.aisio.xnvme.spi.CallQueue;
import io.aisio.xnvme.spi.CallTarget;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A namespace that the kernel's driver holds, and to which it takes NVMe commands as they are ({@code /dev/ngXnY}): by
 * rings of io_uring (IORING_OP_URING_CMD, Linux 5.19), or one ioctl each. No page cache, block layer or file system is on
 * the way, and the status of the controller comes back.
 */
final class PassthroughDevice implements Device, UringTarget, CallTarget {
    private static final Pattern GENERIC = Pattern.compile("ng(\\d+n\\d+)");

    /** Where sysfs does not say what one command moves: any controller and kernel can do this. */
    private static final int USUAL_TRANSFER = 64 << 10;

    /** What one command moves at most, as through other paths; and that the kernel's own limits are far beyond. */
    private static final int MAX_TRANSFER = 1 << 20;

    private static final int PAGE_BYTES = 4096;
    private static final int MAX_DEPTH = 65535;

    private final String name;
    /** Has the claim. */
    private final OpenFile claimed;
    /** What data goes through: another, as a ring may keep it for a while when it is closed, and the claim with it. */
    private final OpenFile file;

    private final KernelPassthrough passthrough;
    private final FileOptions options;
    private final boolean uring;
    private final Geometry geometry;
    private final List<String> notes;
    private final AtomicInteger openQueues = new AtomicInteger();
    private volatile boolean closed;
    private volatile @Nullable String notRegistered;

    private PassthroughDevice(
            OpenFile claimed,
            OpenFile file,
            KernelPassthrough passthrough,
            FileOptions options,
            boolean uring,
            Geometry geometry,
            List<String> notes) {
        name = options.uri().text();
        this.claimed = claimed;
        this.file = file;
        this.passthrough = passthrough;
        this.options = options;
        this.uring = uring;
        this.geometry = geometry;
        this.notes = notes;
    }

    /** Whether a path names a generic device of a namespace. */
    static boolean serves(Path path) {
        Path last = path.getFileName();
        return path.startsWith("/dev")
                && last != null
                && GENERIC.matcher(last.toString()).matches();
    }

    static PassthroughDevice open(FileOptions options) throws IOException {
        refuseOptions(options);
        Path path = Path.of(options.uri().target());
        OpenFile claimed = openClaimed(path, options.readOnly());
        OpenFile file = null;
        KernelPassthrough passthrough = null;
        try {
            passthrough = KernelPassthrough.over(claimed.again(false), options.readOnly());
            if (passthrough.nsid() == 0) {
                throw new IOException(path + ": no namespace of an NVMe controller");
            }
            Geometry shape = geometry(passthrough, path);
            List<String> notes = new ArrayList<>();
            file = claimed.again(false);
            boolean uring = options.wantsUring() && offersUring(file, options, notes);
            Geometry geometry = new Geometry(
                    shape.lbaBytes(),
                    shape.lbaCount(),
                    shape.maxTransferBytes(),
                    uring ? IoUring.MAX_SLOTS : MAX_DEPTH,
                    shape.maxQueues());
            PassthroughDevice device =
                    new PassthroughDevice(claimed, file, passthrough, options, uring, geometry, List.copyOf(notes));
            if (uring) {
                device.tryRegistering();
            }
            return device;
        } catch (IOException | RuntimeException e) {
            if (passthrough != null) {
                passthrough.close();
            }
            if (file != null) {
                file.close();
            }
            claimed.close();
            throw e;
        }
    }

    private static void refuseOptions(FileOptions options) {
        if (options.lbaBytes() != null) {
            throw wrong(options, "a namespace has the logical block that it was formatted with; leave out lba");
        }
        if (!options.wantsUring()) {
            throw wrong(options, "NVMe commands are no pread; leave out path=pread, or open the block device");
        }
        if (!options.wantsDirect()) {
            throw wrong(options, "NVMe commands go past the page cache; leave out buffered, or open the block device");
        }
    }

    private static IllegalArgumentException wrong(FileOptions options, String why) {
        return new IllegalArgumentException("'" + options.uri() + "': " + why);
    }

    private static OpenFile openClaimed(Path path, boolean readOnly) throws IOException {
        try {
            OpenFile file = OpenFile.open(path, readOnly ? OpenFile.Access.READ_ONLY : OpenFile.Access.READ_WRITE);
            try {
                file.claim();
                return file;
            } catch (LinuxException e) {
                file.close();
                throw e;
            }
        } catch (LinuxException e) {
            String next = switch (e.errno()) {
                case Errno.ENOENT -> ": Linux has generic devices of namespaces since 5.13";
                case Errno.EAGAIN -> ": close the other program that has it open";
                default -> "";
            };
            throw new IOException(e.getMessage() + next, e);
        }
    }

    private static Geometry geometry(Passthrough passthrough, Path path) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(Identify.BYTES);
            passthrough.execute(Command.of(Opcode.IDENTIFY, passthrough.nsid(), Identify.CNS_NAMESPACE), data);
            int index = IdentifyNamespace.formatIndex(
                    Wire.u8(data, IdentifyNamespace.FLBAS), Wire.u8(data, IdentifyNamespace.NLBAF));
            int format = Wire.i32(data, IdentifyNamespace.LBAF + (long) index * IdentifyNamespace.LBAF_BYTES);
            int shift = IdentifyNamespace.dataShift(format);
            long blocks = Wire.i64(data, IdentifyNamespace.NSZE);
            if (shift < 9 || shift > 16 || blocks <= 0 || blocks > Long.MAX_VALUE >>> shift) {
                throw new NvmeException("%s: a namespace of %s blocks of 2^%d bytes"
                        .formatted(path, Long.toUnsignedString(blocks), shift));
            }
            if (IdentifyNamespace.metadataBytes(format) != 0) {
                throw new NvmeException(
                        "%s: formatted with %d bytes of metadata a block, which only single commands carry; format it without"
                                .formatted(path, IdentifyNamespace.metadataBytes(format)));
            }
            return new Geometry(1 << shift, blocks, transferBytes(path, 1 << shift), MAX_DEPTH, Integer.MAX_VALUE);
        }
    }

    /** What the kernel lets one command move: it knows the controller's MDTS, and how many pages it can name itself. */
    private static int transferBytes(Path path, int lbaBytes) throws IOException {
        Matcher generic = GENERIC.matcher(String.valueOf(path.getFileName()));
        Path queue =
                generic.matches() ? Sysfs.ROOT.resolve("class/block/nvme" + generic.group(1) + "/queue") : Sysfs.ROOT;
        long kilobytes = number(queue.resolve("max_hw_sectors_kb"));
        long segments = number(queue.resolve("max_segments"));
        long bytes = kilobytes <= 0 || segments <= 1
                ? USUAL_TRANSFER
                // A page less: memory that does not begin with a page takes one more.
                : Math.min(kilobytes << 10, (segments - 1) * PAGE_BYTES);
        return (int)
                Math.max(lbaBytes, Math.min(Math.min(bytes, MAX_TRANSFER), 0x1_0000L * lbaBytes) / lbaBytes * lbaBytes);
    }

    private static long number(Path attribute) throws IOException {
        String text = Sysfs.text(attribute);
        try {
            return text == null ? -1 : Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new IOException(attribute + ": '" + text + "' is no number", e);
        }
    }

    private static boolean offersUring(OpenFile file, FileOptions options, List<String> notes) throws IOException {
        try (IoUring ring = IoUring.open(file, ring(options, 1, false))) {
            return ring.slots() == 1;
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

    private static IoUring.Options ring(FileOptions options, int slots, boolean singleIssuer) {
        return new IoUring.Options(slots, singleIssuer, options.devicePolled(), options.submissionPolled(), true);
    }

    private void tryRegistering() throws IOException {
        try (IoUring ring = openRing(1, false);
                Arena arena = Arena.ofConfined()) {
            ring.reserveBuffers(1);
            ring.registerBuffer(0, arena.allocate(PAGE_BYTES, PAGE_BYTES));
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
        StringBuilder path = new StringBuilder("kernel, NVMe commands by ").append(uring ? "io_uring" : "ioctl");
        if (options.submissionPolled()) {
            path.append(", submission polled");
        }
        if (options.devicePolled()) {
            path.append(", device polled");
        }
        List<String> all = new ArrayList<>(notes);
        if (uring && notRegistered != null) {
            all.add("buffers not registered: " + notRegistered);
        }
        return all.isEmpty() ? path.toString() : path + " (" + String.join("; ", all) + ")";
    }

    @Override
    public Capabilities capabilities() {
        return Capabilities.of(uring ? Queues.IO_URING : Queues.SYSTEM_CALLS, Trait.DIRECT, Trait.NVME_COMMANDS)
                .with(Trait.WRITES, !options.readOnly())
                .with(Trait.ZERO_COPY, uring)
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
    public Passthrough passthrough() {
        return passthrough;
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
        transfer(Opcode.READ, lba, buffer.segment().asSlice(offset, bytes), RetryingQueue.TRIES);
    }

    @Override
    public void write(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        requireWritable();
        transfer(Opcode.WRITE, lba, buffer.segment().asSlice(offset, bytes), RetryingQueue.TRIES);
    }

    /** {@inheritDoc} Once: its queue tells what failed. */
    @Override
    public void read(long lba, MemorySegment target) throws IOException {
        transfer(Opcode.READ, lba, target, 1);
    }

    /** {@inheritDoc} Once: its queue tells what failed. */
    @Override
    public void write(long lba, MemorySegment source) throws IOException {
        requireWritable();
        transfer(Opcode.WRITE, lba, source, 1);
    }

    private void requireWritable() throws LinuxException {
        if (options.readOnly()) {
            throw new LinuxException("Write", name, Errno.EROFS);
        }
    }

    private void transfer(int opcode, long lba, MemorySegment data, int tries) throws IOException {
        int block = geometry.lbaBytes();
        if (data.byteSize() % block != 0) {
            throw new IllegalArgumentException(
                    data.byteSize() + " bytes are no multiple of the logical block size, " + block);
        }
        for (long done = 0; done < data.byteSize(); ) {
            long part = Math.min(geometry.maxTransferBytes(), data.byteSize() - done);
            Command command = Command.overBlocks(opcode, 0, lba + done / block, (int) (part / block));
            execute(command, data.asSlice(done, part), tries);
            done += part;
        }
    }

    @Override
    public void flush() throws IOException {
        execute(Command.of(Opcode.FLUSH, 0, 0), Passthrough.NOTHING, RetryingQueue.TRIES);
    }

    /** Tries a command again as {@link RetryingQueue} does: the kernel does so with none that it is given as it is. */
    private void execute(Command command, MemorySegment data, int tries) throws IOException {
        long begun = System.nanoTime();
        NvmeException first = null;
        for (int left = tries; ; left--) {
            try {
                passthrough.executeIo(command, data);
                return;
            } catch (NvmeException e) {
                if (first != null) {
                    e.addSuppressed(first);
                }
                if (left <= 1
                        || !e.retryable()
                        || Thread.currentThread().isInterrupted()
                        || System.nanoTime() - begun > RetryingQueue.DEADLINE.toNanos()) {
                    throw e;
                }
                first = first == null ? e : first;
            }
        }
    }

    @Override
    public void close() {
        synchronized (openQueues) {
            if (openQueues.get() > 0) {
                throw new IllegalStateException(name + ": " + openQueues + " of its queues are open");
            }
            closed = true;
            passthrough.close();
            file.close();
            claimed.close();
        }
    }

    // What its rings ask.

    @Override
    public IoUring openRing(int slots, boolean singleIssuer) throws LinuxException {
        return IoUring.open(file, ring(options, slots, singleIssuer));
    }

    /** Controllers take dwords, and the kernel copies what lies worse. */
    @Override
    public int memoryAlignment() {
        return Integer.BYTES;
    }

    @Override
    public int registeredAlignment() {
        return Integer.BYTES;
    }

    @Override
    public boolean sleeps() {
        return !options.devicePolled();
    }

    @Override
    public boolean checksRange() {
        return false;
    }

    @Override
    public int positionShift() {
        return 0;
    }

    @Override
    public boolean countsBytes() {
        return false;
    }

    @Override
    public void bind(IoUring ring, int slot, boolean write, MemorySegment data, int buffer) {
        long blocks = data.byteSize() / geometry.lbaBytes();
        ring.bindNvme(slot, write ? Opcode.WRITE : Opcode.READ, passthrough.nsid(), blocks - 1, data, buffer);
    }

    @Override
    public void notRegistered(LinuxException why) {
        notRegistered = Errno.name(why.errno());
    }

    @Override
    public @Nullable IOException refusal(boolean write, long lba, int bytes) {
        return write && options.readOnly() ? new LinuxException("Write", name, Errno.EROFS) : null;
    }

    @Override
    public IOException failure(boolean write, long lba, int done, int bytes, int result) {
        String what = "%s: %s of namespace %d at LBA %s"
                .formatted(
                        name,
                        Opcode.nvmName(write ? Opcode.WRITE : Opcode.READ),
                        passthrough.nsid(),
                        Long.toUnsignedString(lba));
        if (result == -Errno.EINTR) {
            // NVME_REQ_CANCELLED: the kernel's driver gave it up, as before a reset.
            return new NvmeException(what, new Status(Status.ABORTED_BY_HOST));
        }
        return result > 0
                ? new NvmeException(what, new Status(result))
                : new LinuxException("io_uring command", what, -result);
    }

    @Override
    public void queueClosed() {
        openQueues.decrementAndGet();
    }
}
