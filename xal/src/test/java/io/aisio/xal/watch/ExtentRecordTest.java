package io.aisio.xal.watch;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.XfsGeometry;
import io.aisio.xal.Extent;
import io.aisio.xal.watch.ExtentRecord.Kind;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The words of XFS's tree of extents, as {@code xfs_iext_set} packs them. */
class ExtentRecordTest {
    private static final int REALTIME = 1;

    /** Groups of 1,000 blocks, numbered with 10 bits for the block. */
    private static final XfsGeometry GEOMETRY = new XfsGeometry(4096, 1000, 8, 0);

    private static ExtentRecord record(long offset, long block, long length, boolean unwritten, int flags) {
        long low = offset | block << 54;
        long high = length | (block & -1024) << 12 | (unwritten ? 1 << 21 : 0);
        return new ExtentRecord(Kind.INSERT, 77, flags, low, high);
    }

    @Test
    void findsTheBytesOfBlocksInTheirGroup() throws IOException {
        assertThat(record(5, 3L << 10 | 999, 1, false, 0).extent(GEOMETRY))
                .isEqualTo(new Extent(5 * 4096, 3999L * 4096, 4096, 0));
        assertThat(record((1L << 40) + 1, 7L << 10, 1000, true, 0).extent(GEOMETRY))
                .isEqualTo(new Extent(((1L << 40) + 1) * 4096, 7000L * 4096, 1000 * 4096, Extent.UNWRITTEN));
        XfsGeometry large = new XfsGeometry(65536, 1 << 24, 1 << 20, 0);
        assertThat(record(0, (1L << 43) + 12345, (1 << 21) - 1, false, 0)
                        .extent(large)
                        .position())
                .isEqualTo(((1L << 43) + 12345) * 65536);
    }

    @Test
    void locatesNothingThatHasNoBlockOrOneOfAnotherDevice() throws IOException {
        // nullstartblock(9): all bits of the mask, and how many blocks are reserved for the map.
        long reserved = ((1L << 35) - 1) << 17 | 9;
        assertThat(record(1, reserved, 2, true, 0).extent(GEOMETRY))
                .isEqualTo(new Extent(4096, 0, 8192, Extent.DELAYED | Extent.UNKNOWN));
        assertThat(record(1, 123, 2, true, REALTIME).extent(GEOMETRY))
                .isEqualTo(new Extent(4096, 0, 8192, Extent.UNWRITTEN | Extent.UNKNOWN));
        assertThat(record(1, 123, 2, false, REALTIME).extent(GEOMETRY).located())
                .isFalse();
    }

    @Test
    void refusesWhatNoFileCanHave() {
        assertThatThrownBy(() -> record(4, 0, 0, false, 0).extent(GEOMETRY))
                .hasMessage("XFS told 0 blocks from block 4 of inode 77");
        assertThatThrownBy(() -> record((1L << 54) - 1, 0, 1, false, 0).extent(GEOMETRY))
                .hasMessageContaining("XFS told 1 blocks from block 18014398509481983 of inode 77");
        assertThatThrownBy(() -> record(0, 2L << 10 | 999, 2, false, 0).extent(GEOMETRY))
                .hasMessage("XFS told 2 blocks from block 999 of allocation group 2 for inode 77, where there are"
                        + " 8 groups of 1000 blocks");
        ExtentRecord behind = record(0, 8L << 10, 1, false, 0);
        assertThat(behind.isBehind(GEOMETRY)).isTrue();
        assertThatThrownBy(() -> behind.extent(GEOMETRY)).hasMessageContaining("of allocation group 8");
        assertThat(record(0, 8L << 10, 1, false, REALTIME).isBehind(GEOMETRY)).isFalse();
    }

    @Test
    void readsOrRefusesRecordsOfAnyContent() {
        Random random = new Random(4);
        int read = 0;
        for (int round = 0; round < 100_000; round++) {
            byte[] bytes = new byte[random.nextInt(8) == 0 ? random.nextInt(64) : ExtentRecord.BYTES];
            random.nextBytes(bytes);
            if (bytes.length >= ExtentRecord.BYTES) {
                bytes[ExtentRecord.KIND] = (byte) random.nextInt(7);
                bytes[ExtentRecord.KIND + 1] = bytes[ExtentRecord.KIND + 2] = bytes[ExtentRecord.KIND + 3] = 0;
            }
            MemorySegment memory = MemorySegment.ofArray(new long[8]);
            MemorySegment.copy(MemorySegment.ofArray(bytes), 0, memory, 0, bytes.length);
            try {
                ExtentRecord record = ExtentRecord.of(memory.asSlice(0, bytes.length));
                Extent extent = record.extent(GEOMETRY);
                assertThat(extent.length()).isPositive();
                assertThat(extent.offset()).isNotNegative();
                assertThat(extent.end()).isPositive();
                read++;
            } catch (IOException e) {
                assertThat(e.getMessage()).isNotBlank();
            }
        }
        assertThat(read).isGreaterThan(100);
    }

    @Test
    void readsTheFieldsOfARecord() throws IOException {
        MemorySegment memory = MemorySegment.ofArray(new long[4]);
        memory.set(JAVA_LONG, 0, 131);
        memory.set(JAVA_LONG, 8, 4);
        memory.set(JAVA_LONG, 16, 1);
        memory.set(JAVA_INT, 24, 2);
        memory.set(JAVA_INT, 28, 0x8000);
        assertThat(ExtentRecord.of(memory)).isEqualTo(new ExtentRecord(Kind.REMOVE, 131, 0x8000, 4, 1));
        memory.set(JAVA_INT, 24, 6);
        assertThatThrownBy(() -> ExtentRecord.of(memory)).hasMessage("a record of XFS's extents is of kind 6");
        assertThatThrownBy(() -> ExtentRecord.of(memory.asSlice(0, 24)))
                .hasMessage("a record of XFS's extents has 24 bytes, not 32");
    }
}
