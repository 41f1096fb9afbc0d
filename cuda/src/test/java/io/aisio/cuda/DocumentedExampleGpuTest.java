package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.cuda.GpuQueuePair.Placement;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernel that {@code docs/gpu.md} shows, as it stands there, with the lines of Java that launch it. */
@Tag("gpu")
class DocumentedExampleGpuTest {
    @BeforeAll
    static void assume() {
        TestGpu.assume();
        TestGpu.assumeNvrtc();
    }

    @ParameterizedTest
    @CsvSource({"gpu:64MiB, 1000, 0", "emu:64MiB, 1000, 0", "gpu:1MiB, 300, 44"})
    void readsAllAndCountsWhatFailed(String name, long blocksOf4KiB, int failures) throws IOException {
        try (Gpu gpu = Gpu.open(0);
                GpuModule module = gpu.compile("mine.cu", DocumentedExample.kernel());
                Device device = Device.open(name);
                DataSlots data = DataSlots.allocate(device, gpu, 1, 256, 4096);
                GpuQueuePair pair = GpuQueuePair.open(device, gpu, 256, GpuQueuePair.placement(device));
                GpuStream stream = gpu.openStream();
                GpuMemory failed = gpu.allocate(4)) {
            assertThat(pair.depth()).isEqualTo(256);
            assertThat(GpuQueuePair.placement(device))
                    .isEqualTo(name.startsWith("gpu:") ? Placement.DEVICE : Placement.HOST);
            stream.launch(module.kernel("readAll"), 1, 256, 0, pair.address(), data.entries(), blocksOf4KiB, failed);
            stream.synchronize();
            assertThat(pair.failure()).isNull();
            int[] seen = new int[1];
            failed.read(0, MemorySegment.ofArray(seen));
            assertThat(seen[0]).isEqualTo(failures);
        }
    }
}
