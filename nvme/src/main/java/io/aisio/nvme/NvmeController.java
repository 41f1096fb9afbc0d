package io.aisio.nvme;

import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.CreateQueue;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.DoorbellPages;
import io.aisio.upcie.Interrupt;
import io.aisio.upcie.MappedBar;
import io.aisio.upcie.PciFunction;
import io.aisio.upcie.PeerMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * An NVMe controller, brought up and owned by this driver.
 *
 * <p>Any thread may call it. Who opens it closes it, after its queue pairs, and gives the function back after that.
 *
 * <p>A controller that breaks the specification, reports a fatal error or does not answer in time is reset, and its queue
 * pairs create their queues anew; what was in flight comes back as failed and {@linkplain NvmeException#retryable() may be
 * tried again}. One that does not come back, is removed or asked back <em>fails</em>: it is disabled, or cut off memory
 * where that fails, so that it leaves the host's memory alone, and from then on every call says why.
 *
 * <p>A thread of the controller's own listens to its events; nothing waits for it.
 */
public final class NvmeController implements QueueSource {
    /** I/O queue pairs that the driver asks for; a controller grants what it has. */
    private static final int WANTED_QUEUE_PAIRS = 1024;
    /** Interrupt vectors that are asked for at most: the system has only so many, and few threads sleep. */
    private static final int MOST_VECTORS = 64;
    /** Event requests at most: one a type that the specification masks separately. */
    private static final int MOST_EVENT_REQUESTS = 4;
    /** How often queues are created anew when the controller is reset meanwhile. */
    private static final int ATTEMPTS = 10;
    /** The longest keep alive timeout that is taken: a day. */
    private static final Duration LONGEST_KEEP_ALIVE = Duration.ofDays(1);
    /** SGLS: data must be aligned to 4 bytes, and be a multiple of them. */
    private static final int SGLS_ALIGNED = 2;
    /** Memory for the data of admin commands that is kept: so many threads rarely send them at once. */
    private static final int KEPT_BUFFERS = 4;

    private final PciFunction function;
    private final Timeouts timeouts;
    private final ControllerRegisters registers;
    private final Identification identification;
    private final Recovery recovery;
    private final AdminQueue admin;
    private final Housekeeping housekeeping;
    /** For the data of admin commands, {@value Identify#BYTES} bytes each. */
    private final ArrayDeque<DmaMemory> adminData = new ArrayDeque<>();

    /** Queue pairs that exist or are being created or deleted. */
    private final BitSet qids = new BitSet();

    private volatile ControllerIdentity identity;
    private volatile Offer offer;
    private volatile Map<Integer, Namespace> namespaces = Map.of();
    private volatile int maxQueuePairs;
    /** Zero where none was asked for. */
    private volatile Duration keepAlive = Duration.ZERO;
    /** When the last Keep Alive was sent; the controller's own thread's. */
    private long keptAlive = System.nanoTime();
    /** Whether doorbells are rung in any case, and nothing is stored for the controller to look at. */
    private volatile boolean rings;
    /** Where the controller looks for doorbells, null while it does not. */
    private volatile @Nullable ShadowDoorbells shadow;
    /** The same, once it ever did. */
    private @Nullable ShadowDoorbells shadowPages;

    private final Object interruptLock = new Object();
    /** By vector; empty until the first queue pair whose owner sleeps. */
    private List<? extends Interrupt> interrupts = List.of();

    private final BitSet takenVectors = new BitSet();

    private volatile boolean closed;

    private NvmeController(PciFunction function, Timeouts timeouts) throws IOException {
        this.function = function;
        this.timeouts = timeouts;
        registers = new ControllerRegisters(function.name(), function.bar(0));
        identification = new Identification(function.name(), this, registers);
        recovery = new Recovery(this, function, registers);
        housekeeping = new Housekeeping(this);
        int entries = AdminQueue.DEPTH + 1;
        DmaMemory rings = function.allocate(QueuePair.ringBytes(entries));
        try {
            adminData.add(function.allocate(Identify.BYTES));
        } catch (IOException | RuntimeException e) {
            rings.close();
            throw e;
        }
        admin = new AdminQueue(this, recovery, timeouts, rings, registers);
        identity = ControllerIdentity.UNKNOWN;
        offer = Offer.NONE;
        try {
            requireContiguous(rings, QueuePair.ringBytes(entries));
            recovery.bringUp(() -> {
                registers.disable();
                function.startDma();
                bringUp();
            });
            // Not before: a removal stops the controller, which bring-up would start again.
            function.onRemoval(recovery::removed);
        } catch (IOException | RuntimeException e) {
            recovery.fail(
                    e instanceof NvmeException n
                            ? n
                            : new NvmeException(name() + ": bring-up failed: " + e.getMessage()));
            free();
            throw e;
        }
        housekeeping.start();
    }

