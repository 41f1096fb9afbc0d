package io.aisio.nvme;

import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.Interrupt;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * An NVMe controller, brought up and owned by this driver.
 *
 * <p>Any thread may call it; admin commands go one at a time. Who opens it closes it, after its queue pairs, and gives the
 * function back after that.
 *
 * <p>A controller that breaks the specification, reports a fatal error, does not answer in time or is gone <em>fails</em>:
 * it is disabled, or cut off memory where that fails, so that it leaves the host's memory alone, and from then on every
 * call says why. So does one that is removed or asked back. Recovery by Abort and reset is not there yet.
 */
public final class NvmeController implements AdminCommands, AutoCloseable {
    /** Depth of the admin queue: one command is in flight at a time, and a page holds 64 entries. */
    private static final int ADMIN_DEPTH = 63;
    /** I/O queue pairs that the driver asks for; a controller grants what it has. */
    private static final int WANTED_QUEUE_PAIRS = 1024;
    /** Interrupt vectors that are asked for at most: the system has only so many, and few threads sleep. */
    private static final int MOST_VECTORS = 64;
    /** How long a wait for an admin command sleeps between two looks, once it takes longer than a few of them. */
    private static final long ADMIN_POLL_NANOS = 20_000;
    /** Looks at the admin completion queue before the wait sleeps. */
    private static final int ADMIN_SPINS = 100;

    private final PciFunction function;
    private final Timeouts timeouts;
    private final ControllerRegisters registers;
    private final Identification identification;
    private final QueuePair admin;
    private final Object adminLock = new Object();
    private final DmaMemory adminData;
    private final int[] adminDone = new int[1];

    /** Queue pairs that exist or are being created or deleted. */
    private final BitSet qids = new BitSet();

    private ControllerIdentity identity;
    private volatile Map<Integer, Namespace> namespaces = Map.of();
    private int maxQueuePairs;

    private final Object interruptLock = new Object();
    /** By vector; empty until the first queue pair whose owner sleeps. */
    private List<? extends Interrupt> interrupts = List.of();

    private final BitSet takenVectors = new BitSet();

    private final Object failLock = new Object();
    private volatile @Nullable NvmeException failure;
    private volatile boolean mayStillAccessMemory;
    /** Whether the controller has been let go, under {@link #failLock}: its registers may be gone any moment. */
    private boolean released;

    private volatile boolean closed;

    private NvmeController(PciFunction function, Timeouts timeouts) throws IOException {
        this.function = function;
        this.timeouts = timeouts;
        registers = new ControllerRegisters(function.name(), function.bar(0));
        identification = new Identification(function.name(), this, registers);
        int entries = ADMIN_DEPTH + 1;
        DmaMemory rings = function.allocate(QueuePair.memoryBytes(entries));
        try {
            adminData = function.allocate(Identify.BYTES);
        } catch (IOException | RuntimeException e) {
            rings.close();
            throw e;
        }
        // No deadline of the queue's own: complete() has each command's, and Format's is not that of the others.
        admin = new QueuePair(this, 0, ADMIN_DEPTH, rings, registers, null, Long.MAX_VALUE);
        identity = new ControllerIdentity("", "", "", 0, 0, 0, 0, false, 0);
        try {
            requireContiguous(rings, QueuePair.ringBytes(entries));
            registers.disable();
            function.startDma();
            registers.enable(entries, rings.iova(0), rings.iova(QueuePair.completionRing(entries)));
            identity = identification.controller();
            maxQueuePairs = negotiateQueuePairs();
            namespaces = identification.namespaces(this::hasFailed);
            // Not before: a removal stops the controller, which bring-up would start again.
            function.onRemoval(this::removed);
        } catch (IOException | RuntimeException e) {
            fail(e instanceof NvmeException n ? n : new NvmeException(name() + ": bring-up failed: " + e.getMessage()));
            free();
            throw e;
        }
    }

    /**
     * Brings a controller up with the {@linkplain Timeouts#DEFAULT usual timeouts}.
     *
     * @param function which stays the caller's: it is closed after the controller
     * @throws NvmeException if the controller does not do what the specification asks
     * @throws IOException if memory cannot be had
     */
    public static NvmeController open(PciFunction function) throws IOException {
        return open(function, Timeouts.DEFAULT);
    }

