package io.aisio.bench;

import io.aisio.xal.FileBlocks;
import io.aisio.xal.Index;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What the launcher lets run once after a build, so that the JVM keeps what it learned (JEP 514, 515): the index of a
 * small file system, again and again. It needs no program and no root.
 */
public final class Training {
    /** So long it takes: each method on the way has been called some 10,000 times by then. */
    private static final long NANOS = 1_500_000_000L;

    private Training() {}

    /**
     * Trains.
     *
     * @throws IOException if the image that comes with the program cannot be unpacked or read
     */
    public static void run() throws IOException {
        Path folder = Files.createTempDirectory("aisio-training-");
        Path image = folder.resolve("sample.xfs");
        try {
            XfsImage.unpack(image);
            long begun = System.nanoTime();
            do {
                try (FileBlocks blocks = FileBlocks.open(image);
                        Xal xal = Xal.open(blocks);
                        Index index = xal.index()) {
                    if (!index.problems().isEmpty()) {
                        throw new IOException("the image that comes with the program: "
                                + index.problems().getFirst());
                    }
                }
            } while (System.nanoTime() - begun < NANOS);
        } finally {
            Files.deleteIfExists(image);
            Files.deleteIfExists(folder);
        }
    }
}
