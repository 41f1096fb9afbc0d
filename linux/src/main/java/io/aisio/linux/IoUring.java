package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Reads of one file in flight, through io_uring: a ring of entries that the kernel takes, and one of results that it
 * gives ({@code linux/io_uring.h}).
 *
 * <pre>
 *   read ─► SQE ─ tail, release ─► kernel ─ tail, release ─► CQE ─► next: tag, result
 *                    └──────────── one io_uring_enter submits and waits ───────────┘
 * </pre>
 *
 * <p>One thread owns it. The memory that is read into must stay until its read has ended; {@link #close()} waits for
 * all.
 */
public final class IoUring implements AutoCloseable {
    // struct io_uring_params: ten words of 32 bits, then the offsets of both rings.
    private static final int PARAMS_BYTES = 120;
    private static final int SQ_ENTRIES = 0;
    private static final int CQ_ENTRIES = 4;
    private static final int FEATURES = 20;
    private static final int SQ_OFF = 40;
    private static final int CQ_OFF = 80;
    // struct io_sqring_offsets and io_cqring_offsets.
    private static final int RING_HEAD = 0;
    private static final int RING_TAIL = 4;
    private static final int RING_MASK = 8;
    private static final int SQ_ARRAY = 24;
    private static final int CQ_CQES = 20;

    /** IORING_FEAT_SINGLE_MMAP: both rings are one mapping (5.4). */
    private static final int FEAT_SINGLE_MMAP = 1;
    /** IORING_FEAT_NODROP: no result is lost (5.5). */
    private static final int FEAT_NODROP = 1 << 1;
    /** IORING_FEAT_RW_CUR_POS: came in 5.6, as IORING_OP_READ did. */
    private static final int FEAT_RW_CUR_POS = 1 << 3;

    private static final int NEEDED = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_RW_CUR_POS;

    /** IORING_OFF_SQ_RING and IORING_OFF_SQES: what of the ring is mapped. */
    private static final long OFF_SQ_RING = 0;

    private static final long OFF_SQES = 0x1000_0000L;

    private static final int ENTER_GETEVENTS = 1;

    // struct io_uring_sqe.
    private static final int SQE_BYTES = 64;
    private static final int SQE_FD = 4;
    private static final int SQE_OFF = 8;
    private static final int SQE_ADDR = 16;
    private static final int SQE_LEN = 24;
    private static final int SQE_USER_DATA = 32;
    private static final byte OP_READ = 22;

    // struct io_uring_cqe.
    private static final int CQE_BYTES = 16;
    private static final int CQE_RES = 8;

    private static final VarHandle WORD = JAVA_INT.varHandle();

    private final OpenFile file;
    private final int ring;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment rings;
    private final MemorySegment entries;
    private final int depth;
    private final long sqTail;
    private final int sqMask;
    private final long sqArray;
    private final long cqHead;
    private final long cqTail;
    private final int cqMask;
    private final long cqes;

    private int prepared;
    private int outstanding;
    private long tag;
    private int result;
    private boolean closed;

    private IoUring(OpenFile file, int ring, MemorySegment params) throws LinuxException {
        this.file = file;
        this.ring = ring;
        int sqEntries = params.get(JAVA_INT, SQ_ENTRIES);
        long sqBytes = params.get(JAVA_INT, SQ_OFF + SQ_ARRAY) + (long) sqEntries * Integer.BYTES;
        long cqBytes = params.get(JAVA_INT, CQ_OFF + CQ_CQES) + (long) params.get(JAVA_INT, CQ_ENTRIES) * CQE_BYTES;
        rings = map(OFF_SQ_RING, Math.max(sqBytes, cqBytes));
        entries = map(OFF_SQES, (long) sqEntries * SQE_BYTES);
        depth = sqEntries;
        sqTail = params.get(JAVA_INT, SQ_OFF + RING_TAIL);
        sqMask = rings.get(JAVA_INT, params.get(JAVA_INT, SQ_OFF + RING_MASK));
        sqArray = params.get(JAVA_INT, SQ_OFF + SQ_ARRAY);
        cqHead = params.get(JAVA_INT, CQ_OFF + RING_HEAD);
        cqTail = params.get(JAVA_INT, CQ_OFF + RING_TAIL);
        cqMask = rings.get(JAVA_INT, params.get(JAVA_INT, CQ_OFF + RING_MASK));
        cqes = params.get(JAVA_INT, CQ_OFF + CQ_CQES);
    }

    /**
     * Sets a ring up.
     *
     * @param file what is read; it stays the caller's, to be closed after this
     * @param depth reads in flight at least, 1 to 32768
     * @throws LinuxException {@code ENOSYS} if the kernel is older than 5.6, {@code EPERM} where a container or
     *     {@code kernel.io_uring_disabled} forbids it
     */
    public static IoUring open(OpenFile file, int depth) throws LinuxException {
        try (Arena confined = Arena.ofConfined()) {
            MemorySegment params = confined.allocate(PARAMS_BYTES, Long.BYTES);
            int ring = (int) Libc.ioUringSetup(depth, params);
            if (ring < 0) {
                throw new LinuxException("io_uring_setup", depth + " reads of " + file.path(), Libc.errno());
            }
            try {
                if ((params.get(JAVA_INT, FEATURES) & NEEDED) != NEEDED) {
                    throw new LinuxException("io_uring_setup", "reads of " + file.path(), Errno.ENOSYS);
                }
                return new IoUring(file, ring, params);
            } catch (LinuxException e) {
                int _ = Libc.close(ring);
                throw e;
            }
        }
    }

    private MemorySegment map(long offset, long bytes) throws LinuxException {
        int flags = Libc.MAP_SHARED | Libc.MAP_POPULATE;
        long address = Libc.mmap(bytes, Libc.PROT_READ | Libc.PROT_WRITE, flags, ring, offset);
        if (address == Libc.MAP_FAILED) {
            int errno = Libc.errno();
            arena.close();
            throw new LinuxException("mmap", bytes + " bytes of an io_uring", errno);
        }
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena, IoUring::unmap);
    }

    private static void unmap(MemorySegment mapping) {
        if (Libc.munmap(mapping, mapping.byteSize()) != 0) {
            throw new AssertionError("munmap of " + mapping + ": " + Errno.name(Libc.errno()));
        }
    }

    /** The most reads in flight. */
    public int depth() {
        return depth;
    }

    /** Reads that were prepared and of which {@link #await()} has not told yet. */
    public int outstanding() {
        return outstanding;
    }

    /**
     * Prepares a read, which the kernel is told of by the next {@link #submit()} or {@link #await()}.
     *
     * @param tag comes back with the result
     * @param position in bytes from the start of the file
     * @param target native memory, of less than 2 GiB
     * @throws IllegalStateException if {@link #depth()} reads are outstanding, or it is closed
     */
    public void read(long tag, long position, MemorySegment target) {
        requireOpen();
        if (outstanding == depth) {
            throw new IllegalStateException(file.path() + ": " + depth + " reads are in flight already");
        }
        // Only this thread writes the tail; the kernel is done with the entry, as fewer than depth are outstanding.
        int tail = (int) WORD.get(rings, sqTail);
        int index = tail & sqMask;
        MemorySegment sqe = entries.asSlice((long) index * SQE_BYTES, SQE_BYTES).fill((byte) 0);
        sqe.set(JAVA_BYTE, 0, OP_READ);
        sqe.set(JAVA_INT, SQE_FD, file.descriptor());
        sqe.set(JAVA_LONG, SQE_OFF, position);
        sqe.set(JAVA_LONG, SQE_ADDR, target.address());
        sqe.set(JAVA_INT, SQE_LEN, Math.toIntExact(target.byteSize()));
        sqe.set(JAVA_LONG, SQE_USER_DATA, tag);
        rings.set(JAVA_INT, sqArray + (long) index * Integer.BYTES, index);
        // Pairs with the kernel's acquire of the tail: it sees a whole entry.
        WORD.setRelease(rings, sqTail, tail + 1);
        prepared++;
        outstanding++;
    }

    /**
     * Tells the kernel of the reads that are prepared, without waiting.
     *
     * @throws LinuxException if the kernel takes none
     */
    public void submit() throws LinuxException {
        requireOpen();
        while (prepared > 0) {
            enter(0);
        }
    }

    /**
     * Submits what is prepared and waits for a result, which {@link #tag()} and {@link #result()} then tell.
     *
     * @throws IllegalStateException if none is outstanding, or it is closed
     * @throws LinuxException if the kernel takes no reads
     */
    public void await() throws LinuxException {
        requireOpen();
        if (outstanding == 0) {
            throw new IllegalStateException(file.path() + ": no read is in flight");
        }
        while (prepared > 0 || !ready()) {
            enter(ready() ? 0 : 1);
        }
        take();
    }

    /** Of the last result: the tag of its read. */
    public long tag() {
        return tag;
    }

    /** Of the last result: the bytes that were read, 0 at the end of the file, or an errno negated. */
    public int result() {
        return result;
    }

    /** Whether there is a result. Pairs with the kernel's release of the tail: the result before it is whole. */
    private boolean ready() {
        return (int) WORD.get(rings, cqHead) != (int) WORD.getAcquire(rings, cqTail);
    }

    private void take() {
        int head = (int) WORD.get(rings, cqHead);
        long cqe = cqes + (long) (head & cqMask) * CQE_BYTES;
        tag = rings.get(JAVA_LONG, cqe);
        result = rings.get(JAVA_INT, cqe + CQE_RES);
        // Pairs with the kernel's acquire of the head: it overwrites the result only when it was read.
        WORD.setRelease(rings, cqHead, head + 1);
        outstanding--;
    }

    private void enter(int complete) throws LinuxException {
        // While the kernel takes entries the descriptor in them must be this file's.
        file.enter();
        try {
            long n = Libc.ioUringEnter(ring, prepared, complete, complete > 0 ? ENTER_GETEVENTS : 0);
            if (n >= 0) {
                prepared -= (int) n;
                return;
            }
        } finally {
            file.leave();
        }
        // EAGAIN: no memory just now.
        if (Libc.errno() != Errno.EINTR && Libc.errno() != Errno.EAGAIN) {
            throw new LinuxException("io_uring_enter", file.path().toString(), Libc.errno());
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the io_uring of " + file.path() + " is closed");
        }
    }

    /**
     * Waits for the reads that the kernel has, and frees the ring; what was only prepared is forgotten. Closing again does
     * nothing.
     *
     * @throws LinuxException if the kernel does not let itself be waited for; the ring is then left as it is
     */
    @Override
    public void close() throws LinuxException {
        if (closed) {
            return;
        }
        while (outstanding > prepared) {
            if (ready()) {
                take();
            } else {
                awaitOne();
            }
        }
        closed = true;
        int _ = Libc.close(ring);
        arena.close();
    }

    private void awaitOne() throws LinuxException {
        if (Libc.ioUringEnter(ring, 0, 1, ENTER_GETEVENTS) < 0 && Libc.errno() != Errno.EINTR) {
            throw new LinuxException("io_uring_enter", file.path().toString(), Libc.errno());
        }
    }
}
