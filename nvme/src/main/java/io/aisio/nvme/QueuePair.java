package io.aisio.nvme;

import io.aisio.linux.AddressSpace;
import io.aisio.linux.EventFd;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sgl;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.Interrupt;
import io.aisio.upcie.MappedBar;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A submission queue and its completion queue, owned by one thread: the first that uses it.
 *
 * <p>Commands live in slots, 0 to {@code depth() - 1}. {@link #bind} works out everything about a slot's command that does
 * not change; {@link #submit} writes submission queue entries in place, once, and rings the doorbell once a batch;
 * {@link #poll} reaps by phase tag and rings once a reap. Neither allocates, locks or copies.
 *
 * <pre>
 *   CID   0 | generation (15 - b bits) | slot (b bits)         b = bits of depth - 1
 *
 *   token of a slot, in flight   0 | CID | SQ identifier | 0    what word 1 of its completion must have there
 *                  free          the same of its last command, with the sign bit
 * </pre>
 *
 * The generation is what tells a completion of the command in flight from a late one of the slot's command before, and a
 * second completion from a first.
 *
 * <p>The rings are addressed absolutely ({@link AddressSpace}); start the JVM with {@code -Daisio.checked=true} to route
 * every access through bounds-checked segments instead, as tests do.
 */
public final class QueuePair implements AutoCloseable {
    private static final boolean CHECKED = Boolean.getBoolean("aisio.checked");

    /** The most slots: so many that a CID still has a bit for the generation. */
    static final int MAX_DEPTH = 1 << 14;

    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final ValueLayout.OfLong LONG_UNALIGNED =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    /** CID and SQ identifier in word 1 of a completion: what a token holds. */
    private static final long TOKEN_FIELDS = 0xFFFF_FFFFL << Cqe.SQID_SHIFT;
    /** The bits above {@link #TOKEN_FIELDS} in the token of a slot that can be submitted. */
    private static final long FREE = 0x8000;

    private static final int FREE_SHIFT = 48;
    /** From a token's CID to where a submission queue entry has it. */
    private static final int TOKEN_TO_SQE = Cqe.CID_SHIFT - Sqe.CID_SHIFT;

    private static final long SQE_CID = 0xFFFFL << Sqe.CID_SHIFT;
    private static final long PHASE = 1L << Cqe.PHASE_SHIFT;
    /** The token of a slot that no command is bound to: it matches no completion, and is not {@link #FREE}. */
    private static final long UNBOUND = -1;
    /** A CID never has its top bit set: FFFFh stands for no command in the error log (section 5.14.1.1). */
    private static final long CID_TOP_BIT = 0x8000;

    /** Polls between two looks at the clock: at a few ns a poll far below the finest deadline, and next to no cost. */
    private static final int POLLS_PER_LOOK = 256;
    /** The longest sleep between two looks for commands that are overdue, and for a controller that is gone. */
    private static final Duration LONGEST_SLEEP = Duration.ofNanos(Overdue.MAX_LOOK_NANOS);
    /** The phase tag that no completion has: nothing is taken until the queues are new. */
    private static final long NO_PHASE = -1;
    /** In {@link #failed}, above the status: the controller never completed the command. */
    private static final int GIVEN_UP = 1 << 15;

    private final QueueHost host;
    /** The host's number, which moves on when queues are lost. */
    private final QueueEpoch current;

    private final int qid;
    private final int depth;
    private final int entries;
    /** What is overdue; null for the admin queue, whose commands have deadlines of their own. */
    private final @Nullable Overdue overdue;
    /** What the controller raises with each completion; null if the queue is only polled. */
    private final @Nullable Interrupt interrupt;

    private final Bar bar;
    private final DmaMemory memory;
    private final ListPages lists;

    /** Both rings and where they begin: the checked way to them, and the absolute one. */
    private final MemorySegment rings;

    private final long ringsAddress;
    private final long sqAddress;
    private final long cqAddress;
    private final long sqTailDoorbell;
    private final long cqHeadDoorbell;
    /** Whether the doorbells are mapped. */
    private final boolean mapped;
    /** Where the doorbells' values are stored first; null where the controller takes no such, and for the admin queue. */
    private @Nullable ShadowDoorbells shadow;
    /** Whether the doorbells are rung absolutely: they are mapped, and have no shadow. */
    private boolean absolute;
    /** Where BAR 0 is mapped, or 0: then a doorbell is its offset in the BAR. */
    private final long barAddress;

    private final int slotMask;
    /** A free slot's token and this add up to its next command's, within {@link #tokenMask}. */
    private final long nextGeneration;

    private final long tokenMask;
    private final long[] token;

    /** The entries as bound, {@value Sqe#BYTES} bytes a slot, without CID: not the device's memory. */
    private final Arena arena = Arena.ofShared();

    private final MemorySegment templates;
    private final long templatesAddress;
    /**
     * Whether a command was ever bound with metadata or command dwords 2, 3, 14 or 15. Until then these words are zero in
     * every entry of the ring, and are not written.
     */
    private boolean wide;

    /** The status of each slot's last command if it failed, else 0. */
    private final int[] failed;

    private int tail;
    private int head;
    private long phase = PHASE;
    private int outstanding;

    // For whoever counts what goes through: the owner adds once a batch, and once a bind.
    private long completions;
    private long failures;
    private long boundReads;
    private long boundReadBlocks;
    private long boundWrites;
    private long boundWriteBlocks;
    private long boundOthers;
    /**
     * Who uses it; null once it is closed. Compared with the current thread at each batch: another thread would corrupt the
     * rings, and {@link #close()} frees memory that the owner reads unchecked.
     */
    private volatile @Nullable Thread owner;

    private boolean closed;

    private int polls;
    /** The host's epoch in which the queues were created: another one now means that they are gone. */
    private int epoch;
    /** A rule that the controller broke, until something has been done about it. */
    private @Nullable NvmeException trouble;
    /** Why the queues were last deleted or lost. */
    private @Nullable NvmeException lost;

    /**
     * @param epoch the host's, in which the queues were created
     * @param memory of {@link #ringBytes}: submission ring first, completion ring at {@link #completionRing}
     * @param depth the most commands outstanding; the rings have one entry more
     * @param bar where the doorbells are
     * @param tailDoorbell where in it the submission queue's is
     * @param headDoorbell where in it the completion queue's is
     * @param interrupt what the completion queue was created with, null for none
     * @param timeoutNanos how long a command may take; 0 if somebody else sees to that
     */
    QueuePair(
            QueueHost host,
            int epoch,
            int qid,
            int depth,
            DmaMemory memory,
            Bar bar,
            long tailDoorbell,
            long headDoorbell,
            @Nullable Interrupt interrupt,
            long timeoutNanos) {
        this.host = host;
        this.current = host.epoch();
        this.epoch = epoch;
        this.qid = qid;
        this.depth = depth;
        this.entries = depth + 1;
        this.interrupt = interrupt;
        this.memory = memory;
        this.bar = bar;
        lists = new ListPages(host, depth);
        rings = memory.segment();
        ringsAddress = rings.address();
        sqAddress = ringsAddress;
        cqAddress = ringsAddress + completionRing(entries);
        mapped = bar instanceof MappedBar;
        barAddress = bar instanceof MappedBar m ? m.segment().address() : 0;
        sqTailDoorbell = barAddress + tailDoorbell;
        cqHeadDoorbell = barAddress + headDoorbell;

        int slotBits = 32 - Integer.numberOfLeadingZeros(depth - 1);
        slotMask = (1 << slotBits) - 1;
        nextGeneration = 1L << (Cqe.CID_SHIFT + slotBits);
        tokenMask = TOKEN_FIELDS & ~(CID_TOP_BIT << Cqe.CID_SHIFT);

        int slots = slotMask + 1;
        templates = arena.allocate((long) slots * Sqe.BYTES, Sqe.BYTES);
        templatesAddress = templates.address();
        token = new long[slots];
        failed = new int[slots];
        overdue = timeoutNanos == 0 ? null : new Overdue(slots, timeoutNanos, host);
        Arrays.fill(token, UNBOUND);
        chooseDoorbells();
    }

    private void chooseDoorbells() {
        // Whoever drives the queues of another process's controller has none: they are refused where they would be
        // needed.
        shadow = host instanceof OwnQueues own ? own.shadowDoorbells() : null;
        absolute = !CHECKED && mapped && shadow == null;
    }

    /**
     * Drives queues that somebody else has created, mostly another process that has the controller: by their rings and their
     * doorbells, as fast as a controller's own. It is polled, and aborts and recovers by its host.
     *
     * @param host who has the controller
     * @param epoch the host's in which the queues were created, read before they were
     * @param qid their identifier, the same for both queues, 1 to 65535
     * @param depth the most commands in flight, 1 to 16384; each ring has one entry more
     * @param rings the memory of both, of {@link #bytesOfRings}: it becomes the pair's, which closes it, once this returns;
     *     if it does not, it stays the caller's. Nothing else writes to it but the controller
     * @param doorbells the mapped memory that they are in, for as long as the pair is open; it stays the caller's
     * @param tail where in it the submission queue's tail doorbell is, in bytes
     * @param head where in it the completion queue's head doorbell is, in bytes
     * @param timeout how long a command may take before it is aborted
     * @throws IllegalArgumentException if one of these cannot be
     */
    public static QueuePair attach(
            QueueHost host,
            int epoch,
            int qid,
            int depth,
            DmaMemory rings,
            MemorySegment doorbells,
            long tail,
            long head,
            Duration timeout) {
        if (qid < 1 || qid > 0xFFFF || depth < 1 || depth > MAX_DEPTH) {
            throw new IllegalArgumentException("%s: queue %d of depth %d; identifiers are 1 to 65535, depths 1 to %d"
                    .formatted(host.name(), qid, depth, MAX_DEPTH));
        }
        if (rings.segment().byteSize() < bytesOfRings(depth) || (rings.segment().address() & Prp.PAGE - 1) != 0) {
            throw new IllegalArgumentException("%s: %d bytes for the rings of queue %d; it needs %d, from a page on"
                    .formatted(host.name(), rings.segment().byteSize(), qid, bytesOfRings(depth)));
        }
        if (outside(doorbells, tail) || outside(doorbells, head) || tail == head) {
            throw new IllegalArgumentException("%s: doorbells at %d and %d of %d bytes that are mapped"
                    .formatted(host.name(), tail, head, doorbells.byteSize()));
        }
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException(host.name() + ": a command may take " + timeout);
        }
        QueuePair pair = new QueuePair(
                host, epoch, qid, depth, rings, new MappedBar(doorbells), tail, head, null, timeout.toNanos());
        try {
            pair.startAnew(epoch);
            return pair;
        } catch (RuntimeException | Error e) {
            // Memory that another process has too may be gone.
            pair.arena.close();
            throw e;
        }
    }

    private static boolean outside(MemorySegment doorbells, long at) {
        return !doorbells.isNative()
                || at < 0
                || at > doorbells.byteSize() - Integer.BYTES
                || (doorbells.address() + at) % Integer.BYTES != 0;
    }

    /**
     * Bytes of the memory of both rings, for a depth: the submission ring from the start on, the completion ring from the next
     * page on. The device must find them in one piece.
     */
    public static long bytesOfRings(int depth) {
        return ringBytes(depth + 1);
    }

    /** Where the completion ring begins in the memory of both, for a depth, in bytes. */
    public static long completionRingAt(int depth) {
        return completionRing(depth + 1);
    }

    /** Where the completion ring begins in the memory of both: on the page after the submission ring. */
    static long completionRing(int entries) {
        return (long) entries * Sqe.BYTES + Prp.PAGE - 1 & -Prp.PAGE;
    }

    /** Bytes of both rings. The device must find them in one piece. */
    static long ringBytes(int entries) {
        return completionRing(entries) + (long) entries * Cqe.BYTES;
    }

    /** The queue identifier, the same for both queues. */
    public int qid() {
        return qid;
    }

    /** The most commands in flight, and the number of slots. */
    public int depth() {
        return depth;
    }

    /** How many commands are in flight. */
    public int outstanding() {
        return outstanding;
    }

    /**
     * Binds a command without data to a free slot.
     *
     * @throws IllegalStateException if the slot is in flight
     */
    public void bind(int slot, Command command) {
        prepare(slot, command, 0, 0, 0);
    }

    /**
     * Binds a command and its data to a free slot.
     *
     * @param slot 0 to {@code depth() - 1}
     * @param command what to do; its {@code cdw10} is replaced at each submission
     * @param data where the data is or goes
     * @param offset into {@code data}, in bytes, a multiple of 4
     * @param bytes 1 to 64 MiB; the controller's own limit is not checked here
     * @throws IllegalStateException if the slot is in flight
     * @throws java.io.UncheckedIOException if the list of its pages needs memory that cannot be had
     */
    public void bind(int slot, Command command, DmaMemory data, long offset, int bytes) {
        bind(slot, command, data, offset, bytes, 0);
    }

    /**
     * Binds a command with data and metadata in a buffer of its own.
     *
     * @param metadataIova where the device finds the metadata, a multiple of 4
     */
    public void bind(int slot, Command command, DmaMemory data, long offset, int bytes, long metadataIova) {
        requireFree(slot);
        if ((offset & 3) != 0) {
            throw new IllegalArgumentException("data at offset " + offset + ", which is no multiple of 4");
        }
        if (bytes < 1 || bytes > Prp.MAX_BYTES) {
            throw new IllegalArgumentException(
                    bytes + " bytes in one command; 1 to " + Prp.MAX_BYTES + " are possible");
        }
        if (offset < 0 || offset > data.size() - bytes) {
            throw new IllegalArgumentException(
                    bytes + " bytes at offset " + offset + " of memory of " + data.size() + " bytes");
        }
        int pages = Prp.pages(offset, bytes);
        if (pages <= 2) {
            prepare(slot, command, Prp.first(data, offset), Prp.second(data, offset, bytes), metadataIova);
        } else if (!bindSgl(slot, command, data, offset, bytes, metadataIova)) {
            ListPages.Page[] list = lists.of(slot, Prp.listPages(pages));
            Prp.writeList(data, offset, bytes, list);
            prepare(slot, command, Prp.first(data, offset), list[0].iova(), metadataIova);
        }
    }

    /** Describes the data by an SGL if the controller takes one and it is shorter than the PRP list. */
    private boolean bindSgl(int slot, Command command, DmaMemory data, long offset, int bytes, long metadataIova) {
        if (!host.takesSgl(bytes)) {
            return false;
        }
        int runs = SglList.runs(data, offset, bytes);
        if (runs == 1) {
            prepare(slot, command, data.iova(offset), Sgl.word1(Sgl.DATA_BLOCK, bytes), metadataIova);
        } else if (runs <= SglList.MOST_RUNS && runs * Sgl.BYTES < Prp.pages(offset, bytes) * Long.BYTES) {
            ListPages.Page segment = lists.of(slot, 1)[0];
            SglList.write(data, offset, bytes, segment);
            prepare(slot, command, segment.iova(), Sgl.word1(Sgl.LAST_SEGMENT, runs * Sgl.BYTES), metadataIova);
        } else {
            return false;
        }
        MemorySegment entry = templates.asSlice((long) slot * Sqe.BYTES, Sqe.BYTES);
        entry.set(LONG_UNALIGNED, Sqe.DW0, Sqe.withPsdt(entry.get(LONG_UNALIGNED, Sqe.DW0), Sgl.PSDT));
        return true;
    }

    /** Binds a command whose PRP entries are addresses of their own: a queue creation. */
    void bindAddresses(int slot, Command command, long prp1, long prp2) {
        prepare(slot, command, prp1, prp2, 0);
    }

    private void prepare(int slot, Command command, long prp1, long prp2, long metadataIova) {
        requireFree(slot);
        MemorySegment entry = templates.asSlice((long) slot * Sqe.BYTES, Sqe.BYTES);
        entry.fill((byte) 0);
        entry.set(LONG_UNALIGNED, Sqe.DW0, Sqe.word0(command.opcode(), command.nsid()));
        entry.set(LONG_UNALIGNED, Sqe.CDW2, command.cdw2());
        entry.set(LONG_UNALIGNED, Sqe.MPTR, metadataIova);
        entry.set(LONG_UNALIGNED, Sqe.PRP1, prp1);
        entry.set(LONG_UNALIGNED, Sqe.PRP2, prp2);
        entry.set(LONG_UNALIGNED, Sqe.CDW10, command.cdw10());
        entry.set(LONG_UNALIGNED, Sqe.CDW12, command.cdw12());
        entry.set(LONG_UNALIGNED, Sqe.CDW14, command.cdw14());
        count(command);
        wide |= metadataIova != 0 || command.cdw14() != 0 || command.cdw2() != 0;
        if (token[slot] == UNBOUND) {
            token[slot] = FREE << FREE_SHIFT | (long) slot << Cqe.CID_SHIFT | (long) qid << Cqe.SQID_SHIFT;
        }
    }

    private void count(Command command) {
        long blocks = (command.cdw12() & 0xFFFF) + 1;
        if (command.opcode() == Opcode.READ) {
            boundReads++;
            boundReadBlocks += blocks;
        } else if (command.opcode() == Opcode.WRITE) {
            boundWrites++;
            boundWriteBlocks += blocks;
        } else {
            boundOthers++;
        }
    }

    /**
     * What went through a queue pair since it was made. Which of the commands that were bound are complete is not counted, as
     * it would cost something for each: of a queue whose slots are bound once, or anew for each command, shares and mean sizes
     * of what was bound are those of what is complete.
     *
     * @param completed commands that the controller completed
     * @param failed of them, those with an error
     * @param reads commands to read that were bound
     * @param readBlocks logical blocks of these
     * @param writes commands to write that were bound
     * @param writeBlocks logical blocks of these
     * @param others commands of other kinds that were bound
     */
    public record Counts(
            long completed, long failed, long reads, long readBlocks, long writes, long writeBlocks, long others) {}

    /** What went through it, as another thread than the owner sees it: a moment late. */
    public Counts counts() {
        return new Counts(
                completions, failures, boundReads, boundReadBlocks, boundWrites, boundWriteBlocks, boundOthers);
    }

    private void requireFree(int slot) {
        if (slot < 0 || slot >= depth) {
            throw new IllegalArgumentException("slot " + slot + " of a queue of depth " + depth);
        }
        if (isInFlight(slot)) {
            throw new IllegalStateException(name() + ": slot " + slot + " is in flight");
        }
    }

    private boolean isInFlight(int slot) {
        return token[slot] >= 0;
    }

    /**
     * Submits bound slots, ringing the doorbell once.
     *
     * @param slots which, none of them in flight
     * @param lbas command dwords 10 and 11 of each: the first logical block
     * @param n how many of both, at most {@code depth() - outstanding()}
     * @throws IndexOutOfBoundsException if either array is shorter; nothing is submitted then
     * @throws IllegalStateException if a slot is not bound, is in flight or does not exist, or the queue is closed;
     *     nothing is submitted then
     * @throws NvmeException if the controller has failed, or was reset and does not create the queues anew; nothing is
     *     submitted then
     */
    public void submit(int[] slots, long[] lbas, int n) throws NvmeException {
        if (owner != Thread.currentThread()) {
            enter();
        }
        // Another epoch, and the queues are gone: what is in flight is to be given up, then they are created anew.
        if (current.value != epoch && !isRenewed()) {
            claim(slots, lbas, n);
            return;
        }
        if (n <= 0) {
            return;
        }
        // Before a slot is claimed: one that is claimed and never submitted would be in flight for good.
        if (n > depth - outstanding || n > slots.length || n > lbas.length) {
            throw refused(slots, lbas, n);
        }
        // Fields in locals, and the ring's state written back once: a heap store between the stores to an entry would
        // keep the processor from merging them while the controller's side still holds the line.
        long[] tokens = token;
        long next = nextGeneration;
        long mask = tokenMask;
        boolean all = wide;
        long from = templatesAddress;
        long sq = sqAddress;
        int size = entries;
        int t = tail;
        for (int i = 0; i < n; i++) {
            int slot = slots[i] & tokens.length - 1;
            long free = tokens[slot];
            if (slot != slots[i] || free >>> FREE_SHIFT != FREE) {
                // The entries written before are behind the tail: the device does not look there.
                unclaim(slots, i);
                throw refused(slots[i]);
            }
            long taken = (free + next) & mask;
            tokens[slot] = taken;
            long template = (from + (long) slot * Sqe.BYTES) & AddressSpace.MASK_8;
            long entry = (sq + (long) t * Sqe.BYTES) & AddressSpace.MASK_8;
            putLong(entry, getTemplate(template) | (taken >>> TOKEN_TO_SQE & SQE_CID));
            putLong(entry + Sqe.PRP1, getTemplate(template + Sqe.PRP1));
            putLong(entry + Sqe.PRP2, getTemplate(template + Sqe.PRP2));
            putLong(entry + Sqe.CDW10, lbas[i]);
            putLong(entry + Sqe.CDW12, getTemplate(template + Sqe.CDW12));
            if (all) {
                putLong(entry + Sqe.CDW2, getTemplate(template + Sqe.CDW2));
                putLong(entry + Sqe.MPTR, getTemplate(template + Sqe.MPTR));
                putLong(entry + Sqe.CDW14, getTemplate(template + Sqe.CDW14));
            }
            // For the message, should the command fail.
            putTemplate(template + Sqe.CDW10, lbas[i]);
            t = t + 1 == size ? 0 : t + 1;
        }
        tail = t;
        outstanding += n;
        ring(sqTailDoorbell, t);
    }

    /**
     * Whether the queues exist again. They are created anew only when nothing is in flight any more: until then, what is
     * submitted shares the fate of what was submitted just before the reset.
     */
    private boolean isRenewed() throws NvmeException {
        NvmeException gone = host.failure();
        if (gone != null) {
            throw Recovery.failed(gone);
        }
        if (outstanding != 0) {
            return false;
        }
        recreate();
        return true;
    }

    /** Creates the queues, anew after a reset or after they were deleted, with nothing in flight. */
    void recreate() throws NvmeException {
        startAnew(Recovery.NEVER);
        startAnew(host.recreate());
    }

    /** Takes commands that nobody will see: the next polls return them as given up. */
    private void claim(int[] slots, long[] lbas, int n) {
        if (n > depth - outstanding || n > slots.length || n > lbas.length) {
            throw refused(slots, lbas, n);
        }
        for (int i = 0; i < n; i++) {
            int slot = slots[i] & token.length - 1;
            if (slot != slots[i] || token[slot] >>> FREE_SHIFT != FREE) {
                unclaim(slots, i);
                throw refused(slots[i]);
            }
            token[slot] = (token[slot] + nextGeneration) & tokenMask;
            putTemplate(templatesAddress + (long) slot * Sqe.BYTES + Sqe.CDW10, lbas[i]);
        }
        outstanding += Math.max(n, 0);
    }

    private RuntimeException refused(int[] slots, long[] lbas, int n) {
        return n > depth - outstanding
                ? new IllegalStateException(
                        name() + ": " + n + " more commands with " + outstanding + " of " + depth + " in flight")
                : new IndexOutOfBoundsException(
                        name() + ": " + n + " commands of " + slots.length + " slots and " + lbas.length + " LBAs");
    }

    private void unclaim(int[] slots, int n) {
        for (int i = 0; i < n; i++) {
            token[slots[i]] |= FREE << FREE_SHIFT;
        }
    }

    private RuntimeException refused(int slot) {
        if (slot < 0 || slot >= depth) {
            return new IllegalStateException(name() + ": slot " + slot + " of a queue of depth " + depth);
        }
        return new IllegalStateException(name() + ": slot " + slot
                + (token[slot] == UNBOUND ? " has no command bound" : " is in flight already"));
    }

    /**
     * Takes completed commands, without waiting.
     *
     * <p>While commands are in flight it also watches the time, every few hundred calls. A command that is overdue is
     * aborted; where that does not help, the queues are deleted, and where that does not help either, or the controller
     * breaks a rule or reports a fatal error, it is reset, all of it within this call. What the controller never completed
     * is then returned as failed, once its memory is quiet; {@link #failure} says whether it may be tried again. The next
     * submission creates the queues anew. A controller that does not come back, or is gone, has failed for good
     * ({@link NvmeController#failure()}); should it not even let itself be disabled, that has a suppressed exception.
     *
     * @param completed receives slots, {@code ~slot} (negative) for a command that failed; its length bounds how many
     * @return how many, 0 if none is complete
     */
    public int poll(int[] completed) {
        if (owner != Thread.currentThread()) {
            enter();
        }
        long first = getLongAcquire(cqAddress + (long) head * Cqe.BYTES + Cqe.WORD1);
        // Empty polls stay out of the loop: where they are many, the compiler would take the loop for rarely entered.
        int n = (first & PHASE) == phase ? reap(completed) : 0;
        if ((++polls & POLLS_PER_LOOK - 1) == 0) {
            look();
        }
        return n == 0 && outstanding != 0 && current.value != epoch ? giveUp(completed) : n;
    }

    /** Whether {@link #await} sleeps; otherwise a queue can only be polled. */
    public boolean sleeps() {
        return interrupt != null;
    }

    /**
     * The event counter that interrupts add to, for who waits for other things as well and then polls, with {@link
     * #pollAfterSleep} once in a while; null if there is none.
     */
    public @Nullable EventFd event() {
        return interrupt == null ? null : interrupt.event();
    }

    /**
     * Takes completed commands as {@link #poll} does, and watches the time at once, as that does after some hundred calls:
     * for who has slept, a tenth of a second at most.
     */
    public int pollAfterSleep(int[] completed) {
        int n = poll(completed);
        if (n == 0) {
            look();
            n = poll(completed);
        }
        return n;
    }

    /**
     * Takes completed commands, sleeping until the controller interrupts if none is complete and some are in flight.
     *
     * @param completed as {@link #poll} takes it
     * @return how many, 0 only if nothing is in flight
     * @throws IllegalStateException if the queue was created to be polled
     * @throws IOException if the function can no longer tell of interrupts
     */
    public int await(int[] completed) throws IOException {
        if (interrupt == null) {
            throw new IllegalStateException(name() + " has no interrupt, it can only be polled");
        }
        int n = poll(completed);
        while (n == 0 && outstanding != 0) {
            // An interrupt between the poll and here is counted, and ends the wait at once.
            boolean _ = interrupt.await(LONGEST_SLEEP);
            look();
            n = poll(completed);
        }
        return n;
    }

    private int reap(int[] completed) {
        // Fields in locals: after each acquire the compiler would load them anew.
        long[] tokens = token;
        long cq = cqAddress;
        int size = entries;
        int n = 0;
        int h = head;
        long ph = phase;
        while (n < completed.length) {
            // The acquire comes before everything else of the completion, and before the data that it announces; its
            // partner is the controller's last store of the entry, which carries the phase tag.
            long word = getLongAcquire(cq + (long) h * Cqe.BYTES + Cqe.WORD1);
            if ((word & PHASE) != ph) {
                break;
            }
            long expected = word & TOKEN_FIELDS;
            int slot = Cqe.cid(word) & tokens.length - 1;
            if (tokens[slot] != expected) {
                return refuse(word, n, h);
            }
            tokens[slot] = expected | FREE << FREE_SHIFT;
            completed[n++] = Cqe.status(word) == 0 ? slot : failed(slot, word);
            if (++h == size) {
                h = 0;
                ph ^= PHASE;
            }
        }
        if (n != 0) {
            long last = getLongAcquire(cq + (long) (h == 0 ? size - 1 : h - 1) * Cqe.BYTES + Cqe.WORD1);
            if (Cqe.sqHead(last) >= size) {
                return refuse(last, n, h);
            }
            head = h;
            phase = ph;
            outstanding -= n;
            completions += n;
            // A release: the controller may reuse the entries only after they were read here. Queues that are gone have
            // no doorbells either.
            if (current.value == epoch) {
                ring(cqHeadDoorbell, h);
            }
        }
        return n;
    }

    private int failed(int slot, long word) {
        failed[slot] = Cqe.status(word);
        failures++;
        return ~slot;
    }

    /** A completion that breaks the rules: nothing that the controller says in these queues can be believed any more. */
    private int refuse(long word, int n, int h) {
        head = h;
        phase = NO_PHASE;
        outstanding -= n;
        trouble(unexpected(word));
        return n;
    }

    /** The admin queue's trouble is left to who polls it, as other threads wait for its lock. */
    private void trouble(NvmeException why) {
        if (overdue == null) {
            trouble = why;
        } else {
            host.reset(epoch, why);
        }
    }

    /** What the controller did wrong, for whom resets it; asked for once. */
    @Nullable
    NvmeException takeTrouble() {
        NvmeException taken = trouble;
        trouble = null;
        return taken;
    }

    /** Looks at the clock and at the controller: is a command overdue, is the controller still there? */
    private void look() {
        Overdue watch = overdue;
        long now = System.nanoTime();
        if (watch == null || outstanding == 0 || current.value != epoch || !watch.isTime(now)) {
            return;
        }
        host.look(epoch);
        if (current.value == epoch && watch.look(now, token) == Overdue.Step.DELETE) {
            deleteQueues(
                    new NvmeException("%s: no answer within %d ms".formatted(describe(watch.first()), watch.millis())));
        }
    }

    /** Deletes the queues, so that what is in flight is over and its memory quiet; a controller that does not is reset. */
    private void deleteQueues(NvmeException why) {
        int before = epoch;
        try {
            host.stop(before);
            lost = why;
            epoch = Recovery.NEVER;
        } catch (NvmeException e) {
            why.addSuppressed(e);
            host.reset(before, why);
        }
    }

    /** The epoch in which the queues were created. */
    int epoch() {
        return epoch;
    }

    /** The identifier of the command that was last submitted in a slot. */
    int cid(int slot) {
        return cid(token[slot]);
    }

    /** The command identifier in a token. */
    static int cid(long token) {
        return (int) (token >>> Cqe.CID_SHIFT) & 0xFFFF;
    }

    /** Makes rings and slots as those of new queues; nothing may be in flight, or the controller is disabled. */
    void startAnew(int inEpoch) {
        memory.segment().asSlice(0, ringBytes(entries)).fill((byte) 0);
        for (int slot = 0; slot < depth; slot++) {
            if (isInFlight(slot)) {
                token[slot] |= FREE << FREE_SHIFT;
            }
        }
        outstanding = 0;
        tail = 0;
        head = 0;
        phase = PHASE;
        trouble = null;
        if (overdue != null) {
            overdue.startAnew();
        }
        epoch = inEpoch;
        chooseDoorbells();
    }

    /** Returns what is in flight as failed, once the queues are gone: nothing more can complete. */
    private int giveUp(int[] completed) {
        if (epoch != Recovery.NEVER) {
            lost = host.loss();
        }
        // What was completed before the queues went is as good as any; a poll takes it first.
        long word = getLongAcquire(cqAddress + (long) head * Cqe.BYTES + Cqe.WORD1);
        int n = (word & PHASE) == phase ? reap(completed) : 0;
        if (n != 0) {
            return n;
        }
        phase = NO_PHASE;
        for (int slot = 0; slot < depth && n < completed.length; slot++) {
            if (isInFlight(slot)) {
                token[slot] |= FREE << FREE_SHIFT;
                failed[slot] = Status.ABORTED_BY_HOST | GIVEN_UP;
                completed[n++] = ~slot;
            }
        }
        outstanding -= n;
        completions += n;
        failures += n;
        return n;
    }

    private NvmeException unexpected(long word) {
        int cid = Cqe.cid(word);
        int slot = cid & slotMask;
        String why;
        if (Cqe.sqid(word) != qid) {
            why = "names submission queue " + Cqe.sqid(word);
        } else if (Cqe.sqHead(word) >= entries) {
            why = "has the submission queue head at " + Cqe.sqHead(word) + " of " + entries + " entries";
        } else if (slot < depth && isInFlight(slot)) {
            why = "is of a command before the one in flight in slot " + slot;
        } else {
            why = "is of no command in flight";
        }
        return new NvmeException("%s: the controller completed CID 0x%04x, which %s".formatted(name(), cid, why));
    }

    /**
     * Why the slot's last command that failed did: device, queue, command and status. To be asked between the poll that
     * returned {@code ~slot} and the slot's next submission.
     *
     * @throws IllegalStateException if no command of the slot ever failed
     */
    public NvmeException failure(int slot) {
        if (slot < 0 || slot >= depth || failed[slot] == 0) {
            throw new IllegalStateException(name() + ": slot " + slot + " has not failed");
        }
        Status status = new Status(failed[slot] & ~GIVEN_UP);
        if (failed[slot] == status.bits()) {
            return new NvmeException(describe(slot), status, !status.doNotRetry(), host.retryDelay(status.crd()));
        }
        NvmeException gone = host.failure();
        NvmeException why = gone == null ? lost : gone;
        // Whoever prints no causes is told too that the device was removed, or what it was reset for.
        String what = why == null ? describe(slot) : describe(slot) + " (" + why.getMessage() + ")";
        var e = new NvmeException(what, status, gone == null, Duration.ZERO);
        e.initCause(why);
        return e;
    }

    /**
     * Dwords 0 and 1 of the last completion that {@link #poll} took, as long as no command was submitted since: a command's
     * own result, such as the LBA that Zone Append wrote to. Who wants that of each command takes one at a time.
     */
    public long lastResult() {
        if (owner != Thread.currentThread()) {
            enter();
        }
        return getLongAcquire(cqAddress + (head == 0 ? entries - 1L : head - 1L) * Cqe.BYTES + Cqe.RESULT);
    }

    /** Lets another thread own the queue: the next that uses it. The caller orders the two, by a lock for example. */
    public void handOver() {
        Thread user = owner;
        if (user != null && user != Thread.currentThread()) {
            throw belongsTo(user);
        }
        owner = null;
    }

    /**
     * Deletes both queues, so that the controller gives up what is in flight, then frees their memory. Closing again does
     * nothing.
     *
     * @throws IllegalStateException if another thread owns the queue and is alive
     * @throws NvmeException if the controller did not delete them; it is reset then
     */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        Thread user = owner;
        if (user != null && user != Thread.currentThread() && user.isAlive()) {
            throw new IllegalStateException(
                    name() + " is closed by " + Thread.currentThread() + ", but belongs to " + user);
        }
        closed = true;
        owner = null;
        try {
            host.close(epoch);
        } finally {
            free();
        }
    }

    /** Frees the queue's memory, unless the controller could not be stopped and may still write to it. */
    void free() {
        closed = true;
        owner = null;
        if (host.mayStillAccessMemory()) {
            return;
        }
        memory.close();
        lists.free();
        arena.close();
    }

    private String name() {
        return host.name() + ": queue " + qid;
    }

    private String describe(int slot) {
        MemorySegment entry = templates.asSlice((long) slot * Sqe.BYTES, Sqe.BYTES);
        long word0 = entry.get(LONG_UNALIGNED, Sqe.DW0);
        int opcode = Sqe.opcode(word0);
        if (qid == 0) {
            return name() + ": " + Opcode.adminName(opcode);
        }
        String what = name() + ": " + Opcode.nvmName(opcode) + " of namespace " + Sqe.nsid(word0);
        return opcode == Opcode.FLUSH || opcode == Opcode.DATASET_MANAGEMENT
                ? what
                : what + " at LBA " + Long.toUnsignedString(entry.get(LONG_UNALIGNED, Sqe.CDW10));
    }

    /** The first thread that uses it owns it; any other is refused. */
    private void enter() {
        if (closed) {
            throw new IllegalStateException(name() + " is closed");
        }
        Thread user = owner;
        if (user != null) {
            throw belongsTo(user);
        }
        owner = Thread.currentThread();
    }

    private IllegalStateException belongsTo(Thread user) {
        return new IllegalStateException(name() + " belongs to " + user + ", not to " + Thread.currentThread());
    }

    /**
     * Stores to a doorbell after everything stored before. On x86-64 that is a plain store. On aarch64 a store-release
     * orders for observers in the inner-shareable domain, as the software controller's thread is one; a device on a bus
     * is in the outer one and needs a {@code dmb osh} before, which belongs here when such a function can be opened.
     */
    private void ring(long doorbell, int value) {
        if (!absolute) {
            ringByCall(doorbell - barAddress, value);
            return;
        }
        try {
            INT.setRelease(AddressSpace.ALL, doorbell & AddressSpace.MASK_4, value);
        } catch (InternalError e) {
            // What a store to registers becomes that the kernel has taken away.
            trouble(new NvmeException(name() + ": its doorbells are gone: the device was taken away"));
        }
    }

    private void ringByCall(long register, int value) {
        ShadowDoorbells stored = shadow;
        if (stored == null || stored.storeAndMustRing(register, value)) {
            bar.write32(register, value);
        }
    }

    private void putLong(long address, long value) {
        if (CHECKED) {
            rings.set(LONG_UNALIGNED, address - ringsAddress, value);
        } else {
            AddressSpace.ALL.set(LONG_UNALIGNED, address, value);
        }
    }

    private long getTemplate(long address) {
        return CHECKED
                ? templates.get(LONG_UNALIGNED, address - templatesAddress)
                : AddressSpace.ALL.get(LONG_UNALIGNED, address);
    }

    private void putTemplate(long address, long value) {
        if (CHECKED) {
            templates.set(LONG_UNALIGNED, address - templatesAddress, value);
        } else {
            AddressSpace.ALL.set(LONG_UNALIGNED, address, value);
        }
    }

    private long getLongAcquire(long address) {
        return CHECKED
                ? (long) LONG.getAcquire(rings, address - ringsAddress)
                : (long) LONG.getAcquire(AddressSpace.ALL, address & AddressSpace.MASK_8);
    }
}
