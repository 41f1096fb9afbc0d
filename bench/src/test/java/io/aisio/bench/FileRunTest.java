package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.fil.spi.Backend.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** filperf's engine on folders, which the kernel reads. */
class FileRunTest {
    private static final int FILES = 7;

    @TempDir
    private Path folder;

    private long bytes;

    @BeforeEach
    void makeFiles() throws IOException {
        make(folder);
        bytes = 0;
        for (int i = 0; i < FILES; i++) {
            bytes += size(i);
        }
    }

    private static int size(int i) {
        return 1000 * i + 4096;
    }

    private static Path path(Path root, int i) {
        return root.resolve("set/class" + i % 2 + "/file" + i);
    }

    private static void make(Path root) throws IOException {
        for (int i = 0; i < FILES; i++) {
            byte[] content = new byte[size(i)];
            new Random(i).nextBytes(content);
            Files.createDirectories(path(root, i).getParent());
            Files.write(path(root, i), content);
        }
    }

    private FileRunOptions options() {
        return FileRunOptions.of("posix", List.of(folder.toString()), "/set").with(new Settings(false, true, 1, 8, 0));
    }

    private static FileRunOptions counting(FileRunOptions asked, int batchFiles, long batches, long warmup) {
        return changed(asked, batchFiles, batches, warmup, null, 0, 1, Long.MAX_VALUE, Duration.ZERO);
    }

    private static FileRunOptions changed(
            FileRunOptions asked,
            int batchFiles,
            long batches,
            long warmup,
            @Nullable Long seed,
            int shard,
            int shards,
            long maxFileBytes,
            Duration interval) {
        return new FileRunOptions(
                asked.places(),
                asked.folder(),
                asked.backend(),
                asked.settings(),
                batchFiles,
                batches,
                asked.epochs(),
                warmup,
                asked.prefetch(),
                seed,
                shard,
                shards,
                maxFileBytes,
                false,
                interval);
    }

    private static FileRunReport measure(FileRunOptions asked) throws IOException {
        try (FileRun run = FileRun.open(asked)) {
            return run.measure(interval -> {});
        }
    }

    private static FileRunReport verify(FileRunOptions asked, Path... against) throws IOException {
        try (FileRun run = FileRun.open(asked)) {
            run.verifyAgainst(List.of(against));
            return run.measure(interval -> {});
        }
    }

    @Test
    void readsEveryFileOnceInAnEpochAndTellsWhatItTook() throws IOException {
        FileRunReport report = verify(options(), folder);
        assertThat(report.ok()).as(report.toString()).isTrue();
        assertThat(report.stopped()).isFalse();
        assertThat(report.set())
                .isEqualTo(new FileRunReport.Set(
                        FILES, bytes, size(6), 2, report.set().footprint()));
        assertThat(report.read()).isEqualTo(new FileRunReport.Read(1, FILES, bytes, FILES, 0));
        assertThat(report.verification())
                .isEqualTo(new FileRunReport.Verification("the files in " + folder, FILES, bytes, 0, List.of(), 0));
        FileRunReport.Times times = report.times();
        assertThat(times.totalNanos()).isPositive().isGreaterThanOrEqualTo(times.readingNanos());
        assertThat(times.indexNanos()).isPositive();
        assertThat(times.verifyNanos()).isPositive();
        assertThat(report.batchLatency().count()).isEqualTo(1);
        assertThat(report.ways()).singleElement().asString().contains(folder.toString(), "pread");
    }

    @Test
    void readsShuffledEpochsWithAllFilesInEach() throws IOException {
        FileRunReport report = verify(options().shuffled(7, 3, 0).withBatches(3, 1), folder);
        assertThat(report.ok()).as(report.toString()).isTrue();
        assertThat(report.read().batches()).isEqualTo(9);
        assertThat(report.read().files()).isEqualTo(3 * FILES);
    }

    @Test
    void runsOnIntoFurtherEpochsAndCountsNothingBeyondItsBatches() throws IOException {
        FileRunReport report = verify(counting(options(), 2, 6, 0), folder);
        assertThat(report.ok()).as(report.toString()).isTrue();
        // An epoch has batches of 2, 2, 2 and 1 files.
        assertThat(report.read().batches()).isEqualTo(6);
        assertThat(report.read().files()).isEqualTo(11);
        assertThat(report.read().commands()).isEqualTo(11);
    }

    @Test
    void warmsUpUncounted() throws IOException {
        FileRunReport report = verify(counting(options(), 2, 4, 3), folder);
        assertThat(report.read().batches()).isEqualTo(4);
        assertThat(report.read().files()).isEqualTo(FILES);
        assertThat(report.batchLatency().count()).isEqualTo(4);
        assertThat(report.verification().files()).isEqualTo(6 + FILES);
    }

    @Test
    void shardsAreTogetherAll() throws IOException {
        long files = 0;
        for (int shard = 0; shard < 3; shard++) {
            FileRunReport report = measure(changed(options(), 0, 0, 0, 5L, shard, 3, Long.MAX_VALUE, Duration.ZERO));
            files += report.read().files();
        }
        assertThat(files).isEqualTo(FILES);
    }

