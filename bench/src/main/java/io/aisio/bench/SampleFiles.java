package io.aisio.bench;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Files for a first try, in folders by class as training sets have them. Their content follows from the seed: the same
 * everywhere, and known again without being stored.
 *
 * @param files name, size and seed of each, in the order of their paths
 */
record SampleFiles(List<SampleFile> files) {
    /** Bytes of a file that are made at a time. */
    private static final int CHUNK = 64 << 10;

    /**
     * A file.
     *
     * @param path from the root of the file system, such as {@code /class003/class003_00000007.bin}
     * @param size in bytes
     * @param seed of its content
     */
    record SampleFile(String path, long size, long seed) {
        /** Writes the content. */
        void writeTo(OutputStream out) throws IOException {
            SplittableRandom random = new SplittableRandom(seed);
            byte[] chunk = new byte[CHUNK];
            for (long done = 0; done < size; done += CHUNK) {
                random.nextBytes(chunk);
                out.write(chunk, 0, (int) Math.min(CHUNK, size - done));
            }
        }

        /** SHA-256 of the content. */
        byte[] digest() throws IOException {
            MessageDigest digest = sha256();
            writeTo(new OutputStream() {
                @Override
                public void write(int b) {
                    digest.update((byte) b);
                }

                @Override
                public void write(byte[] bytes, int offset, int length) {
                    digest.update(bytes, offset, length);
                }
            });
            return digest.digest();
        }
    }

    /** In the shape of imagenetish: 10 classes of 30 files, 75,000 to 150,000 bytes each, and one file of 64 MiB. */
    static SampleFiles imagenetish() {
        List<SampleFile> files = classes(10, 30, 75_000, 150_000);
        files.add(new SampleFile("/large/large_00000000.bin", 64L << 20, 64));
        return new SampleFiles(files);
    }

    /** What the image that comes with the program holds: 4 classes of 8 files, 1,000 to 12,000 bytes each. */
    static SampleFiles small() {
        return new SampleFiles(classes(4, 8, 1_000, 12_000));
    }

    private static List<SampleFile> classes(int classes, int filesPerClass, int minBytes, int maxBytes) {
        List<SampleFile> files = new ArrayList<>();
        for (int c = 0; c < classes; c++) {
            for (int f = 0; f < filesPerClass; f++) {
                long seed = c * 1_000_000L + f;
                long size = new SplittableRandom(~seed).nextInt(minBytes, maxBytes + 1);
                files.add(new SampleFile("/class%03d/class%03d_%08d.bin".formatted(c, c, f), size, seed));
            }
        }
        return files;
    }

    /** The size of all files, in bytes. */
    long bytes() {
        return files.stream().mapToLong(SampleFile::size).sum();
    }

    /** The size of the largest file, in bytes. */
    long largest() {
        return files.stream().mapToLong(SampleFile::size).max().orElse(0);
    }

    /** Writes one of the files below a folder. */
    static void write(SampleFile file, Path folder) throws IOException {
        Path target = folder.resolve(file.path().substring(1));
        Files.createDirectories(target.getParent());
        try (OutputStream out = Files.newOutputStream(target)) {
            file.writeTo(out);
        }
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }
}
