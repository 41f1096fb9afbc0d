package io.aisio.bench;

/** The numbers from 0 up to a count, each once, in some order; no list of them is kept. */
final class Order {
    private final int count;
    private final int step;
    private int at;
    private int left;

    private Order(int count, int start, int step) {
        this.count = count;
        this.step = step;
        at = start;
        left = count;
    }

    static Order ascending(int count) {
        return new Order(count, 0, 1);
    }

    /** Neighbours in this order lie far apart: steps of about 0.618 of the count, which have no divisor with it. */
    static Order scattered(int count, long seed) {
        int step = Math.max(1, (int) (count * 0.6180339887498949));
        while (divisor(step, count) != 1) {
            step++;
        }
        return new Order(count, (int) Math.unsignedMultiplyHigh(SplitMix.mix(seed), count), step);
    }

    private static int divisor(int a, int b) {
        return b == 0 ? a : divisor(b, a % b);
    }

    boolean hasNext() {
        return left > 0;
    }

    int next() {
        int next = at;
        left--;
        at = (int) (((long) at + step) % count);
        return next;
    }
}
