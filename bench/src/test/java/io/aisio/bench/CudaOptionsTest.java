package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.aisio.bench.CudaQueues.Memory;
import io.aisio.bench.CudaQueues.Mode;
import io.aisio.bench.CudaQueues.Role;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What is refused of a GPU's runs before anything is opened, and the sentence. */
class CudaOptionsTest {
    private static CudaRunOptions run(String device, int depth, Role role, @Nullable Memory memory) {
        return new CudaRunOptions(
                List.of(device),
                IoPattern.RANDREAD,
                depth,
                4096,
                Duration.ofSeconds(1),
                1,
                new CudaQueues(0, Mode.SLIDING, role, memory),
                CudaRunOptions.Data.DEVICE,
                false,
                1,
                1,
                false);
    }

    private static void assertRefused(Runnable what, String... words) {
        assertThatIllegalArgumentException()
                .isThrownBy(what::run)
                .satisfies(e -> assertThat(e.getMessage()).contains(words));
    }

    @Test
    void aDepthIsOneCommandAThreadOfWholeWarps() {
        assertThat(run("gpu:null,1TiB", 1024, Role.BLOCK, null).queueDepth()).isEqualTo(1024);
        assertThat(run("gpu:null,1TiB", 32, Role.WARP, null).queueDepth()).isEqualTo(32);
        assertRefused(() -> run("gpu:null,1TiB", 1056, Role.BLOCK, null), "--qdepth 1056", "--qdepth 1024 or less");
        assertRefused(() -> run("gpu:null,1TiB", 64, Role.WARP, null), "--qdepth 64", "--role block", "--nqueues");
        assertRefused(() -> run("gpu:null,1TiB", 33, Role.BLOCK, null), "--qdepth 33", "use --qdepth 64");
        assertRefused(() -> run("gpu:null,1TiB", 0, Role.BLOCK, null), "--qdepth 0");
    }

    @Test
    void onlyControllersWhoseQueuesCanBeLentAreDriven() {
        assertThat(run("0000:82:00.0", 32, Role.BLOCK, Memory.HOST).devices()).hasSize(1);
        assertRefused(
                () -> run("/dev/nvme0n1", 32, Role.BLOCK, null), "/dev/nvme0n1: a GPU drives queue pairs", "gpu:");
        assertRefused(() -> run("vfu:/tmp/socket", 32, Role.BLOCK, null), "vfu:/tmp/socket: a GPU drives");
        assertRefused(
                () -> run("emu:1GiB", 32, Role.BLOCK, Memory.DEVICE), "emu:1GiB: --queue-memory device", "try gpu:");
    }

    @Test
    void theRestIsRefusedInASentenceToo() {
        assertRefused(() -> new CudaQueues(-1, Mode.SLIDING, Role.BLOCK, null), "--gpu-id -1", "counted from 0");
        CudaRunOptions good = run("gpu:null,1TiB", 32, Role.BLOCK, null);
        assertRefused(
                () -> CudaRunOptions.of(good.devices(), IoPattern.RANDRW, 32, 4096, Duration.ofSeconds(1)),
                "--iopattern randrw",
                "randread");
        assertRefused(() -> CudaRunOptions.of(good.devices(), IoPattern.READ, 32, 4096, Duration.ZERO), "--runtime 0");
        assertRefused(
                () -> new CudaRunOptions(
                        List.of("gpu:1GiB"),
                        IoPattern.READ,
                        32,
                        4096,
                        Duration.ofSeconds(1),
                        1,
                        CudaQueues.USUAL,
                        CudaRunOptions.Data.NONE,
                        false,
                        1,
                        1,
                        false),
                "gpu:1GiB: --data none: it moves data");
        assertRefused(() -> CudaRunOptions.of(List.of(), IoPattern.READ, 32, 4096, Duration.ofSeconds(1)), "no device");
        assertRefused(
                () -> new CudaVerifyOptions(good.devices(), 4096, -1, 32, 1, 2, 1, false, CudaQueues.USUAL),
                "--count -1");
        assertRefused(
                () -> new CudaVerifyOptions(good.devices(), 4096, 1, 32, 1, 0, 1, false, CudaQueues.USUAL),
                "--generations 0");
    }

    @Test
    void aVerificationUsesEverySlotSeveralTimesAndNoMoreThanTheDeviceHolds() {
        CudaVerifyOptions options =
                new CudaVerifyOptions(List.of("gpu:1GiB"), 4096, 0, 32, 2, 2, 1, false, CudaQueues.USUAL);
        assertThat(options.countOn(1 << 20)).isEqualTo(16 * 32 * 2);
        assertThat(options.countOn(100)).isEqualTo(100);
    }
}
