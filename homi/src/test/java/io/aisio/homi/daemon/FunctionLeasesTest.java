package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.PciAddress;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What can be told of leased virtual functions where there are none; the guest rig has some. */
class FunctionLeasesTest {
    @TempDir
    Path folder;

    private Path file(String functions) throws Exception {
        Path file = folder.resolve("homid.toml");
        Files.writeString(file, """
                socket = "%s"
                [[device]]
                name = "nvme0"
                uri = "emu:4MiB?shared"
                %s
                """.formatted(folder.resolve("homi").resolve("homi.sock"), functions));
        return file;
    }

    @Test
    void aConfigurationOffersFunctions() throws Exception {
        Configuration read = Configuration.read(
                file("[[functions]]\nname = \"vf\"\nphysical = \"0000:01:00.0\"\ncount = 4\nqueues = 3"), null);
        assertThat(read.functions())
                .isEqualTo(List.of(new FunctionLeases.Offer("vf", PciAddress.parse("0000:01:00.0"), 4, 3, 2)));
        // The kernel has a file system of the physical function mounted, whose files are read through virtual ones.
        assertThat(Configuration.read(
                                file("[[functions]]\nname = \"vf\"\nphysical = \"0000:01:00.0\"\n"
                                        + "[[extents]]\nmount = \"/mnt/data\"\ndevice = \"vf\""),
                                null)
                        .fileSystems())
                .isEqualTo(List.of(new Configuration.FileSystem("/mnt/data", "vf", 1)));
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        Configuration.read(file("[[functions]]\nname = \"nvme0\"\nphysical = \"0000:01:00.0\""), null))
                .withMessageContaining("is there twice");
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        Configuration.read(file("[[functions]]\nname = \"vf\"\nphysical = \"1\"\nqueues = 1"), null))
                .withMessageContaining("physical cannot be")
                .withMessageContaining("queues is a whole number, 2 to");
    }

    @Test
    void functionsThatAreNotThereHoldNobodyUp() throws Exception {
        Configuration read =
                Configuration.read(file("[[functions]]\nname = \"vf\"\nphysical = \"ffff:ff:1f.7\""), null);
        try (Daemon daemon = Daemon.open(read)) {
            Thread thread = Thread.ofPlatform().start(daemon::serve);
            try (RawClient client = new RawClient(read.socket())) {
                client.call("hello", "{\"version\":1,\"name\":\"functions\"}");
                assertThat(client.call("function.list", "{}").get("functions").isEmpty())
                        .isTrue();
                for (String asked : List.of(
                        "function.open {\"name\":\"vf\"}",
                        "function.open {\"name\":\"nvme0\"}",
                        "function.close {\"function\":1}")) {
                    String[] parts = asked.split(" ", 2);
                    JsonNode refused = client.request(parts[0], parts[1]).get("error");
                    assertThat(refused.get("code").intValue()).as(asked).isEqualTo(RpcException.NO_SUCH);
                }
                client.call("status", "{}");
                client.call("shutdown", "{}");
            }
            thread.join();
        }
    }

    /** Functions that are files. */
    private static final class FilesForFunctions implements FunctionPool {
        private final FunctionLeases.Offer offer;
        final List<String> takenBack = new CopyOnWriteArrayList<>();

        FilesForFunctions(FunctionLeases.Offer offer) {
            this.offer = offer;
        }

        @Override
        public FunctionLeases.Offer offer() {
            return offer;
        }

        @Override
        public int total() {
            return offer.count();
        }

        @Override
        public Given give(int index) throws IOException {
            OpenFile file = OpenFile.inMemory("aisio-test", 4096);
            return new Given() {
                @Override
                public String address() {
                    return "0000:01:00." + (index + 1);
                }

                @Override
                public int spaceId() {
                    return index;
                }

                @Override
                public List<OpenFile> files() {
                    return List.of(file, file);
                }

                @Override
                public void takeBack() {
                    file.close();
                    takenBack.add(address());
                }
            };
        }

        @Override
        public void end() {}
    }

    @Test
    void aFunctionIsARowOfTheStatusAndCountsAsQueuePairs() throws Exception {
        var offer = new FunctionLeases.Offer("vf", PciAddress.parse("0000:01:00.0"), 4, 4, 2);
        FilesForFunctions pool = new FilesForFunctions(offer);
        var functions = new FunctionLeases(List.of(offer), asked -> pool);
        try (TestDaemon daemon = new TestDaemon(
                folder,
                "emu:4MiB?shared",
                TestDaemon.clientQuota(new Quota(7, 64, 1 << 20, 1)),
                new Daemon.Parts(List.of(), List.of(functions)),
                Device::open)) {
            try (RawClient client = RawClient.greeted(daemon.socket)) {
                long first = client.call("function.open", "{\"name\":\"vf\"}")
                        .get("function")
                        .longValue();
                client.call("function.open", "{\"name\":\"vf\"}");
                assertThat(client.refused("function.open", "{\"name\":\"vf\"}"))
                        .as("6 of 7 queue pairs are had, 3 more are in a function")
                        .isEqualTo(RpcException.QUOTA);
                JsonNode status = client.call("status", "{}");
                assertThat(status.get("clients").get(0).get("queues").intValue())
                        .isEqualTo(6);
                assertThat(status.get("rows").size()).isEqualTo(2);
                JsonNode row = status.get("rows").get(0);
                assertThat(row.get("id").stringValue()).isEqualTo("function " + first);
                assertThat(row.get("path").stringValue()).isEqualTo("VF");
                assertThat(row.get("device").stringValue()).isEqualTo("vf");
                assertThat(row.get("queues").intValue()).isEqualTo(3);
                assertThat(row.get("owner").get("name").stringValue()).isEqualTo("raw");
                assertThat(row.get("detail").stringValue()).contains("0000:01:00.1");
                client.call("function.close", "{\"function\":" + first + "}");
                client.call("function.open", "{\"name\":\"vf\"}");
            }
            daemon.awaitIdle();
            assertThat(pool.takenBack).containsExactly("0000:01:00.1", "0000:01:00.2", "0000:01:00.1");
            assertThat(daemon.daemon.status().rows()).isEmpty();
        }
    }
}
