package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.emu.CommandMix;
import io.aisio.nvme.spec.Opcode;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Random commands, with a plain array as the oracle; in the end the image itself is compared with it. */
@Tag("slow")
class MixTest {
    private static final int BYTES = 16 << 20;

    @ParameterizedTest
    @CsvSource({
        " 512, 1,  1, 5, 1500",
        " 512, 1, 33, 5, 6000",
        " 512, 4, 16, 5, 6000",
        "4096, 3,  7, 5, 4000",
        "4096, 2, 17, 7, 4000",
        " 512, 2,  8, 1, 4000",
        " 512, 1,  3, 0,  600"
    })
    void agreesWithAPlainArray(int lbaBytes, int queues, int depth, int mdts, int commands) throws Exception {
        byte[] oracle = new byte[BYTES];
        String sizes = "logical_block_size=%d,physical_block_size=%d".formatted(lbaBytes, lbaBytes);
        try (Rig rig = Rig.start(QemuNvme.build().controller("mdts=" + mdts).namespace(BYTES, sizes))) {
            try (CommandMix mix = new CommandMix(
                    rig.driver, rig.function, 1, queues, depth, oracle, 0, BYTES / lbaBytes, 42L + depth)) {
                mix.run(commands);
                assertThat(mix.done(Opcode.READ)).isGreaterThan(50);
                assertThat(mix.done(Opcode.WRITE)).isGreaterThan(50);
                assertThat(mix.done(Opcode.COMPARE)).isPositive();
                assertThat(mix.done(Opcode.WRITE_ZEROES)).isPositive();
                assertThat(mix.done(Opcode.DATASET_MANAGEMENT)).isPositive();
            }
            rig.driver.close();
            assertThat(Arrays.mismatch(Files.readAllBytes(rig.qemu.image(0)), oracle))
                    .isEqualTo(-1);
        }
    }

    @Test
    void agreesWithAPlainArrayOverQueuesOfSeveralThreadsAndNamespacesOfBothSizes() throws Exception {
        byte[][] oracles = new byte[2][BYTES];
        int[] lbaBytes = {512, 4096};
        try (Rig rig = Rig.start(QemuNvme.build()
                        .controller("mdts=5")
                        .namespace(BYTES, "")
                        .namespace(BYTES, "logical_block_size=4096,physical_block_size=4096"));
                ExecutorService pool = Executors.newFixedThreadPool(3)) {
            List<Future<?>> running = new ArrayList<>();
            for (int thread = 0; thread < 3; thread++) {
                int nsid = 1 + thread / 2;
                int blocks = BYTES / lbaBytes[nsid - 1] / 2;
                long first = (long) (thread % 2) * blocks;
                long seed = 77 + thread;
                Callable<Integer> work = () -> {
                    try (CommandMix mix = new CommandMix(
                            rig.driver, rig.function, nsid, 2, 9, oracles[nsid - 1], first, blocks, seed)) {
                        mix.run(1500);
                        return mix.done(Opcode.READ);
                    }
                };
                running.add(pool.submit(work));
            }
            for (Future<?> result : running) {
                assertThat((Integer) result.get()).isGreaterThan(200);
            }
            rig.driver.close();
            for (int i = 0; i < 2; i++) {
                assertThat(Arrays.mismatch(Files.readAllBytes(rig.qemu.image(i)), oracles[i]))
                        .isEqualTo(-1);
            }
        }
    }
}
