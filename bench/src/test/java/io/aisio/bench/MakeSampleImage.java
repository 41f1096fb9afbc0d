package io.aisio.bench;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;

/**
 * Makes {@code sample.xfs.gz}, the image that quickstart falls back on. Run it from the repository's root on the test
 * class path, with an mkfs.xfs of version 6; then {@code XfsImageTest} passes again. Not a test.
 */
final class MakeSampleImage {
    private MakeSampleImage() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("sample-image-");
        for (SampleFiles.SampleFile file : SampleFiles.small().files()) {
            SampleFiles.write(file, folder.resolve("files"));
        }
        Path image = folder.resolve("image");
        // 20 MiB, below what mkfs.xfs makes for people: these three variables say that it is for tests.
        XfsImage.make(
                XfsImage.mkfs().orElseThrow(),
                20L << 20,
                java.util.Map.of("TEST_DEV", "none", "TEST_DIR", "none", "QA_CHECK_FS", "1"),
                SampleFiles.small(),
                folder.resolve("files"),
                image);
        Path target = Path.of("bench/src/main/resources/io/aisio/bench/sample.xfs.gz");
        Files.createDirectories(target.getParent());
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(target))) {
            Files.copy(image, out);
        }
        System.out.println(target + ": " + Files.size(target) + " bytes");
    }
}
