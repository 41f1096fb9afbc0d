package io.aisio.bench;

/** SplitMix64 (Steele, Lea, Flood 2014): 64 random bits from one addition and two multiplications. */
final class SplitMix {
    /** Odd, near 2^64 divided by the golden ratio: steps of it visit every state. */
    static final long GAMMA = 0x9E3779B97F4A7C15L;

    private long state;

    SplitMix(long seed) {
        state = seed;
    }

    long next() {
        return mix(state += GAMMA);
    }

    /** Scatters the bits of a state; a bijection. */
    static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
