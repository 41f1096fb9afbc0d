package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.OpenFile;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The fuzz target, on the inputs that once were of interest, and under Jazzer, in a process of its own. How long that
 * searches is told in seconds by {@code -Dfuzz.seconds}, as {@code ./fuzz} does.
 */
class XfsFuzzTest {
    private static final int SECONDS = Integer.getInteger("fuzz.seconds", 20);
    /** A second is what the slowest input takes on a slow machine, under the fuzzer's instrumentation. */
    private static final int SECONDS_AN_INPUT = 20;

    /** Lines of hexadecimal digits, one an input. */
    private static List<byte[]> corpus() throws IOException {
        try (InputStream lines = XfsFuzzTarget.class.getResourceAsStream("corpus.txt")) {
            return new String(lines.readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(HexFormat.of()::parseHex)
                    .toList();
        }
    }

    @Test
    void standsAllInputsOfTheCorpus() throws IOException {
        List<byte[]> corpus = corpus();
        assertThat(corpus).hasSizeGreaterThan(100);
        for (byte[] input : corpus) {
            try {
                XfsFuzzTarget.fuzzerTestOneInput(input);
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("input " + HexFormat.of().formatHex(input) + ": " + e.getMessage(), e);
            }
        }
    }

    @Tag("slow")
    @Test
    void aFuzzerFindsNothing() throws Exception {
        String architecture = System.getProperty("os.arch");
        assumeTrue(
                List.of("amd64", "aarch64").contains(architecture),
                "needs a machine for which Jazzer has its native part (x86-64, aarch64), this is " + architecture);
        assumeTrue(System.getProperty("basedir") != null, "needs Jazzer, which only the build has");
        Path folder = Path.of(System.getProperty("basedir"), "target", "fuzz");
        Path inputs = Files.createDirectories(folder.resolve("corpus"));
        for (byte[] input : corpus()) {
            Files.write(inputs.resolve("seed-" + Integer.toHexString(java.util.Arrays.hashCode(input))), input);
        }
        Path log = folder.resolve("log");
        Process fuzzer = new ProcessBuilder(command(folder, inputs))
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            fuzzer.waitFor();
        } finally {
            fuzzer.destroyForcibly();
        }
        String said = Files.readString(log, StandardCharsets.ISO_8859_1);
        if (fuzzer.exitValue() != 0) {
            List<String> telling = said.lines()
                    .filter(line -> line.contains("Exception")
                            || line.contains("Error")
                            || line.contains("Test unit written")
                            || line.startsWith("\tat io.aisio"))
                    .limit(30)
                    .toList();
            fail(
                    "Jazzer ended with exit code %d; its log is %s\n%s",
                    fuzzer.exitValue(), log, String.join("\n", telling));
        }
        assertThat(said.lines().filter(line -> line.startsWith("Done ")))
                .as("it ran to its end: %s", log)
                .hasSize(1);
        assertThat(runs(said)).as("inputs tried: %s", log).isGreaterThan(corpus().size());
    }

    private static long runs(String said) {
        String line =
                said.lines().filter(l -> l.startsWith("Done ")).findFirst().orElseThrow();
        return Long.parseLong(line.split(" ", -1)[1]);
    }

    private static List<String> command(Path folder, Path inputs) throws Exception {
        String classes = Stream.concat(
                        jazzer(),
                        Stream.of(
                                Path.of(System.getProperty("basedir"), "target", "test-classes")
                                        .toString(),
                                home(XfsVolume.class),
                                home(OpenFile.class)))
                .collect(Collectors.joining(File.pathSeparator));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-ea",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classes,
                "com.code_intelligence.jazzer.Jazzer",
                "--target_class=" + XfsFuzzTarget.class.getName(),
                "--instrumentation_includes=io.aisio.xal.**",
                // Its hooks look for injections into databases, shells and the like.
                "--disabled_hooks=com.code_intelligence.jazzer.sanitizers.**",
                "--reproducer_path=" + folder));
        command.addAll(List.of(
                "-max_total_time=" + SECONDS,
                "-timeout=" + SECONDS_AN_INPUT,
                "-rss_limit_mb=4096",
                "-max_len=200",
                "-print_final_stats=1",
                "-artifact_prefix=" + folder + File.separator,
                inputs.toString()));
        return command;
    }

    private static Stream<String> jazzer() {
        List<String> jars = Stream.of("java.class.path", "surefire.test.class.path", "jdk.module.path")
                .flatMap(property -> Stream.of(System.getProperty(property, "").split(File.pathSeparator, -1)))
                .filter(path -> Path.of(path).getFileName() != null
                        && Path.of(path).getFileName().toString().startsWith("jazzer-"))
                .distinct()
                .toList();
        assertThat(jars).as("Jazzer is among the tests' dependencies").hasSize(2);
        return jars.stream();
    }

    private static String home(Class<?> type) throws Exception {
        return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI())
                .toString();
    }
}
