package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernels' sources as they are packaged, and the PTX that is made of them. */
class KernelSourcesTest {
    /** Tests run in their room's folder, or far from any (the test image). */
    private static final Path KERNELS = Path.of("src/main/resources/io/aisio/cuda/kernels");

    @TempDir
    Path folder;

    @Test
    void programHasTheFilesWithTheirNames() {
        assertThat(KernelSources.ours().program())
                .contains("#line 1 \"memory.cu\"")
                .contains("aisio_crc32c");
    }

    @Test
    void everyFileIsListed() throws IOException {
        assumeTrue(Files.isDirectory(KERNELS), "needs the sources");
        List<String> listed = Files.readAllLines(KERNELS.resolve("list"));
        try (Stream<Path> files = Files.walk(KERNELS)) {
            assertThat(files.filter(Files::isRegularFile)
                            .map(file -> KERNELS.relativize(file).toString())
                            .filter(name -> !name.equals("list")))
                    .containsExactlyInAnyOrderElementsOf(listed)
                    .allMatch(name -> name.endsWith(".cu") || name.endsWith(".cuh"));
        }
    }

    @Test
    void documentedExampleIsWhatTheGpuTestRuns() throws IOException {
        Path document = Path.of("../docs/gpu.md");
        assumeTrue(Files.isRegularFile(document), "needs the sources");
        assertThat(DocumentedExample.inDocument(document)).isEqualTo(DocumentedExample.kernel());
    }

    @Test
    void shippedPtxIsOfTheseSources() {
        assertThat(KernelSources.hashOf(KernelSources.shipped()))
                .as("what sources aisio.ptx was made of; if they changed, run cuda/make-ptx")
                .isEqualTo(KernelSources.ours().hash());
        assertThat(KernelSources.hashOf("// something else")).isEmpty();
        assertThat(KernelSources.hashOf("")).isEmpty();
    }

    /** Whoever has the compiler that it was made with gets the same text. */
    @Test
    void shippedPtxIsWhatNvccMakes() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("make-ptx")), "needs the sources");
        assumeTrue(Files.isExecutable(Path.of("/usr/local/cuda/bin/nvcc")), "needs nvcc of CUDA 13.0");
        Path made = folder.resolve("made.ptx");
        Process process = new ProcessBuilder("./make-ptx", made.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(said).isZero();
        String text = Files.readString(made);
        assumeTrue(compiler(text).equals(compiler(KernelSources.shipped())), "needs nvcc of CUDA 13.0");
        assertThat(text).isEqualTo(KernelSources.shipped());
    }

    private static String compiler(String ptx) {
        return ptx.lines()
                .filter(line -> line.startsWith("// Cuda compilation tools"))
                .findFirst()
                .orElse("");
    }
}
