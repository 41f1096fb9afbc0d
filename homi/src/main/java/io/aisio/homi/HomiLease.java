package io.aisio.homi;

import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.Command;
import io.aisio.nvme.Completion;
import io.aisio.nvme.MappedQueuePair;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.QueueSource;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PeerMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What this process has of one of the daemon's devices: where queue pairs and memory come from, until it is closed or the
 * daemon takes it back.
 */
final class HomiLease implements QueueSource, HomiClient.Listener {
    /** Bytes of data of an admin command at most. */
    private static final int MOST_ADMIN_BYTES = 16 << 10;
    /** Queues that are not known here and of which something came: those are about to be, or were deleted long ago. */
    private static final int MOST_LOST_EARLY = 1024;

    private final HomiClient client;
    private final String name;
    private final long lease;
    private final String path;
    private final int nsid;
    private final int maxTransferBytes;
    private final int maxDepth;
    private final int maxQueues;
    private final boolean keepsApart;
    private final Duration timeout;
    private final QueueTally tally;
    private final LeasedPieces pieces = new LeasedPieces(this::allocateWhole);

    private final Map<Long, HomiQueue> queues = new HashMap<>();
    /** What came of queues that are not known here yet: their generations. */
    private final Map<Long, Integer> lostEarly = new LinkedHashMap<>();

    private volatile Namespace namespace;
    private volatile @Nullable NvmeException failure;
    private volatile boolean mayStillAccessMemory;
    private boolean closed;

    private HomiLease(HomiClient client, String name, ObjectNode opened) {
        this.client = client;
        tally = new QueueTally(client, name, () -> namespace.lbaBytes());
        this.name = name;
        lease = opened.path("lease").longValue();
        path = opened.path("path").stringValue("");
        namespace = namespace(opened.path("namespace"));
        nsid = namespace.nsid();
        maxTransferBytes = opened.path("maxTransferBytes").intValue();
        maxDepth = opened.path("maxDepth").intValue();
        maxQueues = opened.path("maxQueues").intValue();
        keepsApart = opened.path("protected").booleanValue(false);
        timeout = Duration.ofMillis(opened.path("timeoutMillis").longValue());
    }

    /**
     * Opens one.
     *
     * @param client becomes the lease's, if this succeeds
     * @param name how messages name it
     */
    static HomiLease open(HomiClient client, String name, String device, int nsid, boolean write) throws IOException {
        ObjectNode params =
                HomiClient.params().put("device", device).put("nsid", nsid).put("access", write ? "write" : "read");
        HomiLease lease = new HomiLease(client, name, client.call("device.open", params));
        client.listen(lease.lease, lease);
        return lease;
    }

    private static Namespace namespace(JsonNode told) {
        return new Namespace(
                told.path("nsid").intValue(),
                told.path("lbaBytes").intValue(),
                told.path("lbaCount").longValue(),
                told.path("metadataBytes").intValue(),
                told.path("extendedLba").booleanValue(),
                told.path("writeProtected").booleanValue(),
                told.path("commandSet").intValue(),
                told.path("protectionType").intValue(),
                told.path("protectionFirst").booleanValue());
    }

    /** Which way the daemon reaches the device. */
    String path() {
        return path;
    }

    HomiClient client() {
        return client;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Namespace namespace(int number) throws NvmeException {
        requireWorking();
        if (number != nsid) {
            throw new NvmeException(
                    "%s: namespace %d is leased, not %d; open that one by its own name".formatted(name, nsid, number));
        }
        return namespace;
    }

    @Override
    public int maxTransferBytes() {
        return maxTransferBytes;
    }

    @Override
    public int maxDepth() {
        return maxDepth;
    }

    @Override
    public int maxQueuePairs() {
        return maxQueues;
    }

    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        if (bytes < 1) {
            throw new IllegalArgumentException(bytes + " bytes of memory");
        }
        return bytes <= LeasedPieces.LARGEST ? pieces.allocate((int) bytes) : allocateWhole(bytes);
    }

    private DmaMemory allocateWhole(long bytes) throws IOException {
        HomiClient.Reply reply =
                ask("memory.allocate", HomiClient.params().put("lease", lease).put("bytes", bytes));
        try {
            if (reply.files().size() != 1) {
                throw new IOException(name + ": memory without a descriptor");
            }
            return mapped(reply);
        } finally {
            reply.closeFiles();
        }
    }

    private DmaMemory mapped(HomiClient.Reply reply) throws IOException {
        long number = reply.result().path("memory").longValue();
        long size = reply.result().path("bytes").longValue();
        JsonNode runs = reply.result().path("runs");
        long[] starts = new long[runs.size() + 1];
        long[] addresses = new long[runs.size()];
        for (int i = 0; i < runs.size(); i++) {
            starts[i] = runs.path(i).path(0).longValue();
            addresses[i] = runs.path(i).path(1).longValue();
        }
        starts[runs.size()] = size;
        Mapping mapping;
        try {
            mapping = Mapping.of(reply.files().getFirst(), size);
        } catch (IOException | RuntimeException e) {
            // Nobody would ever give it back.
            boolean _ = release(number);
            throw e;
        }
        return new LeasedMemory(mapping, starts, addresses, () -> release(number));
    }

