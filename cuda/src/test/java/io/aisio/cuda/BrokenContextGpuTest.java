package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A kernel that goes wrong breaks the context for the rest of the process, which goes on. */
@Tag("gpu")
class BrokenContextGpuTest {
    @TempDir
    Path folder;

    @Test
    void illegalAddressIsAnExceptionAndWhatComesAfterSaysWhatBrokeTheContext() throws Exception {
        TestGpu.assume();
        TestGpu.assumeNvrtc();
        Path output = folder.resolve("output");
        Process process = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-ea",
                        "-Xmx256m",
                        "-XX:ErrorFile=" + folder.resolve("crash"),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        classPath(),
                        BrokenContext.class.getName()))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = process.waitFor(60, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly().waitFor();
        }
        List<String> lines = Files.readAllLines(output);
        assertThat(ended).as("%s", lines).isTrue();
        assertThat(process.exitValue()).as("%s", lines).isZero();
        assertThat(lines).hasSize(4);
        assertThat(lines.get(0))
                .startsWith("first: cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS: a kernel went wrong");
        assertThat(lines.get(1))
                .startsWith(
                        "then: the GPU's context is broken, start the program anew; it was broken by cuStreamSynchronize");
        assertThat(lines.get(2)).isEqualTo("code: 700 CUDA_ERROR_ILLEGAL_ADDRESS");
        assertThat(lines.get(3)).isEqualTo("closed");
    }

    /** These tests' classes, and all that this process has, as a module path or a class path. */
    private static String classPath() {
        String name = BrokenContext.class.getName().replace('.', '/') + ".class";
        String file = Objects.requireNonNull(
                        BrokenContext.class.getClassLoader().getResource(name))
                .getPath();
        String classes =
                java.net.URLDecoder.decode(file, StandardCharsets.UTF_8).substring(0, file.length() - name.length());
        return Stream.of(classes, System.getProperty("jdk.module.path"), System.getProperty("java.class.path"))
                .filter(path -> path != null && !path.isEmpty())
                .collect(Collectors.joining(File.pathSeparator));
    }
}
