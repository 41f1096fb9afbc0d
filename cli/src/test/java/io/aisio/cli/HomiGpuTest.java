package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.bench.CudaQueues;
import io.aisio.bench.CudaRun;
import io.aisio.bench.CudaRunOptions;
import io.aisio.bench.CudaRunReport;
import io.aisio.bench.CudaVerify;
import io.aisio.bench.CudaVerifyOptions;
import io.aisio.bench.CudaVerifyReport;
import io.aisio.bench.IoPattern;
import io.aisio.cuda.Cuda;
import io.aisio.homi.daemon.Configuration;
import io.aisio.homi.daemon.Daemon;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A GPU drives queue pairs that a daemon leases, beside a process that does the same. */
@Tag("gpu")
class HomiGpuTest {
    private static final long RESET_EVERY_NANOS = 300_000_000;

    @TempDir
    Path folder;

    private Daemon daemon;
    private Thread serving;
    private String name;

    @BeforeEach
    void start() throws IOException {
        assumeTrue(Cuda.missing() == null, "needs a GPU");
        Path socket = folder.resolve("homi").resolve("homi.sock");
        daemon = Daemon.open(
                Configuration.of(socket, List.of(new Configuration.Device("nvme0", "emu:64MiB?shared&mdts=8"))));
        serving = Thread.ofPlatform().start(daemon::serve);
        name = "homi:nvme0?socket=" + socket;
    }

    @AfterEach
    void stop() throws Exception {
        if (daemon != null) {
            daemon.close();
            serving.join();
        }
    }

    private static CudaQueues host() {
        return new CudaQueues(0, CudaQueues.Mode.SLIDING, CudaQueues.Role.BLOCK, null);
    }

    private CudaRunReport run(Duration runtime, CudaQueues queues) throws IOException {
        CudaRunOptions options = new CudaRunOptions(
                List.of(name),
                IoPattern.RANDREAD,
                32,
                4096,
                runtime,
                2,
                queues,
                CudaRunOptions.Data.DEVICE,
                false,
                1,
                1,
                false);
        try (CudaRun run = CudaRun.open(options)) {
            return run.measure();
        }
    }

    @Test
    void verifiesWhatItWroteWhileAProcessReadsBesideIt() throws IOException {
        try (Device process = Device.open(name);
                Buffer buffer = process.allocate(4096)) {
            for (int bytes : new int[] {512, 8192, 131072}) {
                CudaVerifyReport report =
                        CudaVerify.verify(new CudaVerifyOptions(List.of(name), bytes, 100, 32, 2, 2, 7, true, host()));
                assertThat(report.ok()).as("%s", report).isTrue();
                process.read(0, buffer);
                for (int lba = 0; lba < 4096 / 512; lba++) {
                    assertThat(buffer.segment().get(ValueLayout.JAVA_LONG, lba * 512L))
                            .as("a block begins with its number")
                            .isEqualTo(lba);
                }
                buffer.segment().fill((byte) 0);
                process.write(0, buffer);
            }
            assertThat(daemon.status().devices().getFirst().queuesUsed())
                    .as("the GPU's are given back, the process's are not")
                    .isEqualTo(1);
        }
    }

    @Test
    void countsAndToldOfAResetGivesTheQueuesUp() throws Exception {
        CudaRunReport report = run(Duration.ofMillis(500), host());
        assertThat(report.failures()).isEmpty();
        assertThat(report.runs().getFirst().iops()).isPositive();
        AtomicBoolean over = new AtomicBoolean();
        Thread resets = Thread.ofPlatform().start(() -> {
            try {
                // One that comes before the queues are there takes none.
                while (!over.get()) {
                    daemon.reset("nvme0");
                    LockSupport.parkNanos(RESET_EVERY_NANOS);
                }
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        CudaRunReport lost;
        try {
            lost = run(Duration.ofSeconds(5), host());
        } finally {
            over.set(true);
            resets.join();
        }
        assertThat(lost.ok()).isFalse();
        assertThat(lost.failures().toString()).contains("was reset, which took the queues");
    }

    @Test
    void refusesRingsInItsOwnMemory() {
        assertThatThrownBy(() -> run(
                        Duration.ofMillis(100),
                        new CudaQueues(0, CudaQueues.Mode.SLIDING, CudaQueues.Role.BLOCK, CudaQueues.Memory.DEVICE)))
                .hasMessageContaining("is leased")
                .hasMessageContaining("'host'");
    }
}
