package io.aisio.homi.daemon;

import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.DoorbellPages;
import io.aisio.upcie.SharedMemory;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * What one client has of one device: memory that it reaches for that client, and queue pairs whose rings are in it. Its end,
 * whatever brings it, is always the same: the queues are deleted, then the memory is taken from the device, then others may
 * have as much again.
 *
 * <p>The client's thread alone changes it, but for its end, which may come by any.
 */
final class Lease {
    private final long id;
    private final Session session;
    private final ServedDevice served;
    private final NvmeDevice device;
    private final int nsid;
    private final boolean readOnly;
    private final DmaDomain domain;
    private final Map<Long, LeasedQueue> queues = new ConcurrentHashMap<>();
    private final Map<Long, Piece> memory = new ConcurrentHashMap<>();
    /** What the client has given back and the device may still reach; it counts as the client's until it is free. */
    private final List<Parked> parked = new ArrayList<>();

    private volatile boolean forPins;
    private @Nullable String revoked;
    private boolean closed;
    /** Once it is closed: whether the device leaves all of its memory alone. */
    private volatile boolean quiet = true;

    /**
     * Memory of the client's.
     *
     * @param made whether it was made here, rather than the client's own
     */
    private record Piece(SharedMemory memory, boolean made) {}

    /**
     * Memory that commands in flight may name, of a device that does not keep clients apart.
     *
     * @param queues that there were, and which of those that they were; null where nothing ever makes it free
     */
    private record Parked(Piece piece, @Nullable Map<LeasedQueue, Integer> queues) {
        /** Whether all of them are gone, or others by now, so that what was in flight is over. */
        boolean isFree() {
            return queues != null
                    && queues.entrySet().stream().allMatch(e -> e.getKey().isOver(e.getValue()));
        }
    }

    /** A queue pair of the client's. */
    final class LeasedQueue implements Metered {
        final long id;
        final SharedMemory rings;
        final LentQueuePair pair;
        final DoorbellPages doorbells;
        final int depth;
        private final Path path;
        final Instant created = Instant.now();
        /** How often its queues were created: by it a client knows which ones it is told of. */
        private volatile int generation = 1;

        private volatile int toldLost;
        private volatile boolean deleted;
        private volatile Counters counters = Counters.NONE;

        private LeasedQueue(
                long id, SharedMemory rings, LentQueuePair pair, DoorbellPages doorbells, int depth, Path path) {
            this.id = id;
            this.rings = rings;
            this.pair = pair;
            this.doorbells = doorbells;
            this.depth = depth;
            this.path = path;
        }

        Lease lease() {
            return Lease.this;
        }

        int generation() {
            return generation;
        }

        /** The client tells what went through it. */
        void count(Counters told) {
            counters = told;
        }

        private boolean isOver(int which) {
            return deleted || generation != which || pair.isLost();
        }

        @Override
        public Row row() {
            return new Row(
                    session.who() + ", lease " + Lease.this.id + ", queue " + id,
                    served.name(),
                    nsid,
                    path,
                    session.owner(),
                    Lease.this.id,
                    pair.qid(),
                    depth,
                    1,
                    readOnly || isWriteProtected(),
                    created,
                    pair.isLost() ? "lost" : "working",
                    counters,
                    null);
        }
    }

    private Lease(long id, Session session, ServedDevice served, NvmeDevice device, int nsid, DmaDomain domain) {
        this.id = id;
        this.session = session;
        this.served = served;
        this.device = device;
        this.nsid = nsid;
        this.readOnly = domain.isReadOnly();
        this.domain = domain;
    }

    /**
     * Opens one.
     *
     * @throws RpcException if the device is not there, cannot be leased, or has no such namespace
     */
    static Lease open(long id, Session session, ServedDevice served, int nsid, boolean readOnly) throws IOException {
        served.requireNotDraining();
        NvmeDevice device = served.working();
        String why = served.unleasable();
        if (why != null) {
            throw new RpcException(RpcException.DEVICE, served.name() + " cannot be leased: " + why, null);
        }
        requireNamespace(device, nsid);
        DmaDomain domain = device.openDomain(readOnly, nsid);
        Lease lease = new Lease(id, session, served, device, nsid, domain);
        served.add(lease);
        try {
            // Who gives the device up ends those leases that he sees: he may have looked before.
            if (served.working() != device) {
                throw new RpcException(RpcException.BUSY, served.name() + " was given up", "open it again");
            }
            served.requireNotDraining();
            requireNamespace(device, nsid);
            return lease;
        } catch (IOException | RuntimeException e) {
            lease.close();
            throw e;
        }
    }

