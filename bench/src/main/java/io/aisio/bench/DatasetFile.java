package io.aisio.bench;

import java.nio.ByteBuffer;

/**
 * A file of a {@linkplain DatasetShape shape}: its name, its size, and what its content follows from.
 *
 * <p>Each file takes 13 steps of a linear congruential generator of 32 bits: one for its size, eight for the key of
 * AES-256 and four for the counter that it begins with, both of them the words in big-endian order.
 *
 * @param path from the folder of the set, such as {@code class001/class001_00000001.bin}
 * @param size in bytes
 * @param state of the generator before the file's first step
 */
public record DatasetFile(String path, long size, int state) {
    /** Steps that a file takes of the generator. */
    static final int STEPS = 1 + 8 + 4;

    private static final int KEY_BYTES = 32;
    private static final int COUNTER_BYTES = 16;

    /** The generator of Numerical Recipes (chapter 7.1), modulo 2<sup>32</sup>. */
    private static final int MULTIPLIER = 1_664_525;

    private static final int INCREMENT = 1_013_904_223;

    /** All steps of a file as one, which again multiplies and adds. */
    private static final int FILE_INCREMENT = steps(0, STEPS);

    private static final int FILE_MULTIPLIER = steps(1, STEPS) - FILE_INCREMENT;

    /** The state a number of steps later. */
    private static int steps(int state, int count) {
        int s = state;
        for (int i = 0; i < count; i++) {
            s = step(s);
        }
        return s;
    }

    /** The state a step later. */
    static int step(int state) {
        return MULTIPLIER * state + INCREMENT;
    }

    /** The state after a file, which is the next one's before. */
    static int after(int state) {
        return FILE_MULTIPLIER * state + FILE_INCREMENT;
    }

    /** The name of its folder, which is its class. */
    public String className() {
        return path.substring(0, path.indexOf('/'));
    }

    /** The last part of its path. */
    public String name() {
        return path.substring(path.indexOf('/') + 1);
    }

    /** The 32 bytes of its key. */
    byte[] key() {
        return words(step(state), KEY_BYTES);
    }

    /** The 16 bytes of its first counter block, which openssl(1) calls the IV. */
    byte[] counter() {
        return words(steps(state, 1 + KEY_BYTES / Integer.BYTES), COUNTER_BYTES);
    }

    private static byte[] words(int before, int bytes) {
        ByteBuffer words = ByteBuffer.allocate(bytes);
        int s = before;
        while (words.hasRemaining()) {
            s = step(s);
            words.putInt(s);
        }
        return words.array();
    }
}
