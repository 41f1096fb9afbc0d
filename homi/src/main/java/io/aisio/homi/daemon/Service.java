package io.aisio.homi.daemon;

import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Something more that a daemon does for its clients, by methods of its own, such as telling where files lie. */
public interface Service extends AutoCloseable {
    /**
     * A client, as long as it is connected.
     *
     * @param id its number, never given twice
     * @param owner who it is, by the kernel's word but for the name
     * @param mayControl whether it may do what concerns others
     */
    record Caller(long id, Metered.Owner owner, boolean mayControl) {}

    /**
     * An answer.
     *
     * @param result an object
     * @param files whose descriptors go with it; the daemon closes those of them that {@code closed} holds, once they are sent
     * @param closed which of the files nobody else closes
     */
    record Answer(ObjectNode result, List<OpenFile> files, List<OpenFile> closed) {
        /** Copies the lists. */
        public Answer {
            files = List.copyOf(files);
            closed = List.copyOf(closed);
        }

        /** Without files. */
        public static Answer of(ObjectNode result) {
            return new Answer(result, List.of(), List.of());
        }
    }

    /** The methods that it answers: {@code extents.open}. */
    Set<String> methods();

    /** The daemon has its devices, and is about to listen. */
    default void start(Daemon daemon) throws IOException {}

    /**
     * Answers a request, by the client's own thread: who waits holds up nobody else.
     *
     * @param params an object, of at most 64 KiB; not checked otherwise
     * @param files whose descriptors came with it; closed by the caller
     * @throws io.aisio.homi.rpc.RpcException to refuse it
     * @throws IOException if it fails; the client is told the message
     */
    Answer answer(Caller caller, String method, JsonNode params, List<OpenFile> files) throws IOException;

    /** What of its own data goes through: rows of the status. Any thread asks. */
    default List<Metered.Row> rows() {
        return List.of();
    }

    /**
     * A lease has ended, whose queues are deleted: what was held for it is given back.
     *
     * @param client whose it was
     * @param lease its number, of those of that client
     */
    default void ended(long client, long lease) {}

    /** A client is gone, whose queues are deleted: what it held is given back. */
    default void left(Caller caller) {}

    /** Ends, after the last client. */
    @Override
    void close();
}
