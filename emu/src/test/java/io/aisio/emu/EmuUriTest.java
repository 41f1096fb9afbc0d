package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.aisio.nvme.link.PcieLink;
import io.aisio.xnvme.DeviceUri;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EmuUriTest {
    private static EmuConfiguration parse(String text) {
        return EmuUri.parse(DeviceUri.parse(text)).configuration();
    }

    @Test
    void knowsTheThreeMedia() {
        assertThat(parse("emu:1GiB")).isEqualTo(EmuConfiguration.memory(1L << 30));
        assertThat(parse("emu:null,1TiB")).isEqualTo(EmuConfiguration.nothing(1L << 40));
        assertThat(parse("emu:/data/set.img")).isEqualTo(EmuConfiguration.image(Path.of("/data/set.img")));
        assertThat(parse("emu:set.img")).isEqualTo(EmuConfiguration.image(Path.of("set.img")));
    }

    @Test
    void aControllerIsSharedAndNoLongerShared() {
        EmuConfiguration plain = EmuConfiguration.memory(64 << 20);
        assertThat(plain.withShared(true).doorbellStride()).isEqualTo(EmuConfiguration.MAX_STRIDE);
        assertThat(plain.withShared(true).withShared(false)).isEqualTo(plain);
        assertThat(plain.withDoorbellStride(2).withShared(false).doorbellStride())
                .isEqualTo(2);
    }

    @Test
    void takesEveryOption() {
        EmuUri uri = EmuUri.parse(
                DeviceUri.parse(
                        "emu:64MiB?lba=4096&readonly&namespaces=3&nsid=2&qpairs=5&entries=256"
                                + "&mdts=5&dstrd=1&serial=X1&latency=80us&iops=1000&bw=500MiB/s&faults=corrupt@lba77,drop:3,neverready"));
        assertThat(uri.nsid()).isEqualTo(2);
        assertThat(uri.configuration())
                .isEqualTo(EmuConfiguration.memory(64 << 20)
                        .withLbaBytes(4096)
                        .withReadOnly(true)
                        .withNamespaces(3)
                        .withQueuePairs(5)
                        .withEntries(256)
                        .withMdts(5)
                        .withDoorbellStride(1)
                        .withSerial("X1")
                        .withLatency(Duration.ofNanos(80_000))
                        .withRates(1000, 500L << 20)
                        .withFaults(FaultPlan.NONE
                                .and(Fault.corrupt().on(Selector.reads().lba(77)))
                                .and(Fault.drop().on(Selector.io().nth(3)))
                                .and(Fault.neverReady())));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "emu:1GB|is no size",
                "emu:null|null media need a size",
                "emu:null,x|is no size",
                "emu:0|a size of 0 bytes",
                "emu:1000|multiple of the LBA size, 512",
                "emu:1GiB?lba=520|there is 512 and 4096",
                "emu:1GiB?lba=x|option 'lba' is a number, not 'x'",
                "emu:1GiB?qpairs=0|a number of queue pairs of 0; it can be 1 to 65535",
                "emu:1GiB?entries=1|it can be 2 to 65536",
                "emu:1GiB?mdts=17|it can be 1 to 16",
                "emu:1GiB?dstrd=99|it can be 0 to 10",
                "emu:1GiB?nsid=2|there is no namespace 2, only 1 to 1",
                "emu:1GiB?latency=80|such as 80us, not '80'",
                "emu:1GiB?latency=2000s|it can be 0 to PT1M",
                "emu:1GiB?iops=-1|option 'iops' is a number, not '-1'",
                "emu:1GiB?bw=0|bytes a second",
                "emu:1GiB?link=gen8x4|is no link: write the generation (1 to 7)",
                "emu:1GiB?uplink=gen5x16|option 'uplink' is a name and a link, such as gpu:gen5x16, not 'gen5x16'",
                "emu:1GiB?uplink=a b:gen5x16|at most 32 letters, digits, _ and -, not 'a b'",
                "emu:1GiB?faults=dropp|no fault 'dropp'; there is drop, stall, delay=80us",
                "emu:1GiB?faults=drop:0|fault 'drop:0': a fault's first command of 0",
                "emu:1GiB?serial=123456789012345678901|at most 20 characters",
                "emu:x.img?namespaces=2|an image is one namespace, not 2",
                "emu:1GiB?lbs=512|no option 'lbs' here; there is lba",
            })
    void refusesWhatMakesNoSenseInOneSentence(String text, String reason) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(text))
                .withMessageStartingWith("'" + text + "'")
                .withMessageContaining(reason);
    }

    @Test
    void saysHowToMakeAnImageThatIsMissing(@TempDir Path folder) {
        Path missing = folder.resolve("missing.img");
        assertThatIOException()
                .isThrownBy(() -> EmuController.open("emu", EmuConfiguration.image(missing)))
                .withMessageContaining("no such file")
                .withMessageContaining("truncate -s 1G " + missing);
    }

    @Test
    void refusesAnImageOfZeroOrOddLength(@TempDir Path folder) throws IOException {
        Path empty = Files.createFile(folder.resolve("empty.img"));
        assertThatIOException()
                .isThrownBy(() -> EmuController.open("emu", EmuConfiguration.image(empty)))
                .withMessageContaining("is empty");
        Path odd = Files.write(folder.resolve("odd.img"), new byte[1000]);
        assertThatIOException()
                .isThrownBy(() -> EmuController.open("emu", EmuConfiguration.image(odd)))
                .withMessageContaining("has 1000 bytes, which is no multiple of the LBA size, 512");
    }

    @Test
    void takesLinks() {
        assertThat(parse("emu:null,1GiB?link=gen5x4/1000&uplink=gpu0:gen5x16@64/1000"))
                .isEqualTo(EmuConfiguration.nothing(1 << 30)
                        .withLink(new PcieLink(5, 4, 256, 1000))
                        .withUplink(new EmuConfiguration.Uplink("gpu0", new PcieLink(5, 16, 64, 1000))));
    }

    @Test
    void takesMetadataZonesAndPlacement() {
        EmuConfiguration metadata = EmuUri.parse(DeviceUri.parse("emu:1MiB?ms=16&extended&pi=2&pifirst&guard=64"))
                .configuration();
        assertThat(metadata.metadata())
                .isEqualTo(new EmuConfiguration.Metadata(16, true, 2, true, io.aisio.nvme.Guard.CRC64));
        EmuConfiguration zoned = EmuUri.parse(
                        DeviceUri.parse("emu:4MiB?zoned=128KiB&zonecap=96KiB&maxopen=3&maxactive=5"))
                .configuration();
        assertThat(zoned.zones()).isEqualTo(new EmuConfiguration.Zones(128 << 10, 96 << 10, 3, 5));
        EmuConfiguration placed =
                EmuUri.parse(DeviceUri.parse("emu:4MiB?fdp=8&rusize=1MiB")).configuration();
        assertThat(placed.placement()).isEqualTo(new EmuConfiguration.Placement(8, 1 << 20));
    }
}
