package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.upcie.vfiouser.MessageException;
import io.aisio.upcie.vfiouser.VersionCapabilities;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VersionCapabilitiesTest {
    private static MemorySegment version(String json) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(new byte[] {0, 0, 1, 0});
        bytes.writeBytes(json.getBytes(StandardCharsets.ISO_8859_1));
        return MemorySegment.ofArray(bytes.toByteArray());
    }

    @Test
    void readsWhatSpdkSays() throws Exception {
        VersionCapabilities told = VersionCapabilities.parse(
                version("{ \"capabilities\": { \"max_msg_fds\": 8, \"max_data_xfer_size\": 1048576 } }\0"));
        assertThat(told).isEqualTo(new VersionCapabilities(8, 1 << 20, 65_535));
    }

    @Test
    void readsWhatItWritesItself() throws Exception {
        VersionCapabilities mine = new VersionCapabilities(3, 65_536, 17);
        assertThat(VersionCapabilities.parse(MemorySegment.ofArray(mine.payload())))
                .isEqualTo(mine);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "\0", " \0", "{}\0", "{\"capabilities\":{}}\0", "{\"x\":[1,{\"y\":\"z\\\"\"},true,-1.5e3]}\0"
            })
    void anEndThatSaysNothingHasTheDefaults(String json) throws Exception {
        assertThat(VersionCapabilities.parse(version(json))).isEqualTo(VersionCapabilities.DEFAULT);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\0",
                "{\"a\"\0",
                "{\"a\":\0",
                "{\"a\":1,}\0",
                "[1 2]\0",
                "\"\\\0",
                "nonsense\0",
                "{}{}\0",
                "\u00ff\u00fe\0",
                "{\"capabilities\":{\"max_msg_fds\":-1}}\0"
            })
    void refusesWhatIsNoJson(String json) {
        assertThatThrownBy(() -> VersionCapabilities.parse(version(json))).isInstanceOf(MessageException.class);
    }

    @Test
    void refusesJsonThatIsNestedDeeply() {
        assertThatThrownBy(() -> VersionCapabilities.parse(version("[".repeat(1000) + "\0")))
                .hasMessageContaining("nested deeper");
    }

    @Test
    void refusesWhatIsLongerThanAnyEndHasToSay() {
        String many = "{\"a\":{" + "\"b\":1,".repeat(100_000) + "\"b\":1}}\0";
        assertThatThrownBy(() -> VersionCapabilities.parse(version(many)))
                .isInstanceOf(MessageException.class)
                .hasMessage("a VERSION of " + (4 + many.length()) + " bytes");
    }

    @Test
    void passesOverNumbersThatItDoesNotKnow() throws Exception {
        assertThat(VersionCapabilities.parse(version(
                        "{\"capabilities\":{\"other\":1,\"max_msg_fds\":2,\"migration\":{\"max_msg_fds\":3}}}\0")))
                .isEqualTo(new VersionCapabilities(2, 1 << 20, 65_535));
    }
}
