package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.emu.Completions;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Media that fail: QEMU's blkdebug fails single sectors, or a flush. */
class ErrorTest {
    private static final int GOOD = Status.SUCCESS;

    private static String rule(String type, String more) {
        return """
                [inject-error]
                event = "none"
                iotype = "%s"
                errno = "5"
                %s
                """.formatted(type, more);
    }

    private static Rig with(String rules) throws Exception {
        return Rig.start(QemuNvme.build().controller("").namespace(1 << 20, "", rules));
    }

    @Test
    void reportsASectorThatCannotBeReadAndReadsTheOthers() throws Exception {
        try (Rig rig = with(rule("read", "sector = \"64\""));
                Blocks blocks = new Blocks(rig, 1)) {
            MemorySegment written = blocks.fill(1, 8 * 512);
            assertThat(blocks.write(60, 8).code()).isEqualTo(GOOD);
            for (int i = 0; i < 3; i++) {
                assertThat(blocks.read(64, 1).code()).isEqualTo(Status.UNRECOVERED_READ_ERROR);
                assertThat(blocks.pair.failure(0))
                        .hasMessageContaining("Read of namespace 1 at LBA 64: Unrecovered Read Error");
                assertThat(blocks.read(60, 8).code())
                        .as("one that touches it")
                        .isEqualTo(Status.UNRECOVERED_READ_ERROR);
                assertThat(blocks.read(60, 4).code()).isEqualTo(GOOD);
                assertThat(blocks.data(4 * 512).mismatch(written.asSlice(0, 4 * 512)))
                        .isEqualTo(-1);
                assertThat(blocks.read(65, 3).code()).isEqualTo(GOOD);
            }
            assertThat(rig.driver.failure()).isNull();
        }
    }

    @Test
    void readsWellAfterASectorFailedOnce() throws Exception {
        try (Rig rig = with(rule("read", "sector = \"7\"\nonce = \"on\""));
                Blocks blocks = new Blocks(rig, 1)) {
            MemorySegment written = blocks.fill(2, 512);
            assertThat(blocks.write(7, 1).code()).isEqualTo(GOOD);
            assertThat(blocks.read(7, 1).code()).isEqualTo(Status.UNRECOVERED_READ_ERROR);
            assertThat(blocks.read(7, 1).code()).isEqualTo(GOOD);
            assertThat(blocks.data(512).mismatch(written)).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @CsvSource({"write, 1", "write, 3"})
    void reportsASectorThatCannotBeWritten(String type, int blocksAtOnce) throws Exception {
        try (Rig rig = with(rule(type, "sector = \"9\"\nonce = \"on\""));
                Blocks blocks = new Blocks(rig, 1)) {
            MemorySegment written = blocks.fill(3, 512 * blocksAtOnce);
            assertThat(blocks.write(9, blocksAtOnce).code()).isEqualTo(Status.WRITE_FAULT);
            assertThat(blocks.write(9, blocksAtOnce).code()).isEqualTo(GOOD);
            assertThat(blocks.read(9, blocksAtOnce).code()).isEqualTo(GOOD);
            assertThat(blocks.data(512L * blocksAtOnce).mismatch(written)).isEqualTo(-1);
        }
    }

    @Test
    void reportsAFlushThatFailedAndFlushesAfterwards() throws Exception {
        try (Rig rig = with(rule("flush", "once = \"on\""));
                Blocks blocks = new Blocks(rig, 1)) {
            assertThat(blocks.write(0, 1).code()).isEqualTo(GOOD);
            assertThat(blocks.flush().code()).isEqualTo(Status.WRITE_FAULT);
            assertThat(blocks.pair.failure(0)).hasMessageContaining("Flush of namespace 1: Write Fault");
            assertThat(blocks.flush().code()).isEqualTo(GOOD);
        }
    }

    @Test
    void reportsWriteZeroesThatFailed() throws Exception {
        try (Rig rig = with(rule("write-zeroes", "sector = \"32\"\nonce = \"on\""));
                Blocks blocks = new Blocks(rig, 1)) {
            assertThat(blocks.over(Opcode.WRITE_ZEROES, 32, 8).code()).isEqualTo(Status.WRITE_FAULT);
            assertThat(blocks.over(Opcode.WRITE_ZEROES, 32, 8).code()).isEqualTo(GOOD);
        }
    }

    @Test
    void tellsWhichOfManyCommandsFailed() throws Exception {
        try (Rig rig = with(rule("read", "sector = \"20\""));
                var memory = rig.function.allocate(32 * 512);
                var pair = rig.driver.createQueuePair(32)) {
            int[] slots = new int[32];
            long[] lbas = new long[32];
            for (int i = 0; i < 32; i++) {
                slots[i] = i;
                lbas[i] = 10 + i;
                pair.bind(i, io.aisio.nvme.Command.overBlocks(Opcode.READ, 1, 0, 1), memory, i * 512L, 512);
            }
            for (int round = 0; round < 5; round++) {
                pair.submit(slots, lbas, 32);
                int[] completed = new int[32];
                int good = 0;
                int bad = 0;
                while (pair.outstanding() > 0) {
                    int n = Completions.await(pair, completed);
                    for (int i = 0; i < n; i++) {
                        if (completed[i] < 0) {
                            assertThat(~completed[i]).isEqualTo(10);
                            bad++;
                        } else {
                            good++;
                        }
                    }
                }
                assertThat(good).isEqualTo(31);
                assertThat(bad).isEqualTo(1);
                assertThat(pair.failure(10)).hasMessageContaining("LBA 20: Unrecovered Read Error");
            }
        }
    }
}
