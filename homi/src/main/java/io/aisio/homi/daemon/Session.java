package io.aisio.homi.daemon;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.Params;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.Command;
import io.aisio.nvme.Completion;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueueHost;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.Timeouts;
import io.aisio.nvme.spec.Cqe;
import io.aisio.upcie.DoorbellPages;
import io.aisio.upcie.SharedMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * One client: what it asks, what it has, and what it is told. A thread of its own answers its requests one by one, so that
 * whatever one client does, it holds up itself alone; another sends it what it is told of its own accord, once there is
 * anything.
 */
final class Session implements Runnable {
    /** The protocol's version. */
    static final int VERSION = 1;
    /** Lines in a row that are no requests, after which a client is sent away. */
    private static final int MOST_FAULTS = 16;
    /** What a client is told that it has not taken yet; one that is further behind is sent away. */
    private static final int MOST_UNTOLD = 512;
    /** Leases of a client at most: each costs an address space or a part of one. */
    private static final int MOST_LEASES = 64;
    /** Pieces that memory may be in, of those that a line has room for. */
    private static final int MOST_RUNS = 1024;

    private static final int LONGEST_NAME = 64;
    /** Why a client is gone that ended by itself. */
    private static final String LEFT = "left";

    /** How long an Abort is waited for. */
    private static final long ABORT_NANOS = 1_000_000_000;

    private static final long LOOK_NANOS = 500_000;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    private final Daemon daemon;
    private final long id;
    private final Accounts.Client account;
    private final JsonLines lines;
    private final Instant since = Instant.now();
    private final Map<Long, Lease> leases = new ConcurrentHashMap<>();
    private final ArrayBlockingQueue<ObjectNode> untold = new ArrayBlockingQueue<>(MOST_UNTOLD);
    /** How much of what it is told was not sent yet. */
    private final AtomicInteger unsent = new AtomicInteger();

    private final AtomicBoolean goes = new AtomicBoolean();
    /** Whether it had anything of a device, and its coming was told. */
    private final AtomicBoolean hasCome = new AtomicBoolean();

    private final Runnable atEnd;
    private volatile Metered.Owner owner;
    private volatile boolean stopping;
    private volatile @Nullable String sentAway;
    private Events.@Nullable Subscription subscription;
    private @Nullable Thread teller;
    private boolean greeted;
    /** The status of which the client has a part. */
    private @Nullable Status told;

    private long last;

    /**
     * @param lines becomes the session's
     * @param pid of the client, by the kernel's word
     * @param atEnd called at the end, whatever it is
     */
    Session(Daemon daemon, long id, Accounts.Client account, JsonLines lines, int pid, Runnable atEnd) {
        this.daemon = daemon;
        this.id = id;
        this.account = account;
        this.lines = lines;
        this.atEnd = atEnd;
        owner = new Metered.Owner(pid, account.user().uid(), "");
    }

    long id() {
        return id;
    }

    Accounts.Client account() {
        return account;
    }

    Metered.Owner owner() {
        return owner;
    }

    Iterable<Lease> leases() {
        return leases.values();
    }

    /** It is about to have something of a device, for the first time perhaps: from now on it is told of. */
    void came() {
        if (hasCome.compareAndSet(false, true)) {
            daemon.events().add("client-came", null, this + " came");
        }
    }

    /** A lease of its has ended. */
    void ended(Lease lease) {
        daemon.ended(id, lease);
    }

    void note(String text) {
        daemon.events().add("error", null, this + ": " + text);
    }

    /** Ends the session soon; its thread does. */
    void stop() {
        stopping = true;
        lines.shutDown();
    }

    /** What it has is taken back first: a connection that has ended tells the client that its queues are gone. */
    void sendAway(String why) {
        sentAway = why;
        if (!goes.compareAndSet(false, true)) {
            return;
        }
        try {
            Thread _ = Thread.ofPlatform()
                    .daemon()
                    .name("homi client " + id + ", sent away")
                    .start(() -> {
                        leases.values().forEach(Lease::close);
                        lines.shutDown();
                    });
        } catch (OutOfMemoryError e) {
            // There is no thread for it: its own takes all back, at the end of the connection.
            lines.shutDown();
        }
    }

