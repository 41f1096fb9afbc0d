package io.aisio.nvme.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PcieLinkTest {
    /** The line rates that the specification's generations are known by, in GB/s, and what encoding and SKP leave. */
    @ParameterizedTest
    @CsvSource({
        "gen1x1, 0.3125, 0.2491554",
        "gen2x4, 2.5, 1.9932432",
        "gen3x16, 16, 15.71184",
        "gen4x4, 8, 7.85592",
        "gen5x4, 16, 15.71184",
        "gen5x16, 64, 62.84734",
        "gen6x4, 32, 29.5",
        "gen6x16, 128, 118",
        "gen7x16, 256, 236",
        "gen5x16/1000, 0.064, 0.06284734",
    })
    void knowsEveryGeneration(String text, double line, double left) {
        PcieLink link = PcieLink.parse(text);
        assertThat(link.lineBytesPerSecond() / 1e9).isCloseTo(line, within(1e-9));
        assertThat(link.bytesPerSecond() / 1e9).isCloseTo(left, within(left * 1e-5));
    }

    /** 24 bytes of a write: 4 of header and sequence token, 16 of header, 4 of LCRC. */
    @Test
    void writesOfFullPacketsAreWhatAHandComputes() {
        assertThat(PcieLink.parse("gen5x16").writeBytesPerSecond() / 1e9)
                .isCloseTo(64.0 * 128 / 130 * 374 / 375 * 256 / 280, within(1e-9));
        assertThat(PcieLink.parse("gen5x16@64").writeBytesPerSecond() / 1e9)
                .isCloseTo(64.0 * 128 / 130 * 374 / 375 * 64 / 88, within(1e-9));
        // In flits there is the header alone.
        assertThat(PcieLink.parse("gen6x16").writeBytesPerSecond() / 1e9)
                .isCloseTo(128.0 * 236 / 256 * 256 / 272, within(1e-9));
    }

    @ParameterizedTest
    @ValueSource(strings = {"gen5x4", "gen5x16@64", "gen1x1/1000000", "gen7x16@4096/2"})
    void readsWhatItWrites(String text) {
        assertThat(PcieLink.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "gen5",
                "gen8x4",
                "gen0x4",
                "gen5x3",
                "gen5x32",
                "gen5x4@100",
                "gen5x4@32",
                "gen5x4/",
                "gen5x4/0",
                "gen5x4/1000001",
                "gen5x4/99999999999",
                "GEN5X4",
                "gen5x4 "
            })
    void refusesWhatIsNoLink(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> PcieLink.parse(text));
    }
}
