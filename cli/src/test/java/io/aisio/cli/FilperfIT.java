package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.bench.DatasetFolder;
import io.aisio.bench.DatasetImage;
import io.aisio.bench.DatasetShape;
import io.aisio.cuda.Cuda;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code filperf} as a person runs it, over an image and a folder with the same few files. */
@Tag("slow")
class FilperfIT {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final int FILES = 24;

    @TempDir
    private static Path folder;

    private static String image = "";
    private static String files = "";

    @BeforeAll
    static void makeFiles() throws IOException {
        assumeTrue(
                Stream.of("/sbin/mkfs.xfs", "/usr/sbin/mkfs.xfs").map(Path::of).anyMatch(Files::isExecutable),
                "needs mkfs.xfs (apt-get install xfsprogs)");
        DatasetShape shape = DatasetShape.of("imagenetish").scaled(0.000_02);
        Path made = folder.resolve("set.img");
        DatasetImage.make(shape, made, false, line -> {});
        image = "emu:" + made + "?readonly";
        files = folder.resolve("set").toString();
        DatasetFolder.make(shape, Path.of(files), false, line -> {});
    }

    private static Shell aisio(String... arguments) {
        return Shell.aisio(arguments).within(PATIENCE);
    }

    private static JsonNode json(Shell.Result result) {
        return JsonMapper.builder().build().readTree(result.out());
    }

    @Test
    void readsAnImageAndVerifiesItByItsShape() {
        JsonNode json = json(aisio("filperf", "--data-dir", "/", "--verify", "--shuffle", "--output", "json", image)
                .run()
                .succeeds());
        assertThat(json.path("schema").asString()).isEqualTo("aisio.filperf.run/1");
        assertThat(json.at("/read/files").asInt()).isEqualTo(FILES);
        assertThat(json.at("/verification/files").asInt()).isEqualTo(FILES);
        assertThat(json.at("/verification/mismatches").asInt(-1)).isZero();
        assertThat(json.at("/paths/0").asString()).contains("user-space queue pairs");
    }

    @Test
    void readsAFolderAndTellsHowFast() {
        aisio("filperf", "run", "--backend", "posix", "--data-dir", "/", "--epochs", "3", "--batch-size", "5", files)
                .run()
                .succeeds()
                .prints(
                        "- path: " + files + ": kernel, pread",
                        "Files/s",
                        "Batch latency   p50 ",
                        "Batches                 15 ",
                        "Files read              72 ");
        Shell.Result csv = aisio("filperf", "--backend=posix", "--data-dir=/", "--output=csv", "--summary", files)
                .run()
                .succeeds()
                .says("path: " + files, "Summary:");
        assertThat(csv.out()).matches("Time, Batches, IOPS, MiB/s\n\\d+\\.\\d\\d, 1, \\d+\\.\\d\\d, \\d+\\.\\d\\d\n");
    }

    @Test
    void findsAFileThatDiffers(@TempDir Path other) throws IOException {
        Path copy = other.resolve("class001/class001_00000001.bin");
        DatasetShape shape = DatasetShape.of("imagenetish").scaled(0.000_02);
        DatasetFolder.make(shape, other, true, line -> {});
        byte[] damaged = Files.readAllBytes(copy);
        damaged[12_345] ^= 1;
        Files.write(copy, damaged);
        Shell.Result result = aisio("filperf", "--data-dir", "/", "--verify-against", other.toString(), image)
                .run()
                .exits(Exit.FAILED)
                .prints("Mismatches               1");
        assertThat(result.err()).contains("  MISMATCH /class001/class001_00000001.bin differs from byte 12345 on;");
    }

    @Test
    void saysWhatIsWrong() {
        aisio("filperf", "--data-dir", "/none", image).run().failsWith(Exit.FAILED, "/none", "no such file");
        aisio("filperf", "--data-dir", "/", "--backend", "tape", image)
                .run()
                .failsWith(
                        Exit.FAILED,
                        "'tape' is no backend",
                        "aisio-cpu, aisio-gpu, aisio-p2p, cufile, io_uring, posix");
    }

