package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import org.junit.jupiter.api.Test;

class BlockRangesTest {
    @Test
    void joinsAndSplitsRanges() {
        BlockRanges ranges = new BlockRanges();
        ranges.add(10, 10);
        ranges.add(30, 10);
        assertThat(ranges.intersects(20, 10)).isFalse();
        ranges.add(20, 10);
        assertThat(ranges.intersects(20, 10)).isTrue();
        ranges.remove(15, 20);
        assertThat(ranges.intersects(15, 20)).isFalse();
        assertThat(ranges.intersects(14, 1)).isTrue();
        assertThat(ranges.intersects(35, 1)).isTrue();
        ranges.remove(0, 100);
        assertThat(ranges.isEmpty()).isTrue();
    }

    @Test
    void hasRoomForSoManyAndNoMore() {
        BlockRanges ranges = new BlockRanges();
        for (long i = 0; i < BlockRanges.MOST; i++) {
            assertThat(ranges.canAdd(8 * i, 4)).isTrue();
            ranges.add(8 * i, 4);
        }
        assertThat(ranges.canAdd(8L * BlockRanges.MOST, 1)).isFalse();
        assertThat(ranges.canAdd(6, 1)).isFalse();
        assertThat(ranges.canAdd(4, 1)).as("what follows a range").isTrue();
        assertThat(ranges.canAdd(7, 1)).as("what comes before a range").isTrue();
        assertThat(ranges.canRemove(1, 1)).as("out of the middle").isFalse();
        assertThat(ranges.canRemove(0, 1)).as("from the start").isTrue();
        assertThat(ranges.canRemove(3, 1)).as("up to the end").isTrue();
        assertThat(ranges.canRemove(5, 1)).as("between two").isTrue();
        ranges.remove(0, 4);
        assertThat(ranges.canRemove(9, 1)).isTrue();
    }

    /** A driver that makes every other block unreadable fills no memory with that. */
    @Test
    void refusesCommandsThatWouldTakeMoreRanges() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(BlockRanges.MOST * 4L * 512 + (1 << 20)))) {
            Host.Ring io = host.createQueue(1, 16);
            for (long i = 0; i < BlockRanges.MOST; i++) {
                assertThat(io.status(host.io(Opcode.WRITE_UNCORRECTABLE, 4 * i, 3)))
                        .isZero();
            }
            assertThat(io.status(host.io(Opcode.WRITE_UNCORRECTABLE, 4L * BlockRanges.MOST + 1, 1)))
                    .isEqualTo(Status.INTERNAL_ERROR);
            assertThat(io.status(host.io(Opcode.WRITE, 1, 1))).isEqualTo(Status.INTERNAL_ERROR);
            assertThat(io.status(host.io(Opcode.WRITE_ZEROES, 1, 1))).isEqualTo(Status.INTERNAL_ERROR);
            assertThat(io.status(host.io(Opcode.READ, 1, 1)))
                    .as("it stays as it was")
                    .isEqualTo(Status.UNRECOVERED_READ_ERROR);
            assertThat(io.status(host.io(Opcode.WRITE, 0, 3))).isZero();
            assertThat(io.status(host.io(Opcode.READ, 0, 4))).isZero();
            assertThat(io.status(host.io(Opcode.WRITE, 5, 1))).isZero();
        }
    }
}
