package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.random.RandomGenerator;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PciAddressTest {
    @Test
    void readsTheKernelsNames() {
        assertThat(PciAddress.parse("0000:82:1f.7")).isEqualTo(new PciAddress(0, 0x82, 0x1f, 7));
        assertThat(PciAddress.parse("82:00.0")).hasToString("0000:82:00.0");
        assertThat(PciAddress.parse("10000:E1:00.0")).hasToString("10000:e1:00.0");
        assertThat(PciAddress.parse("ffffffff:00:00.0")).hasToString("ffffffff:00:00.0");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "82:00",
                "82:00.8",
                "82:20.0",
                "000:82:00.0",
                "0000:82:00.0 ",
                "0000:82:00.0/..",
                "123456789:82:00.0",
                "0000:82:00.0\n",
                "g0:00.0",
                "٠0:00.0"
            })
    void refusesWhatIsNone(String text) {
        assertThat(PciAddress.isAddress(text)).isFalse();
        assertThatThrownBy(() -> PciAddress.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'" + text + "' is no PCI address");
    }

    @RepeatedTest(200)
    void isWhatItsTextSays() {
        RandomGenerator random = RandomGenerator.getDefault();
        PciAddress address =
                new PciAddress(random.nextInt(), random.nextInt(256), random.nextInt(32), random.nextInt(8));
        assertThat(PciAddress.parse(address.toString())).isEqualTo(address);
        assertThat(address).isEqualByComparingTo(PciAddress.parse(address.toString()));
    }

    @Test
    void comesInTheBussOrder() {
        assertThat(PciAddress.parse("0001:00:00.0")).isGreaterThan(PciAddress.parse("0000:ff:1f.7"));
        assertThat(PciAddress.parse("ffffffff:00:00.0")).isGreaterThan(PciAddress.parse("0001:00:00.0"));
    }

    @Test
    void refusesNumbersThatNoAddressHas() {
        assertThatThrownBy(() -> new PciAddress(0, 256, 0, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new PciAddress(0, 0, -1, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new PciAddress(0, 0, 0, 8)).isInstanceOf(IllegalArgumentException.class);
    }
}
