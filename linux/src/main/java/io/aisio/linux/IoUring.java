package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Commands in flight, to one file or to many, through io_uring: a ring of entries that the kernel takes, and one of results
 * that it gives ({@code linux/io_uring.h}).
 *
 * <pre>
 *   bind ─► SQE of a slot ─┐
 *   start ─► its position, index in the ring ─ tail, release ─► kernel ─ tail, release ─► CQE ─► next: slot, result
 *                                                 └──────── one io_uring_enter submits and waits ────────┘
 * </pre>
 *
 * <p>A slot has an SQE of its own, which is written when a command is bound to it; what is started again differs in
 * position alone. At most as many commands are in flight as there are slots, and there are twice as many CQEs, so that the
 * ring of results cannot overflow; should the kernel hold back results all the same, it is asked for them.
 *
 * <p>One thread owns it. The memory of a command must stay until it has ended; {@link #close()} waits for all. A ring's one
 * file is registered, so that the kernel does not look it up for each command, and has it until the ring is closed; once it
 * is closed here, no command is submitted any more. A ring without one reads {@link ReadableFiles}.
 */
public final class IoUring implements AutoCloseable {
    /** The most slots: IORING_MAX_ENTRIES of the kernel. */
    public static final int MAX_SLOTS = 32768;

    /** For {@link #bindRead}: the memory is in no registered buffer. */
    public static final int NO_BUFFER = -1;

    // struct io_uring_params: ten words of 32 bits, then the offsets of both rings.
    static final int PARAMS_BYTES = 120;
    static final int SQ_ENTRIES = 0;
    static final int CQ_ENTRIES = 4;
    static final int SETUP_FLAGS = 8;
    static final int SQ_THREAD_IDLE = 16;
    static final int FEATURES = 20;
    static final int SQ_OFF = 40;
    static final int CQ_OFF = 80;
    // struct io_sqring_offsets and io_cqring_offsets.
    static final int RING_HEAD = 0;
    static final int RING_TAIL = 4;
    static final int RING_MASK = 8;
    static final int SQ_FLAGS = 16;
    static final int SQ_ARRAY = 24;
    static final int CQ_OVERFLOW = 16;
    static final int CQ_CQES = 20;

    static final int SETUP_IOPOLL = 1;
    static final int SETUP_SQPOLL = 1 << 1;
    static final int SETUP_R_DISABLED = 1 << 6;
    static final int SETUP_COOP_TASKRUN = 1 << 8;
    static final int SETUP_TASKRUN_FLAG = 1 << 9;
    static final int SETUP_SQE128 = 1 << 10;
    static final int SETUP_CQE32 = 1 << 11;
    static final int SETUP_SINGLE_ISSUER = 1 << 12;
    static final int SETUP_DEFER_TASKRUN = 1 << 13;

    /** IORING_FEAT_SINGLE_MMAP: both rings are one mapping (5.4). */
    static final int FEAT_SINGLE_MMAP = 1;
    /** IORING_FEAT_NODROP: no result is lost (5.5). */
    static final int FEAT_NODROP = 1 << 1;
    /** IORING_FEAT_RW_CUR_POS: came in 5.6, as IORING_OP_READ did. */
    static final int FEAT_RW_CUR_POS = 1 << 3;
    /** IORING_FEAT_EXT_ARG: a wait may have a limit (5.11). */
    static final int FEAT_EXT_ARG = 1 << 8;

    private static final int NEEDED = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_RW_CUR_POS;

    /** IORING_OFF_SQ_RING and IORING_OFF_SQES: what of the ring is mapped. */
    private static final long OFF_SQ_RING = 0;

    static final long OFF_SQES = 0x1000_0000L;

    static final int ENTER_GETEVENTS = 1;
    static final int ENTER_SQ_WAKEUP = 1 << 1;
    static final int ENTER_EXT_ARG = 1 << 3;

    // struct io_uring_getevents_arg, and behind it the struct __kernel_timespec that it names.
    static final int GETEVENTS_ARG_BYTES = 24;
    static final int GETEVENTS_ARG_TS = 16;
    private static final int TIMESPEC_NSEC = 8;
    private static final int TIMESPEC_BYTES = 16;

    static final int SQ_NEED_WAKEUP = 1;
    static final int SQ_CQ_OVERFLOW = 1 << 1;
    static final int SQ_TASKRUN = 1 << 2;

    static final int UNREGISTER_BUFFERS = 1;
    static final int REGISTER_FILES = 2;
    static final int UNREGISTER_FILES = 3;
    static final int REGISTER_PROBE = 8;
    static final int REGISTER_ENABLE_RINGS = 12;
    static final int REGISTER_BUFFERS2 = 15;
    static final int REGISTER_BUFFERS_UPDATE = 16;
    static final int RSRC_REGISTER_SPARSE = 1;

    // struct io_uring_rsrc_register; struct io_uring_rsrc_update2; struct iovec.
    static final int RSRC_REGISTER_BYTES = 32;
    static final int RSRC_REGISTER_FLAGS = 4;
    static final int RSRC_UPDATE_BYTES = 32;
    static final int RSRC_UPDATE_DATA = 8;
    static final int RSRC_UPDATE_NR = 24;
    private static final int IOVEC_BYTES = 16;
    private static final int IOVEC_LEN = 8;
    /** The most bytes of one registered buffer, a limit of the kernel's. */
    private static final long MAX_BUFFER = 1L << 30;

    // struct io_uring_probe and io_uring_probe_op.
    static final int PROBE_BYTES = 16;
    static final int PROBE_OP_BYTES = 8;
    static final int PROBE_LAST = 0;
    static final int PROBE_OP_FLAGS = 2;
    static final int OP_SUPPORTED = 1;
    private static final int PROBED = 256;

    // struct io_uring_sqe.
    static final int SQE_BYTES = 64;
    static final int SQE_FLAGS = 1;
    static final int SQE_FD = 4;
    static final int SQE_OFF = 8;
    static final int SQE_ADDR = 16;
    static final int SQE_LEN = 24;
    /** {@code rw_flags} of a read or write, {@code uring_cmd_flags} of a command of the driver's. */
    static final int SQE_OP_FLAGS = 28;

    static final int SQE_USER_DATA = 32;
    static final int SQE_BUF_INDEX = 40;
    static final int SQE_CMD = 48;
    /** IOSQE_FIXED_FILE: the descriptor is an index of registered files. */
    static final byte FIXED_FILE = 1;
    /** IORING_URING_CMD_FIXED: the buffer is a registered one. */
    static final int URING_CMD_FIXED = 1;

    static final byte OP_READ_FIXED = 4;
    static final byte OP_WRITE_FIXED = 5;
    static final byte OP_POLL_ADD = 6;
    static final byte OP_READ = 22;
    static final byte OP_WRITE = 23;
    static final byte OP_URING_CMD = 46;

    // struct io_uring_cqe.
    static final int CQE_BYTES = 16;
    static final int CQE_RES = 8;

    // struct nvme_uring_cmd of linux/nvme_ioctl.h, at SQE_CMD.
    static final int NVME_URING_CMD_IO = 0xC048_4E80;
    static final int NVME_CMD_BYTES = 72;
    static final int NVME_CMD_NSID = 4;
    static final int NVME_CMD_ADDR = 24;
    static final int NVME_CMD_DATA_LEN = 36;
    static final int NVME_CMD_CDW10 = 40;
    static final int NVME_CMD_CDW12 = 48;

    /** How long the kernel's thread looks for entries before it sleeps, in ms: it takes a processor meanwhile. */
    private static final int THREAD_IDLE_MILLIS = 50;

    /** How long the kernel is asked again that has no memory for a command just now. */
    private static final long PATIENCE_NANOS = 10_000_000_000L;

    private static final long PAUSE_NANOS = 50_000;

    /** For {@link #call}: the kernel did nothing of what it was asked for. */
    private static final long NOT_NOW = -1;

    private static final VarHandle WORD = JAVA_INT.varHandle();

    /**
     * What a ring is for.
     *
     * @param slots commands in flight at most, 1 to {@link #MAX_SLOTS}
     * @param singleIssuer whether one platform thread alone will use it, the first that starts a command: the kernel then
     *     does its part when it is asked for results, and at no other time (IORING_SETUP_SINGLE_ISSUER, DEFER_TASKRUN;
     *     where the kernel is older than 6.1, as far as it can)
     * @param devicePolled whether the kernel polls the device for results (IORING_SETUP_IOPOLL)
     * @param submissionPolled whether a thread of the kernel takes entries, so that starting needs no call
     *     (IORING_SETUP_SQPOLL)
     * @param nvmeCommands whether {@link #bindNvme} will be used (IORING_SETUP_SQE128, CQE32; 5.19)
     */
    public record Options(
            int slots, boolean singleIssuer, boolean devicePolled, boolean submissionPolled, boolean nvmeCommands) {
        /** Checks the number of slots. */
        public Options {
            if (slots < 1 || slots > MAX_SLOTS) {
                throw new IllegalArgumentException(
                        slots + " slots of an io_uring; 1 to " + MAX_SLOTS + " are possible");
            }
        }

        /** Reads and writes, whichever thread it is that starts one. */
        public static Options of(int slots) {
            return new Options(slots, false, false, false, false);
        }
    }

    /** The ring's one file; null if each command has its own. */
    private final @Nullable OpenFile file;

    /** How messages name what it reads. */
    private final String name;

    private final int ring;
    private final Options options;
    private final int flags;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment rings;
    private final MemorySegment entries;
    private final int slots;
    private final int entryBytes;
    private final long sqTail;
    private final long sqFlags;
    private final int sqMask;
    private final long sqArray;
    private final long cqHead;
    private final long cqTail;
    private final long cqOverflow;
    private final int cqMask;
    private final long cqes;
    private final int cqeShift;

    /** The limit of a wait, as the kernel takes it. */
    private final MemorySegment limit = arena.allocate(GETEVENTS_ARG_BYTES + TIMESPEC_BYTES, Long.BYTES);

    private final boolean takesLimit;

    private int buffers;
    /** The tail of entries, of which the kernel knows those that are not {@link #prepared}. */
    private int tail;

    private int prepared;
    private int outstanding;
    private int slot;
    private int result;
    private boolean enabled;
    /** When the kernel is no longer asked, by {@link System#nanoTime}, if {@link #refused}. */
    private long until;
    /** Whether it did nothing when it was asked last. */
    private boolean refused;

    private boolean closed;

    private IoUring(@Nullable OpenFile file, String name, int ring, Options options, MemorySegment params)
            throws LinuxException {
        this.file = file;
        this.name = name;
        this.ring = ring;
        this.options = options;
        flags = params.get(JAVA_INT, SETUP_FLAGS);
        enabled = (flags & SETUP_R_DISABLED) == 0;
        takesLimit = (params.get(JAVA_INT, FEATURES) & FEAT_EXT_ARG) != 0;
        limit.set(JAVA_LONG, GETEVENTS_ARG_TS, limit.address() + GETEVENTS_ARG_BYTES);
        int sqEntries = params.get(JAVA_INT, SQ_ENTRIES);
        int cqeBytes = options.nvmeCommands ? 2 * CQE_BYTES : CQE_BYTES;
        entryBytes = options.nvmeCommands ? 2 * SQE_BYTES : SQE_BYTES;
        cqeShift = Integer.numberOfTrailingZeros(cqeBytes);
        long sqBytes = params.get(JAVA_INT, SQ_OFF + SQ_ARRAY) + (long) sqEntries * Integer.BYTES;
        long cqBytes = params.get(JAVA_INT, CQ_OFF + CQ_CQES) + (long) params.get(JAVA_INT, CQ_ENTRIES) * cqeBytes;
        rings = map(OFF_SQ_RING, Math.max(sqBytes, cqBytes));
        entries = map(OFF_SQES, (long) sqEntries * entryBytes);
        slots = options.slots;
        sqTail = params.get(JAVA_INT, SQ_OFF + RING_TAIL);
        sqFlags = params.get(JAVA_INT, SQ_OFF + SQ_FLAGS);
        sqMask = rings.get(JAVA_INT, params.get(JAVA_INT, SQ_OFF + RING_MASK));
        sqArray = params.get(JAVA_INT, SQ_OFF + SQ_ARRAY);
        cqHead = params.get(JAVA_INT, CQ_OFF + RING_HEAD);
        cqTail = params.get(JAVA_INT, CQ_OFF + RING_TAIL);
        cqOverflow = params.get(JAVA_INT, CQ_OFF + CQ_OVERFLOW);
        cqMask = rings.get(JAVA_INT, params.get(JAVA_INT, CQ_OFF + RING_MASK));
        cqes = params.get(JAVA_INT, CQ_OFF + CQ_CQES);
        tail = (int) WORD.get(rings, sqTail);
    }

    /**
     * Sets a ring up for reads and writes, by whichever thread.
     *
     * @param file what is read and written; it stays the caller's
     * @param slots commands in flight at most, 1 to {@link #MAX_SLOTS}
     * @throws LinuxException as {@link #open(OpenFile, Options)} does
     */
    public static IoUring open(OpenFile file, int slots) throws LinuxException {
        return open(file, Options.of(slots));
    }

    /**
     * Sets a ring up.
     *
     * @param file what is read and written; it stays the caller's
     * @throws LinuxException if the kernel refuses; {@link #refusal} says why. {@code ENOSYS} if it is older than 5.6,
     *     {@code EPERM} where a container or {@code kernel.io_uring_disabled} forbids it, {@code EOPNOTSUPP} if it does not
     *     know an operation that the options need
     */
    public static IoUring open(OpenFile file, Options options) throws LinuxException {
        return open(file, file.path().toString(), options);
    }

    /**
     * Sets a ring up that reads many files, by {@link #bindRead(int, ReadableFiles, int, MemorySegment, long, int, int)}.
     *
     * @param name how messages name what it reads
     * @throws LinuxException as {@link #open(OpenFile, Options)} does
     */
    public static IoUring open(String name, Options options) throws LinuxException {
        return open(null, name, options);
    }

    private static IoUring open(@Nullable OpenFile file, String name, Options options) throws LinuxException {
        try (Arena confined = Arena.ofConfined()) {
            MemorySegment params = confined.allocate(PARAMS_BYTES, Long.BYTES);
            int descriptor = setUp(name, options, params);
            IoUring ring;
            try {
                if ((params.get(JAVA_INT, FEATURES) & NEEDED) != NEEDED) {
                    throw new LinuxException("io_uring_setup", name, Errno.ENOSYS);
                }
                ring = new IoUring(file, name, descriptor, options, params);
            } catch (LinuxException e) {
                int _ = Libc.close(descriptor);
                throw e;
            }
            try {
                ring.probe(confined);
                if (file != null) {
                    ring.registerFile(file, confined);
                }
                return ring;
            } catch (LinuxException e) {
                ring.close();
                throw e;
            }
        }
    }

    /** Asks for what serves best, and for less where the kernel does not know it ({@code EINVAL}). */
    private static int setUp(String name, Options options, MemorySegment params) throws LinuxException {
        int fixed = (options.devicePolled ? SETUP_IOPOLL : 0)
                | (options.submissionPolled ? SETUP_SQPOLL : 0)
                | (options.nvmeCommands ? SETUP_SQE128 | SETUP_CQE32 : 0);
        int[] wishes = options.submissionPolled || !options.singleIssuer
                ? new int[] {0}
                : new int[] {
                    SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_R_DISABLED,
                    SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG,
                    0
                };
        for (int wish : wishes) {
            params.fill((byte) 0);
            params.set(JAVA_INT, SETUP_FLAGS, fixed | wish);
            params.set(JAVA_INT, SQ_THREAD_IDLE, options.submissionPolled ? THREAD_IDLE_MILLIS : 0);
            int ring = (int) Libc.ioUringSetup(options.slots, params);
            if (ring >= 0) {
                return ring;
            }
            if (Libc.errno() != Errno.EINVAL) {
                break;
            }
        }
        throw new LinuxException("io_uring_setup", name, Libc.errno());
    }

    /**
     * Why the kernel does not let this process have a ring, and what to do about it: one sentence.
     *
     * @param errno what {@link #open} failed with
     */
    public static String refusal(int errno) {
        return refusal(errno, disabled());
    }

    private static String disabled() {
        try {
            return Objects.requireNonNullElse(Sysfs.text(Path.of("/proc/sys/kernel/io_uring_disabled")), "");
        } catch (IOException e) {
            return "";
        }
    }

    static String refusal(int errno, String disabled) {
        String name = Errno.name(errno);
        return switch (errno) {
            case Errno.EPERM ->
                disabled.equals("2") || disabled.equals("1")
                        ? "kernel.io_uring_disabled is " + disabled + " (" + name
                                + "); to allow io_uring, sysctl kernel.io_uring_disabled=0"
                        : "a filter of system calls forbids io_uring_setup (" + name
                                + "), as containers have one; allow it in their seccomp profile";
            case Errno.ENOSYS ->
                "the kernel has no io_uring as of Linux 5.6, or a filter of system calls hides it (" + name + ")";
            case Errno.ENOMEM -> "the rings do not fit what this user may lock in memory (" + name + "); see ulimit -l";
            case Errno.EOPNOTSUPP -> "the kernel's io_uring does not know an operation that is needed (" + name + ")";
            case Errno.EINVAL -> "the kernel's io_uring does not know a setting that is needed (" + name + ")";
            default -> "io_uring_setup failed with " + name;
        };
    }

    private MemorySegment map(long offset, long bytes) throws LinuxException {
        int protection = Libc.MAP_SHARED | Libc.MAP_POPULATE;
        long address = Libc.mmap(bytes, Libc.PROT_READ | Libc.PROT_WRITE, protection, ring, offset);
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

    private void probe(Arena confined) throws LinuxException {
        MemorySegment probe = confined.allocate(PROBE_BYTES + (long) PROBED * PROBE_OP_BYTES, Long.BYTES);
        register(REGISTER_PROBE, probe, PROBED);
        byte[] needed =
                options.nvmeCommands ? new byte[] {OP_URING_CMD} : new byte[] {OP_READ, OP_WRITE, OP_READ_FIXED};
        for (byte op : needed) {
            long at = PROBE_BYTES + (long) op * PROBE_OP_BYTES + PROBE_OP_FLAGS;
            if (Byte.toUnsignedInt(probe.get(JAVA_BYTE, PROBE_LAST)) < op
                    || (probe.get(JAVA_SHORT, at) & OP_SUPPORTED) == 0) {
                throw new LinuxException("io_uring operation " + op, name, Errno.EOPNOTSUPP);
            }
        }
    }

    private void registerFile(OpenFile file, Arena confined) throws LinuxException {
        MemorySegment descriptors = confined.allocate(JAVA_INT);
        file.enter();
        try {
            descriptors.set(JAVA_INT, 0, file.descriptor());
            register(REGISTER_FILES, descriptors, 1);
        } finally {
            file.leave();
        }
    }

    private void register(int what, MemorySegment argument, int count) throws LinuxException {
        if (Libc.ioUringRegister(ring, what, argument, count) < 0) {
            throw new LinuxException("io_uring_register " + what, name, Libc.errno());
        }
    }

    /**
     * Makes room for registered buffers, once.
     *
     * @param count how many
     * @throws LinuxException {@code EINVAL} if the kernel is older than 5.19
     */
    public void reserveBuffers(int count) throws LinuxException {
        requireOpen();
        try (Arena confined = Arena.ofConfined()) {
            MemorySegment request = confined.allocate(RSRC_REGISTER_BYTES, Long.BYTES);
            request.set(JAVA_INT, 0, count);
            request.set(JAVA_INT, RSRC_REGISTER_FLAGS, RSRC_REGISTER_SPARSE);
            register(REGISTER_BUFFERS2, request, RSRC_REGISTER_BYTES);
        }
        buffers = count;
    }

    /**
     * Registers a buffer, whose pages the kernel then has at hand, and keeps until another takes its place or the ring is
     * closed. What was registered there before must be in no command under way.
     *
     * @param index 0 up to how many there is room for
     * @param memory native memory of at most 1 GiB
     * @throws LinuxException {@code ENOMEM} if this user may not lock so much ({@code ulimit -l}), {@code EFAULT} if it is
     *     larger
     */
    public void registerBuffer(int index, MemorySegment memory) throws LinuxException {
        requireOpen();
        Objects.checkIndex(index, buffers);
        if (memory.byteSize() > MAX_BUFFER) {
            throw new LinuxException("io_uring_register", memory.byteSize() + " bytes of memory", Errno.EFBIG);
        }
        try (Arena confined = Arena.ofConfined()) {
            MemorySegment vector = confined.allocate(IOVEC_BYTES, Long.BYTES);
            vector.set(JAVA_LONG, 0, memory.address());
            vector.set(JAVA_LONG, IOVEC_LEN, memory.byteSize());
            MemorySegment request = confined.allocate(RSRC_UPDATE_BYTES, Long.BYTES);
            request.set(JAVA_INT, 0, index);
            request.set(JAVA_LONG, RSRC_UPDATE_DATA, vector.address());
            request.set(JAVA_INT, RSRC_UPDATE_NR, 1);
            register(REGISTER_BUFFERS_UPDATE, request, RSRC_UPDATE_BYTES);
        }
    }

    /** The most commands in flight. */
    public int slots() {
        return slots;
    }

    /** Whether the kernel does its part only when this thread asks for results (6.1). */
    public boolean defers() {
        return (flags & SETUP_DEFER_TASKRUN) != 0;
    }

    /** Commands that were started and of which {@link #next()} has not told yet. */
    public int outstanding() {
        return outstanding;
    }

    /**
     * Makes a slot read.
     *
     * @param target native memory, of less than 2 GiB
     * @param buffer the registered buffer that the memory is in, or {@link #NO_BUFFER}
     */
    public void bindRead(int slot, MemorySegment target, int buffer) {
        bind(slot, buffer == NO_BUFFER ? OP_READ : OP_READ_FIXED, target, buffer);
    }

    /** Makes a slot write; the parameters are those of {@link #bindRead}. */
    public void bindWrite(int slot, MemorySegment source, int buffer) {
        bind(slot, buffer == NO_BUFFER ? OP_WRITE : OP_WRITE_FIXED, source, buffer);
    }

    /**
     * Makes a slot read from one of many files, which stays open until the command has ended.
     *
     * @param file its number among the files
     * @param memory native memory
     * @param offset where in it the bytes go
     * @param bytes how many
     * @param buffer the registered buffer that they go to, or {@link #NO_BUFFER}
     * @throws IllegalStateException if the file is not open
     */
    public void bindRead(
            int slot, ReadableFiles files, int file, MemorySegment memory, long offset, int bytes, int buffer) {
        Objects.checkFromIndexSize(offset, bytes, memory.byteSize());
        int descriptor = files.descriptor(file);
        MemorySegment sqe = entry(slot, buffer == NO_BUFFER ? OP_READ : OP_READ_FIXED);
        sqe.set(JAVA_BYTE, SQE_FLAGS, (byte) 0);
        sqe.set(JAVA_INT, SQE_FD, descriptor);
        fill(sqe, memory.address() + offset, bytes, buffer);
    }

    private void bind(int slot, byte operation, MemorySegment memory, int buffer) {
        requireFile();
        fill(entry(slot, operation), memory.address(), Math.toIntExact(memory.byteSize()), buffer);
    }

    private static void fill(MemorySegment sqe, long address, int bytes, int buffer) {
        sqe.set(JAVA_LONG, SQE_ADDR, address);
        sqe.set(JAVA_INT, SQE_LEN, bytes);
        sqe.set(JAVA_SHORT, SQE_BUF_INDEX, (short) Math.max(0, buffer));
    }

    private void requireFile() {
        if (file == null) {
            throw new IllegalStateException("the io_uring of " + name + " was set up without a file of its own");
        }
    }

    /**
     * Makes a slot an NVMe command of the namespace that the file stands for ({@code /dev/ngXnY}); what it is started with
     * is command dwords 10 and 11.
     *
     * @param opcode of the NVM command set
     * @param cdw12 command dwords 12 (low half) and 13
     * @param data native memory, of less than 2 GiB
     * @param buffer the registered buffer that the memory is in, or {@link #NO_BUFFER}
     */
    public void bindNvme(int slot, int opcode, int nsid, long cdw12, MemorySegment data, int buffer) {
        if (!options.nvmeCommands) {
            throw new IllegalStateException("the io_uring of " + name + " was set up without NVMe commands");
        }
        requireFile();
        MemorySegment sqe = entry(slot, OP_URING_CMD);
        sqe.set(JAVA_INT, SQE_OFF, NVME_URING_CMD_IO);
        sqe.set(JAVA_INT, SQE_OP_FLAGS, buffer == NO_BUFFER ? 0 : URING_CMD_FIXED);
        sqe.set(JAVA_SHORT, SQE_BUF_INDEX, (short) Math.max(0, buffer));
        sqe.set(JAVA_BYTE, SQE_CMD, (byte) opcode);
        sqe.set(JAVA_INT, SQE_CMD + NVME_CMD_NSID, nsid);
        sqe.set(JAVA_LONG, SQE_CMD + NVME_CMD_ADDR, data.address());
        sqe.set(JAVA_INT, SQE_CMD + NVME_CMD_DATA_LEN, Math.toIntExact(data.byteSize()));
        sqe.set(JAVA_LONG, SQE_CMD + NVME_CMD_CDW12, cdw12);
    }

    /**
     * Makes a slot wait until an event counter is above 0, which it leaves as it is; started with position 0.
     *
     * @param event stays open until the command has ended
     */
    void bindPoll(int slot, EventFd event) {
        MemorySegment sqe = entry(slot, OP_POLL_ADD);
        sqe.set(JAVA_BYTE, SQE_FLAGS, (byte) 0);
        sqe.set(JAVA_INT, SQE_FD, event.descriptor());
        sqe.set(JAVA_INT, SQE_OP_FLAGS, Libc.POLLIN);
    }

    /**
     * Makes a slot a command to the driver of the file (IORING_OP_URING_CMD). With entries of 64 bytes, its operation is
     * the position that it is started with.
     *
     * @param operation with entries of 128 bytes; otherwise any
     * @return the command's own bytes, 16 of them or 80, all zero; they may be changed whenever it is not in flight
     */
    MemorySegment bindDriverCommand(int slot, int operation) {
        requireFile();
        MemorySegment sqe = entry(slot, OP_URING_CMD);
        sqe.set(JAVA_INT, SQE_OFF, operation);
        return sqe.asSlice(SQE_CMD);
    }

    private MemorySegment entry(int slot, byte operation) {
        requireOpen();
        long at = (long) Objects.checkIndex(slot, slots) * entryBytes;
        MemorySegment sqe = entries.asSlice(at, entryBytes).fill((byte) 0);
        sqe.set(JAVA_BYTE, 0, operation);
        sqe.set(JAVA_BYTE, SQE_FLAGS, FIXED_FILE);
        sqe.set(JAVA_LONG, SQE_USER_DATA, slot);
        return sqe;
    }

    /**
     * Starts the command of a slot; the kernel is told of it by the next {@link #submit()} or {@link #await}.
     *
     * @param slot one that is bound and not in flight
     * @param position in bytes from the start of the file; of an NVMe command, command dwords 10 and 11
     * @throws IllegalStateException if all slots are in flight, or it is closed
     */
    public void start(int slot, long position) {
        requireOpen();
        if (outstanding == slots) {
            throw new IllegalStateException(name + ": " + slots + " commands are in flight already");
        }
        // The kernel is done with the slot's entry, as it has told the result of its last command.
        long at = (long) Objects.checkIndex(slot, slots) * entryBytes;
        entries.set(JAVA_LONG, at + (options.nvmeCommands ? SQE_CMD + NVME_CMD_CDW10 : SQE_OFF), position);
        rings.set(JAVA_INT, sqArray + (long) (tail & sqMask) * Integer.BYTES, slot);
        tail++;
        prepared++;
        outstanding++;
    }

    /** Makes a slot read, and starts it: {@link #bindRead}, {@link #start}. */
    public void read(int slot, long position, MemorySegment target) {
        bindRead(slot, target, NO_BUFFER);
        start(slot, position);
    }

    /**
     * Tells the kernel of the commands that were started, without waiting.
     *
     * @throws LinuxException if the kernel takes none
     */
    public void submit() throws LinuxException {
        requireOpen();
        if (prepared > 0) {
            enter(0);
        }
    }

    /**
     * Takes a command back that was started, and of which the kernel was not told: the one that was started last. To be
     * called until there is none left when {@link #submit()} or {@link #await} has failed, as such commands never end.
     *
     * @return its slot, or -1 if there is none
     */
    public int takeBack() {
        requireOpen();
        if (prepared == 0) {
            return -1;
        }
        prepared--;
        outstanding--;
        tail--;
        // The kernel looks at the tail only in a call that submits; a thread of its own has all that was started.
        WORD.setRelease(rings, sqTail, tail);
        return rings.get(JAVA_INT, sqArray + (long) (tail & sqMask) * Integer.BYTES);
    }

    /**
     * Submits what was started and waits for results, which {@link #next()} then tells.
     *
     * @param least how many results there should be, at most {@link #outstanding()}
     * @throws IllegalStateException if not so many are outstanding, or it is closed
     * @throws LinuxException if the kernel takes no commands
     */
    public void await(int least) throws LinuxException {
        requireOpen();
        if (least < 1 || least > outstanding) {
            throw new IllegalStateException(
                    "%s: waiting for %d of %d commands in flight".formatted(name, least, outstanding));
        }
        while (prepared > 0 || ready() < least) {
            enter(least);
        }
    }

    /**
     * Submits what was started, and waits for a result, but not for ever.
     *
     * @param nanos how long; 0 or more
     * @return whether there is one, which {@link #next()} then tells; also false if the wait was interrupted
     * @throws LinuxException if the kernel takes no commands, or is older than 5.11 ({@code ENOSYS})
     */
    boolean awaitFor(long nanos) throws LinuxException {
        requireOpen();
        if (!takesLimit) {
            throw new LinuxException("io_uring_enter with a limit", name, Errno.ENOSYS);
        }
        submit();
        if (ready() == 0) {
            limit.set(JAVA_LONG, GETEVENTS_ARG_BYTES, nanos / 1_000_000_000);
            limit.set(JAVA_LONG, GETEVENTS_ARG_BYTES + TIMESPEC_NSEC, nanos % 1_000_000_000);
            MemorySegment argument = limit.asSlice(0, GETEVENTS_ARG_BYTES);
            long n = Libc.ioUringEnter(ring, 0, 1, ENTER_GETEVENTS | ENTER_EXT_ARG, argument);
            if (n < 0) {
                switch (Libc.errno()) {
                    case Errno.ETIME, Errno.EINTR, Errno.EAGAIN, Errno.EBUSY -> {}
                    default -> throw new LinuxException("io_uring_enter", name, Libc.errno());
                }
            }
            requireNoneLost();
        }
        return ready() > 0;
    }

    /**
     * Takes a result, which {@link #slot()} and {@link #result()} then tell, without waiting.
     *
     * @return whether there was one
     * @throws LinuxException if the kernel does not hand out those that it has
     */
    public boolean next() throws LinuxException {
        if (ready() == 0) {
            requireOpen();
            if (!ask()) {
                return false;
            }
        }
        // The entry was published by the kernel's release of the tail, of which ready() saw by its acquire.
        int head = (int) WORD.get(rings, cqHead);
        long cqe = cqes + ((long) (head & cqMask) << cqeShift);
        slot = (int) rings.get(JAVA_LONG, cqe);
        result = rings.get(JAVA_INT, cqe + CQE_RES);
        // Pairs with the kernel's acquire of the head: it overwrites the result only when it was read.
        WORD.setRelease(rings, cqHead, head + 1);
        outstanding--;
        refused = false;
        return true;
    }

    /** Asks for results that the kernel hands out only in a call; whether there are any then. */
    private boolean ask() throws LinuxException {
        boolean onlyWhenAsked = options.devicePolled && !options.submissionPolled;
        if (outstanding > prepared && (onlyWhenAsked || heldBack())) {
            long _ = call(0, 0, ENTER_GETEVENTS);
            requireNoneLost();
            return ready() > 0;
        }
        return false;
    }

    private boolean heldBack() {
        return ((int) WORD.getAcquire(rings, sqFlags) & (SQ_TASKRUN | SQ_CQ_OVERFLOW)) != 0;
    }

    /** Of the last result: the slot of its command. */
    public int slot() {
        return slot;
    }

    /**
     * Of the last result: the bytes that were moved, 0 at the end of the file, or an errno negated. Of an NVMe command: 0,
     * its status (NVMe Base 2.0, section 3.3.3.2, 15 bits), or an errno negated.
     */
    public int result() {
        return result;
    }

    /** How many results there are. Pairs with the kernel's release of the tail: the results before it are whole. */
    private int ready() {
        return (int) WORD.getAcquire(rings, cqTail) - (int) WORD.get(rings, cqHead);
    }

    /**
     * Submits what was started, and has the kernel hand out the results that it has, in one call.
     *
     * @throws LinuxException if the kernel takes no commands
     */
    void exchange() throws LinuxException {
        requireOpen();
        enter(0, ENTER_GETEVENTS);
    }

    private void enter(int least) throws LinuxException {
        enter(least, least > 0 ? ENTER_GETEVENTS : 0);
    }

    /** Submits what was started, all of it, and waits for so many results, as far as the kernel does in one call. */
    private void enter(int least, int how) throws LinuxException {
        if (prepared > 0 && file != null) {
            file.requireOpen();
        }
        if (!enabled) {
            // Now, as the thread that enables it is the one that may use it.
            register(REGISTER_ENABLE_RINGS, MemorySegment.NULL, 0);
            enabled = true;
        }
        // Pairs with the kernel's acquire of the tail: it sees whole entries.
        WORD.setRelease(rings, sqTail, tail);
        if (options.submissionPolled) {
            wake(least);
            return;
        }
        do {
            long n = call(prepared, least, how);
            prepared -= (int) Math.max(0, n);
            requireNoneLost();
            pauseIf(n == NOT_NOW || (n == 0 && prepared > 0));
        } while (prepared > 0);
    }

    private void wake(int least) throws LinuxException {
        // The kernel's thread says that it sleeps, then looks at the tail once more; this is the other order.
        VarHandle.fullFence();
        prepared = 0;
        int wakeUp = ((int) WORD.getAcquire(rings, sqFlags) & SQ_NEED_WAKEUP) != 0 ? ENTER_SQ_WAKEUP : 0;
        if (wakeUp != 0 || least > 0) {
            long n = call(0, least, wakeUp | (least > 0 ? ENTER_GETEVENTS : 0));
            requireNoneLost();
            pauseIf(n == NOT_NOW);
        }
    }

    /** What io_uring_enter returns; 0 also if it was interrupted, {@link #NOT_NOW} if it had no memory just now. */
    private long call(int submit, int least, int how) throws LinuxException {
        long n = Libc.ioUringEnter(ring, submit, least, how);
        if (n < 0) {
            n = switch (Libc.errno()) {
                case Errno.EINTR -> 0;
                case Errno.EAGAIN, Errno.EBUSY -> NOT_NOW;
                default -> throw new LinuxException("io_uring_enter", name, Libc.errno());
            };
        }
        return n;
    }

    /** Results that the kernel had no memory for: their commands have ended, and nothing will tell how. */
    private int lost() {
        return (int) WORD.getAcquire(rings, cqOverflow);
    }

    /** To be called when it is written down what the kernel took: that does not change by this. */
    private void requireNoneLost() throws LinuxException {
        int lost = lost();
        if (lost != 0) {
            throw new LinuxException("io_uring, " + lost + " results lost", name, Errno.EOVERFLOW);
        }
    }

    /** Lets the kernel come to itself if it did nothing, but not for ever. An interrupt makes the pauses short, not fewer. */
    private void pauseIf(boolean idle) throws LinuxException {
        if (!idle) {
            refused = false;
            return;
        }
        long now = System.nanoTime();
        if (!refused) {
            refused = true;
            until = now + PATIENCE_NANOS;
        } else if (now - until >= 0) {
            refused = false;
            throw new LinuxException("io_uring_enter", name + ", " + outstanding + " commands in flight", Errno.EAGAIN);
        }
        LockSupport.parkNanos(PAUSE_NANOS);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the io_uring of " + name + " is closed");
        }
    }

    /**
     * Waits for the commands that the kernel has, and frees the ring; what was only started is forgotten. Closing again
     * does nothing.
     *
     * @throws LinuxException if the kernel does not let itself be waited for; the ring is then left as it is
     */
    @Override
    public void close() throws LinuxException {
        if (closed) {
            return;
        }
        outstanding -= prepared;
        prepared = 0;
        refused = false;
        while (outstanding > lost()) {
            if (ready() > 0) {
                int _ = next() ? slot : -1;
            } else {
                awaitOne();
            }
        }
        closed = true;
        // The kernel takes a closed ring apart later, and would keep what is registered until then: a file that nobody
        // has open any more would be in use. Not all threads may ask for it; then it is later.
        long _ = Libc.ioUringRegister(ring, UNREGISTER_FILES, MemorySegment.NULL, 0);
        if (buffers > 0) {
            long _ = Libc.ioUringRegister(ring, UNREGISTER_BUFFERS, MemorySegment.NULL, 0);
        }
        int _ = Libc.close(ring);
        arena.close();
    }

    /**
     * Frees the ring without waiting for what the kernel has: it takes that back by itself, soon. For commands of a driver
     * that end in no other way, and use no memory but what stays. Closing afterwards does nothing.
     */
    void abandon() {
        if (!closed) {
            closed = true;
            // The file stays registered until then: to take it back would be to wait for the commands that use it.
            int _ = Libc.close(ring);
            arena.close();
        }
    }

    private void awaitOne() throws LinuxException {
        long n = Libc.ioUringEnter(ring, 0, 1, ENTER_GETEVENTS);
        boolean idle = n < 0
                && switch (Libc.errno()) {
                    case Errno.EINTR -> false;
                    // EEXIST: the thread that alone may ask has ended, and the kernel ended its commands then: results
                    // will show.
                    case Errno.EEXIST, Errno.EAGAIN, Errno.EBUSY -> true;
                    default -> throw new LinuxException("io_uring_enter", name, Libc.errno());
                };
        pauseIf(idle);
    }
}
