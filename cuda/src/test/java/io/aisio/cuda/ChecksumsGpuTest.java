package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** CRC-32C on the GPU against the JDK's. */
@Tag("gpu")
class ChecksumsGpuTest {
    @Test
    void sumsAreTheJdksForRangesOfAnyLengthAnywhere() throws CudaException {
        TestGpu.assume();
        byte[] bytes = new byte[8 << 20];
        Random random = new Random(42);
        random.nextBytes(bytes);
        int count = 3000;
        long[] offsets = new long[count];
        long[] lengths = new long[count];
        for (int i = 0; i < count; i++) {
            // Short ones at each alignment, around a block's round of 1 KiB, then any.
            lengths[i] =
                    i < 200 ? i / 4 : i < 300 ? 1000 + i % 50 : i == 300 ? bytes.length - 3 : random.nextInt(100_000);
            offsets[i] = i < 300 ? 4096 + i % 7 : i == 300 ? 3 : random.nextInt(bytes.length - 100_000);
        }
        try (Gpu gpu = Gpu.open(0);
                GpuMemory memory = gpu.allocate(bytes.length);
                Checksums checksums = Checksums.open(gpu, count)) {
            memory.write(0, MemorySegment.ofArray(bytes));
            int[] sums = new int[count];
            checksums.crc32c(memory, offsets, lengths, count, sums);
            for (int i = 0; i < count; i++) {
                CRC32C crc = new CRC32C();
                crc.update(bytes, (int) offsets[i], (int) lengths[i]);
                assertThat(sums[i]).as("%d bytes at %d", lengths[i], offsets[i]).isEqualTo((int) crc.getValue());
            }
            int[] again = new int[count];
            checksums.begin(memory, offsets, lengths, 10);
            assertThatThrownBy(() -> checksums.begin(memory, offsets, lengths, 1))
                    .isInstanceOf(IllegalStateException.class);
            checksums.end(again);
            assertThat(again).startsWith(java.util.Arrays.copyOf(sums, 10));
            assertThatThrownBy(() -> checksums.end(again)).isInstanceOf(IllegalStateException.class);
            checksums.crc32c(memory, offsets, lengths, 0, again);
            lengths[0] = memory.size() + 1;
            assertThatThrownBy(() -> checksums.crc32c(memory, offsets, lengths, 1, again))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> checksums.crc32c(memory, offsets, lengths, count + 1, again))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }
}
