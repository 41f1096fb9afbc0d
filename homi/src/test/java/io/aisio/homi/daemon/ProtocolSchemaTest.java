package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.linux.OpenFile;
import io.aisio.xnvme.spi.NvmeDevice;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code docs/homi-protocol.schema.json} says of each method what is said: {@link RawClient} holds real traffic against it. */
class ProtocolSchemaTest {
    @TempDir
    Path folder;

    /** Serves nobody. */
    private record Nobody(Request request) implements Export {
        @Override
        public boolean deviceFailed(String why) {
            return false;
        }

        @Override
        public void stop() {}

        @Override
        public void close() {}

        @Override
        public Row row() {
            return new Row(
                    request.name(),
                    request.device(),
                    request.nsid(),
                    Path.KERNEL,
                    new Owner(0, 0, "kernel"),
                    0,
                    0,
                    request.depth(),
                    request.queues(),
                    request.readOnly(),
                    Instant.now(),
                    "working",
                    Counters.NONE,
                    null);
        }
    }

    private static final class Nobodies implements Export.Maker {
        @Override
        public String kind() {
            return "nobody";
        }

        @Override
        public Export start(Export.Request request, NvmeDevice device, Events events) {
            return new Nobody(request);
        }
    }

    @Test
    void everyMethodIsAsTheSchemaHasIt() throws Exception {
        assumeTrue(Files.exists(Schema.path()), "needs the sources");
        Path socket = folder.resolve("homi").resolve("homi.sock");
        var device = new Configuration.Device("nvme0", "emu:64MiB?shared");
        try (Daemon daemon = Daemon.open(
                Configuration.of(socket, List.of(device)),
                new Daemon.Parts(List.of(new Nobodies()), List.of()),
                note -> {})) {
            Thread thread = Thread.ofPlatform().start(daemon::serve);
            try (RawClient client = new RawClient(socket);
                    OpenFile file = OpenFile.inMemory("aisio-test", 1 << 20)) {
                client.call("status", "{}");
                client.call("hello", "{\"version\":1,\"name\":\"all\"}");
                client.call("events.subscribe", "{\"since\":0}");
                long lease = client.call("device.open", "{\"device\":\"nvme0\",\"nsid\":1,\"access\":\"write\"}")
                        .get("lease")
                        .longValue();
                long queue = client.call("queue.create", "{\"lease\":" + lease + ",\"depth\":16,\"path\":\"gpu\"}")
                        .get("queue")
                        .longValue();
                client.send("{\"jsonrpc\":\"2.0\",\"method\":\"counters\",\"params\":{\"queue\":" + queue
                        + ",\"reads\":7}}\n");
                client.call("queue.abort", "{\"queue\":" + queue + ",\"cid\":5}");
                client.call("queue.delete", "{\"queue\":" + queue + ",\"keep\":true}");
                client.call("queue.recreate", "{\"queue\":" + queue + "}");
                JsonNode status = client.call("status", "{\"from\":0}");
                assertThat(status.get("rows")
                                .get(0)
                                .get("counters")
                                .get("reads")
                                .intValue())
                        .isEqualTo(7);
                daemon.reset("nvme0");
                JsonNode told = client.receive();
                while (!told.path("method").stringValue("").equals("device.event")) {
                    told = client.receive();
                }
                assertThat(told.get("params")
                                .get("queues")
                                .get(0)
                                .get("generation")
                                .intValue())
                        .isEqualTo(2);
                client.call("queue.recreate", "{\"queue\":" + queue + "}");
                client.call("queue.delete", "{\"queue\":" + queue + "}");
                long memory = client.call("memory.allocate", "{\"lease\":" + lease + ",\"bytes\":100000}")
                        .get("memory")
                        .longValue();
                client.call("memory.release", "{\"memory\":" + memory + "}");
                client.call("memory.register", "{\"lease\":" + lease + ",\"bytes\":1048576,\"fds\":1}", file);
                client.call("admin", "{\"lease\":" + lease + ",\"opcode\":6,\"cdw10\":1,\"bytes\":4096}");
                assertThat(client.request("admin", "{\"lease\":" + lease + ",\"opcode\":2,\"cdw10\":12,\"bytes\":512}")
                                .get("error")
                                .get("data")
                                .get("status")
                                .intValue())
                        .isPositive();
                client.call(
                        "export.add",
                        "{\"name\":\"x\",\"device\":\"nvme0\",\"nsid\":1,\"kind\":\"nobody\",\"queues\":2}");
                client.call("export.list", "{}");
                client.call("export.remove", "{\"name\":\"x\"}");
                client.call("device.close", "{\"lease\":" + lease + "}");
                client.call("drain", "{\"device\":\"nvme0\"}");
                client.call("shutdown", "{}");
            }
            thread.join();
        }
        // Those of services are answered where there are services.
        assertThat(Schema.read().methods().stream()
                        .filter(method -> !method.startsWith("extents.")
                                && !method.startsWith("client.")
                                && !method.startsWith("function.")))
                .allMatch(RawClient.ANSWERED::contains, "was answered");
    }

    @Test
    void theSchemaRefusesWhatTheDaemonRefuses() throws Exception {
        assumeTrue(Files.exists(Schema.path()), "needs the sources");
        Schema schema = Schema.read();
        assertThat(schema.faults("device.open.params", JsonLines.JSON.readTree("{\"device\":\"nvme0\"}")))
                .isEmpty();
        assertThat(schema.faults("device.open.params", JsonLines.JSON.readTree("{}")))
                .isNotEmpty();
        assertThat(schema.faults("device.open.params", JsonLines.JSON.readTree("{\"device\":7}")))
                .isNotEmpty();
        assertThat(schema.faults("device.open.params", JsonLines.JSON.readTree("{\"device\":\"a\",\"acess\":1}")))
                .isNotEmpty();
        assertThat(schema.faults("queue.abort.params", JsonLines.JSON.readTree("{\"queue\":1,\"cid\":65536}")))
                .isNotEmpty();
    }
}
