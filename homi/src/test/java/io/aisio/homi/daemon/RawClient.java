package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A client that sends whatever a test likes. Where the published schema is at hand, everything that the daemon says, and every
 * request that it answers, is held against it.
 */
final class RawClient implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final UnixConnection connection;
    private final JsonLines lines;
    private final @Nullable Schema schema;
    /** Methods that were answered with a result, by all clients of this kind. */
    static final Set<String> ANSWERED = ConcurrentHashMap.newKeySet();

    private int last;

    RawClient(Path socket) throws IOException {
        connection = UnixConnection.connect(socket, PATIENCE);
        lines = new JsonLines(connection, PATIENCE);
        schema = Files.exists(Schema.path()) ? Schema.read() : null;
    }

    /** One that has said hello. */
    static RawClient greeted(Path socket) throws IOException {
        RawClient client = new RawClient(socket);
        client.call("hello", "{\"version\":1,\"name\":\"raw\"}");
        return client;
    }

    void send(String text, OpenFile... files) throws IOException {
        send(text.getBytes(StandardCharsets.UTF_8), files);
    }

    void send(byte[] bytes, OpenFile... files) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(bytes.length);
            MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
            connection.send(segment, List.of(files), PATIENCE);
        }
    }

    /** The next line; its files are closed. */
    ObjectNode receive() throws IOException {
        JsonLines.Line line = lines.receive(PATIENCE);
        if (line == null) {
            throw new IOException("the daemon has ended the connection");
        }
        line.closeFiles();
        ObjectNode object = line.object();
        if (schema != null) {
            assertThat(schema.faultsOfLine(object)).as("%s", object).isEmpty();
            JsonNode method = object.get("method");
            if (method != null) {
                assertThat(schema.faults(method.stringValue() + ".notification", object.get("params")))
                        .as("%s", object)
                        .isEmpty();
            }
        }
        return object;
    }

    /** Asks, and takes the response, whatever comes before it. */
    ObjectNode request(String method, String params, OpenFile... files) throws IOException {
        int number = ++last;
        send(
                "{\"jsonrpc\":\"2.0\",\"id\":" + number + ",\"method\":\"" + method + "\",\"params\":" + params + "}\n",
                files);
        while (true) {
            ObjectNode response = receive();
            JsonNode id = response.get("id");
            if (id != null && id.isNull()) {
                // It could not be read: whose answer this is nobody knows.
                return response;
            }
            if (id != null && id.intValue(-1) == number) {
                check(method, params, response);
                return response;
            }
        }
    }

    private void check(String method, String params, ObjectNode response) {
        if (response.get("result") != null) {
            ANSWERED.add(method);
            if (schema != null) {
                assertThat(schema.faults(method + ".params", JsonLines.JSON.readTree(params)))
                        .as("%s", params)
                        .isEmpty();
                assertThat(schema.faults(method + ".result", response.get("result")))
                        .as("%s", response)
                        .isEmpty();
            }
        }
    }

    /** The result; fails if there is none. */
    JsonNode call(String method, String params, OpenFile... files) throws IOException {
        ObjectNode response = request(method, params, files);
        if (response.get("result") == null) {
            throw new AssertionError(method + ": " + response);
        }
        return response.get("result");
    }

    /** The error's code; fails if there is none. */
    int refused(String method, String params, OpenFile... files) throws IOException {
        ObjectNode response = request(method, params, files);
        if (response.get("error") == null) {
            throw new AssertionError(method + " was not refused: " + response);
        }
        return response.get("error").get("code").intValue();
    }

    /** Whether the daemon ends the connection, before anything else comes but errors. */
    boolean isEnded() throws IOException {
        try {
            while (true) {
                JsonLines.Line line = lines.receive(PATIENCE);
                if (line == null) {
                    return true;
                }
                line.closeFiles();
            }
        } catch (LinuxException e) {
            return true;
        }
    }

    @Override
    public void close() {
        lines.close();
    }
}