    /** Brings up a controller that is disabled: enables it, asks what it is and has, and tells it what the driver wants. */
    void bringUp() throws IOException {
        registers.enable(AdminQueue.DEPTH + 1, admin.submissionQueue(), admin.completionQueue());
        Identification.Described described = identification.controller();
        identity = described.identity();
        offer = described.offer();
        maxQueuePairs = negotiateQueuePairs();
        namespaces = identification.namespaces();
        askForRetryDelays();
        startKeepAlive();
        shareDoorbells();
        askForEvents();
    }

    /** A controller tells CRD only to a host that says it knows of it (Host Behavior Support, ACRE). */
    private void askForRetryDelays() throws IOException {
        if (!offer.tellsRetryDelays()) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment behavior = arena.allocate(Feature.HOST_BEHAVIOR_BYTES);
            Wire.u8(behavior, Feature.HOST_BEHAVIOR_ACRE, 1);
            execute(Command.of(Opcode.SET_FEATURES, 0, Feature.HOST_BEHAVIOR), behavior);
        }
    }

    private void startKeepAlive() throws IOException {
        Duration period = keepAlive;
        if (!period.isZero()) {
            execute(Command.of(Opcode.SET_FEATURES, 0, Feature.KEEP_ALIVE_TIMER, (int) period.toMillis()));
        }
    }

    /**
     * Has the controller notice within a time that this host is gone, and sends it Keep Alive commands (section 7.12) twice
     * as often, also after resets. A controller on a bus needs that only where somebody wants it.
     *
     * @param period rounded up to what the controller counts in
     * @throws UnsupportedOperationException if the controller has no such timer (KAS)
     */
    public void keepAlive(Duration period) throws IOException {
        Duration unit = offer.keepAliveUnit();
        if (unit.isZero()) {
            throw new UnsupportedOperationException(name() + " has no keep alive timer (KAS 0)");
        }
        if (period.isNegative() || period.isZero() || period.compareTo(LONGEST_KEEP_ALIVE) > 0) {
            throw new IllegalArgumentException(
                    name() + ": keep alive after " + period + "; up to " + LONGEST_KEEP_ALIVE + " is possible");
        }
        keepAlive = unit.multipliedBy(Math.ceilDiv(period.toNanos(), unit.toNanos()));
        startKeepAlive();
    }

    /** Sends a Keep Alive if it is time for one. */
    void keepAlive(long now) throws IOException {
        Duration period = keepAlive;
        if (!period.isZero() && now - keptAlive > period.toNanos() / 2) {
            keptAlive = now;
            execute(Command.of(Opcode.KEEP_ALIVE, 0, 0));
        }
    }

    /** Gives the controller pages for shadow doorbells if it takes some: empty ones, whatever was there before a reset. */
    private void shareDoorbells() throws IOException {
        if (rings || (offer.adminCommands() & IdentifyController.OACS_DOORBELL_BUFFER) == 0) {
            shadow = null;
            return;
        }
        ShadowDoorbells pages = shadowPages;
        if (pages == null) {
            pages = new ShadowDoorbells(function.allocate(ShadowDoorbells.BYTES), registers.doorbellStride());
            shadowPages = pages;
        }
        pages.clear();
        admin.execute(
                Recovery.ANY, Command.of(Opcode.DOORBELL_BUFFER_CONFIG, 0, 0), pages.valuesIova(), pages.eventsIova());
        shadow = pages;
    }

    /** What a queue's doorbells are stored in first, or null. */
    @Nullable
    ShadowDoorbells shadowDoorbells(int qid) {
        ShadowDoorbells pages = shadow;
        return qid == 0 || pages == null || !pages.cover(qid) ? null : pages;
    }

    /** Whether the controller takes an SGL of so many bytes for the data of an I/O command. */
    boolean takesSgl(int bytes) {
        int sgls = offer.sgls() & IdentifyController.SGLS_MASK;
        return sgls == IdentifyController.SGLS_SUPPORTED || (sgls == SGLS_ALIGNED && (bytes & 3) == 0);
    }

    /** The notices that are wanted of those that there are; then requests for any event. */
    private void askForEvents() throws IOException {
        int notices =
                offer.events() & (AsyncEvent.NAMESPACE_ATTRIBUTE_NOTICES | AsyncEvent.FIRMWARE_ACTIVATION_NOTICES);
        if (notices != 0) {
            execute(Command.of(
                    Opcode.SET_FEATURES, 0, Feature.ASYNC_EVENT_CONFIGURATION, notices | AsyncEvent.ALL_HEALTH_EVENTS));
        }
        admin.requestEvents(eventRequests());
    }

    /** Event requests that are kept outstanding. */
    int eventRequests() {
        return Math.min(offer.eventRequests(), MOST_EVENT_REQUESTS);
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

    /** All namespaces are read anew afterwards, as some controllers format every one at once (FNA bit 0). */
    private Completion format(Command command) throws IOException {
        // Held meanwhile, so that no queue pair is created.
        synchronized (qids) {
            requireOpen();
            if (!qids.isEmpty()) {
                throw new IllegalStateException(name() + ": namespace " + Integer.toUnsignedString(command.nsid())
                        + " cannot be formatted while queue pairs " + qids + " are open");
            }
            Completion completion = execute(command);
            namespaces = identification.namespaces();
            return completion;
        }
    }

    // What a caller asks.

    /** The function's name. */
    @Override
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

    /**
     * The active namespaces that can be used, by ascending NSID: as they were at bring-up, the last reset or format, or the
     * last time that the controller told of a change.
     */
    public Collection<Namespace> namespaces() {
        return namespaces.values();
    }

    /**
     * A namespace by its identifier.
     *
     * @throws NvmeException if it is not active, or was described in a way that makes no sense
     */
    @Override
    public Namespace namespace(int nsid) throws NvmeException {
        Namespace namespace = namespaces.get(nsid);
        if (namespace == null) {
            throw new NvmeException("%s: no usable namespace %s; there is %s"
                    .formatted(name(), Integer.toUnsignedString(nsid), namespaces.keySet()));
        }
        return namespace;
    }

    /**
     * The most that one command transfers, in bytes: what the controller allows (MDTS), at most 64 MiB, or the 2 MiB that a
     * PRP list of one page names where it knows no limit.
     */
    @Override
    public int maxTransferBytes() {
        long mdts = identity.maxTransferBytes();
        return mdts == 0 ? Prp.ONE_LIST_BYTES : (int) Math.min(mdts, Prp.MAX_BYTES);
    }

    /** The most commands that a queue pair holds in flight: one less than the entries that CAP.MQES allows. */
    @Override
    public int maxDepth() {
        return Math.min(registers.maxQueueEntries() - 1, QueuePair.MAX_DEPTH);
    }

    /** How many I/O queue pairs the controller granted. */
    @Override
    public int maxQueuePairs() {
        return maxQueuePairs;
    }

    /** Allocates memory of the function's, as {@link PciFunction#allocate} does: it is closed before the function. */
    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        return function.allocate(bytes);
    }

    @Override
    public DmaMemory map(PeerMemory memory) throws IOException {
        return function.map(memory);
    }

    /**
     * Creates an I/O completion queue and the submission queue that goes with it.
     *
     * @param depth the most commands in flight, 1 to {@link #maxDepth()}
     * @throws NvmeException if the controller refuses, or all queue pairs are in use
     * @throws IOException if memory cannot be had
     */
    @Override
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
    @Override
    public QueuePair createSleepingQueuePair(int depth) throws IOException {
        return createQueuePair(depth, true);
    }

    private void requireDepth(int depth) {
        if (depth < 1 || depth > maxDepth()) {
            throw new IllegalArgumentException(
                    "%s: a queue of depth %d; 1 to %d are possible".formatted(name(), depth, maxDepth()));
        }
    }

    private QueuePair createQueuePair(int depth, boolean sleeping) throws IOException {
        requireDepth(depth);
        int entries = depth + 1;
        int qid = takeQid();
        DmaMemory rings = null;
        Interrupt interrupt = null;
        QueuePair pair = null;
        try {
            rings = function.allocate(QueuePair.ringBytes(entries));
            requireContiguous(rings, QueuePair.ringBytes(entries));
            interrupt = sleeping ? takeInterrupt(qid) : null;
            long timeout = timeouts.io().toNanos();
            int stride = registers.doorbellStride();
            pair = new QueuePair(
                    new OwnQueues(this, recovery, qid, entries, rings, interrupt),
                    Recovery.NEVER,
                    qid,
                    depth,
                    rings,
                    registers.bar(),
                    Registers.sqTailDoorbell(qid, stride),
                    Registers.cqHeadDoorbell(qid, stride),
                    interrupt,
                    timeout);
            pair.recreate();
            return pair;
        } catch (IOException | RuntimeException e) {
            if (pair != null) {
                pair.free();
            } else if (rings != null) {
                rings.close();
            }
            giveInterruptBack(interrupt);
            giveQidBack(qid);
            throw e;
        }
    }

    /**
     * Creates a queue pair whose rings are elsewhere, and that somebody else drives.
     *
     * @param submission the submission queue's memory, from its start on: {@code depth + 1} entries of 64 bytes, page-aligned
     *     and in a row for the device
     * @param completion the completion queue's, of 16 bytes each, zeroed; the same memory cannot serve both
     * @param depth the most commands in flight, 1 to {@link #maxDepth()}; the rings have one entry more
     * @throws IllegalArgumentException if the memory is not as it must be
     * @throws NvmeException if the controller refuses, all queue pairs are in use, or the controller looks for doorbells in
     *     memory, where only this driver stores them
     */
    public LentQueuePair lendQueuePair(DmaMemory submission, DmaMemory completion, int depth) throws IOException {
        requireDepth(depth);
        int entries = depth + 1;
        requireRing("submission", submission, (long) entries * Sqe.BYTES);
        requireRing("completion", completion, (long) entries * Cqe.BYTES);
        requireZeroed(completion, 0, (long) entries * Cqe.BYTES);
        return lend(entries, submission.iova(0), completion.iova(0));
    }

    /**
     * The same with both rings in one memory, as a {@link QueuePair} drives them ({@link QueuePair#attach}): another process's,
     * for example.
     *
     * @param rings of {@link QueuePair#bytesOfRings}, zeroed, in a row for the device, as memory of a
     *     {@linkplain #openDomain domain} is
     * @param depth the most commands in flight, 1 to {@link #maxDepth()}; the rings have one entry more
     * @throws IllegalArgumentException if the memory is not as it must be
     * @throws NvmeException as above
     */
    public LentQueuePair lendQueuePair(DmaMemory rings, int depth) throws IOException {
        requireDepth(depth);
        int entries = depth + 1;
        long completion = QueuePair.completionRing(entries);
        requireRing("submission and a completion", rings, QueuePair.ringBytes(entries));
        requireZeroed(rings, completion, (long) entries * Cqe.BYTES);
        return lend(entries, rings.iova(0), rings.iova(completion));
    }

    private LentQueuePair lend(int entries, long submission, long completion) throws NvmeException {
        int qid = takeQid();
        try {
            int epoch = createLentQueues(qid, entries, submission, completion);
            return new LentQueuePair(this, epoch, qid, entries, registers.doorbellStride(), submission, completion);
        } catch (NvmeException | RuntimeException e) {
            giveQidBack(qid);
            throw e;
        }
    }

    /** Creates the queues of a pair that somebody else drives; the epoch in which they are. */
    int createLentQueues(int qid, int entries, long submission, long completion) throws NvmeException {
        return createQueues(qid, entries, submission, completion, null, true);
    }

    private void requireRing(String which, DmaMemory memory, long bytes) throws NvmeException {
        if (memory.size() < bytes || (memory.iova(0) & Prp.PAGE - 1) != 0) {
            throw new IllegalArgumentException(
                    "%s: %d bytes at 0x%x for a %s queue; it needs %d, from the start of a page on"
                            .formatted(name(), memory.size(), memory.iova(0), which, bytes));
        }
        requireContiguous(memory, bytes);
    }

    /** A phase tag that is left from before would be taken for a completion. Memory of other devices is not seen here. */
    private void requireZeroed(DmaMemory completion, long from, long bytes) {
        if (completion.segment().byteSize() < from + bytes) {
            return;
        }
        // Copied first: what another process has too may lose its pages meanwhile, if they are huge ones.
        byte[] seen = new byte[Math.toIntExact(bytes)];
        try {
            MemorySegment.copy(completion.segment(), ValueLayout.JAVA_BYTE, from, seen, 0, seen.length);
        } catch (InternalError e) {
            throw new IllegalArgumentException(name() + ": the memory for a completion queue is gone", e);
        }
        for (int at = 0; at < seen.length; at++) {
            if (seen[at] != 0) {
                throw new IllegalArgumentException(
                        "%s: the memory for a completion queue is not zeroed, at byte %d".formatted(name(), at));
            }
        }
    }

    /** A controller that looks for a queue's doorbells in memory does not see one that is rung. */
    private void requireDoorbells(int qid) throws NvmeException {
        if (shadowDoorbells(qid) != null) {
            throw new NvmeException(
                    name() + ": the controller looks for doorbells in memory (Doorbell Buffer Config), so that"
                            + " queues cannot be driven by others; next: turn that off at the controller (emu: leave out shadow,"
                            + " QEMU: dbcs=off)");
        }
    }

    /** Takes back from a lent pair, whose queues are gone, its doorbells and its identifier. */
    void takeBack(LentQueuePair pair) throws IOException {
        // Should that fail, the identifier stays taken, as the next pair's doorbells would be this one's too.
        function.takeDoorbellsBack(pair.tailDoorbell(), pair.headDoorbell());
        giveQidBack(pair.qid());
    }

    /** The doorbells and all other registers, if they are mapped; null if every access is a call. */
    public @Nullable MappedBar doorbells() {
        return registers.bar() instanceof MappedBar bar ? bar : null;
    }

    /**
     * Opens a domain for the memory of one user of this controller, another process for example: what is lent to it has its
     * rings there. Closed after those queue pairs, and before the function.
     *
     * <p>A controller that looks for doorbells in memory is reset with the first domain, and does not afterwards.
     *
     * @param readOnly whether that user's commands are to write nothing to the media, where the device can see to that
     * @param nsid the one namespace that they are to be about, where the device can see to that
     * @throws UnsupportedOperationException if the function's memory cannot be another process's too; the message is one
     *     sentence with the next step
     * @throws IOException if the system refuses, or the controller has failed
     */
    public DmaDomain openDomain(boolean readOnly, int nsid) throws IOException {
        requireOpen();
        DmaDomain domain = function.openDomain(readOnly, nsid);
        try {
            ringDoorbells();
            return domain;
        } catch (NvmeException | RuntimeException e) {
            domain.close();
            throw e;
        }
    }

    /** Has the controller look for no doorbells in memory any more, which takes a reset if it does: users' queues ring. */
    private synchronized void ringDoorbells() throws NvmeException {
        rings = true;
        if (shadow != null) {
            recovery.reset(
                    recovery.epoch(),
                    new NvmeException(name() + ": its queues are to be driven by others, who ring doorbells"));
            recovery.requireWorking();
        }
    }

    /** Whether the pages of doorbells are replaced as pairs come and go: {@link PciFunction#movesDoorbells}. */
    public boolean movesDoorbells() {
        return function.movesDoorbells();
    }

    /** Where the user of a lent queue pair maps its doorbells: {@link LentQueuePair#doorbellPages}. */
    public DoorbellPages doorbellPages(LentQueuePair pair) throws IOException {
        return pair.doorbellPages();
    }

    DoorbellPages doorbellPagesOf(LentQueuePair pair) throws IOException {
        requireNotClosed();
        return function.doorbellPages(pair.tailDoorbell(), pair.headDoorbell());
    }

    /** Creates the queues of a pair with nothing in flight; the epoch in which they are. */
    int createQueues(int qid, int entries, long submission, long completion, @Nullable Interrupt interrupt)
            throws NvmeException {
        return createQueues(qid, entries, submission, completion, interrupt, false);
    }

    private int createQueues(
            int qid, int entries, long submission, long completion, @Nullable Interrupt interrupt, boolean lent)
            throws NvmeException {
        for (int attempt = 1; ; attempt++) {
            recovery.awaitSettled();
            recovery.requireWorking();
            int epoch = recovery.epoch();
            if (lent) {
                requireDoorbells(qid);
            }
            try {
                createCompletionQueue(epoch, qid, entries, completion, interrupt);
                createSubmissionQueue(epoch, qid, entries, submission);
                return epoch;
            } catch (NvmeException e) {
                if (recovery.epoch() == epoch || attempt == ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    /** Physically contiguous (PC); with interrupts (IEN and IV) only if the queue's owner sleeps. */
    private void createCompletionQueue(int epoch, int qid, int entries, long address, @Nullable Interrupt interrupt)
            throws NvmeException {
        long attributes = CreateQueue.CONTIGUOUS
                | (interrupt == null
                        ? 0
                        : CreateQueue.INTERRUPTS_ENABLED | (long) interrupt.vector() << CreateQueue.VECTOR_SHIFT);
        requireNotClosed();
        ShadowDoorbells pages = shadow;
        if (pages != null) {
            pages.clear(qid);
        }
        admin.execute(
                epoch,
                new Command(Opcode.CREATE_IO_CQ, 0, sizeAndId(qid, entries) | attributes << 32, 0, 0),
                address,
                0);
    }

    private static long sizeAndId(int qid, int entries) {
        return (entries - 1L) << 16 | qid;
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

    private void createSubmissionQueue(int epoch, int qid, int entries, long address) throws NvmeException {
        long attributes = (long) qid << CreateQueue.VECTOR_SHIFT | CreateQueue.CONTIGUOUS;
        try {
            admin.execute(
                    epoch,
                    new Command(Opcode.CREATE_IO_SQ, 0, sizeAndId(qid, entries) | attributes << 32, 0, 0),
                    address,
                    0);
        } catch (NvmeException e) {
            if (recovery.epoch() == epoch) {
                takeBackCompletionQueue(epoch, qid, e);
            }
            throw e;
        }
    }

    private void takeBackCompletionQueue(int epoch, int qid, NvmeException why) {
        try {
            admin.execute(epoch, Command.of(Opcode.DELETE_IO_CQ, 0, qid), 0, 0);
        } catch (NvmeException e) {
            // It keeps the memory that is about to be freed.
            why.addSuppressed(e);
            recovery.reset(epoch, e);
        }
    }

    /** Deletes a pair's queues: the submission queue first, which ends its commands, then the completion queue. */
    void deleteQueues(int epoch, int qid) throws NvmeException {
        admin.execute(epoch, Command.of(Opcode.DELETE_IO_SQ, 0, qid), 0, 0);
        admin.execute(epoch, Command.of(Opcode.DELETE_IO_CQ, 0, qid), 0, 0);
    }

    /** Deletes a pair's queues for good, if they are of this epoch. */
    void delete(int epoch, int qid, @Nullable Interrupt interrupt) throws IOException {
        try {
            endQueues(epoch, qid);
        } finally {
            giveInterruptBack(interrupt);
            giveQidBack(qid);
        }
    }

    void endQueues(int epoch, int qid) throws NvmeException {
        try {
            if (recovery.epoch() == epoch) {
                deleteQueues(epoch, qid);
            }
        } catch (NvmeException e) {
            // Whoever keeps a queue keeps writing to its memory: only a disabled controller lets it be freed.
            if (recovery.epoch() == epoch) {
                recovery.reset(epoch, e);
                throw e;
            }
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
        requireOpen();
        return data == null ? admin.execute(command) : admin.execute(command, data, bytes);
    }

    /**
     * {@inheritDoc} After Format NVM {@link #namespaces()} is read anew.
     *
     * @throws IllegalStateException if it formats while queue pairs are open: their commands count blocks of the old size
     */
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
        requireOpen();
        DmaMemory memory = takeMemory(bytes);
        try {
            memory.segment().fill((byte) 0).asSlice(0, bytes).copyFrom(data);
            Completion completion = execute(command, memory, bytes);
            if ((command.opcode() & 2) != 0) {
                data.copyFrom(memory.segment().asSlice(0, bytes));
            }
            return completion;
        } finally {
            // Here the command has come back, or the controller was disabled: the memory is quiet.
            giveMemoryBack(memory);
        }
    }

    private DmaMemory takeMemory(int bytes) throws IOException {
        if (bytes <= Identify.BYTES) {
            synchronized (adminData) {
                DmaMemory kept = adminData.poll();
                if (kept != null) {
                    return kept;
                }
            }
        }
        return function.allocate(Math.max(bytes, Identify.BYTES));
    }

    private void giveMemoryBack(DmaMemory memory) {
        synchronized (adminData) {
            if (memory.size() == Identify.BYTES && adminData.size() < KEPT_BUFFERS && !closed) {
                adminData.add(memory);
                return;
            }
        }
        if (!mayStillAccessMemory()) {
            memory.close();
        }
    }

    // Trouble.

    /** Why the controller failed for good, or null. */
    public @Nullable NvmeException failure() {
        return recovery.failure();
    }

    /** How often the controller was reset since it was opened, and came back. */
    public int resets() {
        return recovery.resets();
    }

    /** Why the controller was last reset, or null if it never was. */
    public @Nullable NvmeException lastReset() {
        return recovery.lastReset();
    }

    /**
     * Resets the controller (section 7.3.2), for a caller who knows better: what is in flight is given up, and the queue
     * pairs create their queues anew.
     *
     * @throws NvmeException if it does not come back; it has failed for good then
     */
    public void reset() throws NvmeException {
        requireOpen();
        recovery.reset(recovery.epoch(), new NvmeException(name() + ": a reset was asked for"));
        recovery.requireWorking();
    }

    /**
     * Names who is told what the controller tells of its own accord and what happens to it, instead of whom was named
     * before.
     *
     * @param listener called by the controller's own thread, one event at a time, soon after it happened
     */
    public void onEvent(Consumer<? super ControllerEvent> listener) {
        housekeeping.listener(listener);
    }

    /**
     * The Error Information log (section 5.14.1.1), newest first.
     *
     * @throws NvmeException if the controller does not tell
     */
    public List<ErrorEntry> errorLog() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            long bytes = Math.min(Identify.BYTES, (long) offer.errorEntries() * LogPage.ERROR_ENTRY_BYTES);
            MemorySegment log = arena.allocate(bytes, Long.BYTES);
            execute(logPage(LogPage.ERROR_INFORMATION, bytes), log);
            return ErrorEntry.of(log);
        }
    }

    /** Get Log Page of the whole subsystem, which also lets the controller tell of the next event of its kind. */
    static Command logPage(int identifier, long bytes) {
        return Command.of(Opcode.GET_LOG_PAGE, -1, (int) (bytes / Integer.BYTES - 1) << 16 | identifier);
    }

    /** Asks for the namespaces anew. */
    void readNamespaces() throws IOException {
        namespaces = identification.namespaces();
    }

    AdminQueue admin() {
        return admin;
    }

    Recovery recovery() {
        return recovery;
    }

    void tell(ControllerEvent event) {
        housekeeping.tell(event);
    }

    /** How long the controller wants a retry to wait: what it told for the CRD of a status. */
    Duration retryDelay(int crd) {
        return offer.retryDelay(crd);
    }

    /** Whether the controller could not be stopped after it failed: memory that it knows must not be used again. */
    @Override
    public boolean mayStillAccessMemory() {
        return recovery.mayStillAccessMemory();
    }

    private void requireNotClosed() {
        if (closed) {
            throw new IllegalStateException(name() + " is closed");
        }
    }

    private void requireOpen() throws NvmeException {
        requireNotClosed();
        recovery.requireWorking();
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
        synchronized (qids) {
            if (closed) {
                return;
            }
            // One that is being created counts: its rings and doorbells are about to be used without a check.
            if (!qids.isEmpty()) {
                throw new IllegalStateException(name() + ": queue pairs " + qids + " are open");
            }
            // Once a reset that is under way is over. From here on there is none, and a removal changes nothing: what
            // it
            // would stop is being stopped.
            recovery.release();
            closed = true;
        }
        housekeeping.stop();
        try {
            if (failure() == null) {
                Duration told = Duration.ofNanos(identity.shutdownMicros() * 1000);
                registers.shutDown(told.compareTo(timeouts.shutdown()) > 0 ? told : timeouts.shutdown());
            }
        } catch (NvmeException e) {
            recovery.fail(e);
            throw e;
        } finally {
            free();
        }
    }

    /** Whether {@link #close()} has been carried out. */
    public boolean isClosed() {
        return closed;
    }

    private void free() {
        recovery.release();
        admin.free();
        if (!mayStillAccessMemory()) {
            synchronized (adminData) {
                adminData.forEach(DmaMemory::close);
                adminData.clear();
            }
            ShadowDoorbells pages = shadowPages;
            if (pages != null) {
                pages.free();
            }
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
