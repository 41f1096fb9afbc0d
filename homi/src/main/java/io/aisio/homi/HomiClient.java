package io.aisio.homi;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A connection to the daemon: requests, and what it tells of its own accord. What was leased by it ends with it.
 *
 * <pre>{@code
 * try (HomiClient client = HomiClient.connect(HomiSocket.byDefault(), "my program")) {
 *     JsonNode devices = client.call("status", client.params()).get("devices");
 * }
 * }</pre>
 *
 * <p>Any thread may call it. A thread of its own reads what the daemon sends.
 */
public final class HomiClient implements AutoCloseable {
    /** The protocol's version. */
    private static final int VERSION = 1;

    private static final Duration CONNECTING = Duration.ofSeconds(5);
    private static final Duration MESSAGE = Duration.ofSeconds(10);
    /** What a request may take: more than an admin command, a reset and another attempt. After that the daemon has failed. */
    static final Duration ANSWER = Duration.ofSeconds(150);

    /** How long it may take to read what a daemon said that takes nothing more. */
    private static final Duration REASON = Duration.ofSeconds(1);

    /** What these may take, which the daemon answers at once unless it hangs. */
    private static final Duration QUICK_ANSWER = Duration.ofSeconds(10);
    /** What is told of leases whose owner has not said yet that he listens: the oldest are forgotten beyond. */
    private static final int MOST_EARLY = 256;

    private static final long LOOK_NANOS = 100_000;

    private final Path socket;
    private final JsonLines lines;
    private final AtomicLong last = new AtomicLong();
    private final Map<Long, CompletableFuture<Reply>> waiting = new ConcurrentHashMap<>();
    private final Map<Long, Listener> leases = new ConcurrentHashMap<>();
    /** What was told of leases that nobody listens for yet; also the lock of who begins to. */
    private final ArrayDeque<ObjectNode> early = new ArrayDeque<>();

    private volatile Consumer<? super ObjectNode> events = event -> {};
    private final Thread reader;
    /** Why nothing more is answered; null while the connection is there. */
    private volatile @Nullable IOException lost;

    private volatile boolean closed;
    /** Whether it was ended from here: what is read then says nothing of the daemon. */
    private volatile boolean endedHere;

    /** An answer, and the files whose descriptors came with it. */
    record Reply(ObjectNode result, List<OpenFile> files) {
        void closeFiles() {
            files.forEach(OpenFile::close);
        }
    }

    /** Who holds a lease. Called by the thread that reads; does not wait. */
    interface Listener {
        /** Something happened to the device. */
        void happened(ObjectNode event);

        /**
         * The connection is gone, and with it the lease.
         *
         * @param ended whether the daemon ended it, or has itself: it has nothing any more then
         */
        void lost(IOException why, boolean ended);
    }

    private HomiClient(Path socket, JsonLines lines) {
        this.socket = socket;
        this.lines = lines;
        reader = Thread.ofPlatform().daemon().name("homi " + socket).unstarted(this::read);
    }

    /**
     * Connects.
     *
     * @param name what this program calls itself, for people
     * @throws IOException if no daemon listens there, or it refuses; the message says the next step
     */
    public static HomiClient connect(Path socket, String name) throws IOException {
        // Before it connects: to load what makes JSON takes longer than all else, and the daemon waits.
        ObjectNode hello = params().put("version", VERSION).put("name", printable(name));
        byte[] _ = JsonLines.JSON.writeValueAsBytes(hello);
        UnixConnection connection;
        try {
            connection = UnixConnection.connect(socket, CONNECTING);
        } catch (LinuxException e) {
            throw new IOException(explain(socket, e), e);
        }
        HomiClient client = new HomiClient(socket, new JsonLines(connection, MESSAGE));
        client.reader.start();
        try {
            ObjectNode _ = client.call("hello", hello);
            return client;
        } catch (IOException | RuntimeException e) {
            client.close();
            throw e;
        }
    }

    private static String explain(Path socket, LinuxException e) {
        return switch (e.errno()) {
            case Errno.ENOENT, Errno.ECONNREFUSED ->
                socket + ": no daemon listens there; next: start one (aisio homid --config FILE), or name its socket"
                        + " (--socket, homi:NAME?socket=, $" + HomiSocket.VARIABLE + ")";
            case Errno.EACCES ->
                socket + ": this user may not connect; next: become a member of the socket's group (ls -l " + socket
                        + ")";
            case Errno.EAGAIN -> socket + ": the daemon takes no connection; next: look whether it still runs";
            default -> socket + ": " + e.getMessage();
        };
    }

