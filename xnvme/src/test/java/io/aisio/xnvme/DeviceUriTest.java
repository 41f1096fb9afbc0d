package io.aisio.xnvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quicktheories.QuickTheory.qt;
import static org.quicktheories.generators.SourceDSL.longs;
import static org.quicktheories.generators.SourceDSL.strings;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DeviceUriTest {
    @Test
    void readsEveryFormOfTheGrammar() {
        assertUri("0000:82:00.0", "pci", "0000:82:00.0");
        assertUri("emu:1GiB", "emu", "1GiB");
        assertUri("emu:null,1TiB", "emu", "null,1TiB");
        assertUri("emu:/path/to/image", "emu", "/path/to/image");
        assertUri("vfu:/path/to/socket", "vfu", "/path/to/socket");
        assertUri("/dev/nvme0n1", "file", "/dev/nvme0n1");
        assertUri("image.xfs", "file", "image.xfs");
        assertUri("./a:b", "file", "./a:b");
        assertUri("homi:nvme0/2", "homi", "nvme0/2");
        assertUri("nope:x", "nope", "x");
    }

    private static void assertUri(String text, String scheme, String target) {
        DeviceUri uri = DeviceUri.parse(text);
        assertThat(uri.scheme()).isEqualTo(scheme);
        assertThat(uri.target()).isEqualTo(target);
        assertThat(uri.options()).isEmpty();
        assertThat(uri).hasToString(text);
    }

    @Test
    void readsOptions() {
        DeviceUri uri = DeviceUri.parse("emu:1GiB?lba=4096&readonly&qpairs=64&x=");
        assertThat(uri.options()).isEqualTo(Map.of("lba", "4096", "readonly", "", "qpairs", "64", "x", ""));
        assertThat(uri.flag("readonly")).isTrue();
        assertThat(uri.flag("absent")).isFalse();
        assertThat(DeviceUri.parse("x?a=0").flag("a")).isFalse();
        assertThat(DeviceUri.parse("x?a=true").flag("a")).isTrue();
        assertThatThrownBy(() -> DeviceUri.parse("x?a=perhaps").flag("a")).hasMessageContaining("on or off");
        assertThatThrownBy(() -> uri.requireOptions("lba", "readonly"))
                .hasMessageContaining("no option 'qpairs' here; there is lba, readonly");
    }

    @Test
    void refusesWhatNamesNothing() {
        for (String text : List.of("", "emu:", "?lba=512", "emu:1GiB?", "emu:1GiB?=5", "emu:1GiB?a=1&a=2", "x?&a")) {
            assertThatThrownBy(() -> DeviceUri.parse(text)).as(text).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void neverThrowsAnythingElse() {
        qt().forAll(strings().allPossible().ofLengthBetween(0, 40)).checkAssert(text -> {
            try {
                assertThat(DeviceUri.parse(text).target()).isNotEmpty();
            } catch (IllegalArgumentException e) {
                assertThat(e.getMessage()).isNotEmpty();
            }
        });
    }

    @Test
    void anUnknownSchemeIsRefusedWithTheKnownOnes() {
        assertThatThrownBy(() -> Device.open("nope:x"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("nothing here opens 'nope' devices")
                .hasMessageContaining("file");
    }

    @Test
    void sizesAreParsedAndFormatted() {
        assertThat(ByteSize.parse("4096")).isEqualTo(4096);
        assertThat(ByteSize.parse("7B")).isEqualTo(7);
        assertThat(ByteSize.parse("64KiB")).isEqualTo(65536);
        assertThat(ByteSize.parse("1TiB")).isEqualTo(1L << 40);
        assertThat(ByteSize.parse("7EiB")).isEqualTo(7L << 60);
        for (String text : List.of("", "-1", "1GB", "1.5GiB", "KiB", "8EiB", "9223372036854775808", "1 KiB", "16EiB")) {
            assertThatThrownBy(() -> ByteSize.parse(text)).as(text).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(ByteSize.format(512)).isEqualTo("512 B");
        assertThat(ByteSize.format(1536)).isEqualTo("1.5 KiB");
        assertThat(ByteSize.format(1L << 40)).isEqualTo("1 TiB");
        assertThat(ByteSize.format(Long.MAX_VALUE)).isEqualTo("8 EiB");
        qt().forAll(longs().between(0, Long.MAX_VALUE)).check(n -> ByteSize.parse(Long.toString(n)) == n);
    }
}