    private boolean release(long memory) {
        try {
            ObjectNode _ = client.call("memory.release", HomiClient.params().put("memory", memory));
        } catch (RpcException e) {
            // The lease has ended under this: the daemon has taken it from the device.
            return true;
        } catch (IOException | IllegalStateException e) {
            return !mayStillAccessMemory;
        }
        return true;
    }

    @Override
    public DmaMemory map(PeerMemory memory) {
        throw new UnsupportedOperationException(name
                + " reaches no memory of other devices: its memory is the daemon's; next: open the device itself, with the"
                + " daemon stopped");
    }

    @Override
    public QueuePair createQueuePair(int depth) throws IOException {
        return createQueue("process", depth, (number, created, files) -> attach(number, depth, created, files));
    }

    @Override
    public MappedQueuePair mapQueuePair(int depth) throws IOException {
        return createQueue("gpu", depth, this::map);
    }

    /** What becomes of a queue that the daemon has created: the files are its rings and its doorbells. */
    private interface Opening<T> {
        T of(long number, ObjectNode created, List<OpenFile> files) throws IOException;
    }

    /** @param path who drives it, for people who look at the status */
    private <T> T createQueue(String path, int depth, Opening<T> opening) throws IOException {
        if (depth < 1 || depth > maxDepth) {
            throw new IllegalArgumentException(
                    "%s: a queue of depth %d; 1 to %d are possible".formatted(name, depth, maxDepth));
        }
        HomiClient.Reply reply = ask(
                "queue.create",
                HomiClient.params().put("lease", lease).put("depth", depth).put("path", path));
        ObjectNode created = reply.result();
        long number = created.path("queue").longValue();
        try {
            if (reply.files().size() != 2) {
                throw new IOException(name + ": a queue without descriptors of its rings and doorbells");
            }
            return opening.of(number, created, reply.files());
        } catch (IOException | RuntimeException e) {
            delete(number, e);
            throw e;
        } finally {
            reply.closeFiles();
        }
    }

    private QueuePair attach(long number, int depth, ObjectNode created, List<OpenFile> files) throws IOException {
        HomiQueue queue = map(number, created, files);
        try {
            QueuePair pair = QueuePair.attach(
                    queue,
                    queue.epoch().get(),
                    queue.qid(),
                    depth,
                    queue.rings(),
                    queue.doorbells(),
                    queue.tailDoorbell(),
                    queue.headDoorbell(),
                    timeout);
            tally.add(number, pair);
            return pair;
        } catch (RuntimeException e) {
            remove(queue);
            queue.unmap();
            throw e;
        }
    }

    private HomiQueue map(long number, ObjectNode created, List<OpenFile> files) throws IOException {
        JsonNode doorbells = created.path("doorbells");
        long bytes = created.path("rings").path("bytes").longValue();
        Mapping rings = Mapping.of(files.get(0), bytes);
        try {
            Mapping bells = Mapping.of(
                    files.get(1),
                    doorbells.path("offset").longValue(),
                    doorbells.path("bytes").intValue(),
                    true);
            // The daemon deletes the queues before it takes their memory: nothing is to be released here.
            LeasedMemory memory =
                    new LeasedMemory(rings, new long[] {0, bytes}, new long[] {0}, () -> !mayStillAccessMemory);
            HomiQueue queue = new HomiQueue(this, number, memory, bells, created);
            add(queue);
            return queue;
        } catch (IOException | RuntimeException e) {
            rings.close();
            throw e;
        }
    }

    /** A loss may have been told before the queue was known here. */
    void add(HomiQueue queue) {
        synchronized (queues) {
            queues.put(queue.number(), queue);
            Integer early = lostEarly.remove(queue.number());
            if (early != null) {
                queue.lost(early, new NvmeException(name + ": the queue was lost as soon as it was created"));
            }
        }
        NvmeException gone = failure;
        if (gone != null) {
            queue.lostForGood(gone);
        }
    }

    void remove(HomiQueue queue) {
        tally.remove(queue.number());
        synchronized (queues) {
            queues.remove(queue.number());
        }
    }

    private void delete(long number, Exception why) {
        try {
            ObjectNode _ = client.call("queue.delete", HomiClient.params().put("queue", number));
        } catch (IOException | IllegalStateException e) {
            why.addSuppressed(e);
        }
    }

