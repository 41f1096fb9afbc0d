package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import org.junit.jupiter.api.Test;

class LbaGeneratorTest {
    @Test
    void reachesEveryPlaceOfADeviceEquallyOften() {
        int ios = 1_000_003;
        int bins = 64;
        int samples = 1_000_000;
        long[] lbas = new long[1000];
        double[] counts = new double[bins];
        LbaGenerator random = LbaGenerator.random(ios, 8, 1);
        for (int round = 0; round < samples / lbas.length; round++) {
            random.fill(lbas, lbas.length);
            for (long lba : lbas) {
                assertThat(lba % 8).isZero();
                counts[(int) (lba / 8 * bins / ios)]++;
            }
        }
        double chiSquare = 0;
        double expected = (double) samples / bins;
        for (double count : counts) {
            chiSquare += (count - expected) * (count - expected) / expected;
        }
        // With 63 degrees of freedom, 113 is exceeded once in ten thousand seeds, and less than 21 as seldom.
        assertThat(chiSquare).isBetween(21.0, 113.0);
    }

    @Test
    void reachesBeyondFourBillionBlocks() {
        long ios = 1L << 41;
        BitSet sixteenths = new BitSet();
        BitSet highBits = new BitSet();
        LbaGenerator random = LbaGenerator.random(ios, 1, 7);
        for (int i = 0; i < 10_000; i++) {
            long lba = random.next();
            assertThat(lba).isBetween(0L, ios - 1);
            sixteenths.set((int) (lba / (ios / 16)));
            highBits.or(BitSet.valueOf(new long[] {lba}));
        }
        assertThat(sixteenths.cardinality()).isEqualTo(16);
        assertThat(highBits.cardinality()).isEqualTo(41);
    }

    @Test
    void rejectsWhatWouldFavourSomePlaces() {
        // 2^64 is 8/3 of this: without rejection every third place would come in 2 of 8 draws instead of 1 of 3.
        LbaGenerator random = LbaGenerator.random(3L << 61, 1, 3);
        int draws = 300_000;
        int[] counts = new int[3];
        for (int i = 0; i < draws; i++) {
            counts[(int) (random.next() % 3)]++;
        }
        for (int count : counts) {
            assertThat((double) count / draws).isBetween(0.33, 0.337);
        }
    }

    @Test
    void reachesTheFirstAndTheLastPlaceOfSmallDevices() {
        for (int ios = 1; ios <= 5; ios++) {
            LbaGenerator random = LbaGenerator.random(ios, 16, ios);
            BitSet seen = new BitSet();
            for (int i = 0; i < 1000; i++) {
                seen.set((int) (random.next() / 16));
            }
            assertThat(seen.cardinality()).isEqualTo(ios);
            assertThat(seen.length()).isEqualTo(ios);
        }
    }

    @Test
    void givesTheSameNumbersOneByOneAndInBatches() {
        for (boolean random : new boolean[] {false, true}) {
            LbaGenerator batch = random ? LbaGenerator.random(1000, 4, 5) : LbaGenerator.sequential(1000, 4, 1, 3);
            LbaGenerator single = random ? LbaGenerator.random(1000, 4, 5) : LbaGenerator.sequential(1000, 4, 1, 3);
            long[] lbas = new long[700];
            batch.fill(lbas, 700);
            for (long lba : lbas) {
                assertThat(single.next()).isEqualTo(lba);
            }
        }
    }

    @Test
    void walksDisjointRangesThatCoverTheDevice() {
        for (int ios : new int[] {7, 8, 100, 1023}) {
            for (int queues : new int[] {1, 2, 3, 7}) {
                BitSet seen = new BitSet();
                for (int queue = 0; queue < queues; queue++) {
                    int share = ios / queues + (queue < ios % queues ? 1 : 0);
                    long[] lbas = new long[2 * share];
                    LbaGenerator.sequential(ios, 8, queue, queues).fill(lbas, lbas.length);
                    for (int i = 0; i < share; i++) {
                        assertThat(lbas[i]).isEqualTo(lbas[0] + i * 8L);
                        assertThat(lbas[share + i]).as("the second lap").isEqualTo(lbas[i]);
                        assertThat(seen.get((int) (lbas[i] / 8)))
                                .as("met by two queues")
                                .isFalse();
                        seen.set((int) (lbas[i] / 8));
                    }
                }
                assertThat(seen.cardinality()).isEqualTo(ios);
                assertThat(seen.length()).isEqualTo(ios);
            }
        }
    }

    @Test
    void ordersVisitEachNumberOnceAndScatterNeighbours() {
        for (int count : new int[] {1, 2, 3, 64, 4096, 10_007}) {
            Order order = Order.scattered(count, 9);
            BitSet seen = new BitSet();
            int neighbours = 0;
            int last = -2;
            while (order.hasNext()) {
                int next = order.next();
                seen.set(next);
                neighbours += Math.abs(next - last) == 1 ? 1 : 0;
                last = next;
            }
            assertThat(seen.cardinality()).isEqualTo(count);
            assertThat(seen.length()).isEqualTo(count);
            if (count > 3) {
                assertThat(neighbours).isLessThan(2);
            }
        }
    }
}
