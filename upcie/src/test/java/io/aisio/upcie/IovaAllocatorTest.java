package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.IovaRange;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class IovaAllocatorTest {
    private static final long MIB = 1L << 20;
    /** As Intel's IOMMU has them at its least width, 39 bits. */
    private static final List<IovaRange> INTEL =
            List.of(new IovaRange(0, 0xFEDF_FFFFL), new IovaRange(0xFEF0_0000L, (1L << 39) - 1));

    private record Taken(long at, long bytes) {}

    @Test
    void beginsAtFourGigabytesSoThatACutAddressIsNoneOfOurs() throws Exception {
        assertThat(new IovaAllocator(INTEL).allocate(2 * MIB, 2 * MIB)).isEqualTo(1L << 32);
    }

    @Test
    void takesWhatLiesBelowWhenNothingElseIsLeft() throws Exception {
        var allocator = new IovaAllocator(List.of(new IovaRange(0, 8 * MIB - 1)));
        assertThat(allocator.allocate(2 * MIB, 2 * MIB)).isEqualTo(2 * MIB);
    }

    @Test
    void staysOutsideWhatIsReservedAndLeavesAPageBetween() throws Exception {
        Random random = new Random(7);
        for (int round = 0; round < 50; round++) {
            List<IovaRange> ranges = new ArrayList<>();
            long at = random.nextInt(1 << 20);
            for (int i = 0; i < 1 + random.nextInt(4); i++) {
                long first = at + random.nextLong(1L << (20 + random.nextInt(16)));
                long last = first + random.nextLong(1L << (20 + random.nextInt(18)));
                ranges.add(new IovaRange(first, last));
                at = last + 1;
            }
            var allocator = new IovaAllocator(ranges);
            List<Taken> taken = new ArrayList<>();
            for (int step = 0; step < 200; step++) {
                if (!taken.isEmpty() && random.nextInt(3) == 0) {
                    Taken gone = taken.remove(random.nextInt(taken.size()));
                    allocator.free(gone.at, gone.bytes);
                } else {
                    long bytes = 4096L * (1 + random.nextInt(2048));
                    long alignment = 4096L << random.nextInt(10);
                    try {
                        Taken next = new Taken(allocator.allocate(bytes, alignment), bytes);
                        requireRight(next, alignment, taken, ranges);
                        taken.add(next);
                    } catch (IOException e) {
                        assertThat(e).hasMessageContaining("I/O virtual addresses");
                    }
                }
            }
        }
    }

    private static void requireRight(Taken next, long alignment, List<Taken> taken, List<IovaRange> ranges) {
        assertThat(next.at % alignment).isZero();
        assertThat(ranges)
                .as("%s lies within one of the ranges", next)
                .anyMatch(range -> range.first() <= next.at && next.at + next.bytes - 1 <= range.last());
        assertThat(taken)
                .as("%s is apart from the others", next)
                .allMatch(other -> next.at >= other.at + other.bytes + 4096 || next.at + next.bytes + 4096 <= other.at);
    }

    @Test
    void joinsWhatIsGivenBack() throws Exception {
        var allocator = new IovaAllocator(List.of(new IovaRange(1L << 32, (1L << 32) + 64 * MIB - 1)));
        List<Long> all = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            all.add(allocator.allocate(MIB, 4096));
        }
        for (long at : all) {
            allocator.free(at, MIB);
        }
        assertThat(allocator.allocate(64 * MIB - 4096, 4096)).isEqualTo(1L << 32);
    }

    @Test
    void doesNotTrustRangesThatMakeNoSense() {
        var allocator = new IovaAllocator(List.of(
                new IovaRange(-1, 5), new IovaRange(10 * MIB, 5), new IovaRange(0, 100), new IovaRange(-8, -1)));
        assertThatThrownBy(() -> allocator.allocate(4096, 4096)).isInstanceOf(IOException.class);
        assertThat(new IovaAllocator(List.of(new IovaRange(0, -1)))).isNotNull();
    }
}