    Status.ClientStatus status() {
        return new Status.ClientStatus(id, owner, since, leases.size(), account.queues(), account.memoryBytes());
    }

    private Service.Caller caller() {
        return new Service.Caller(id, owner, account.user().control());
    }

    /** By which rows name it: {@code client 7}. A lease's and a queue's number is its client's own. */
    String who() {
        return "client " + id;
    }

    @Override
    public String toString() {
        Metered.Owner now = owner;
        return "%s (%s%s, uid %d)"
                .formatted(who(), now.name().isEmpty() ? "" : now.name() + ", ", "process " + now.pid(), now.uid());
    }

    @Override
    public void run() {
        try {
            String why = served();
            // Who had nothing, as a health check or a second daemon that looks whether somebody listens, is nobody's
            // concern.
            boolean byItself = why.equals(LEFT) || why.startsWith(LEFT + ": ");
            if (hasCome.get() || !byItself) {
                daemon.events().add("client-left", null, this + " " + why);
            }
        } finally {
            try {
                end();
            } finally {
                atEnd.run();
            }
        }
    }

    /** Serves the client to the end; why that came. */
    private String served() {
        try {
            talk();
            String why = sentAway;
            return why != null ? "was sent away: " + why : stopping ? "left: the daemon ends" : LEFT;
        } catch (RpcException e) {
            refuse(null, e);
            return "was sent away: it sent " + e.what();
        } catch (IOException e) {
            String why = sentAway;
            if (why != null) {
                return "was sent away: " + why;
            }
            if (stopping) {
                return "left: the daemon ends";
            }
            if (e instanceof LinuxException l && l.errno() == Errno.ESRCH) {
                return "left: its process has ended";
            }
            boolean reset =
                    e instanceof LinuxException l && (l.errno() == Errno.ECONNRESET || l.errno() == Errno.EPIPE);
            return reset ? "left in the middle of a message" : "was lost: " + e.getMessage();
        } catch (RuntimeException | Error e) {
            StackTraceElement[] trace = e.getStackTrace();
            return "was sent away by a fault of the daemon's own: " + e + (trace.length == 0 ? "" : " at " + trace[0]);
        }
    }

    private void talk() throws IOException {
        int faults = 0;
        while (!stopping) {
            JsonLines.Line line = lines.receive(
                    greeted ? null : daemon.configuration().timeouts().hello());
            if (line == null) {
                return;
            }
            try {
                faults = answer(line) ? 0 : faults + 1;
            } finally {
                line.closeFiles();
            }
            if (faults >= MOST_FAULTS) {
                throw new RpcException(
                        RpcException.INVALID_REQUEST, MOST_FAULTS + " lines in a row that are no requests", null);
            }
        }
    }

    /** Answers a line; whether it was a request. */
    private boolean answer(JsonLines.Line line) throws IOException {
        ObjectNode request = line.object();
        RpcException refusal = line.refusal();
        if (request == null) {
            refuse(null, refusal == null ? invalid("no object") : refusal);
            return false;
        }
        JsonNode number = request.get("id");
        if (number != null && !number.isIntegralNumber() && !number.isString()) {
            refuse(null, invalid("a request's id is a whole number or text"));
            return false;
        }
        JsonNode method = request.get("method");
        JsonNode version = request.get("jsonrpc");
        if (method == null
                || !method.isString()
                || version == null
                || !version.isString()
                || !version.stringValue().equals("2.0")) {
            refuse(number, invalid("no request of JSON-RPC 2.0"));
            return false;
        }
        for (String name : request.propertyNames()) {
            if (!List.of("jsonrpc", "id", "method", "params").contains(name)) {
                refuse(number, invalid("a request has no member '" + name + "'"));
                return false;
            }
        }
        String what = method.stringValue();
        if (number == null) {
            return notified(what, request.get("params"), line);
        }
        Service.Answer answer;
        try {
            answer = execute(what, request.get("params"), line);
        } catch (RpcException e) {
            if (e.code() == RpcException.QUOTA || e.code() == RpcException.NOT_PERMITTED) {
                daemon.events().add("refused", null, this + ": " + what + ": " + e.what());
            }
            line.closeFiles();
            refuse(number, e);
            return e.code() != RpcException.METHOD_NOT_FOUND;
        }
        // Before the answer: who has it may count what is open.
        line.closeFiles();
        try {
            ObjectNode response = JsonLines.JSON.createObjectNode();
            response.put("jsonrpc", "2.0");
            response.set("id", number);
            if (!answer.files().isEmpty()) {
                answer.result().put("fds", answer.files().size());
            }
            response.set("result", answer.result());
            lines.send(response, answer.files());
        } catch (IllegalArgumentException e) {
            refuse(
                    number,
                    new RpcException(RpcException.INTERNAL_ERROR, what + ": the answer is " + e.getMessage(), null));
        } catch (IllegalStateException e) {
            // A file of the answer was closed under it: nothing was sent.
            refuse(
                    number,
                    new RpcException(
                            RpcException.DEVICE, what + ": the lease has ended: " + e.getMessage(), "open it again"));
        } finally {
            answer.closed().forEach(OpenFile::close);
        }
        return true;
    }

