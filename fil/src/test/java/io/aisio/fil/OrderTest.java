package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OrderTest {
    private static int[] all(Order order, long epoch) {
        order.begin(epoch);
        return IntStream.range(0, order.size()).map(order::file).toArray();
    }

    private static Order shuffled(int files, long seed) {
        return new Order(files, true, seed, 0, 1);
    }

    /** Pinned: what another machine, another language or a later version must give too. */
    @Test
    void isTheSameOnEveryMachine() {
        assertThat(all(shuffled(10, 42), 0)).containsExactly(PINNED_42_0);
        assertThat(all(shuffled(10, 42), 1)).containsExactly(PINNED_42_1);
        assertThat(Arrays.hashCode(all(shuffled(1_199_379, 42), 7))).isEqualTo(PINNED_HASH);
    }

    private static final int[] PINNED_42_0 = {1, 7, 2, 5, 6, 4, 0, 9, 8, 3};
    private static final int[] PINNED_42_1 = {3, 0, 6, 8, 4, 5, 1, 7, 2, 9};
    private static final int PINNED_HASH = 1_064_281_300;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 100, 4097})
    void hasEachFileOnceInEachEpoch(int files) {
        Order order = shuffled(files, 7);
        for (long epoch = 0; epoch < 3; epoch++) {
            assertThat(Arrays.stream(all(order, epoch)).sorted().toArray())
                    .isEqualTo(IntStream.range(0, files).toArray());
        }
    }

    @Test
    void differsBySeedAndEpochAndIsToldAgain() {
        Order order = shuffled(1000, 7);
        int[] first = all(order, 0);
        int[] second = all(order, 1);
        assertThat(second).isNotEqualTo(first);
        assertThat(all(shuffled(1000, 8), 0)).isNotEqualTo(first).isNotEqualTo(second);
        assertThat(all(order, 0)).isEqualTo(first);
    }

    /** Each file comes to each place about as often: chi-squared of 20 files, 20,000 epochs, far from what chance gives. */
    @Test
    void isFair() {
        int files = 20;
        int epochs = 20_000;
        int[][] seen = new int[files][files];
        Order order = shuffled(files, 3);
        for (long epoch = 0; epoch < epochs; epoch++) {
            int[] now = all(order, epoch);
            for (int place = 0; place < files; place++) {
                seen[place][now[place]]++;
            }
        }
        double expected = (double) epochs / files;
        double chi = 0;
        for (int[] place : seen) {
            for (int count : place) {
                chi += (count - expected) * (count - expected) / expected;
            }
        }
        // 19 x 19 degrees of freedom: mean 361, standard deviation 27.
        assertThat(chi).isBetween(361 - 5 * 27.0, 361 + 5 * 27.0);
    }

    @ParameterizedTest
    @CsvSource({"10, 1", "10, 3", "10, 10", "7, 9", "1, 4", "1000, 7"})
    void shardsAreDisjointAndTogetherAll(int files, int shards) {
        for (boolean shuffle : new boolean[] {false, true}) {
            int[] together = IntStream.range(0, shards)
                    .mapToObj(shard -> new Order(files, shuffle, 5, shard, shards))
                    .peek(order -> assertThat(order.size()).isBetween(files / shards, files / shards + 1))
                    .flatMapToInt(order -> Arrays.stream(all(order, 2)))
                    .sorted()
                    .toArray();
            assertThat(together).isEqualTo(IntStream.range(0, files).toArray());
        }
    }

    @Test
    void keepsTheNumbersWithoutAShuffle() {
        assertThat(all(new Order(6, false, 0, 1, 2), 3)).containsExactly(1, 3, 5);
    }
}
