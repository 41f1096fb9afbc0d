package io.aisio.fil;

/**
 * The order of files in an epoch: that of their numbers, or shuffled by a seed, the same on every machine. Of it, a shard
 * has every n-th position, so that the shards of an epoch are disjoint, together are all, and differ by one file at most.
 *
 * <p>It is a Fisher-Yates shuffle. Its numbers are those of SplitMix64 (Steele, Lea, Flood: <i>Fast Splittable Pseudorandom
 * Number Generators</i>), begun with the state {@code mix(seed + 0x9E3779B97F4A7C15) + epoch}, each made a number below a bound by the upper half of a
 * 64-bit product of 32-bit factors.
 */
final class Order {
    private static final long GOLDEN = 0x9E37_79B9_7F4A_7C15L;

    /** Null for the order of their numbers. */
    private final int[] files;

    private final int count;
    private final boolean shuffled;
    private final long seed;
    private final int shard;
    private final int shards;

    /**
     * @param files how many there are
     * @param shuffled whether they are shuffled
     * @param seed of the shuffle
     * @param shard 0 to {@code shards - 1}
     */
    Order(int files, boolean shuffled, long seed, int shard, int shards) {
        this.files = new int[shuffled ? files : 0];
        count = files;
        this.shuffled = shuffled;
        this.seed = seed;
        this.shard = shard;
        this.shards = shards;
    }

    /** Files of the shard, in every epoch. */
    int size() {
        return shard < count ? (count - shard - 1) / shards + 1 : 0;
    }

    /** Makes the order of an epoch. */
    void begin(long epoch) {
        if (!shuffled) {
            return;
        }
        for (int i = 0; i < count; i++) {
            files[i] = i;
        }
        long state = mix(seed + GOLDEN) + epoch;
        for (int i = count - 1; i > 0; i--) {
            state += GOLDEN;
            int j = (int) (((mix(state) >>> 32) * (i + 1L)) >>> 32);
            int swapped = files[i];
            files[i] = files[j];
            files[j] = swapped;
        }
    }

    /** The file at a position of the shard. */
    int file(int position) {
        int at = shard + position * shards;
        return shuffled ? files[at] : at;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58_476D_1CE4_E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D0_49BB_1331_11EBL;
        return z ^ (z >>> 31);
    }
}