    private static RpcException invalid(String what) {
        return new RpcException(RpcException.INVALID_REQUEST, what, null);
    }

    private void refuse(@Nullable JsonNode number, RpcException e) {
        try {
            lines.send(refusal(number, e), List.of());
        } catch (IOException | IllegalArgumentException | IllegalStateException lost) {
            // Whoever does not take it finds the connection ended.
            lines.shutDown();
        }
    }

    /** A response that says why not. */
    static ObjectNode refusal(@Nullable JsonNode number, RpcException e) {
        ObjectNode response = JsonLines.JSON.createObjectNode();
        response.put("jsonrpc", "2.0");
        if (number == null) {
            response.putNull("id");
        } else {
            response.set("id", number);
        }
        ObjectNode error = response.putObject("error");
        error.put("code", e.code());
        error.put("message", e.what());
        ObjectNode data = null;
        if (e.next() != null) {
            data = error.putObject("data");
            data.put("next", e.next());
        }
        if (e.status() >= 0) {
            data = data == null ? error.putObject("data") : data;
            data.put("status", e.status());
        }
        return response;
    }

    private Service.Answer execute(String method, @Nullable JsonNode given, JsonLines.Line line) throws RpcException {
        try {
            if (!greeted && !method.equals("hello") && !method.equals("status")) {
                throw new RpcException(RpcException.INVALID_REQUEST, method + " before hello", "begin with hello");
            }
            Params params = new Params(method, given);
            long files = params.number("fds", 0, JsonLines.MOST_FILES, 0);
            if (line.incomplete() || files != line.files().size()) {
                throw new RpcException(
                        RpcException.INVALID_PARAMS,
                        "%s: %d descriptors are announced as 'fds', %s came"
                                .formatted(
                                        method,
                                        files,
                                        line.incomplete()
                                                ? "more than can be taken"
                                                : line.files().size()),
                        null);
            }
            Service service = daemon.service(method);
            if (service != null) {
                return service.answer(
                        caller(), method, given == null ? JsonLines.JSON.createObjectNode() : given, line.files());
            }
            if (files != 0 && !method.equals("memory.register")) {
                throw new RpcException(RpcException.INVALID_PARAMS, method + " takes no descriptors", null);
            }
            return execute(method, params, line.files());
        } catch (RpcException e) {
            throw e;
        } catch (NvmeException e) {
            throw new RpcException(RpcException.DEVICE, String.valueOf(e.getMessage()), null, e);
        } catch (UnsupportedOperationException | IOException e) {
            throw new RpcException(RpcException.DEVICE, String.valueOf(e.getMessage()), null, e);
        } catch (IllegalArgumentException e) {
            throw new RpcException(RpcException.INVALID_PARAMS, String.valueOf(e.getMessage()), null, e);
        } catch (RuntimeException e) {
            StackTraceElement[] trace = e.getStackTrace();
            daemon.events()
                    .add("error", null, this + ": " + method + ": " + e + (trace.length == 0 ? "" : " at " + trace[0]));
            throw new RpcException(RpcException.INTERNAL_ERROR, method + ": " + e, null, e);
        }
    }

