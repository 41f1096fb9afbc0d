package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.cuda.Cuda;
import io.aisio.cuda.Gpu;
import io.aisio.fil.spi.Backend.Target;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The comparison of all ways into the memory of a GPU, each file by a checksum that the GPU computes. */
@Tag("gpu")
class FileComparisonGpuTest {
    @TempDir
    private Path folder;

    @Test
    void everyWayIntoTheGpuReadsTheSameBytes() throws IOException {
        String missing = Cuda.missing();
        assumeTrue(missing == null, () -> "needs a GPU: " + missing);
        Path image = folder.resolve("sample.xfs");
        XfsImage.unpack(image);
        try (Gpu gpu = Gpu.open(0)) {
            FileComparison.Report report = FileComparison.of(
                            new FileComparison.Options(
                                    null,
                                    image,
                                    "/",
                                    folder,
                                    List.of(),
                                    1,
                                    Duration.ofMillis(20),
                                    0,
                                    2,
                                    1,
                                    64,
                                    0,
                                    "",
                                    Target.of(gpu),
                                    2),
                            what -> {})
                    .run();
            assertThat(report.rows().stream().map(FileComparison.Row::name))
                    .contains("aisio-cpu", "aisio-p2p", "aisio-gpu", "aisio-gpu, gpu:", "cufile", "posix, direct");
            for (FileComparison.Row row : report.rows()) {
                // Files in memory, and file systems that udev does not know, are refused by cuFile.
                if (row.name().equals("cufile") && !row.missing().isEmpty()) {
                    continue;
                }
                assertThat(row.missing()).as(row.name()).isEmpty();
                assertThat(row.failed()).as(row.name()).isZero();
                if (!row.name().equals(FileComparison.CEILING)) {
                    FileRunReport.Verification verification = Objects.requireNonNull(row.verification(), row.name());
                    assertThat(verification.ok())
                            .as("%s: %s", row.name(), verification)
                            .isTrue();
                    assertThat(verification.files()).isEqualTo(32);
                    assertThat(verification.against().contains("the GPU computes"))
                            .as(row.name())
                            .isEqualTo(!row.name().equals("aisio-cpu"));
                }
            }
        }
    }
}