    @Test
    void saysWhyThereIsNoGpu() {
        String missing = Cuda.missing();
        assumeTrue(missing != null, "needs a machine without a GPU");
        for (String how : List.of("--backend=aisio-p2p", "--backend=aisio-gpu", "--backend=cufile", "--gpu-id=0")) {
            aisio("filperf", "--data-dir=/", how, image).run().failsWith(Exit.FAILED, missing);
        }
        aisio("filperf", "compare", "--backend=aisio-gpu").run().failsWith(Exit.FAILED, missing);
    }

    @Test
    void reportsWhatWasReadUntilCtrlC() {
        Shell.Running running = Shell.program(
                        "/usr/bin/env",
                        "--default-signal=INT",
                        Shell.ROOT.resolve("aisio").toString(),
                        "filperf",
                        "--data-dir=/",
                        "--epochs=1000000000",
                        image)
                .with("AISIO_BUILD", "never")
                .within(PATIENCE)
                .start();
        running.awaitsThread("aisio-batches");
        running.signal("INT");
        Shell.Result result = running.await();
        result.exits(Exit.INTERRUPTED)
                .prints("Summary, of what was read until it was stopped:")
                .says("interrupted");
    }

    @Test
    void comparesAllBackendsAndLeavesNothing(@TempDir Path work) throws IOException {
        JsonNode json = json(aisio(
                        "filperf",
                        "compare",
                        "--dataset=imagenetish",
                        "--scale=0.00001",
                        "--rounds=1",
                        "--runtime=0.02",
                        "--output=json",
                        "--folder=" + work)
                .run()
                .succeeds());
        assertThat(json.path("ok").asBoolean()).isTrue();
        assertThat(json.path("rows").valueStream().map(row -> row.path("name").asString()))
                .contains("aisio-cpu", "posix, direct", "posix, buffered", "io_uring, direct", "ceiling");
        for (JsonNode row : json.path("rows")) {
            if (!row.path("verification").isMissingNode()) {
                assertThat(row.at("/verification/files").asInt())
                        .as(row.toString())
                        .isEqualTo(12);
                assertThat(row.at("/verification/mismatches").asInt(-1))
                        .as(row.toString())
                        .isZero();
            }
        }
        assertThat(left(work)).isEmpty();
    }

    @Test
    void aComparisonCleansUpOnCtrlC(@TempDir Path work) throws IOException {
        Shell.Running running = Shell.program(
                        "/usr/bin/env",
                        "--default-signal=INT",
                        Shell.ROOT.resolve("aisio").toString(),
                        "filperf",
                        "compare",
                        "--image=" + folder.resolve("set.img"),
                        "--rounds=1000",
                        "--folder=" + work)
                .with("AISIO_BUILD", "never")
                .within(PATIENCE)
                .start();
        running.awaitsThread("aisio-batches");
        running.signal("INT");
        running.await().exits(Exit.INTERRUPTED).says("interrupted");
        assertThat(left(work)).isEmpty();
        assertThat(loopDevicesOf("set.img")).isEmpty();
    }

    /** What the kernel's loop devices stand on, of those upon a file in this test's folder. */
    private static List<String> loopDevicesOf(String name) throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/sys/block"))) {
            return all.map(device -> device.resolve("loop/backing_file"))
                    .filter(Files::exists)
                    .map(FilperfIT::text)
                    .filter(file -> file.equals(folder.resolve(name).toString()))
                    .toList();
        }
    }

    /** What a file of sysfs holds; nothing if it has gone meanwhile. */
    private static String text(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            return "";
        }
    }

    private static List<Path> left(Path work) throws IOException {
        try (Stream<Path> all = Files.list(work)) {
            return all.toList();
        }
    }
}
