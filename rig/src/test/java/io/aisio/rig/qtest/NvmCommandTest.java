package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.Command;
import io.aisio.nvme.spec.CopyRange;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each command of the NVM command set, done and refused, with blocks of 512 (namespace 1) and of 4096 bytes (2). */
class NvmCommandTest {
    private static final int BYTES = 4 << 20;
    private static final int GOOD = Status.SUCCESS;

    private static Rig rig;

    @BeforeAll
    static void start() throws Exception {
        rig = Rig.start(QemuNvme.build()
                .controller("mdts=5")
                .namespace(BYTES, "")
                .namespace(BYTES, "logical_block_size=4096,physical_block_size=4096"));
    }

    @AfterAll
    static void end() throws Exception {
        if (rig != null) {
            rig.close();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void readsBackWhatItWroteAndFlushed(int nsid) throws Exception {
        try (Blocks blocks = new Blocks(rig, nsid)) {
            int bytes = 8 * blocks.namespace.lbaBytes();
            MemorySegment written = blocks.fill(nsid, bytes);
            assertThat(blocks.write(3, 8).code()).isEqualTo(GOOD);
            assertThat(blocks.flush().code()).isEqualTo(GOOD);
            blocks.data(bytes).fill((byte) 1);
            assertThat(blocks.read(3, 8).code()).isEqualTo(GOOD);
            assertThat(blocks.data(bytes).mismatch(written)).isEqualTo(-1);
            assertThat(blocks.execute(Command.of(Opcode.FLUSH, Identify.ALL_NAMESPACES, 0))
                            .code())
                    .as("flush of all namespaces")
                    .isEqualTo(GOOD);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void writesZeroes(int nsid) throws Exception {
        try (Blocks blocks = new Blocks(rig, nsid)) {
            int lba = blocks.namespace.lbaBytes();
            blocks.fill(7, 16 * lba);
            assertThat(blocks.write(0, 16).code()).isEqualTo(GOOD);
            assertThat(blocks.over(Opcode.WRITE_ZEROES, 4, 8).code()).isEqualTo(GOOD);
            MemorySegment expected = blocks.fill(7, 16 * lba);
            expected.asSlice(4L * lba, 8L * lba).fill((byte) 0);
            assertThat(blocks.read(0, 16).code()).isEqualTo(GOOD);
            assertThat(blocks.data(16L * lba).mismatch(expected)).isEqualTo(-1);
            // More blocks than one command transfers.
            assertThat(blocks.over(Opcode.WRITE_ZEROES, 0, BYTES / lba).code()).isEqualTo(GOOD);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void comparesWithWhatIsThere(int nsid) throws Exception {
        try (Blocks blocks = new Blocks(rig, nsid)) {
            int lba = blocks.namespace.lbaBytes();
            blocks.fill(11, 4 * lba);
            assertThat(blocks.write(100, 4).code()).isEqualTo(GOOD);
            assertThat(blocks.compare(100, 4).code()).isEqualTo(GOOD);
            Wire.u8(blocks.data(4L * lba), 3L * lba + 5, Wire.u8(blocks.data(4L * lba), 3L * lba + 5) ^ 1);
            assertThat(blocks.compare(100, 4).code()).isEqualTo(Status.COMPARE_FAILURE);
            assertThat(blocks.compare(100, 3).code()).isEqualTo(GOOD);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void verifies(int nsid) throws Exception {
        try (Blocks blocks = new Blocks(rig, nsid)) {
            assertThat(blocks.over(Opcode.VERIFY, 0, 8).code()).isEqualTo(GOOD);
            assertThat(blocks.over(Opcode.VERIFY, blocks.namespace.lbaCount() - 1, 2)
                            .code())
                    .isEqualTo(Status.LBA_OUT_OF_RANGE);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void deallocatesRanges(int nsid) throws Exception {
        try (Blocks blocks = new Blocks(rig, nsid)) {
            int lba = blocks.namespace.lbaBytes();
            blocks.fill(13, 32 * lba);
            assertThat(blocks.write(0, 32).code()).isEqualTo(GOOD);
            assertThat(deallocate(blocks, 2, 4, 10, 1, 20, 8)).isEqualTo(GOOD);
            MemorySegment expected = blocks.fill(13, 32 * lba);
            expected.asSlice(2L * lba, 4L * lba).fill((byte) 0);
            expected.asSlice(10L * lba, lba).fill((byte) 0);
            expected.asSlice(20L * lba, 8L * lba).fill((byte) 0);
            assertThat(blocks.read(0, 32).code()).isEqualTo(GOOD);
            assertThat(blocks.data(32L * lba).mismatch(expected)).isEqualTo(-1);
            // LBA Out of Range by the specification; QEMU takes ranges for hints, and passes over what makes no sense.
            assertThat(deallocate(blocks, (int) blocks.namespace.lbaCount(), 1)).isIn(Status.LBA_OUT_OF_RANGE, GOOD);
        }
    }

    /** @param ranges first LBA and number of blocks of each */
    private static int deallocate(Blocks blocks, int... ranges) throws IOException {
        int n = ranges.length / 2;
        MemorySegment list = blocks.data(16L * n).fill((byte) 0);
        for (int i = 0; i < n; i++) {
            Wire.i32(list, 16L * i + 4, ranges[2 * i + 1]);
            Wire.i64(list, 16L * i + 8, ranges[2 * i]);
        }
        Command command = Command.of(Opcode.DATASET_MANAGEMENT, blocks.namespace.nsid(), n - 1, 1 << 2);
        return blocks.execute(command, 16 * n).code();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void copiesRangesOneAfterAnother(int nsid) throws Exception {
        try (Blocks blocks = new Blocks(rig, nsid)) {
            int lba = blocks.namespace.lbaBytes();
            MemorySegment written = blocks.fill(17, 16 * lba);
            assertThat(blocks.write(0, 16).code()).isEqualTo(GOOD);
            assertThat(copy(blocks, 64, 8, 2, 1, 3)).isEqualTo(GOOD);
            assertThat(blocks.read(64, 5).code()).isEqualTo(GOOD);
            assertThat(blocks.data(2L * lba).mismatch(written.asSlice(8L * lba, 2L * lba)))
                    .isEqualTo(-1);
            assertThat(blocks.memory.segment().asSlice(2L * lba, 3L * lba).mismatch(written.asSlice(lba, 3L * lba)))
                    .isEqualTo(-1);
            // QEMU finds these errors, and then covers them with an internal one.
            assertThat(copy(blocks, 64, 0, 129))
                    .as("more than MSSRL")
                    .isIn(Status.COMMAND_SIZE_LIMIT_EXCEEDED, Status.INTERNAL_ERROR);
            assertThat(copy(blocks, (int) blocks.namespace.lbaCount(), 0, 1))
                    .isIn(Status.LBA_OUT_OF_RANGE, Status.INTERNAL_ERROR);
        }
    }

    private static int copy(Blocks blocks, int to, int... ranges) throws IOException {
        int n = ranges.length / 2;
        MemorySegment list = blocks.data((long) CopyRange.BYTES * n).fill((byte) 0);
        for (int i = 0; i < n; i++) {
            Wire.i64(list, (long) CopyRange.BYTES * i + CopyRange.SLBA, ranges[2 * i]);
            Wire.u16(list, (long) CopyRange.BYTES * i + CopyRange.NLB, ranges[2 * i + 1] - 1);
        }
        Command command = new Command(Opcode.COPY, blocks.namespace.nsid(), to, n - 1, 0);
        return blocks.execute(command, CopyRange.BYTES * n).code();
    }

    @Test
    void answersWhatItDoesNotHaveAsTheSpecificationSays() throws Exception {
        try (Blocks blocks = new Blocks(rig, 1)) {
            assertThat(blocks.over(Opcode.WRITE_UNCORRECTABLE, 0, 1).code()).isEqualTo(Status.INVALID_OPCODE);
            assertThat(blocks.execute(Command.of(0x7F, 1, 0)).code()).isEqualTo(Status.INVALID_OPCODE);
            assertThat(blocks.execute(Command.of(Opcode.ZONE_MANAGEMENT_SEND, 1, 0))
                            .code())
                    .isEqualTo(Status.INVALID_OPCODE);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void refusesBlocksBeyondTheEnd(int nsid) throws Exception {
        try (Blocks blocks = new Blocks(rig, nsid)) {
            long end = blocks.namespace.lbaCount();
            assertThat(blocks.read(end - 1, 1).code()).isEqualTo(GOOD);
            for (long lba : new long[] {end, end + 1, 1L << 32, 1L << 62, -1}) {
                assertThat(blocks.read(lba, 1).code()).as("read at %d", lba).isEqualTo(Status.LBA_OUT_OF_RANGE);
                assertThat(blocks.write(lba, 1).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
                assertThat(blocks.compare(lba, 1).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
                assertThat(blocks.over(Opcode.WRITE_ZEROES, lba, 1).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
            }
            assertThat(blocks.read(end - 7, 8).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
            assertThat(blocks.write(end - 7, 8).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
            assertThat(blocks.pair.failure(0))
                    .hasMessageContaining("Write of namespace " + nsid + " at LBA " + (end - 7))
                    .hasMessageContaining("LBA Out of Range");
        }
    }

    @Test
    void refusesNamespacesThatThereAreNot() throws Exception {
        try (Blocks blocks = new Blocks(rig, 1)) {
            for (int nsid : new int[] {0, 257, 0x1000_0000}) {
                Command read = Command.overBlocks(Opcode.READ, nsid, 0, 1);
                assertThat(blocks.execute(read, 512).code()).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
            }
            assertThat(blocks.execute(Command.overBlocks(Opcode.READ, 77, 0, 1), 512)
                            .code())
                    .as("one that is not active")
                    .isIn(Status.INVALID_FIELD, Status.INVALID_NAMESPACE_OR_FORMAT);
        }
    }
}
