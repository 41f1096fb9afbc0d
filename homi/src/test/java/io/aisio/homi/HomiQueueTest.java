package io.aisio.homi;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import io.aisio.linux.UnixListener;
import io.aisio.nvme.QueueHost;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** A client's side against a daemon that says what it says in an order that a real one has seldom. */
@Timeout(30)
class HomiQueueTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String NAMESPACE = "{\"nsid\":1,\"lbaBytes\":%d,\"lbaCount\":1000,"
            + "\"metadataBytes\":0,\"extendedLba\":false,\"writeProtected\":false,\"commandSet\":0,"
            + "\"protectionType\":0,\"protectionFirst\":false}";
    private static final String EVENT =
            "{\"jsonrpc\":\"2.0\",\"method\":\"device.event\",\"params\":{\"lease\":1,\"why\":\"a test\",%s}}";

    @TempDir
    Path folder;

    /** What is sent before the answer to a method, and the answer's result. */
    private final Map<String, List<String>> script = new java.util.concurrent.ConcurrentHashMap<>(Map.of(
            "hello", List.of("{}"),
            "device.open",
                    List.of("{\"lease\":1,\"namespace\":" + NAMESPACE.formatted(512)
                            + ",\"protected\":true,\"path\":\"\",\"maxTransferBytes\":4096,\"maxDepth\":8,\"maxQueues\":1,"
                            + "\"timeoutMillis\":1000}"),
            "device.close", List.of("{}"),
            "queue.delete", List.of("{}")));

    private UnixListener listener;
    private Thread daemon;
    private volatile @Nullable UnixConnection connected;

    @BeforeEach
    void listen() throws Exception {
        listener = UnixListener.bind(folder.resolve("s"), 4);
        daemon = Thread.ofPlatform().daemon().start(this::serve);
    }

    @AfterEach
    void end() throws Exception {
        listener.close();
        UnixConnection still = connected;
        if (still != null) {
            still.shutDown();
        }
        daemon.join();
    }

    private void serve() {
        try {
            UnixConnection connection = listener.accept();
            connected = connection;
            if (connection == null) {
                return;
            }
            try (JsonLines lines = new JsonLines(connection, PATIENCE)) {
                for (JsonLines.Line line = lines.receive(PATIENCE); line != null; line = lines.receive(PATIENCE)) {
                    ObjectNode request = line.object();
                    List<String> said =
                            script.getOrDefault(request.get("method").stringValue(), List.of("{}"));
                    for (String one : said.subList(0, said.size() - 1)) {
                        lines.send(parse(one), List.of());
                    }
                    lines.send(
                            parse("{\"jsonrpc\":\"2.0\",\"id\":" + request.get("id") + ",\"result\":" + said.getLast()
                                    + "}"),
                            List.of());
                }
            }
        } catch (IOException e) {
            // The client has left.
        }
    }

    private static ObjectNode parse(String text) throws IOException {
        return JsonLines.parse(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }

    private HomiLease lease() throws IOException {
        return HomiLease.open(HomiClient.connect(folder.resolve("s"), "a test"), "homi:nvme0", "nvme0", 1, true);
    }

    /** Number 7, created once, with rings and doorbells in one file. */
    private static HomiQueue queue(HomiLease lease, OpenFile file) throws IOException {
        LeasedMemory rings = new LeasedMemory(Mapping.of(file, 4096), new long[] {0, 4096}, new long[] {0}, () -> true);
        ObjectNode created = HomiClient.params().put("generation", 1).put("qid", 1);
        created.putObject("doorbells").put("tail", 8).put("head", 12);
        return new HomiQueue(lease, 7, rings, Mapping.of(file, 4096), created);
    }

    private static void await(BooleanSupplier condition) {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - until).as("past the deadline, ns").isNegative();
            LockSupport.parkNanos(100_000);
        }
    }

    @Test
    void aLossThatIsToldBeforeTheAnswerThatCreatedTheQueuesIsNotMissed() throws Exception {
        script.put(
                "queue.recreate",
                List.of(
                        EVENT.formatted("\"kind\":\"reset\",\"queues\":[{\"queue\":7,\"generation\":2}]"),
                        "{\"generation\":2,\"lost\":false}"));
        try (HomiLease lease = lease();
                OpenFile file = OpenFile.inMemory("doorbells", 4096)) {
            HomiQueue queue = queue(lease, file);
            lease.add(queue);
            int in = queue.recreate();
            assertThat(queue.epoch().get()).as("the queues are gone").isNotEqualTo(in);
            assertThat(queue.loss()).hasMessageContaining("a test");
            // What is told of those before them, late, is about nothing.
            int now = queue.epoch().get();
            queue.lost(1, queue.loss());
            assertThat(queue.epoch().get()).isEqualTo(now);
            queue.close(in);
        }
    }

    @Test
    void whatIsToldOfALeaseBeforeAnybodyListensIsToldThen() throws Exception {
        script.put(
                "device.open",
                List.of(
                        EVENT.formatted("\"kind\":\"reset\",\"queues\":[],\"namespace\":" + NAMESPACE.formatted(4096)),
                        script.get("device.open").getFirst()));
        try (HomiLease lease = lease()) {
            assertThat(lease.namespace(1).lbaBytes()).isEqualTo(4096);
        }
    }

    @Test
    void memoryIsQuietOnlyWhereTheDaemonSaysSo() throws Exception {
        script.put("status", List.of(EVENT.formatted("\"kind\":\"namespace-changed\",\"namespace\":null"), "{}"));
        script.put("drain", List.of(EVENT.formatted("\"kind\":\"failed\",\"quiet\":false,\"queues\":[]"), "{}"));
        try (HomiLease lease = lease()) {
            lease.client().call("status", HomiClient.params());
            assertThat(lease.failure()).as("the daemon says what becomes of it").isNull();
            lease.client().call("drain", HomiClient.params());
            await(() -> lease.failure() != null);
            assertThat(lease.mayStillAccessMemory()).isTrue();
        }
    }

    @Test
    void memoryIsQuietOnceTheDaemonSaysSo() throws Exception {
        script.put("drain", List.of(EVENT.formatted("\"kind\":\"removed\",\"quiet\":true,\"queues\":[]"), "{}"));
        try (HomiLease lease = lease()) {
            lease.client().call("drain", HomiClient.params());
            await(() -> lease.failure() != null);
            assertThat(lease.mayStillAccessMemory()).isFalse();
        }
    }

    @Test
    void anAbortThatWasNotAskedForIsNotInVain() throws Exception {
        script.put("queue.abort", List.of("{\"requested\":false,\"aborted\":false}"));
        try (HomiLease lease = lease();
                OpenFile file = OpenFile.inMemory("doorbells", 4096)) {
            HomiQueue queue = queue(lease, file);
            lease.add(queue);
            QueueHost.Abort abort = queue.abort(3);
            await(abort::isDone);
            assertThat(abort.hasAborted()).as("whether it is worth waiting").isTrue();
            queue.close(1);
        }
    }
}