    private Service.Answer execute(String method, Params params, List<OpenFile> files) throws IOException {
        return switch (method) {
            case "hello" -> hello(params);
            case "status" -> status(params);
            case "device.open" -> open(params);
            case "device.close" -> close(params);
            case "queue.create" -> createQueue(params);
            case "queue.recreate" -> recreateQueue(params);
            case "queue.delete" -> deleteQueue(params);
            case "queue.abort" -> abort(params);
            case "memory.allocate" -> allocate(params);
            case "memory.register" -> register(params, files);
            case "memory.release" -> release(params);
            case "admin" -> admin(params);
            case "export.add" -> addExport(params);
            case "export.remove" -> removeExport(params);
            case "export.list" -> listExports(params);
            case "drain" -> drain(params);
            case "shutdown" -> shutdown(params);
            case "events.subscribe" -> subscribe(params);
            default ->
                throw new RpcException(
                        RpcException.METHOD_NOT_FOUND, "there is no method '%.64s'".formatted(method), null);
        };
    }

    /** The one thing that a client says without asking: what went through its queues. */
    private boolean notified(String method, @Nullable JsonNode given, JsonLines.Line line) {
        if (!method.equals("counters") || !line.files().isEmpty() || line.incomplete()) {
            return false;
        }
        try {
            Params params = new Params(method, given);
            params.allow("queue", "reads", "writes", "flushes", "failed", "bytesRead", "bytesWritten", "latencyNanos");
            long queue = params.number("queue", 1, Long.MAX_VALUE);
            find(queue)
                    .count(new Metered.Counters(
                            true,
                            params.number("reads", 0, Long.MAX_VALUE, 0),
                            params.number("writes", 0, Long.MAX_VALUE, 0),
                            params.number("flushes", 0, Long.MAX_VALUE, 0),
                            params.number("failed", 0, Long.MAX_VALUE, 0),
                            params.number("bytesRead", 0, Long.MAX_VALUE, 0),
                            params.number("bytesWritten", 0, Long.MAX_VALUE, 0),
                            params.number("latencyNanos", -1, Long.MAX_VALUE, -1)));
            return true;
        } catch (RpcException e) {
            return false;
        }
    }

    private static Service.Answer nothing() {
        return Service.Answer.of(JsonLines.JSON.createObjectNode());
    }

    private Service.Answer hello(Params params) throws RpcException {
        params.allow("version", "name");
        long version = params.number("version", 1, Integer.MAX_VALUE);
        if (version != VERSION) {
            throw new RpcException(
                    RpcException.INVALID_PARAMS,
                    "this daemon speaks version " + VERSION + " of the protocol, not " + version,
                    "use the client that came with the daemon");
        }
        String name = params.text("name", LONGEST_NAME, "");
        owner = new Metered.Owner(owner.pid(), owner.uid(), name);
        greeted = true;
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("version", VERSION);
        result.put("client", id);
        result.put("pid", ProcessHandle.current().pid());
        result.put("access", account.user().rights().name().toLowerCase(java.util.Locale.ROOT));
        result.put("control", account.user().control());
        result.put("queues", account.mostQueues());
        result.put("depth", account.depth());
        return Service.Answer.of(result);
    }

    private Service.Answer status(Params params) throws RpcException {
        params.allow("from");
        int from = (int) params.number("from", 0, Integer.MAX_VALUE, 0);
        Status all = told;
        if (from == 0 || all == null) {
            all = daemon.status();
        }
        Status none = new Status(
                all.version(),
                all.ready(),
                all.state(),
                all.pid(),
                all.started(),
                all.socket(),
                List.of(),
                List.of(),
                List.of(),
                0,
                all.lastEvent());
        ObjectNode result = new Part(JsonLines.JSON.valueToTree(none), from)
                .list("devices", all.devices())
                .list("clients", all.clients())
                .list("rows", all.rows())
                .end();
        // What is asked for next is the rest of this one, whatever came and went meanwhile.
        told = result.get("more").intValue() == 0 ? null : all;
        return Service.Answer.of(result);
    }

