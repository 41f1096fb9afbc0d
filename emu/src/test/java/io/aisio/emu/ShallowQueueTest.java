package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Queues with fewer entries than a synchronous call would like to fill. */
class ShallowQueueTest {
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 8, 9, 10})
    void aLongTransferFitsAnyQueue(int entries) throws IOException {
        DeviceUri uri = DeviceUri.parse("emu:1MiB?mdts=1&entries=" + entries);
        try (Device device = new EmuBackend().open(uri);
                Buffer written = device.allocate(128 << 10);
                Buffer read = device.allocate(128 << 10)) {
            for (long at = 0; at < written.size(); at += Long.BYTES) {
                written.segment().set(ValueLayout.JAVA_LONG, at, at + 1);
            }
            device.write(8, written);
            device.read(8, read);
            assertThat(MemorySegment.mismatch(written.segment(), 0, written.size(), read.segment(), 0, read.size()))
                    .isEqualTo(-1);
        }
    }
}