    /** Brings a controller up with timeouts of the caller's. */
    public static NvmeController open(PciFunction function, Timeouts timeouts) throws IOException {
        return new NvmeController(function, timeouts);
    }

    private int negotiateQueuePairs() throws IOException {
        int wanted = WANTED_QUEUE_PAIRS - 1;
        Completion granted =
                execute(Command.of(Opcode.SET_FEATURES, 0, Feature.NUMBER_OF_QUEUES, wanted << 16 | wanted));
        int submission = (granted.result() & 0xFFFF) + 1;
        int completion = (granted.result() >>> 16) + 1;
        return (int) Math.min(registers.doorbellRoom(), Math.min(WANTED_QUEUE_PAIRS, Math.min(submission, completion)));
    }

    /**
     * What a zoned namespace is like.
     *
     * @throws IllegalArgumentException if it is not a zoned one
     * @throws NvmeException if it is not active, or describes zones that make no sense
     */
    public ZonedNamespace zoned(int nsid) throws IOException {
        Namespace namespace = namespace(nsid);
        if (namespace.commandSet() != Identify.CSI_ZONED) {
            throw new IllegalArgumentException(name() + ": namespace " + nsid + " has no zones");
        }
        return identification.zoned(nsid, maxTransferBytes());
    }

    /** The formats that a namespace can be given, by ascending index. */
    public List<LbaFormat> lbaFormats(int nsid) throws IOException {
        return identification.lbaFormats(nsid);
    }

    /**
     * Formats a namespace: all its data is gone. Afterwards {@link #namespaces()} is read anew, all of it, as some
     * controllers format every namespace at once (FNA bit 0).
     *
     * @throws IllegalStateException if queue pairs are open: their commands count blocks of the old size
     * @throws NvmeException if the controller refuses
     */
    public void format(int nsid, Format format) throws IOException {
        format(format.command(nsid));
    }

    private Completion format(Command command) throws IOException {
        synchronized (adminLock) {
            synchronized (qids) {
                requireOpen();
                if (!qids.isEmpty()) {
                    throw new IllegalStateException(name() + ": namespace " + Integer.toUnsignedString(command.nsid())
                            + " cannot be formatted while queue pairs " + qids + " are open");
                }
            }
            Completion completion = execute(command);
            namespaces = identification.namespaces(this::hasFailed);
            return completion;
        }
    }

    // What a caller asks.

    /** The function's name. */
    public String name() {
        return function.name();
    }

    /**
     * A register, for people to look at: this driver writes those that there are.
     *
     * @param offset one of {@link io.aisio.nvme.spec.Registers}'
     * @param bytes 4 or 8
     * @return its value; all ones if the controller is gone from the bus
     */
    public long register(long offset, int bytes) {
        return switch (bytes) {
            case Integer.BYTES -> registers.bar().read32(offset) & 0xFFFF_FFFFL;
            case Long.BYTES -> registers.bar().read64(offset);
            default -> throw new IllegalArgumentException("a register of " + bytes + " bytes; they have 4 or 8");
        };
    }

    /** What the controller says of itself. */
    public ControllerIdentity identity() {
        return identity;
    }

    /** The active namespaces that can be used, by ascending NSID, as they were at bring-up or the last format. */
    public Collection<Namespace> namespaces() {
        return namespaces.values();
    }

    /**
     * A namespace by its identifier.
     *
     * @throws NvmeException if it is not active, or was described in a way that makes no sense
     */
    public Namespace namespace(int nsid) throws NvmeException {
        Namespace namespace = namespaces.get(nsid);
        if (namespace == null) {
            throw new NvmeException("%s: no usable namespace %s; there is %s"
                    .formatted(name(), Integer.toUnsignedString(nsid), namespaces.keySet()));
        }
        return namespace;
    }

    /** The most that one command transfers, in bytes: what the controller allows (MDTS) and one PRP list names. */
    public int maxTransferBytes() {
        long mdts = identity.maxTransferBytes();
        return mdts == 0 ? Prp.MAX_BYTES : (int) Math.min(mdts, Prp.MAX_BYTES);
    }

    /** The most commands that a queue pair holds in flight: one less than the entries that CAP.MQES allows. */
    public int maxDepth() {
        return Math.min(registers.maxQueueEntries() - 1, QueuePair.MAX_DEPTH);
    }

    /** How many I/O queue pairs the controller granted. */
    public int maxQueuePairs() {
        return maxQueuePairs;
    }