    private Service.Answer open(Params params) throws IOException {
        params.allow("device", "nsid", "access");
        String name = params.text("device", LONGEST_NAME);
        int nsid = (int) params.number("nsid", 1, 0xFFFF_FFFEL, 1);
        boolean write = params.word("access", "write", "read").equals("write");
        daemon.requireOpen();
        Configuration.User user = account.user();
        if (!user.mayOpen(name, write)) {
            throw new RpcException(
                    RpcException.NOT_PERMITTED,
                    "%s may not %s %s".formatted(user.name(), write ? "write to" : "read from", name),
                    write && user.mayOpen(name, false) ? "open it to be read (access=read)" : "ask who runs homid");
        }
        ServedDevice served = daemon.device(name);
        if (!write && !user.mayOpen(name, true) && !served.isProtected()) {
            throw new RpcException(
                    RpcException.NOT_PERMITTED,
                    user.name() + " may only read from " + name + ", and this device keeps nobody from writing",
                    "allow writing in homid's configuration, or serve a device that keeps clients apart");
        }
        if (leases.size() >= MOST_LEASES) {
            throw new RpcException(
                    RpcException.QUOTA, "a client has " + MOST_LEASES + " leases at most", "close one first");
        }
        Lease lease = Lease.open(++last, this, served, nsid, !write);
        leases.put(lease.id(), lease);
        try {
            return opened(lease, name, nsid);
        } catch (IOException | RuntimeException e) {
            leases.remove(lease.id());
            lease.close();
            throw e;
        }
    }

    private Service.Answer opened(Lease lease, String name, int nsid) throws IOException {
        came();
        daemon.events().add("leased", name, this + ": lease " + lease.id() + " of " + name + ", namespace " + nsid);
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("lease", lease.id());
        result.put("device", name);
        result.put("path", lease.device().path());
        result.set("namespace", JsonLines.JSON.valueToTree(lease.namespace()));
        result.put("maxTransferBytes", lease.device().controller().maxTransferBytes());
        result.put("maxDepth", Math.min(lease.device().controller().maxDepth(), account.depth()));
        result.put("maxQueues", Math.min(lease.device().controller().maxQueuePairs(), account.mostQueues()));
        result.put("protected", lease.isProtected());
        result.put("readOnly", lease.isReadOnly());
        result.put("timeoutMillis", Timeouts.DEFAULT.io().toMillis());
        return Service.Answer.of(result);
    }

    private Lease lease(Params params) throws RpcException {
        return lease(params.number("lease", 1, Long.MAX_VALUE));
    }

    /** One of its leases, which may have ended. */
    Lease lease(long number) throws RpcException {
        Lease lease = leases.get(number);
        if (lease == null) {
            throw new RpcException(RpcException.NO_SUCH, "this client has no lease " + number, null);
        }
        return lease;
    }

    private Lease.LeasedQueue queue(Params params) throws RpcException {
        return find(params.number("queue", 1, Long.MAX_VALUE));
    }

    private Lease.LeasedQueue find(long number) throws RpcException {
        for (Lease lease : leases.values()) {
            for (Lease.LeasedQueue queue : lease.queues()) {
                if (queue.id == number) {
                    return queue;
                }
            }
        }
        throw new RpcException(RpcException.NO_SUCH, "this client has no queue " + number, null);
    }

    private Service.Answer close(Params params) throws RpcException {
        params.allow("lease");
        Lease lease = lease(params);
        leases.remove(lease.id());
        lease.close();
        daemon.events().add("released", lease.served().name(), this + ": lease " + lease.id());
        return nothing();
    }

    private Service.Answer createQueue(Params params) throws IOException {
        params.allow("lease", "depth", "path");
        Lease lease = lease(params);
        int depth = (int) params.number("depth", 1, Integer.MAX_VALUE);
        Metered.Path path =
                params.word("path", "process", "gpu").equals("gpu") ? Metered.Path.GPU : Metered.Path.PROCESS;
        daemon.requireOpen();
        Lease.LeasedQueue queue = lease.createQueue(++last, depth, path);
        ObjectNode result = describe(queue);
        return new Service.Answer(result, List.of(queue.rings.file(), queue.doorbells.file()), List.of());
    }

