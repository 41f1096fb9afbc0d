package io.aisio.bench;

import static java.nio.charset.StandardCharsets.US_ASCII;

/**
 * A class of a {@linkplain DatasetShape shape}: a folder of files.
 *
 * @param name of the folder, such as {@code class001}
 * @param state of the generator before its first file, from the checksum of seed and name
 * @param files how many, at least 1
 * @param firstNumber what its first file is numbered
 */
public record DatasetClass(String name, int state, int files, int firstNumber) {
    /** The class of a number. Its seed is what cksum(1) prints for {@code SEED-classNNN} and a line feed. */
    static DatasetClass of(String seed, int number, int files, int firstNumber) {
        String name = name(number);
        return new DatasetClass(name, seed(seed, name), files, firstNumber);
    }

    static String name(int number) {
        return "class%03d".formatted(number);
    }

    static int seed(String seed, String name) {
        return PosixChecksum.of((seed + "-" + name + "\n").getBytes(US_ASCII));
    }

    /** The same with the first of its files only. */
    DatasetClass first(int count) {
        return new DatasetClass(name, state, count, firstNumber);
    }
}