    /**
     * Creates an I/O completion queue and the submission queue that goes with it.
     *
     * @param depth the most commands in flight, 1 to {@link #maxDepth()}
     * @throws NvmeException if the controller refuses, or all queue pairs are in use
     * @throws IOException if memory cannot be had
     */
    public QueuePair createQueuePair(int depth) throws IOException {
        return createQueuePair(depth, false);
    }

    /**
     * Creates a queue pair whose owner can sleep until the controller interrupts ({@link QueuePair#await}), at the price of
     * an interrupt a completion.
     *
     * @param depth the most commands in flight, 1 to {@link #maxDepth()}
     * @throws NvmeException if the controller refuses, all queue pairs are in use, or there is no interrupt vector for this
     *     one
     * @throws IOException if memory or interrupts cannot be had
     */
    public QueuePair createSleepingQueuePair(int depth) throws IOException {
        return createQueuePair(depth, true);
    }

    private QueuePair createQueuePair(int depth, boolean sleeping) throws IOException {
        if (depth < 1 || depth > maxDepth()) {
            throw new IllegalArgumentException(
                    "%s: a queue of depth %d; 1 to %d are possible".formatted(name(), depth, maxDepth()));
        }
        int entries = depth + 1;
        int qid = takeQid();
        DmaMemory rings = null;
        Interrupt interrupt = null;
        try {
            rings = function.allocate(QueuePair.memoryBytes(entries));
            requireContiguous(rings, QueuePair.ringBytes(entries));
            interrupt = sleeping ? takeInterrupt(qid) : null;
            createCompletionQueue(qid, entries, rings.iova(QueuePair.completionRing(entries)), interrupt);
            createSubmissionQueue(qid, entries, rings.iova(0));
        } catch (IOException | RuntimeException e) {
            if (rings != null && !mayStillAccessMemory) {
                rings.close();
            }
            giveInterruptBack(interrupt);
            giveQidBack(qid);
            throw e;
        }
        return new QueuePair(
                this, qid, depth, rings, registers, interrupt, timeouts.io().toNanos());
    }

    /** Physically contiguous (PC); with interrupts (IEN and IV) only if the queue's owner sleeps. */
    private void createCompletionQueue(int qid, int entries, long iova, @Nullable Interrupt interrupt)
            throws IOException {
        long attributes = interrupt == null ? 1 : 1 | 1 << 1 | (long) interrupt.vector() << 16;
        execute(new Command(Opcode.CREATE_IO_CQ, 0, (entries - 1L) << 16 | qid | attributes << 32, 0, 0), iova);
    }

    /** A vector of the queue's own. Vector 0 is the admin queue's too, and serves a function that has no other. */
    private Interrupt takeInterrupt(int qid) throws IOException {
        synchronized (interruptLock) {
            if (interrupts.isEmpty() && function.interruptVectors() > 0) {
                interrupts = function.enableInterrupts(
                        Math.min(Math.min(function.interruptVectors(), MOST_VECTORS), maxQueuePairs + 1));
            }
            int vector = takenVectors.nextClearBit(interrupts.size() == 1 ? 0 : 1);
            if (vector >= interrupts.size()) {
                throw new NvmeException("%s: no interrupt vector is left for queue %d, of %d that there are"
                        .formatted(name(), qid, interrupts.size()));
            }
            takenVectors.set(vector);
            return interrupts.get(vector);
        }
    }

    private void giveInterruptBack(@Nullable Interrupt interrupt) {
        if (interrupt != null) {
            synchronized (interruptLock) {
                takenVectors.clear(interrupt.vector());
            }
        }
    }

    private void createSubmissionQueue(int qid, int entries, long iova) throws IOException {
        long attributes = (long) qid << 16 | 1;
        try {
            execute(new Command(Opcode.CREATE_IO_SQ, 0, (entries - 1L) << 16 | qid | attributes << 32, 0, 0), iova);
        } catch (NvmeException e) {
            if (!hasFailed()) {
                takeBackCompletionQueue(qid, e);
            }
            throw e;
        }
    }

    private void takeBackCompletionQueue(int qid, NvmeException why) throws IOException {
        try {
            execute(Command.of(Opcode.DELETE_IO_CQ, 0, qid));
        } catch (NvmeException e) {
            // It keeps the memory that is about to be freed.
            why.addSuppressed(e);
            fail(e);
        }
    }