    @Test
    void namesTheFileThatDiffersAndItsFirstByte(@TempDir Path other) throws IOException {
        make(other);
        byte[] damaged = Files.readAllBytes(path(other, 4));
        damaged[5000] ^= 1;
        Files.write(path(other, 4), damaged);
        FileRunReport report = verify(options(), other);
        assertThat(report.ok()).isFalse();
        assertThat(report.verification().mismatches()).isEqualTo(1);
        assertThat(report.verification().first())
                .containsExactly("/set/class0/file4 differs from byte 5000 on; 8096 bytes were read");
        assertThat(FileRunTable.failures(report)).contains("  MISMATCH /set/class0/file4 differs from byte 5000 on");
    }

    @Test
    void oneThatIsLongerOrShorterDiffersWhereTheShorterEnds(@TempDir Path other) throws IOException {
        make(other);
        Files.write(path(other, 1), new byte[0]);
        byte[] longer = java.util.Arrays.copyOf(Files.readAllBytes(path(other, 2)), size(2) + 1);
        Files.write(path(other, 2), longer);
        assertThat(verify(options(), other).verification().first())
                .containsExactlyInAnyOrder(
                        "/set/class1/file1 differs from byte 0 on; 5096 bytes were read",
                        "/set/class0/file2 differs from byte 6096 on; 6096 bytes were read");
    }

    @Test
    void comparesWithWhatTheGeneratorMakes(@TempDir Path made) throws IOException {
        DatasetShape shape = DatasetShape.of("imagenetish").scaled(0.000_003);
        DatasetFolder.make(shape, made.resolve("set"), false, line -> {});
        FileRunOptions asked = FileRunOptions.of("posix", List.of(made.toString()), "set");
        try (FileRun run = FileRun.open(asked)) {
            run.verifyByShape();
            FileRunReport report = run.measure(interval -> {});
            assertThat(report.ok()).as(report.toString()).isTrue();
            assertThat(report.verification().against()).contains("imagenetish");
            assertThat(report.verification().files()).isEqualTo(shape.files());
        }
        Path file = made.resolve("set").resolve(shape.iterator().next().path());
        byte[] damaged = Files.readAllBytes(file);
        damaged[70_000] ^= 0x40;
        Files.write(file, damaged);
        try (FileRun run = FileRun.open(asked)) {
            run.verifyByShape();
            assertThat(run.measure(interval -> {}).verification().first())
                    .singleElement()
                    .asString()
                    .contains("class001_00000001.bin differs from byte 70000 on");
        }
    }

    @Test
    void refusesToCompareWithAShapeThatItIsNot() throws IOException {
        try (FileRun run = FileRun.open(options())) {
            assertThatThrownBy(run::verifyByShape)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("imagenetish, tiktokish")
                    .hasMessageContaining("--verify-against FOLDER");
        }
    }

    @Test
    void anInterruptEndsItAndWhatWasReadIsReported() throws IOException {
        FileRunOptions endless = counting(options(), 2, Long.MAX_VALUE, 0);
        List<FileRunReport.Interval> told = new ArrayList<>();
        FileRunReport report;
        try (FileRun run = FileRun.open(
                changed(endless, 2, Long.MAX_VALUE, 0, null, 0, 1, Long.MAX_VALUE, Duration.ofMillis(1)))) {
            report = run.measure(interval -> {
                told.add(interval);
                Thread.currentThread().interrupt();
            });
        }
        assertThat(Thread.interrupted()).isFalse();
        assertThat(report.stopped()).isTrue();
        assertThat(report.read().batches()).isPositive();
        assertThat(told.stream().mapToLong(FileRunReport.Interval::batches).sum())
                .isEqualTo(report.read().batches());
        assertThat(FileRunTable.summary(report)).startsWith("Summary, of what was read until it was stopped:");
    }

    @Test
    void refusesWhatItCannotRead() throws IOException {
        assertThatThrownBy(() -> measure(changed(options(), 0, 0, 0, null, 0, 1, 5000, Duration.ZERO)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("/set/class0/file2")
                .hasMessageContaining("more than the 5000");
        assertThatThrownBy(() -> FileRun.open(FileRunOptions.of("posix", List.of(folder.toString()), "/none")))
                .isInstanceOf(NoSuchFileException.class);
        Files.createDirectory(folder.resolve("empty"));
        assertThatThrownBy(() -> FileRun.open(FileRunOptions.of("posix", List.of(folder.toString()), "/empty")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("there is no file beneath /empty");
        assertThatThrownBy(() -> FileRun.open(FileRunOptions.of("tape", List.of(folder.toString()), "/set")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(
                        "'tape' is no backend; there is aisio-cpu, aisio-gpu, aisio-p2p, cufile, io_uring, posix");
    }

    @Test
    void theJsonHasAllOfItWithUnits() throws IOException {
        FileRunReport report = verify(options(), folder);
        JsonNode json = JsonMapper.builder().build().readTree(FileReportJson.of(report));
        assertThat(json.path("schema").asString()).isEqualTo("aisio.filperf.run/1");
        assertThat(json.path("ok").asBoolean()).isTrue();
        assertThat(json.at("/dataset/files").asInt()).isEqualTo(FILES);
        assertThat(json.at("/read/total_bytes").asLong()).isEqualTo(bytes);
        assertThat(json.at("/times/total_s").asDouble()).isPositive();
        assertThat(json.at("/batch_latency_ns/percentile/99.900000").asLong()).isPositive();
        assertThat(json.at("/verification/mismatches").asLong(-1)).isZero();
    }
}
