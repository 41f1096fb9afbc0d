package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.bench.CudaQueues.Memory;
import io.aisio.bench.CudaQueues.Mode;
import io.aisio.bench.CudaQueues.Role;
import io.aisio.cuda.Cuda;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** cuda-run and cuda-verify where there is a GPU, on controllers made of software. */
@Tag("gpu")
class CudaRunGpuTest {
    @BeforeEach
    void requireGpu() {
        assumeTrue(Cuda.missing() == null, "needs a GPU");
    }

    private static CudaRunReport run(List<String> devices, Mode mode, Role role, @Nullable Memory memory)
            throws IOException {
        CudaRunOptions options = new CudaRunOptions(
                devices,
                IoPattern.RANDREAD,
                32,
                512,
                Duration.ofMillis(500),
                2,
                new CudaQueues(0, mode, role, memory),
                CudaRunOptions.Data.DEVICE,
                true,
                2,
                1,
                false);
        try (CudaRun run = CudaRun.open(options)) {
            return run.measure();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "gpu:null,SLIDING,BLOCK,DEVICE",
        "gpu:null,SLIDING,WARP,HOST",
        "gpu:null,LOCKSTEP,BLOCK,DEVICE",
        "emu:null,SLIDING,BLOCK,HOST"
    })
    void countsWithEveryControllerModeAndRole(String device, Mode mode, Role role, Memory memory) throws IOException {
        CudaRunReport report = run(List.of(device + ",1GiB"), mode, role, memory);
        assertThat(report.failures()).isEmpty();
        assertThat(report.ok()).isTrue();
        assertThat(report.runs()).hasSize(2).allMatch(one -> one.iops() > 0 && one.seconds() > 0.4);
        assertThat(report.cpuPercent()).isNotNegative();
        assertThat(report.devices().getFirst().latency()).isNotNull();
    }

    @Test
    void drivesSeveralDevicesAtOnce() throws IOException {
        CudaRunReport report =
                run(List.of("gpu:null,1GiB", "gpu:64MiB?queues=2"), Mode.SLIDING, Role.BLOCK, Memory.DEVICE);
        assertThat(report.ok()).as("%s", report.failures()).isTrue();
        assertThat(report.devices()).hasSize(2).allMatch(device -> device.iops() > 0);
    }

    @Test
    void aFailedCommandFailsTheRun() throws IOException {
        CudaRunReport report = run(List.of("gpu:null,1MiB?fault=error:77"), Mode.SLIDING, Role.BLOCK, Memory.DEVICE);
        assertThat(report.ok()).isFalse();
        assertThat(report.failed()).isPositive();
        assertThat(report.failures()).anyMatch(line -> line.contains("LBA 77"));
    }

    @ParameterizedTest
    @CsvSource({"gpu,512,BLOCK", "gpu,4096,WARP", "gpu,1048576,BLOCK", "emu,512,BLOCK", "emu,131072,WARP"})
    void verifiesWhatItWrote(String device, long ioBytes, Role role) throws IOException {
        CudaVerifyReport report = CudaVerify.verify(new CudaVerifyOptions(
                List.of(device + ":256MiB"),
                ioBytes,
                128,
                32,
                2,
                2,
                1,
                false,
                new CudaQueues(0, Mode.SLIDING, role, null)));
        assertThat(report.devices().getFirst().failures()).isEmpty();
        assertThat(report.ok()).isTrue();
        assertThat(report.devices().getFirst().verified()).isEqualTo(128);
    }

    @Test
    void nullMediaDoNotVerifyAndAnyDeviceCounts() throws IOException {
        CudaVerifyReport report = CudaVerify.verify(new CudaVerifyOptions(
                List.of("gpu:null,64MiB", "gpu:64MiB"), 4096, 64, 32, 1, 1, 1, false, CudaQueues.USUAL));
        assertThat(report.ok()).isFalse();
        assertThat(report.devices().getFirst().mismatches()).isEqualTo(64);
        assertThat(report.devices().getFirst().shown().getFirst().kind())
                .isEqualTo(VerifyReport.Kind.NOTHING_TRANSFERRED);
        assertThat(report.devices().getLast().ok()).isTrue();
    }
}