    private static ObjectNode describe(Lease.LeasedQueue queue) {
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("queue", queue.id);
        result.put("qid", queue.pair.qid());
        result.put("depth", queue.depth);
        result.put("generation", queue.generation());
        result.put("lost", queue.pair.isLost());
        ObjectNode rings = result.putObject("rings");
        rings.put("bytes", queue.rings.size());
        rings.put("submission", 0);
        rings.put("completion", QueuePair.bytesOfRings(queue.depth) - (queue.depth + 1L) * Cqe.BYTES);
        DoorbellPages pages = queue.doorbells;
        ObjectNode doorbells = result.putObject("doorbells");
        doorbells.put("offset", pages.offset());
        doorbells.put("bytes", pages.bytes());
        doorbells.put("tail", pages.tail());
        doorbells.put("head", pages.head());
        doorbells.put("alone", pages.alone());
        return result;
    }

    private Service.Answer recreateQueue(Params params) throws IOException {
        params.allow("queue");
        Lease.LeasedQueue queue = queue(params);
        queue.lease().recreate(queue);
        return Service.Answer.of(describe(queue));
    }

    private Service.Answer deleteQueue(Params params) throws IOException {
        params.allow("queue", "keep");
        Lease.LeasedQueue queue = queue(params);
        if (params.flag("keep")) {
            queue.lease().stop(queue);
        } else {
            queue.lease().delete(queue);
        }
        return nothing();
    }

    private Service.Answer abort(Params params) throws RpcException {
        params.allow("queue", "cid");
        Lease.LeasedQueue queue = queue(params);
        int cid = (int) params.number("cid", 0, 0xFFFF);
        QueueHost.Abort abort = queue.pair.abort(cid);
        long until = System.nanoTime() + ABORT_NANOS;
        while ((abort == null || !abort.isDone()) && !queue.pair.isLost() && until - System.nanoTime() > 0) {
            queue.pair.look();
            LockSupport.parkNanos(LOOK_NANOS);
            if (abort == null) {
                // Another one goes, of another client perhaps.
                abort = queue.pair.abort(cid);
            }
        }
        // What the controller has not answered it has not refused.
        boolean answered = abort != null && abort.isDone();
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("requested", answered);
        result.put("aborted", abort != null && abort.isDone() && abort.hasAborted());
        return Service.Answer.of(result);
    }

    private Service.Answer allocate(Params params) throws IOException {
        params.allow("lease", "bytes");
        Lease lease = lease(params);
        long bytes = params.number("bytes", 1, Quota.MOST.memoryBytes());
        long number = ++last;
        SharedMemory memory = lease.allocate(number, bytes);
        return new Service.Answer(described(lease, number, memory), List.of(memory.file()), List.of());
    }

    private Service.Answer register(Params params, List<OpenFile> files) throws IOException {
        params.allow("lease", "bytes", "fds");
        Lease lease = lease(params);
        long bytes = params.number("bytes", 1, Quota.MOST.memoryBytes());
        if (files.size() != 1) {
            throw new RpcException(
                    RpcException.INVALID_PARAMS, "memory.register takes one descriptor, not " + files.size(), null);
        }
        long number = ++last;
        SharedMemory memory = lease.register(number, files.getFirst(), bytes);
        return Service.Answer.of(described(lease, number, memory));
    }

    /** Where the device finds it: runs of offset, address and length. */
    private static ObjectNode described(Lease lease, long number, SharedMemory memory) throws RpcException {
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("memory", number);
        result.put("bytes", memory.size());
        ArrayNode runs = result.putArray("runs");
        long from = 0;
        for (long at = 4096; at <= memory.size(); at += 4096) {
            if (at == memory.size() || memory.iova(at) != memory.iova(from) + at - from) {
                if (runs.size() == MOST_RUNS) {
                    boolean released = lease.release(number);
                    throw new RpcException(
                            RpcException.DEVICE,
                            memory.size() + " bytes are in more than " + MOST_RUNS + " pieces for the device ("
                                    + released + ")",
                            "ask for less at once");
                }
                runs.addArray().add(from).add(memory.iova(from)).add(at - from);
                from = at;
            }
        }
        return result;
    }

