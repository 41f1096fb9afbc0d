package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The fuzz target of the protocol: on inputs that once were of interest, on random ones, and under Jazzer, in a process of its
 * own. How long that searches is told in seconds by {@code -Dfuzz.seconds}, as {@code ./fuzz} does.
 */
class ProtocolFuzzTest {
    private static final int SECONDS = Integer.getInteger("fuzz.seconds", 3);
    private static final int SECONDS_AN_INPUT = 30;
    private static final int RANDOM_INPUTS = 60;

    @AfterAll
    static void endTheDaemon() throws IOException {
        ProtocolFuzzTarget.end();
    }

    /** Lines of hexadecimal digits, one an input. */
    private static List<byte[]> corpus() throws IOException {
        try (InputStream lines = ProtocolFuzzTarget.class.getResourceAsStream("corpus.txt")) {
            return new String(lines.readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(HexFormat.of()::parseHex)
                    .toList();
        }
    }

    private static void stands(byte[] input) {
        try {
            ProtocolFuzzTarget.fuzzerTestOneInput(input);
        } catch (Exception | AssertionError e) {
            throw new AssertionError("input " + HexFormat.of().formatHex(input) + ": " + e.getMessage(), e);
        }
    }

    @Test
    void standsAllInputsOfTheCorpus() throws IOException {
        corpus().forEach(ProtocolFuzzTest::stands);
    }

    @Test
    void standsRandomInputs() {
        Random random = new Random(22);
        for (int i = 0; i < RANDOM_INPUTS; i++) {
            byte[] input = new byte[random.nextInt(200)];
            random.nextBytes(input);
            stands(input);
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
    }

    private static List<String> command(Path folder, Path inputs) throws Exception {
        String classes = Stream.concat(
                        jazzer(), Stream.of(Child.classPath(), home(org.assertj.core.api.Assertions.class)))
                .collect(Collectors.joining(File.pathSeparator));
        return new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-ea",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classes,
                "com.code_intelligence.jazzer.Jazzer",
                "--target_class=" + ProtocolFuzzTarget.class.getName(),
                "--instrumentation_includes=io.aisio.homi.**",
                // Its hooks look for injections into databases, shells and the like.
                "--disabled_hooks=com.code_intelligence.jazzer.sanitizers.**",
                "--reproducer_path=" + folder,
                "-max_total_time=" + SECONDS,
                "-timeout=" + SECONDS_AN_INPUT,
                "-rss_limit_mb=4096",
                "-max_len=400",
                "-print_final_stats=1",
                "-artifact_prefix=" + folder + File.separator,
                inputs.toString()));
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