    /** Deletes a queue pair: the submission queue first, which ends its commands, then the completion queue. */
    void delete(QueuePair pair) throws IOException {
        try {
            if (!hasFailed()) {
                execute(Command.of(Opcode.DELETE_IO_SQ, 0, pair.qid()));
                execute(Command.of(Opcode.DELETE_IO_CQ, 0, pair.qid()));
            }
        } catch (NvmeException e) {
            // Whoever keeps a queue keeps writing to its memory: only a disabled controller lets it be freed.
            fail(e);
            throw e;
        } finally {
            giveInterruptBack(pair.interrupt());
            giveQidBack(pair.qid());
        }
    }

    private int takeQid() throws NvmeException {
        synchronized (qids) {
            requireOpen();
            int qid = qids.nextClearBit(1);
            if (qid > maxQueuePairs) {
                throw new NvmeException("%s: all %d queue pairs that the controller granted are in use"
                        .formatted(name(), maxQueuePairs));
            }
            qids.set(qid);
            return qid;
        }
    }

    private void giveQidBack(int qid) {
        synchronized (qids) {
            qids.clear(qid);
        }
    }

    /**
     * Executes an admin command without data and waits.
     *
     * @throws NvmeException if the controller completes it with an error, or does not in time
     */
    public Completion execute(Command command) throws IOException {
        return execute(command, null, 0);
    }

    /**
     * Executes an admin command and waits.
     *
     * @param data what it transfers, from the start; null for nothing
     * @param bytes how much
     * @throws NvmeException if the controller completes it with an error, or does not in time
     */
    public Completion execute(Command command, @Nullable DmaMemory data, int bytes) throws IOException {
        synchronized (adminLock) {
            requireOpen();
            if (data == null) {
                admin.bind(0, command);
            } else {
                admin.bind(0, command, data, 0, bytes);
            }
            return complete(command);
        }
    }

    /** @throws IllegalStateException if it formats while queue pairs are open: their commands count blocks of the old size */
    @Override
    public Completion execute(Command command, MemorySegment data) throws IOException {
        int bytes = (int) Math.min(data.byteSize(), Integer.MAX_VALUE);
        if (bytes > maxTransferBytes()) {
            throw new IllegalArgumentException("%s: %s with %d bytes of data; at most %d are possible"
                    .formatted(name(), Opcode.adminName(command.opcode()), data.byteSize(), maxTransferBytes()));
        }
        if (command.opcode() == Opcode.FORMAT_NVM) {
            return format(command);
        }
        if (bytes == 0) {
            return execute(command);
        }
        synchronized (adminLock) {
            requireOpen();
            if (bytes <= Identify.BYTES) {
                return execute(command, data, adminData);
            }
            DmaMemory large = function.allocate(bytes);
            try {
                return execute(command, data, large);
            } finally {
                if (!mayStillAccessMemory) {
                    large.close();
                }
            }
        }
    }

    private Completion execute(Command command, MemorySegment data, DmaMemory memory) throws IOException {
        int bytes = (int) data.byteSize();
        memory.segment().fill((byte) 0).asSlice(0, bytes).copyFrom(data);
        Completion completion = execute(command, memory, bytes);
        if ((command.opcode() & 2) != 0) {
            data.copyFrom(memory.segment().asSlice(0, bytes));
        }
        return completion;
    }

    /** Executes a queue creation, whose PRP entry 1 is the queue's address. */
    private Completion execute(Command command, long iova) throws IOException {
        synchronized (adminLock) {
            requireOpen();
            admin.bindAddress(0, command, iova);
            return complete(command);
        }
    }

    private Completion complete(Command command) throws NvmeException {
        Duration limit = command.opcode() == Opcode.FORMAT_NVM ? timeouts.format() : timeouts.admin();
        long deadline = System.nanoTime() + limit.toNanos();
        long adminResult;
        try {
            admin.submit(new int[] {0}, new long[] {command.cdw10()}, 1);
            int spins = 0;
            while (admin.poll(adminDone) == 0) {
                look();
                if (!hasFailed() && System.nanoTime() - deadline > 0) {
                    fail(new NvmeException("%s: %s: no answer within %d ms"
                            .formatted(name(), Opcode.adminName(command.opcode()), limit.toMillis())));
                }
                if (++spins > ADMIN_SPINS) {
                    LockSupport.parkNanos(ADMIN_POLL_NANOS);
                }
            }
            adminResult = admin.lastResult();
        } finally {
            admin.handOver();
        }
        requireWorking();
        if (adminDone[0] < 0) {
            throw admin.failure(0);
        }
        return new Completion(new Status(Status.SUCCESS), (int) adminResult, (int) (adminResult >>> 32));
    }