    private static Namespace requireNamespace(NvmeDevice device, int nsid) throws RpcException {
        try {
            return device.controller().namespace(nsid);
        } catch (NvmeException e) {
            throw new RpcException(RpcException.NO_SUCH, String.valueOf(e.getMessage()), "homi list shows them", e);
        }
    }

    long id() {
        return id;
    }

    ServedDevice served() {
        return served;
    }

    Accounts.Client account() {
        return session.account();
    }

    NvmeDevice device() {
        return device;
    }

    boolean isReadOnly() {
        return readOnly;
    }

    boolean isProtected() {
        return domain.isProtected();
    }

    /** Whether the device leaves the memory of queues that are gone alone. */
    boolean isQuiet() {
        return quiet && !device.controller().mayStillAccessMemory();
    }

    /** The namespace as it is now, write-protected for whom it is leased to be read. */
    Namespace namespace() throws RpcException {
        Namespace now = requireNamespace(device, nsid);
        return !readOnly
                ? now
                : new Namespace(
                        now.nsid(),
                        now.lbaBytes(),
                        now.lbaCount(),
                        now.metadataBytes(),
                        now.extendedLba(),
                        true,
                        now.commandSet(),
                        now.protectionType(),
                        now.protectionFirst());
    }

    /** Whether the controller itself refuses to change the namespace, whatever the lease says. */
    private boolean isWriteProtected() {
        for (Namespace now : device.controller().namespaces()) {
            if (now.nsid() == nsid) {
                return now.writeProtected();
            }
        }
        return false;
    }

    /** Whether it goes on. */
    synchronized boolean isOpen() {
        return !closed;
    }

    /** Files are held still for it: if it has no queue pair it is not about to. */
    void holdPins() {
        forPins = true;
    }

    boolean isForPins() {
        return forPins;
    }

    /** Whether it is of a namespace. */
    boolean isOf(String name, int of) {
        return served.name().equals(name) && nsid == of;
    }

    int queueCount() {
        return queues.size();
    }

    Iterable<LeasedQueue> queues() {
        return queues.values();
    }

    private void requireOpen() throws RpcException {
        if (closed) {
            String why = revoked;
            throw why == null
                    ? new RpcException(RpcException.NO_SUCH, "lease " + id + " is closed", null)
                    : new RpcException(
                            RpcException.DEVICE, "lease " + id + " has ended: " + why, "open the device again");
        }
    }