    private static String printable(String name) {
        String text = name.codePoints()
                .map(c -> Character.isISOControl(c) ? '?' : c)
                .limit(32)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        return text.isEmpty() ? "?" : text;
    }

    /** Parameters of a request, none yet. */
    public static ObjectNode params() {
        return JsonLines.JSON.createObjectNode();
    }

    /** Where the daemon listens. */
    public Path socket() {
        return socket;
    }

    /**
     * Asks, and waits for the answer.
     *
     * @return the result
     * @throws RpcException if the daemon refuses or fails; the message says the next step
     * @throws IOException if the connection is lost, or the daemon does not answer
     */
    public ObjectNode call(String method, ObjectNode params) throws IOException {
        Reply reply = call(method, params, List.of());
        reply.closeFiles();
        return reply.result;
    }

    /** The same, with descriptors in both directions. */
    Reply call(String method, ObjectNode params, List<OpenFile> files) throws IOException {
        boolean quick = method.equals("hello") || method.equals("status");
        return await(method, start(method, params, files), quick ? QUICK_ANSWER : ANSWER);
    }

    /** Asks, and waits no longer than it takes to be sent. */
    CompletableFuture<Reply> start(String method, ObjectNode params, List<OpenFile> files) throws IOException {
        requireConnection();
        long number = last.incrementAndGet();
        ObjectNode request = JsonLines.JSON.createObjectNode();
        request.put("jsonrpc", "2.0");
        request.put("id", number);
        request.put("method", method);
        if (!files.isEmpty()) {
            params.put("fds", files.size());
        }
        request.set("params", params);
        CompletableFuture<Reply> answer = new CompletableFuture<>();
        waiting.put(number, answer);
        IOException gone = lost;
        if (gone != null) {
            // It was lost before the answer was waited for: nobody completes it.
            waiting.remove(number);
            throw again(gone);
        }
        try {
            lines.send(request, files);
        } catch (RuntimeException e) {
            // It is too long, or a file is closed: nothing was sent, and all else goes on.
            waiting.remove(number);
            throw e;
        } catch (IOException e) {
            waiting.remove(number);
            endedHere = true;
            lines.shutDown();
            throw reason(e);
        }
        return answer;
    }

    /** Why the daemon takes nothing more, which it may have said before it ended the connection. */
    private IOException reason(IOException e) {
        long until = System.nanoTime() + REASON.toNanos();
        while (lost == null && until - System.nanoTime() > 0) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
        IOException why = lost;
        return why != null ? again(why) : e;
    }

    /** Says something that nobody answers. */
    void tell(String method, ObjectNode params) throws IOException {
        requireConnection();
        ObjectNode notification = JsonLines.JSON.createObjectNode();
        notification.put("jsonrpc", "2.0");
        notification.put("method", method);
        notification.set("params", params);
        lines.send(notification, List.of());
    }

