package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.aisio.homi.rpc.RpcException;
import io.aisio.upcie.PciAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
                file("[[functions]]\nname = \"vf\"\nphysical = \"0000:01:00.0\"\ncount = 4\nqueues = 3"));
        assertThat(read.functions())
                .isEqualTo(List.of(new FunctionLeases.Offer("vf", PciAddress.parse("0000:01:00.0"), 4, 3, 2)));
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> Configuration.read(file("[[functions]]\nname = \"nvme0\"\nphysical = \"0000:01:00.0\"")))
                .withMessageContaining("is there twice");
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> Configuration.read(file("[[functions]]\nname = \"vf\"\nphysical = \"1\"\nqueues = 1")))
                .withMessageContaining("physical cannot be")
                .withMessageContaining("queues is a whole number, 2 to");
    }

    @Test
    void functionsThatAreNotThereHoldNobodyUp() throws Exception {
        Configuration read = Configuration.read(file("[[functions]]\nname = \"vf\"\nphysical = \"ffff:ff:1f.7\""));
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
                client.call("device.list", "{}");
                client.call("shutdown", "{}");
            }
            thread.join();
        }
    }
}