    /**
     * Creates a queue pair.
     *
     * @param path who drives it, as the client says
     */
    synchronized LeasedQueue createQueue(long number, int depth, Metered.Path path) throws IOException {
        requireOpen();
        int most = Math.min(device.controller().maxDepth(), session.account().depth());
        if (depth > most) {
            throw new RpcException(
                    depth > device.controller().maxDepth() ? RpcException.INVALID_PARAMS : RpcException.QUOTA,
                    "a queue of depth %d; at most %d is possible".formatted(depth, most),
                    "ask for a smaller depth");
        }
        session.account().takeQueues(1);
        try {
            served.takeQueue(this);
            try {
                LeasedQueue queue = createInRoom(number, depth, path);
                queues.put(number, queue);
                if (queue.pair.isLost()) {
                    // A reset that came before it was entered here told it nothing.
                    tellLost("reset", "the controller was reset while the queue was created");
                }
                return queue;
            } catch (IOException | RuntimeException e) {
                served.giveQueueBack();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            session.account().giveQueuesBack(1);
            throw e;
        }
    }

    private LeasedQueue createInRoom(long number, int depth, Metered.Path path) throws IOException {
        SharedMemory rings = allocateInRoom(QueuePair.bytesOfRings(depth));
        LentQueuePair pair = null;
        try {
            pair = device.controller().lendQueuePair(rings, depth);
            return new LeasedQueue(number, rings, pair, device.controller().doorbellPages(pair), depth, path);
        } catch (IOException | RuntimeException e) {
            freeOrKeep(rings, pair == null || closeQuietly(pair, e) || pair.isLost());
            throw e;
        }
    }

    private static boolean closeQuietly(LentQueuePair pair, Exception why) {
        try {
            pair.close();
            return true;
        } catch (IOException onClose) {
            why.addSuppressed(onClose);
            return false;
        }
    }

    LeasedQueue queue(long number) throws RpcException {
        LeasedQueue queue = queues.get(number);
        if (queue == null) {
            throw new RpcException(RpcException.NO_SUCH, "there is no queue " + number + " in lease " + id, null);
        }
        return queue;
    }

    /** Creates its queues anew, in the same rings, which the client has zeroed. */
    synchronized void recreate(LeasedQueue queue) throws IOException {
        requireOpen();
        served.working();
        try {
            queue.pair.recreate();
            queue.generation = queue.generation + 1;
        } finally {
            freeParked();
        }
        if (queue.pair.isLost()) {
            tellLost("reset", "the controller was reset while the queue was created");
        }
    }

    /** Deletes its queues, but keeps its place. */
    synchronized void stop(LeasedQueue queue) throws IOException {
        requireOpen();
        try {
            queue.pair.stop();
        } finally {
            freeParked();
        }
    }

    /** Deletes a queue pair for good. */
    synchronized void delete(LeasedQueue queue) throws IOException {
        if (queues.remove(queue.id) == null) {
            return;
        }
        try {
            queue.pair.close();
            queue.deleted = true;
        } finally {
            freeOrKeep(queue.rings, queue.deleted || queue.pair.isLost());
            freeParked();
            served.giveQueueBack();
            session.account().giveQueuesBack(1);
        }
    }

    /** Makes memory that the device reaches. */
    synchronized SharedMemory allocate(long number, long bytes) throws IOException {
        requireOpen();
        SharedMemory made = again(bytes);
        if (made == null) {
            made = allocateInRoom(bytes);
        }
        memory.put(number, new Piece(made, true));
        return made;
    }

    /** A piece that waits for this client's own commands: that they reach it again is nobody else's trouble. */
    private @Nullable SharedMemory again(long bytes) {
        freeParked();
        for (Parked one : parked) {
            SharedMemory had = one.piece.memory;
            if (one.queues != null && one.piece.made && had.size() >= bytes && had.size() / 2 < bytes) {
                parked.remove(one);
                had.segment().fill((byte) 0);
                return had;
            }
        }
        return null;
    }

    private SharedMemory allocateInRoom(long bytes) throws IOException {
        session.account().takeMemory(bytes);
        SharedMemory made = null;
        try {
            made = domain.allocate(bytes);
            long more = made.size() - bytes;
            if (more > 0) {
                // It was rounded up to whole pages, of which huge ones are large.
                session.account().takeRest(more);
            }
            return made;
        } catch (IOException | RuntimeException e) {
            if (made != null) {
                made.close();
            }
            session.account().giveMemoryBack(bytes);
            throw e;
        }
    }

    /** Lets the device reach the client's own memory. */
    synchronized SharedMemory register(long number, OpenFile file, long bytes) throws IOException {
        requireOpen();
        session.account().takeMemory(bytes);
        try {
            SharedMemory mapped = domain.map(file, bytes);
            memory.put(number, new Piece(mapped, false));
            return mapped;
        } catch (IOException | RuntimeException e) {
            session.account().giveMemoryBack(bytes);
            throw e;
        }
    }

    /**
     * Takes memory from the device: at once, where the device itself keeps commands in flight from what is no longer the
     * client's; otherwise when the queues that there are have been stopped or deleted. False if there is none of this number.
     */
    synchronized boolean release(long number) {
        Piece released = memory.remove(number);
        if (released == null) {
            return false;
        }
        if (device.controller().mayStillAccessMemory()) {
            parked.add(new Parked(released, null));
            return true;
        }
        Map<LeasedQueue, Integer> running = new HashMap<>();
        if (!domain.isProtected()) {
            for (LeasedQueue queue : queues.values()) {
                if (!queue.pair.isLost()) {
                    running.put(queue, queue.generation);
                }
            }
        }
        if (running.isEmpty()) {
            free(released);
        } else {
            parked.add(new Parked(released, running));
        }
        return true;
    }

    /** Frees what nothing in flight names any more. */
    private void freeParked() {
        if (parked.isEmpty() || device.controller().mayStillAccessMemory()) {
            return;
        }
        List<Parked> free = parked.stream().filter(Parked::isFree).toList();
        parked.removeAll(free);
        free.forEach(one -> free(one.piece));
    }

    /** Memory of queues that are gone, or were to be. */
    private void freeOrKeep(SharedMemory rings, boolean gone) {
        Piece piece = new Piece(rings, true);
        if (!gone || device.controller().mayStillAccessMemory()) {
            parked.add(new Parked(piece, null));
        } else {
            free(piece);
        }
    }

    private void free(Piece freed) {
        long bytes = freed.memory.size();
        try {
            takeBack(freed);
        } finally {
            session.account().giveMemoryBack(bytes);
        }
    }

    /** Whoever has the file keeps it, but not what is in it: that would be memory that nobody counts. */
    private void takeBack(Piece piece) {
        SharedMemory taken = piece.memory;
        if (!piece.made) {
            taken.close();
            return;
        }
        long bytes = taken.size();
        try (OpenFile file = taken.file().another()) {
            taken.close();
            file.zero(0, bytes);
        } catch (LinuxException e) {
            session.note(bytes + " bytes stay with whoever has their file: " + e.getMessage());
        } finally {
            taken.close();
        }
    }

    /** Tells the client which of its queues are gone, once. */
    void tellLost(String kind, String why) {
        List<Gone> gone = new ArrayList<>();
        for (LeasedQueue queue : queues.values()) {
            // Before the look: of queues that are created anew meanwhile it tells nothing.
            int generation = queue.generation;
            if (queue.pair.isLost() && queue.toldLost != generation) {
                queue.toldLost = generation;
                gone.add(new Gone(queue.id, generation));
            }
        }
        session.tellOfDevice(this, kind, why, gone);
    }

    /** A queue that is gone, and which of those that it was. */
    record Gone(long queue, int generation) {}

    /** Whether its namespace is there no more, on a controller that works. */
    boolean hasLostNamespace() {
        return device.controller().failure() == null
                && device.controller().namespaces().stream().noneMatch(n -> n.nsid() == nsid);
    }

    void namespacesChanged() {
        session.tellOfDevice(this, "namespace-changed", "namespaces changed", List.of());
    }

    /** The device goes: ends the lease under its client. */
    void revoke(String why) {
        synchronized (this) {
            if (closed) {
                return;
            }
            revoked = why;
        }
        List<Gone> all = queues.values().stream()
                .map(queue -> new Gone(queue.id, queue.generation))
                .toList();
        close();
        session.tellOfDevice(this, "removed", why, all);
    }

    /**
     * Ends it: queues, then memory, then room for others. What fails of it is told, and holds up nothing that comes after it,
     * but memory that the device may still reach is kept.
     */
    synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        boolean leftAlone = true;
        List<LeasedQueue> all = List.copyOf(queues.values());
        for (LeasedQueue queue : all) {
            boolean gone = attempt("queue " + queue.pair.qid() + " was not deleted", queue.pair::close);
            queue.deleted = true;
            // One that was not deleted is gone all the same where the controller was reset.
            leftAlone &= gone || queue.pair.isLost();
        }
        // Whatever its own queues say: the controller may know memory of those that were deleted before.
        leftAlone &= !device.controller().mayStillAccessMemory();
        quiet = leftAlone;
        List<Piece> pieces = new ArrayList<>(memory.values());
        all.forEach(queue -> pieces.add(new Piece(queue.rings, true)));
        parked.forEach(one -> pieces.add(one.piece));
        long[] bytes = pieces.stream().mapToLong(piece -> piece.memory.size()).toArray();
        if (leftAlone) {
            for (Piece piece : pieces) {
                attempt("memory was not taken back", () -> takeBack(piece));
            }
            attempt("the domain was not closed", domain::close);
        } else {
            session.note(served.name() + " could not be stopped: the memory of lease " + id + " is kept for good");
        }
        queues.clear();
        memory.clear();
        parked.clear();
        for (long one : bytes) {
            session.account().giveMemoryBack(one);
        }
        for (LeasedQueue _ : all) {
            served.giveQueueBack();
            session.account().giveQueuesBack(1);
        }
        served.remove(this);
        session.ended(this);
    }

    private interface Step {
        void take() throws IOException;
    }

    /** Takes a step of the end; whether it succeeded. */
    private boolean attempt(String otherwise, Step step) {
        try {
            step.take();
            return true;
        } catch (IOException | RuntimeException e) {
            session.note("lease " + id + " of " + served.name() + ": " + otherwise + ": " + e.getMessage());
            return false;
        }
    }
}