    /** Waits for an answer; an interruption is put off. */
    Reply await(String method, CompletableFuture<Reply> answer, Duration limit) throws IOException {
        boolean interrupted = false;
        long until = System.nanoTime() + limit.toNanos();
        try {
            while (true) {
                try {
                    return answer.get(Math.max(1, until - System.nanoTime()), TimeUnit.NANOSECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (TimeoutException e) {
                    IOException why = new IOException(
                            socket + ": the daemon has not answered " + method + " within " + limit.toSeconds() + " s",
                            e);
                    lose(why, false);
                    throw why;
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof RpcException refused) {
                        var again = new RpcException(refused.code(), refused.what(), refused.next(), refused.status());
                        again.initCause(refused);
                        throw again;
                    }
                    throw e.getCause() instanceof IOException gone ? again(gone) : new IOException(e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static IOException again(IOException why) {
        return new IOException(why.getMessage(), why);
    }

    private void requireConnection() throws IOException {
        if (closed) {
            throw new IllegalStateException("the connection with " + socket + " is closed");
        }
        IOException why = lost;
        if (why != null) {
            throw again(why);
        }
    }

    /** Why the connection is lost; null while it is there. */
    @Nullable
    IOException lost() {
        return lost;
    }

    /** Has somebody told of a lease. */
    void listen(long lease, Listener listener) {
        synchronized (early) {
            leases.put(lease, listener);
            early.removeIf(event -> {
                boolean his = event.path("lease").longValue(-1) == lease;
                if (his) {
                    listener.happened(event);
                }
                return his;
            });
        }
        IOException why = lost;
        if (why != null) {
            listener.lost(why, false);
        }
    }

    void forget(long lease) {
        leases.remove(lease);
    }

    /**
     * Subscribes to what happens at the daemon, for the first time, or asks again for more of what happened before that.
     *
     * @param since the number of the last event that is known; 0 for those that are kept too
     * @param listener told of each event from the first time on, by the thread that reads: it does not wait
     * @return those that happened since, as far as a line has room, how many more there are, and the number of the last
     */
    public ObjectNode subscribe(long since, Consumer<? super ObjectNode> listener) throws IOException {
        events = listener;
        return call("events.subscribe", params().put("since", since));
    }

    /** Reads what comes, to the end. */
    private void read() {
        try {
            while (true) {
                JsonLines.Line line = lines.receive(null);
                if (line == null) {
                    lose(new IOException(socket + ": the daemon has ended the connection"), !endedHere);
                    return;
                }
                take(line);
            }
        } catch (LinuxException e) {
            boolean reset = e.errno() == Errno.ECONNRESET || e.errno() == Errno.EPIPE;
            lose(new IOException(socket + ": the daemon is gone: " + e.getMessage(), e), reset && !endedHere);
        } catch (IOException | RuntimeException e) {
            lose(new IOException(socket + ": " + e.getMessage(), e), false);
        } finally {
            lines.close();
        }
    }

    private void take(JsonLines.Line line) throws IOException {
        ObjectNode object = line.object();
        if (object == null) {
            line.closeFiles();
            throw line.refusal() == null ? new IOException("an empty answer") : line.refusal();
        }
        JsonNode method = object.get("method");
        if (method != null) {
            line.closeFiles();
            notified(method.stringValue(""), object.get("params"));
            return;
        }
        JsonNode number = object.get("id");
        CompletableFuture<Reply> answer = number == null ? null : waiting.remove(number.longValue(-1));
        JsonNode error = object.get("error");
        if (error != null) {
            line.closeFiles();
            JsonNode data = error.path("data");
            RpcException refused = new RpcException(
                    error.path("code").intValue(RpcException.INTERNAL_ERROR),
                    error.path("message").stringValue("no reason is given"),
                    data.path("next").isString() ? data.path("next").stringValue() : null,
                    data.path("status").intValue(-1));
            if (answer == null) {
                // It is about the connection: the daemon ends it.
                throw refused;
            }
            answer.completeExceptionally(refused);
            return;
        }
        boolean whole = object.get("result") instanceof ObjectNode result
                && !line.incomplete()
                && result.path("fds").intValue(0) == line.files().size();
        if (answer == null || !whole) {
            line.closeFiles();
            if (answer != null) {
                answer.completeExceptionally(new IOException(socket + ": an answer that makes no sense"));
            }
            return;
        }
        if (!answer.complete(new Reply((ObjectNode) object.get("result"), line.files()))) {
            line.closeFiles();
        }
    }

    private void notified(String method, @Nullable JsonNode given) {
        if (!(given instanceof ObjectNode params)) {
            return;
        }
        if (method.equals("event")) {
            told(() -> events.accept(params));
        } else if (method.equals("device.event")) {
            Listener listener;
            synchronized (early) {
                listener = leases.get(params.path("lease").longValue(-1));
                if (listener == null) {
                    // The answer that leased it may be on its way to who asked.
                    if (early.size() == MOST_EARLY) {
                        early.removeFirst();
                    }
                    early.add(params);
                    return;
                }
            }
            told(() -> listener.happened(params));
        }
    }

    /** Tells somebody, whose fault is his own: it is reported as that of any thread, and this one goes on. */
    private static void told(Runnable listener) {
        try {
            listener.run();
        } catch (RuntimeException e) {
            Thread now = Thread.currentThread();
            now.getUncaughtExceptionHandler().uncaughtException(now, e);
        }
    }

    private void lose(IOException why, boolean ended) {
        synchronized (waiting) {
            if (lost != null) {
                return;
            }
            lost = why;
        }
        lines.shutDown();
        // Whoever asks from here on sees it lost; who has asked before is among these.
        waiting.values().forEach(answer -> answer.completeExceptionally(why));
        waiting.clear();
        leases.values().forEach(listener -> told(() -> listener.lost(why, ended)));
    }

    /** Ends the connection, and whatever is leased by it. Closing again does nothing. */
    @Override
    public void close() {
        closed = true;
        lines.shutDown();
        if (Thread.currentThread() == reader) {
            return;
        }
        boolean interrupted = false;
        while (true) {
            try {
                reader.join();
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
