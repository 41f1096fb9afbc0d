package io.aisio.bench;

/**
 * Where the next I/Os go. One thread's; numbers only, nothing is allocated.
 *
 * <p>An I/O starts at a multiple of its own size, so that the I/Os of a device either coincide or do not overlap.
 */
sealed interface LbaGenerator {
    /** Sets the first {@code n} of {@code lbas} to the first logical block of the next {@code n} I/Os. */
    void fill(long[] lbas, int n);

    /** The first logical block of the next I/O. */
    long next();

    /**
     * The share of one queue of a device, in I/Os: shares do not overlap, cover the device, and differ by one at most.
     *
     * @param ios how many I/Os the device holds, at least {@code queues}
     * @return a walk over queue {@code queue}'s share from its first block to its last, and again
     */
    static LbaGenerator sequential(long ios, int lbasPerIo, int queue, int queues) {
        long base = ios / queues;
        long remainder = ios % queues;
        long first = queue * base + Math.min(queue, remainder);
        long share = base + (queue < remainder ? 1 : 0);
        return new Sequential(first * lbasPerIo, (first + share) * lbasPerIo, lbasPerIo);
    }

    /**
     * I/Os anywhere on the device, each place equally likely.
     *
     * @param ios how many I/Os the device holds, at least 1
     */
    static LbaGenerator random(long ios, int lbasPerIo, long seed) {
        return new Random(ios, lbasPerIo, seed);
    }

    /** From {@code start} up to {@code end}, and again. */
    final class Sequential implements LbaGenerator {
        private final long start;
        private final long end;
        private final int step;
        private long cursor;

        private Sequential(long start, long end, int step) {
            this.start = start;
            this.end = end;
            this.step = step;
            cursor = start;
        }

        @Override
        public void fill(long[] lbas, int n) {
            long lba = cursor;
            for (int i = 0; i < n; i++) {
                lbas[i] = lba;
                lba += step;
                if (lba == end) {
                    lba = start;
                }
            }
            cursor = lba;
        }

        @Override
        public long next() {
            long lba = cursor;
            cursor = lba + step == end ? start : lba + step;
            return lba;
        }
    }

    /**
     * SplitMix64, scaled to the range by a 128-bit multiplication with rejection (Lemire 2019): exactly uniform over the
     * generator's 64 bits for every size of device, without a division.
     */
    final class Random implements LbaGenerator {
        private final long ios;
        private final int step;
        /** 2^64 mod {@code ios}: as many of the low products must be thrown away for all places to be equally likely. */
        private final long reject;

        private long state;

        private Random(long ios, int step, long seed) {
            this.ios = ios;
            this.step = step;
            reject = Long.remainderUnsigned(-ios, ios);
            state = seed;
        }

        @Override
        public void fill(long[] lbas, int n) {
            long s = state;
            for (int i = 0; i < n; i++) {
                long bits;
                do {
                    s += SplitMix.GAMMA;
                    bits = SplitMix.mix(s);
                } while (bits * ios + Long.MIN_VALUE < reject + Long.MIN_VALUE);
                lbas[i] = Math.unsignedMultiplyHigh(bits, ios) * step;
            }
            state = s;
        }

        @Override
        public long next() {
            long bits;
            do {
                state += SplitMix.GAMMA;
                bits = SplitMix.mix(state);
            } while (bits * ios + Long.MIN_VALUE < reject + Long.MIN_VALUE);
            return Math.unsignedMultiplyHigh(bits, ios) * step;
        }
    }
}