    @Override
    public Completion execute(Command command, MemorySegment data) throws IOException {
        if (data.byteSize() > MOST_ADMIN_BYTES) {
            throw new IllegalArgumentException("%s: %s with %d bytes of data; at most %d go through the daemon"
                    .formatted(name, Opcode.adminName(command.opcode()), data.byteSize(), MOST_ADMIN_BYTES));
        }
        ObjectNode params = HomiClient.params()
                .put("lease", lease)
                .put("opcode", command.opcode())
                .put("nsid", command.nsid() & 0xFFFF_FFFFL)
                .put("cdw10", command.cdw10() & 0xFFFF_FFFFL)
                .put("cdw11", command.cdw10() >>> 32)
                .put("cdw12", command.cdw12() & 0xFFFF_FFFFL)
                .put("cdw13", command.cdw12() >>> 32)
                .put("cdw14", command.cdw14() & 0xFFFF_FFFFL)
                .put("cdw15", command.cdw14() >>> 32)
                .put("bytes", data.byteSize());
        ObjectNode result;
        try {
            HomiClient.Reply reply = ask("admin", params);
            reply.closeFiles();
            result = reply.result();
        } catch (RpcException e) {
            if (e.status() < 0) {
                throw e;
            }
            var failed = new NvmeException(name + ": " + Opcode.adminName(command.opcode()), new Status(e.status()));
            failed.initCause(e);
            throw failed;
        }
        byte[] bytes = Base64.getDecoder().decode(result.path("data").stringValue(""));
        if (bytes.length != data.byteSize()) {
            throw new IOException(name + ": " + bytes.length + " bytes of data came, not " + data.byteSize());
        }
        MemorySegment.copy(
                MemorySegment.ofArray(bytes), ValueLayout.JAVA_BYTE, 0, data, ValueLayout.JAVA_BYTE, 0, bytes.length);
        return new Completion(
                new Status(Status.SUCCESS), (int) result.path("result").longValue(), (int)
                        result.path("upper").longValue());
    }

    /** Asks; if the lease ends meanwhile, the reason is why it did, rather than that the connection did. */
    private HomiClient.Reply ask(String method, ObjectNode params) throws IOException {
        requireWorking();
        try {
            return client.call(method, params, List.of());
        } catch (IOException e) {
            if (client.lost() != null) {
                requireWorking();
            }
            throw e;
        }
    }

    private void requireWorking() throws NvmeException {
        NvmeException why = failure;
        if (why != null) {
            var again = new NvmeException(String.valueOf(why.getMessage()));
            again.initCause(why);
            throw again;
        }
    }

    /** Why the lease is over; null while it is not. */
    @Nullable
    NvmeException failure() {
        return failure;
    }

    @Override
    public boolean mayStillAccessMemory() {
        return mayStillAccessMemory;
    }

    @Override
    public void happened(ObjectNode event) {
        String kind = event.path("kind").stringValue("");
        NvmeException why =
                new NvmeException(name + ": " + kind + ": " + event.path("why").stringValue("no reason is given"));
        switch (kind) {
            case "reset" -> {
                changed(event.path("namespace"));
                lost(event.path("queues"), why);
            }
            case "namespace-changed" -> changed(event.path("namespace"));
            // What the daemon does not know to be quiet is not.
            case "failed", "removed" -> failed(why, event.path("quiet").booleanValue(false));
            default -> {
                // Of a daemon that tells more than this knows.
            }
        }
    }

    /** One that is gone is told of once its queues are deleted, as the lease's end. */
    private void changed(JsonNode now) {
        if (now.isObject()) {
            namespace = namespace(now);
        }
    }

    private void lost(JsonNode gone, NvmeException why) {
        synchronized (queues) {
            for (JsonNode one : gone) {
                long number = one.path("queue").longValue();
                int generation = one.path("generation").intValue();
                HomiQueue queue = queues.get(number);
                if (queue == null) {
                    lostEarly.merge(number, generation, Math::max);
                    if (lostEarly.size() > MOST_LOST_EARLY) {
                        lostEarly.remove(lostEarly.keySet().iterator().next());
                    }
                } else {
                    queue.lost(generation, why);
                }
            }
        }
    }

    @Override
    public void lost(IOException why, boolean ended) {
        failed(new NvmeException(String.valueOf(why.getMessage())), ended && keepsApart);
    }

    /**
     * The lease is over.
     *
     * @param quiet whether the device leaves its memory alone
     */
    private void failed(NvmeException why, boolean quiet) {
        List<HomiQueue> all;
        synchronized (queues) {
            if (failure != null) {
                return;
            }
            mayStillAccessMemory = !quiet;
            failure = why;
            all = new ArrayList<>(queues.values());
        }
        all.forEach(queue -> queue.lostForGood(why));
    }

    @Override
    public void close() throws IOException {
        synchronized (queues) {
            if (closed) {
                return;
            }
            if (!queues.isEmpty()) {
                throw new IllegalStateException(name + ": " + queues.size() + " queue pairs are open");
            }
            closed = true;
        }
        client.forget(lease);
        tally.close();
        try (client) {
            closeLease();
        }
    }

    private void closeLease() throws IOException {
        if (client.lost() != null) {
            return;
        }
        try {
            ObjectNode _ = client.call("device.close", HomiClient.params().put("lease", lease));
        } catch (IOException e) {
            // With the connection the lease has ended, too.
            if (client.lost() == null) {
                throw e;
            }
        }
    }
}