    private Service.Answer release(Params params) throws RpcException {
        params.allow("memory");
        long number = params.number("memory", 1, Long.MAX_VALUE);
        for (Lease lease : leases.values()) {
            if (lease.release(number)) {
                return nothing();
            }
        }
        throw new RpcException(RpcException.NO_SUCH, "this client has no memory " + number, null);
    }

    private Service.Answer admin(Params params) throws IOException {
        params.allow("lease", "opcode", "nsid", "cdw10", "cdw11", "cdw12", "cdw13", "cdw14", "cdw15", "bytes");
        Lease lease = lease(params);
        Command asked = new Command(
                (int) params.number("opcode", 0, 0xFF),
                (int) params.number("nsid", 0, 0xFFFF_FFFFL, 0),
                two(params, "cdw10", "cdw11"),
                two(params, "cdw12", "cdw13"),
                two(params, "cdw14", "cdw15"));
        int bytes = (int) params.number("bytes", 0, AdminAllowList.MOST_BYTES, 0);
        AdminAllowList.Permitted permitted = AdminAllowList.permitted(asked, bytes);
        lease.served().working();
        byte[] data = new byte[bytes];
        Completion completion;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(permitted.bytes(), 8);
            completion = lease.device().controller().execute(permitted.command(), memory);
            MemorySegment.copy(memory, BYTE, 0, data, 0, bytes);
        }
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("result", completion.result() & 0xFFFF_FFFFL);
        result.put("upper", completion.upper() & 0xFFFF_FFFFL);
        result.put("data", Base64.getEncoder().encodeToString(data));
        return Service.Answer.of(result);
    }

    private static long two(Params params, String low, String high) throws RpcException {
        return params.number(low, 0, 0xFFFF_FFFFL, 0) | params.number(high, 0, 0xFFFF_FFFFL, 0) << 32;
    }

    private void requireControl(String what) throws RpcException {
        if (!account.user().control()) {
            throw new RpcException(
                    RpcException.NOT_PERMITTED,
                    account.user().name() + " may not " + what,
                    "have control = true set for this user in homid's configuration");
        }
    }

    private Service.Answer addExport(Params params) throws IOException {
        params.allow("name", "device", "nsid", "kind", "queues", "depth", "readOnly", "id");
        requireControl("export devices");
        Export.Request request = new Export.Request(
                params.text("name", LONGEST_NAME),
                params.text("device", LONGEST_NAME),
                (int) params.number("nsid", 1, Integer.MAX_VALUE, 1),
                params.text("kind", LONGEST_NAME, "ublk"),
                (int) params.number("queues", 1, 4096, 1),
                (int) params.number("depth", 1, 4096, 128),
                params.flag("readOnly"),
                (int) params.number("id", -1, 1 << 20, -1));
        Export export = daemon.export(request);
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.set("export", JsonLines.JSON.valueToTree(export.row()));
        return Service.Answer.of(result);
    }

    private Service.Answer removeExport(Params params) throws IOException {
        params.allow("name");
        requireControl("end exports");
        daemon.unexport(params.text("name", LONGEST_NAME));
        return nothing();
    }

    private Service.Answer listExports(Params params) throws RpcException {
        params.allow("from");
        Part part = new Part(JsonLines.JSON.createObjectNode(), (int) params.number("from", 0, Integer.MAX_VALUE, 0));
        List<ObjectNode> exports = daemon.exports().stream()
                .map(export -> {
                    ObjectNode one = JsonLines.JSON.createObjectNode();
                    one.set("request", JsonLines.JSON.valueToTree(export.request()));
                    one.set("row", JsonLines.JSON.valueToTree(export.row()));
                    return one;
                })
                .toList();
        return Service.Answer.of(part.list("exports", exports).end());
    }

    private Service.Answer drain(Params params) throws RpcException {
        params.allow("device");
        requireControl("drain the daemon");
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("leases", params.has("device") ? daemon.drain(params.text("device", LONGEST_NAME)) : daemon.drain());
        return Service.Answer.of(result);
    }

    private Service.Answer shutdown(Params params) throws RpcException {
        params.allow();
        requireControl("shut the daemon down");
        daemon.stop("process " + owner.pid() + " of uid " + owner.uid() + " asked for it");
        return nothing();
    }

    private Service.Answer subscribe(Params params) throws RpcException {
        params.allow("since");
        long since = params.number("since", 0, Long.MAX_VALUE, Long.MAX_VALUE);
        Events.Subscription now = subscription;
        if (now == null) {
            now = daemon.events().subscribe(event -> tell("event", JsonLines.JSON.valueToTree(event)));
            subscription = now;
        }
        // Those that come are told one by one, and none of them here.
        long last = now.after();
        List<Events.Event> before = daemon.events().since(since, Events.KEPT).stream()
                .filter(event -> event.sequence() <= last)
                .toList();
        ObjectNode result = JsonLines.JSON.createObjectNode().put("last", last);
        return Service.Answer.of(new Part(result, 0).list("events", before).end());
    }

    /** Tells the client what happened to a device that it leases. */
    void tellOfDevice(Lease lease, String kind, String why, List<Lease.Gone> queues) {
        ObjectNode params = JsonLines.JSON.createObjectNode();
        params.put("lease", lease.id());
        params.put("kind", kind);
        params.put("why", why.length() > 500 ? why.substring(0, 500) : why);
        params.put("quiet", lease.isQuiet());
        ArrayNode lost = params.putArray("queues");
        queues.forEach(gone -> lost.addObject().put("queue", gone.queue()).put("generation", gone.generation()));
        if (kind.equals("namespace-changed") || kind.equals("reset")) {
            try {
                params.set("namespace", JsonLines.JSON.valueToTree(lease.namespace()));
            } catch (RpcException e) {
                // It is gone, and the lease with it, or the controller has failed meanwhile: either is told next.
                params.putNull("namespace");
            }
        }
        tell("device.event", params);
    }

    /** Tells it something, soon; never waits. */
    private void tell(String method, ObjectNode params) {
        ObjectNode notification = JsonLines.JSON.createObjectNode();
        notification.put("jsonrpc", "2.0");
        notification.put("method", method);
        notification.set("params", params);
        unsent.incrementAndGet();
        if (!untold.offer(notification)) {
            unsent.decrementAndGet();
            sendAway("it does not take what it is told");
            return;
        }
        synchronized (untold) {
            if (teller == null && !stopping) {
                try {
                    teller = Thread.ofPlatform()
                            .daemon()
                            .name("homi client " + id + ", told")
                            .start(this::tellAll);
                } catch (OutOfMemoryError e) {
                    // There is no thread for it. Whoever adds the event is not to suffer; the client cannot be told.
                    sendAway("it cannot be told what happens: " + e.getMessage());
                }
            }
        }
    }

    private void tellAll() {
        try {
            while (true) {
                lines.send(untold.take(), List.of());
                unsent.decrementAndGet();
            }
        } catch (InterruptedException e) {
            // The session is over.
        } catch (IOException | IllegalStateException e) {
            sendAway("it does not take what it is told");
        } catch (IllegalArgumentException e) {
            sendAway("what it is told is " + e.getMessage());
        } finally {
            unsent.set(0);
        }
    }

    /** Waits until what the client is told has been sent, but not long. */
    void flush(long until) {
        while (unsent.get() > 0 && until - System.nanoTime() > 0) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    /** Takes everything back, in order. */
    private void end() {
        Events.Subscription events = subscription;
        if (events != null) {
            events.close();
        }
        leases.values().forEach(lease -> attempt(lease::close));
        attempt(lines::shutDown);
        attempt(() -> daemon.left(caller()));
        attempt(this::endTelling);
        leases.clear();
        attempt(lines::close);
        account.leave();
    }

    /** Takes a step of the end, which holds up none of those after it. */
    private void attempt(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | Error e) {
            StackTraceElement[] trace = e.getStackTrace();
            note("at its end: " + e + (trace.length == 0 ? "" : " at " + trace[0]));
        }
    }

    private void endTelling() {
        Thread told;
        synchronized (untold) {
            stopping = true;
            told = teller;
        }
        if (told != null) {
            told.interrupt();
            boolean interrupted = false;
            while (true) {
                try {
                    told.join();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
