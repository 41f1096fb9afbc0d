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
        List<Metered.Row> rows = new ArrayList<>(first.rows());
        for (Status part = first; part.more() > 0 && !part.rows().isEmpty(); ) {
            part = value(ask("status", params().put("from", rows.size())), Status.class);
            rows.addAll(part.rows());
        }
        return new Status(
                first.version(),
                first.ready(),
                first.state(),
                first.pid(),
                first.started(),
                first.socket(),
                first.devices(),
                first.clients(),
                rows,
                0,
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
            for (JsonNode one : ask("extents.list", params()).path("fileSystems")) {
                all.add(value(one, FileSystemStatus.class));
            }
        } catch (RpcException e) {
            if (e.code() != RpcException.METHOD_NOT_FOUND) {
                throw e;
            }
        }
        return all;
    }

    /**
     * The events that the daemon has kept, as far as a line has room, and those that come.
     *
     * @param since the number of the last one that is known; 0 for all
     * @param listener told of each from then on, by a thread of the connection: it does not wait
     * @return those before, oldest first
     */
    public List<Events.Event> events(long since, Consumer<? super Events.Event> listener) throws IOException {
        ObjectNode answer = client.subscribe(since, event -> {
            try {
                listener.accept(value(event, Events.Event.class));
            } catch (IOException e) {
                // Of a daemon that is newer: what cannot be read is not told.
            }
        });
        List<Events.Event> all = new ArrayList<>();
        for (JsonNode one : answer.path("events")) {
            all.add(value(one, Events.Event.class));
        }
        return all;
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
