package io.aisio.homi;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.FileSystemStatus;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.daemon.Status;
import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a person or a monitor asks the daemon: how it is, what happens, what is to be done. No data goes through it. Any
 * thread may call it.
 */
public final class HomiControl implements AutoCloseable {
    private final HomiClient client;

    private HomiControl(HomiClient client) {
        this.client = client;
    }

    /**
     * Connects to the daemon.
     *
     * @param socket where it listens; {@link HomiSocket#byDefault()}
     * @param name by which the daemon shows this client
     * @throws IOException if nobody listens there, this user may not connect, or the daemon refuses; with the next step
     */
    public static HomiControl open(Path socket, String name) throws IOException {
        return new HomiControl(HomiClient.connect(socket, name));
    }

    /** Where the daemon listens. */
    public Path socket() {
        return client.socket();
    }

    /** An object for parameters. */
    public static ObjectNode params() {
        return HomiClient.params();
    }

    /**
     * Asks, and waits for the answer.
     *
     * @throws RpcException if it is refused; with the next step
     * @throws IOException if the daemon is gone or does not answer
     * @throws IllegalStateException if this was closed
     */
    public ObjectNode ask(String method, ObjectNode params) throws IOException {
        return client.call(method, params);
    }

    /** The same, for an answer that one file comes with, which the caller closes. */
    HomiClient.Reply askForFile(String method, ObjectNode params) throws IOException {
        HomiClient.Reply reply = client.call(method, params, List.of());
        if (reply.files().size() != 1) {
            reply.closeFiles();
            throw new IOException("the daemon sent " + reply.files().size() + " files with its answer, not one");
        }
        return reply;
    }

    private static <T> T value(JsonNode node, Class<T> type) throws IOException {
        try {
            return JsonLines.JSON.treeToValue(node, type);
        } catch (JacksonException e) {
            throw new IOException(
                    "the daemon speaks another version (" + e.getOriginalMessage()
                            + "); next: use the client that came with it",
                    e);
        }
    }

    /**
     * How the daemon is, with all of its rows.
     *
     * @throws IOException if it is gone or does not answer
     */
    public Status status() throws IOException {
        Status first = value(ask("status", params()), Status.class);
        List<Status.DeviceStatus> devices = new ArrayList<>(first.devices());
        List<Status.ClientStatus> clients = new ArrayList<>(first.clients());
        List<Metered.Row> rows = new ArrayList<>(first.rows());
        int more = first.more();
        while (more > 0) {
            int known = devices.size() + clients.size() + rows.size();
            Status part = value(ask("status", params().put("from", known)), Status.class);
            devices.addAll(part.devices());
            clients.addAll(part.clients());
            rows.addAll(part.rows());
            more = devices.size() + clients.size() + rows.size() == known ? 0 : part.more();
        }
        return new Status(
                first.version(),
                first.ready(),
                first.state(),
                first.pid(),
                first.started(),
                first.socket(),
                devices,
                clients,
                rows,
                more,
                first.lastEvent());
    }

    /**
     * The file systems whose extents the daemon tells; none if it tells of none.
     *
     * @throws IOException if it is gone or does not answer
     */
    public List<FileSystemStatus> fileSystems() throws IOException {
        List<FileSystemStatus> all = new ArrayList<>();
        try {
            ObjectNode part;
            do {
                part = ask("extents.list", params().put("from", all.size()));
                for (JsonNode one : part.path("fileSystems")) {
                    all.add(value(one, FileSystemStatus.class));
                }
            } while (part.path("more").intValue(0) > 0);
        } catch (RpcException e) {
            if (e.code() != RpcException.METHOD_NOT_FOUND) {
                throw e;
            }
        }
        return all;
    }

    /**
     * Has somebody told of what happened, as far as the daemon has kept it, and of what happens: of each event once, in their
     * order. Once for a connection.
     *
     * @param since the number of the last one that is known; 0 for all
     * @param listener told of those before by this thread, and by the time that this returns; of those that come by a thread
     *     of the connection's, which does not wait
     * @throws IOException if the daemon is gone or does not answer
     */
    public void events(long since, Consumer<? super Events.Event> listener) throws IOException {
        Coming coming = new Coming(listener);
        long last = since;
        int more;
        do {
            ObjectNode part = client.subscribe(last, coming::take);
            for (JsonNode one : part.path("events")) {
                Events.Event event = value(one, Events.Event.class);
                listener.accept(event);
                last = event.sequence();
            }
            more = part.path("more").intValue(0);
        } while (more > 0);
        coming.begin();
    }

    /** Events that come: those that come early wait until those before have been told. */
    private static final class Coming {
        private final Consumer<? super Events.Event> listener;
        private @Nullable List<Events.Event> early = new ArrayList<>();

        Coming(Consumer<? super Events.Event> listener) {
            this.listener = listener;
        }

        synchronized void take(ObjectNode told) {
            Events.Event event;
            try {
                event = value(told, Events.Event.class);
            } catch (IOException e) {
                // Of a daemon that is newer: what cannot be read is not told.
                return;
            }
            if (early == null) {
                listener.accept(event);
            } else {
                early.add(event);
            }
        }

        synchronized void begin() {
            List<Events.Event> all = early;
            early = null;
            if (all != null) {
                all.forEach(listener);
            }
        }
    }

    /** Whether the connection is there. */
    public boolean isConnected() {
        return client.lost() == null;
    }

    /** Leaves. What this client has is taken back. */
    @Override
    public void close() {
        client.close();
    }

    /** A file that came with an answer, of which this process only reads. */
    static OpenFile toRead(HomiClient.Reply reply) throws IOException {
        try {
            return reply.files().getFirst().passedToRead();
        } finally {
            reply.closeFiles();
        }
    }
}
