package io.aisio.xnvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xnvme.Capabilities.Queues;
import io.aisio.xnvme.Capabilities.Trait;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CapabilitiesTest {
    @Test
    void tellsTraitsInOneOrder() {
        Capabilities can =
                Capabilities.of(Queues.IO_URING, Trait.SLEEPS, Trait.WRITES).with(Trait.DIRECT, true);
        assertThat(can).hasToString("io_uring, writes, direct, sleeps");
        assertThat(can.has(Trait.DIRECT)).isTrue();
        assertThat(can.with(Trait.ZERO_COPY, false)).isEqualTo(can);
        assertThat(can).isEqualTo(Capabilities.of(Queues.IO_URING, Trait.DIRECT, Trait.WRITES, Trait.SLEEPS));
        assertThatThrownBy(() -> can.traits().clear()).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void aFileThatIsNotWrittenCannotWrite(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("image"), new byte[512]);
        try (Device device = Device.open(image.toString())) {
            assertThat(device.capabilities().has(Trait.WRITES)).isTrue();
        }
        try (Device device = Device.open(image + "?readonly")) {
            assertThat(device.capabilities().has(Trait.WRITES)).isFalse();
        }
    }
}
