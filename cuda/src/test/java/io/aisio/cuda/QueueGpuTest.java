package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.cuda.GpuQueuePair.Placement;
import io.aisio.nvme.NvmeException;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Queue pairs that kernels drive, against both software controllers. */
@Tag("gpu")
class QueueGpuTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int MIB = 1 << 20;

    @BeforeAll
    static void assume() {
        TestGpu.assume();
    }

    /** Queue pairs of a device, with memory for their data. */
    private static final class Pairs implements AutoCloseable {
        final Gpu gpu = Gpu.open(0);
        final Device device;
        final List<GpuQueuePair> pairs = new ArrayList<>();
        final DataSlots data;

        Pairs(String name, int count, int depth, Placement placement, int bytes) throws IOException {
            this(name, count, depth, placement, bytes, GpuQueuePair.DEADLINE);
        }

        Pairs(String name, int count, int depth, Placement placement, int bytes, Duration deadline) throws IOException {
            device = Device.open(name);
            data = DataSlots.allocate(device, gpu, count, depth, bytes);
            for (int i = 0; i < count; i++) {
                pairs.add(GpuQueuePair.open(device, gpu, depth, placement, deadline));
            }
        }

        QueueRun.Results run(QueueRun.Plan plan, boolean warps) throws IOException {
            try (QueueRun run = new QueueRun(gpu, pairs, data, warps)) {
                return run.run(plan, () -> false);
            }
        }

        QueueRun.Plan plan(long most, boolean lockstep) {
            return new QueueRun.Plan(true, 100, 1, device.geometry().lbaCount(), 42, LIMIT, most, lockstep, false);
        }

        @Override
        public void close() throws IOException {
            for (GpuQueuePair pair : pairs) {
                pair.close();
            }
            data.close();
            device.close();
            gpu.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "gpu:64MiB, DEVICE, 512",
        "gpu:64MiB, DEVICE, 4096",
        "gpu:64MiB, DEVICE, 8192",
        "gpu:64MiB, DEVICE, 12288",
        "gpu:64MiB, DEVICE, 131072",
        "gpu:64MiB, DEVICE, 1048576",
        "gpu:64MiB, HOST, 512",
        "gpu:64MiB, HOST, 4096",
        "gpu:64MiB, HOST, 8192",
        "gpu:64MiB, HOST, 12288",
        "gpu:64MiB, HOST, 131072",
        "gpu:64MiB, HOST, 1048576",
        "emu:64MiB?mdts=8, HOST, 512",
        "emu:64MiB?mdts=8, HOST, 4096",
        "emu:64MiB?mdts=8, HOST, 8192",
        "emu:64MiB?mdts=8, HOST, 12288",
        "emu:64MiB?mdts=8, HOST, 131072",
        "emu:64MiB?mdts=8, HOST, 1048576",
    })
    void readsBackWhatItWrote(String name, Placement placement, int bytes) throws Exception {
        for (boolean warps : new boolean[] {false, true}) {
            try (Pairs p = new Pairs(name, 2, warps ? 32 : 64, placement, bytes);
                    QueueVerify verify = new QueueVerify(p.gpu, p.pairs, p.data, 512, bytes / 512, warps)) {
                long ios = Math.min(500, 64L * MIB / bytes);
                for (int generation = 0; generation < 2; generation++) {
                    long seed = BlockPattern.generationSeed(7, generation);
                    List<QueueVerify.Result> written = verify.pass(true, ios, seed, () -> false, LIMIT);
                    assertThat(written).allSatisfy(r -> assertThat(r.failure()).isNull());
                    assertThat(written.stream()
                                    .mapToLong(QueueVerify.Result::completed)
                                    .sum())
                            .isEqualTo(ios);
                    List<QueueVerify.Result> read = verify.pass(false, ios, seed, () -> false, LIMIT);
                    assertThat(read).allSatisfy(r -> {
                        assertThat(r.failure()).isNull();
                        assertThat(r.mismatch()).isNull();
                    });
                    assertThat(read.stream()
                                    .mapToLong(QueueVerify.Result::completed)
                                    .sum())
                            .isEqualTo(ios);
                    requireOnDevice(p.device, ios * (bytes / 512), seed);
                }
                // What is asked for is what was written last, and nothing else passes for it.
                List<QueueVerify.Result> other =
                        verify.pass(false, ios, BlockPattern.generationSeed(7, 0), () -> false, LIMIT);
                assertThat(other.stream()
                                .mapToLong(QueueVerify.Result::mismatches)
                                .sum())
                        .isEqualTo(ios);
            }
        }
    }

    /** By the host, past the queue pairs. */
    private static void requireOnDevice(Device device, long blocks, long seed) throws IOException {
        try (Buffer buffer = device.allocate(MIB)) {
            for (long lba = 0; lba < blocks; lba += MIB / 512) {
                long n = Math.min(MIB / 512, blocks - lba);
                device.read(lba, buffer, 0, n * 512);
                for (int i = 0; i < n; i++) {
                    assertThat(BlockPattern.firstWrong(
                                    seed, lba + i, buffer.segment().asSlice(i * 512L, 512)))
                            .as("first wrong word of LBA " + (lba + i))
                            .isNegative();
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void drivesThemAgainAndAgain(boolean lockstep) throws Exception {
        try (Pairs p = new Pairs("gpu:null,1GiB", 3, 96, Placement.DEVICE, 512)) {
            for (int i = 0; i < 5; i++) {
                // Not a multiple of anything: rings end anywhere.
                QueueRun.Results results = p.run(p.plan(1009, lockstep), false);
                assertThat(results.completed()).isEqualTo(3 * 1009);
                assertThat(results.queues())
                        .allSatisfy(q -> assertThat(q.failure()).isNull());
            }
        }
    }

    @Test
    void findsNothingOfAnEarlierQueuePair() throws Exception {
        try (Gpu gpu = Gpu.open(0);
                Device device = Device.open("gpu:null,1GiB")) {
            for (int i = 0; i < 10; i++) {
                try (DataSlots data = DataSlots.allocate(device, gpu, 1, 64, 512);
                        GpuQueuePair pair = GpuQueuePair.open(device, gpu, 64, Placement.DEVICE);
                        QueueRun run = new QueueRun(gpu, List.of(pair), data, false)) {
                    QueueRun.Plan plan = new QueueRun.Plan(true, 100, 1, 1000, i, LIMIT, 100 + i, false, false);
                    assertThat(run.run(plan, () -> false).completed()).isEqualTo(100 + i);
                }
            }
        }
    }

    @Test
    void endsByItselfAndWhenItIsTold() throws Exception {
        try (Pairs p = new Pairs("gpu:null,1GiB", 1, 256, Placement.DEVICE, 512);
                QueueRun run = new QueueRun(p.gpu, p.pairs, p.data, false)) {
            QueueRun.Plan brief = new QueueRun.Plan(true, 70, 1, 1 << 21, 1, Duration.ofMillis(50), 0, false, true);
            QueueRun.Results results = run.run(brief, () -> false);
            assertThat(results.nanos()).isBetween(50_000_000L, 500_000_000L);
            assertThat(results.latencies().stream()
                            .mapToLong(QueueRun.Latency::count)
                            .sum())
                    .isEqualTo(results.completed());
            QueueRun.Plan endless = new QueueRun.Plan(true, 70, 1, 1 << 21, 1, LIMIT, 0, false, false);
            assertThat(run.run(endless, () -> true).nanos()).isLessThan(LIMIT.toNanos() / 2);
        }
    }

    @Test
    void tellsTheErrorOfACommand() throws Exception {
        try (Pairs p = new Pairs("gpu:null,1MiB?fault=error:77", 2, 64, Placement.DEVICE, 512)) {
            QueueRun.Results results =
                    p.run(new QueueRun.Plan(false, 100, 1, 2048, 1, LIMIT, 1024, false, false), false);
            assertThat(results.failed()).isEqualTo(1);
            assertThat(results.completed()).isEqualTo(2047);
            assertThat(results.queues().getFirst().failure())
                    .hasMessageContaining("LBA 77")
                    .hasMessageContaining("Unrecovered Read Error");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "drop, false, was not answered in time",
        "drop, true, was not answered in time",
        "wrongcid, false, which is of no command in flight",
        "wrongcid, true, which is of no command in flight"
    })
    void givesUpAQueuePairThatGoesWrong(String fault, boolean lockstep, String why) throws Exception {
        String name = "gpu:null,1MiB?fault=" + fault + ":77";
        try (Pairs p = new Pairs(name, 1, 64, Placement.DEVICE, 512, Duration.ofMillis(200))) {
            QueueRun.Results results =
                    p.run(new QueueRun.Plan(false, 100, 1, 2048, 1, LIMIT, 2048, lockstep, false), false);
            NvmeException failure = results.queues().getFirst().failure();
            assertThat(failure).hasMessageContaining(why).hasMessageContaining("never came back");
            assertThat(results.completed()).isLessThan(2048);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"error@read:5", "drop@read:5"})
    void tellsWhatTheCpusControllerDoesWrong(String fault) throws Exception {
        String name = "emu:null,1MiB?faults=" + fault;
        try (Pairs p = new Pairs(name, 1, 32, Placement.HOST, 512, Duration.ofMillis(300))) {
            QueueRun.Results results = p.run(new QueueRun.Plan(false, 100, 1, 2048, 1, LIMIT, 64, false, false), true);
            assertThat(results.queues().getFirst().failure())
                    .hasMessageContaining(fault.startsWith("error") ? "LBA" : "was not answered in time");
        }
    }

    @Test
    void answersWhatMakesNoSenseWithItsStatus() throws Exception {
        try (Pairs p = new Pairs("gpu:1MiB", 1, 64, Placement.DEVICE, 4096)) {
            // The last I/Os begin on the device and end behind it.
            QueueRun.Results results = p.run(new QueueRun.Plan(false, 100, 8, 512, 1, LIMIT, 512, false, false), false);
            assertThat(results.completed()).isEqualTo(256);
            assertThat(results.failed()).isEqualTo(256);
            assertThat(results.queues().getFirst().failure()).hasMessageContaining("LBA Out of Range");
        }
    }

    @Test
    void hasWhatAnImageHas(@TempDir Path folder) throws Exception {
        Path image = folder.resolve("image");
        byte[] bytes = new byte[MIB];
        new java.util.Random(5).nextBytes(bytes);
        Files.write(image, bytes);
        try (Device device = Device.open("gpu:" + image);
                Buffer buffer = device.allocate(MIB)) {
            device.read(0, buffer);
            assertThat(buffer.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE))
                    .isEqualTo(bytes);
        }
    }

    @Test
    void refusesWhatCannotBe() throws Exception {
        try (Gpu gpu = Gpu.open(0);
                Device device = Device.open("gpu:null,1GiB?queues=1");
                Device emu = Device.open("emu:null,1GiB")) {
            assertThatThrownBy(() -> GpuQueuePair.open(emu, gpu, 64, Placement.DEVICE))
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("'host'");
            assertThatThrownBy(() -> GpuQueuePair.open(device, gpu, 2000, Placement.DEVICE))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("1 to 1024");
            try (GpuQueuePair _ = GpuQueuePair.open(device, gpu, 64, Placement.DEVICE)) {
                assertThatThrownBy(() -> GpuQueuePair.open(device, gpu, 64, Placement.DEVICE))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("?queues=2");
                assertThatThrownBy(device::close).isInstanceOf(IllegalStateException.class);
            }
        }
    }
}