    // Failure.

    /** Why the controller failed, or null. */
    public @Nullable NvmeException failure() {
        return failure;
    }

    boolean hasFailed() {
        return failure != null;
    }

    /** Whether the controller could not be stopped after it failed: memory that it knows must not be used again. */
    boolean mayStillAccessMemory() {
        return mayStillAccessMemory;
    }

    /** @throws NvmeException if the controller has failed, saying why */
    void requireWorking() throws NvmeException {
        NvmeException why = failure;
        if (why != null) {
            throw failed(why);
        }
    }

    private static NvmeException failed(NvmeException why) {
        var e = new NvmeException(String.valueOf(why.getMessage()));
        e.initCause(why);
        return e;
    }

    private void requireOpen() throws NvmeException {
        if (closed) {
            throw new IllegalStateException(name() + " is closed");
        }
        requireWorking();
    }

    /** Looks at the controller's status: a fatal error, or its absence, fails it. */
    void look() {
        try {
            registers.requireAlive();
        } catch (NvmeException e) {
            fail(e);
        }
    }

    /** Gives the controller up: disables it, so that it leaves memory alone, and lets every call say why. */
    void fail(NvmeException why) {
        synchronized (failLock) {
            if (failure != null) {
                return;
            }
            try {
                registers.stop();
            } catch (NvmeException stubborn) {
                why.addSuppressed(stubborn);
                // All ones alone may be a device that is there and does not answer. One that is gone reaches no memory.
                mayStillAccessMemory = !cutOff(why) && !registers.areGone();
            }
            failure = why;
        }
    }

    /** Keeps a controller that cannot be disabled from memory by other means; whether that worked. */
    private boolean cutOff(NvmeException why) {
        try {
            function.stopDma();
            return true;
        } catch (IOException | UnsupportedOperationException e) {
            why.addSuppressed(e);
            return false;
        }
    }

    /** The device is asked back or gone: whoever waits for a command learns of it now, not at the command's deadline. */
    private void removed() {
        synchronized (failLock) {
            if (!released) {
                fail(new NvmeException(name() + ": the device was removed, or is asked back by the system"));
            }
        }
    }

    // The end.

    /**
     * Shuts the controller down in order (section 7.6.2), so that its caches are written, and disables it.
     *
     * @throws IllegalStateException if queue pairs are open
     * @throws NvmeException if the controller does not finish in time
     */
    @Override
    public void close() throws IOException {
        synchronized (adminLock) {
            if (closed) {
                return;
            }
            synchronized (qids) {
                // One that is being created counts: its rings and doorbells are about to be used without a check.
                if (!qids.isEmpty()) {
                    throw new IllegalStateException(name() + ": queue pairs " + qids + " are open");
                }
                closed = true;
            }
            // From here on a removal changes nothing: what it would stop is being stopped.
            synchronized (failLock) {
                released = true;
            }
            try {
                if (!hasFailed()) {
                    Duration told = Duration.ofNanos(identity.shutdownMicros() * 1000);
                    registers.shutDown(told.compareTo(timeouts.shutdown()) > 0 ? told : timeouts.shutdown());
                }
            } catch (NvmeException e) {
                fail(e);
                throw e;
            } finally {
                free();
            }
        }
    }

    /** Whether {@link #close()} has been carried out. */
    public boolean isClosed() {
        return closed;
    }

    private void free() {
        synchronized (failLock) {
            released = true;
        }
        admin.free();
        if (!mayStillAccessMemory) {
            adminData.close();
        }
    }

    /** Queues are created contiguous (section 5.3, PC): the device finds each ring in one piece. */
    private void requireContiguous(DmaMemory rings, long bytes) throws NvmeException {
        long first = rings.iova(0);
        for (long at = 0; at < bytes; at += Prp.PAGE) {
            if (rings.iova(at) != first + at) {
                throw new NvmeException(
                        "%s: %d bytes for a queue are not contiguous for the device".formatted(name(), bytes));
            }
        }
    }

    PciFunction function() {
        return function;
    }
}
