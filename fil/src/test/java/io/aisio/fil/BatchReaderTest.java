package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.fil.spi.Backend.Settings;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Data sets on images that mkfs.xfs made, through queues of the software controller. */
class BatchReaderTest {
    @TempDir
    private Path folder;

    /** Files of every kind of length, around blocks of 512 and 4096 bytes and commands of 16 KiB. */
    private Xfs manySizes() {
        Xfs xfs = new Xfs(folder).with("empty", 0).with("one", 1).with("other", 1_500_000);
        for (int around : new int[] {512, 4096, 16384, 3 * 16384}) {
            for (int more : new int[] {-1, 0, 1, 511}) {
                xfs.with("f" + around + "x" + (more + 1), around + more);
            }
        }
        return xfs;
    }

    private static byte[] bytes(MemorySegment content) {
        return content.toArray(ValueLayout.JAVA_BYTE);
    }

    /** All files of the batches that are left, by place and path; each at most once. */
    private static Map<String, byte[]> read(BatchReader batches) throws IOException {
        Map<String, byte[]> contents = new TreeMap<>();
        for (Batch batch = batches.next(); batch != null; batch = batches.next()) {
            for (int i = 0; i < batch.size(); i++) {
                assertThat(contents.put(batch.source(i) + batch.path(i), bytes(batch.content(i))))
                        .isNull();
            }
            batch.close();
        }
        return contents;
    }

    private static void assertSame(Map<String, byte[]> got, Map<String, byte[]> expected) {
        assertThat(got.keySet()).isEqualTo(expected.keySet());
        expected.forEach((path, content) -> assertThat(got.get(path)).as(path).isEqualTo(content));
    }

    private static Map<String, byte[]> at(int source, Map<String, byte[]> files) {
        return files.entrySet().stream()
                .collect(Collectors.toMap(
                        file -> source + file.getKey(), Map.Entry::getValue, (one, other) -> one, TreeMap::new));
    }

    @ParameterizedTest
    @CsvSource({
        "'',                 1, 1, 128, 0",
        "?mdts=2,            4, 1,   2, 0",
        "?mdts=2,            3, 1,   1, 0",
        "?mdts=2,          100, 3,   4, 4096",
        "?lba=4096&mdts=2,   7, 2,   8, 8192",
        "?qpairs=9&latency=50us, 5, 4, 2, 1000",
    })
    void readsEveryFileAsItWasWritten(String options, int batchFiles, int queues, int depth, int ioBytes)
            throws Exception {
        Xfs xfs = manySizes().make(options.contains("lba=4096") ? new String[] {"-s", "size=4096"} : new String[0]);
        try (Dataset data = Dataset.at("emu:" + xfs.image + options)
                        .settings(new Settings(true, false, queues, depth, ioBytes))
                        .open();
                BatchReader batches = data.batches(batchFiles).shuffle(1).open()) {
            assertThat(data.backend()).isEqualTo("aisio-cpu");
            assertThat(data.files()).isEqualTo(xfs.sources.size());
            assertThat(data.bytes())
                    .isEqualTo(xfs.sources.values().stream()
                            .mapToLong(content -> content.length)
                            .sum());
            assertSame(read(batches), at(0, xfs.sources));
            assertThat(batches.next()).isNull();
            assertThat(batches.effort().commands()).isGreaterThanOrEqualTo(xfs.sources.size() - 1L);
        }
    }

    @Test
    void behindAFileAreZeros() throws Exception {
        Xfs xfs = manySizes().make();
        try (Dataset data = Dataset.open("emu:" + xfs.image, "/");
                BatchReader batches = data.batches(5).epochs(3).shuffle(4).open()) {
            for (Batch batch : batches) {
                for (int i = 0; i < batch.size(); i++) {
                    long end = batch.offset(i) + batch.length(i);
                    long room = (batch.length(i) + 4095) & -4096;
                    byte[] behind = bytes(batch.memory(0).asSlice(end, batch.offset(i) + room - end));
                    assertThat(behind).as(batch.path(i)).isEqualTo(new byte[behind.length]);
                }
            }
        }
    }

    /** A batch stays what it is as long as it is held, whatever is read meanwhile. */
    @Test
    void batchesStayUntilTheyAreClosed() throws Exception {
        Xfs xfs = manySizes().make();
        try (Dataset data = Dataset.open("emu:" + xfs.image, "/");
                BatchReader batches =
                        data.batches(2).shuffle(9).endless().prefetch(3).open()) {
            Batch held = batches.next();
            Map<String, byte[]> before = contents(held);
            List<Batch> others = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                others.add(batches.next());
                if (others.size() == 2) {
                    // Not in the order in which they came.
                    others.removeLast().close();
                    others.removeLast().close();
                }
                assertSame(contents(held), before);
            }
            held.close();
            held.close();
            assertThatThrownBy(() -> held.content(0))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
        }
    }

    private static Map<String, byte[]> contents(Batch batch) {
        Map<String, byte[]> contents = new TreeMap<>();
        for (int i = 0; i < batch.size(); i++) {
            contents.put(batch.path(i), bytes(batch.content(i)));
        }
        return contents;
    }

    @Test
    void readsTheNextBatchesWhileTheCallerHasThisOne() throws Exception {
        Xfs xfs = new Xfs(folder);
        for (int i = 0; i < 8; i++) {
            xfs.with("f" + i, 200_000);
        }
        xfs.make();
        try (Dataset data = Dataset.open("emu:" + xfs.image, "/");
                BatchReader batches = data.batches(2).prefetch(2).open()) {
            Batch first = batches.next();
            assertThat(first).isNotNull();
            // Two more batches of four commands in all: they are done without anybody asking for them.
            long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            while (batches.effort().commands() < 6 && System.nanoTime() < end) {
                Thread.onSpinWait();
            }
            assertThat(batches.effort().commands()).isEqualTo(6);
        }
    }

    @Test
    void comesInTheOrderOfTheEpochsWithItsLabels() throws Exception {
        Xfs xfs = new Xfs(folder)
                .special("b d--755 0 0\nx ---644 0 0 /etc/hostname\n$")
                .special("a d--755 0 0\ny ---644 0 0 /etc/hostname\nz ---644 0 0 /etc/hostname\n$")
                .special("ab d--755 0 0\nw ---644 0 0 /etc/hostname\n$")
                .make();
        String name = "emu:" + xfs.image;
        try (Dataset data = Dataset.open(name, "/");
                BatchReader batches = data.batches(3).epochs(2).open()) {
            assertThat(data.classes()).containsExactly("a", "ab", "b");
            assertThat(batches.batchesPerEpoch()).isEqualTo(2);
            List<String> seen = new ArrayList<>();
            for (Batch batch : batches) {
                for (int i = 0; i < batch.size(); i++) {
                    seen.add(batch.epoch() + ":" + batch.number() + ":" + batch.label(i) + batch.path(i));
                }
            }
            assertThat(seen)
                    .containsExactly(
                            "0:0:0/a/y",
                            "0:0:0/a/z",
                            "0:0:1/ab/w",
                            "0:1:2/b/x",
                            "1:0:0/a/y",
                            "1:0:0/a/z",
                            "1:0:1/ab/w",
                            "1:1:2/b/x");
        }
        try (Dataset data = Dataset.at(name).glob("{a,b}/[xy]").open()) {
            assertThat(paths(data)).containsExactly("/a/y", "/b/x");
        }
        try (Dataset data = Dataset.at(name).folder("a/").glob("z").open()) {
            assertThat(paths(data)).containsExactly("/a/z");
            assertThat(data.classes()).containsExactly("");
        }
        try (Dataset data = Dataset.at(name).paths(List.of("b/x", "/a/z")).open()) {
            assertThat(paths(data)).containsExactly("/b/x", "/a/z");
            assertThat(data.classes()).containsExactly("a", "b");
            assertThat(data.label(0)).isEqualTo(1);
        }
        assertThatThrownBy(
                        () -> Dataset.at(name).folder("/a/y").glob("*").open().close())
                .isInstanceOf(java.nio.file.NotDirectoryException.class)
                .hasMessageContaining("/a/y");
        assertThatThrownBy(() -> Dataset.open(name, "/nothing").close())
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("/nothing");
        assertThatThrownBy(() -> Dataset.open(name, "/a/y/z").close())
                .isInstanceOf(java.nio.file.NotDirectoryException.class)
                .hasMessageContaining("/a/y");
        assertThatThrownBy(() ->
                        Dataset.at(name).paths(List.of("a/y", "a/q")).open().close())
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("/a/q");
        assertThatThrownBy(() -> Dataset.at(name).paths(List.of("a")).open().close())
                .hasMessageContaining("/a is no regular file");
        assertThatThrownBy(() -> Dataset.at(name).glob("nothing").open().close())
                .hasMessageContaining("there is no file beneath / that matches 'nothing'");
        assertThatThrownBy(() -> Dataset.at(name).backend("tape").open().close())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'tape' is no backend; there is aisio-cpu");
    }

    private static List<String> paths(Dataset data) {
        List<String> paths = new ArrayList<>();
        for (int file = 0; file < data.files(); file++) {
            paths.add(data.path(file));
        }
        return paths;
    }

    @Test
    void shardsOfSeveralReadersAreTheWholeOfEachEpoch() throws Exception {
        Xfs xfs = manySizes().make();
        try (Dataset data = Dataset.open("emu:" + xfs.image + "?readonly", "/")) {
            Map<String, byte[]> together = new TreeMap<>();
            for (int shard = 0; shard < 3; shard++) {
                try (BatchReader batches =
                        data.batches(4).shuffle(11).shard(shard, 3).open()) {
                    assertThat(batches.filesPerEpoch()).isBetween(data.files() / 3, data.files() / 3 + 1);
                    read(batches)
                            .forEach((path, content) ->
                                    assertThat(together.put(path, content)).isNull());
                }
            }
            assertSame(together, at(0, xfs.sources));
            try (BatchReader batches =
                    data.batches(4).shuffle(11).epochs(2).dropLast().open()) {
                int files = 0;
                for (Batch batch : batches) {
                    assertThat(batch.size()).isEqualTo(4);
                    files += 4;
                }
                assertThat(files).isEqualTo(2 * (data.files() / 4) * 4);
            }
            assertThatThrownBy(() -> data.batches(1)
                            .shard(data.files(), data.files() + 1)
                            .open())
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("no batch of 1");
            assertThatThrownBy(() -> data.batches(1).maxFileBytes(1_000_000).open())
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("/other has 1500000 bytes, more than the 1000000");
        }
    }

    @Test
    void readsSeveralDevicesAtOnce() throws Exception {
        Xfs one = manySizes().make();
        Path second = Files.createDirectories(folder.resolve("second"));
        Xfs other = new Xfs(second).with("x", 100_000).with("other", 77).make("-s", "size=4096");
        Map<String, byte[]> all = at(0, one.sources);
        all.putAll(at(1, other.sources));
        try (Dataset data = Dataset.at("emu:" + one.image, "emu:" + other.image + "?lba=4096")
                        .open();
                BatchReader batches = data.batches(6).shuffle(2).open()) {
            assertThat(data.ways()).hasSize(2);
            assertSame(read(batches), all);
        }
    }

    /** One of two devices fails for good, in the middle: each error names file and device, the other's files are good. */
    @Test
    void aDeviceThatFailsTakesOnlyItsOwnFilesWithIt() throws Exception {
        Xfs one = new Xfs(folder);
        Path second = Files.createDirectories(folder.resolve("second"));
        Xfs other = new Xfs(second);
        for (int i = 0; i < 10; i++) {
            one.with("a" + i, 50_000);
            other.with("b" + i, 50_000);
        }
        one.make();
        other.make();
        String name = "emu:" + other.image + "?mdts=2&faults=vanish@read.lba" + blockOf(other.image, "/b5") + ":1";
        for (boolean keep : new boolean[] {true, false}) {
            try (Dataset data = Dataset.at("emu:" + one.image, name).open()) {
                BatchReader.Builder how = data.batches(4);
                try (BatchReader batches = (keep ? how.keepFailures() : how).open()) {
                    int good = 0;
                    int failed = 0;
                    for (int n = 0; n < 5; n++) {
                        Batch batch = null;
                        try {
                            batch = batches.next();
                        } catch (IOException e) {
                            assertThat(keep).isFalse();
                            assertThat(e).hasMessageContaining(name).hasMessageContaining("/b");
                            failed += 4;
                            continue;
                        }
                        assertThat(batch).isNotNull();
                        for (int i = 0; i < batch.size(); i++) {
                            IOException problem = batch.problem(i);
                            if (problem != null) {
                                assertThat(batch.source(i)).isEqualTo(1);
                                assertThat(batch.length(i)).isZero();
                                assertThat(problem).hasMessageContaining(name).hasMessageContaining(batch.path(i));
                                failed++;
                            } else {
                                assertThat(bytes(batch.content(i)))
                                        .isEqualTo((batch.source(i) == 0 ? one : other).sources.get(batch.path(i)));
                                good++;
                            }
                        }
                        batch.close();
                    }
                    assertThat(good).isGreaterThanOrEqualTo(8);
                    assertThat(failed).isPositive();
                    assertThat(good + failed).isEqualTo(20);
                    assertThat(batches.next()).isNull();
                }
            }
        }
    }

    private static long blockOf(Path image, String path) throws IOException {
        try (Device device = Device.open("emu:" + image);
                DeviceBlocks blocks = DeviceBlocks.open(device);
                Xal xal = Xal.open(blocks)) {
            Piece piece = xal.pieces(xal.lookup(path)).getFirst();
            return (piece.position() + piece.length() / 2) / 512;
        }
    }

    @ParameterizedTest
    @CsvSource({"error, true", "fatal, true", "error=2/81/dnr, false"})
    void survivesWhatMayBeTriedAgainAndNamesWhatMayNot(String fault, boolean survived) throws Exception {
        Xfs xfs = new Xfs(folder)
                .with("a", 100_000)
                .with("b", 300_000)
                .with("c", 100_000)
                .make();
        long lba = blockOf(xfs.image, "/b");
        String name = "emu:" + xfs.image + "?mdts=2&faults=" + fault + "@read.lba" + lba + ":1";
        try (Dataset data = Dataset.open(name, "/");
                BatchReader batches = data.batches(3).epochs(2).open()) {
            if (!survived) {
                assertThatThrownBy(batches::next)
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("1 of the 3 files of batch 0 in epoch 0")
                        .hasMessageContaining(name + ": /b, 16 KiB at LBA ")
                        .hasMessageContaining("Unrecovered Read Error");
            } else {
                assertThat(batches.next()).satisfies(batch -> {
                    assertThat(bytes(batch.content(1))).isEqualTo(xfs.sources.get("/b"));
                    batch.close();
                });
            }
            assertSame(read(batches), at(0, xfs.sources));
        }
    }

    @Test
    void closingInMidEpochEndsAtOnceAndFreesAll() throws Exception {
        Xfs xfs = manySizes().make();
        for (int n = 0; n < 5; n++) {
            try (Dataset data = Dataset.open("emu:" + xfs.image + "?latency=5ms", "/")) {
                BatchReader batches = data.batches(3).endless().prefetch(4).open();
                Batch held = null;
                for (int i = 0; i < n; i++) {
                    held = batches.next();
                }
                batches.close();
                batches.close();
                assertThatThrownBy(batches::next).isInstanceOf(IllegalStateException.class);
                if (held != null) {
                    Batch last = held;
                    assertThat(catchThrowable(() -> bytes(last.content(0)))).isInstanceOf(IllegalStateException.class);
                    last.close();
                }
            }
        }
    }

    @Test
    void anInterruptEndsTheWaitAndNothingElse() throws Exception {
        Xfs xfs = new Xfs(folder).with("a", 100_000).make();
        try (Dataset data = Dataset.open("emu:" + xfs.image, "/");
                BatchReader batches = data.batches(1).epochs(3).open()) {
            Thread.currentThread().interrupt();
            assertThatThrownBy(batches::next).isInstanceOf(java.io.InterruptedIOException.class);
            assertThat(Thread.interrupted()).isTrue();
            for (int i = 0; i < 3; i++) {
                Batch batch = batches.next();
                assertThat(batch).isNotNull();
                assertThat(bytes(batch.content(0))).isEqualTo(xfs.sources.get("/a"));
                batch.close();
            }
        }
    }

    @Test
    void publishesBatchesAsFastAsTheyAreAskedFor() throws Exception {
        Xfs xfs = manySizes().make();
        CompletableFuture<Map<String, byte[]>> all = new CompletableFuture<>();
        try (Dataset data = Dataset.open("emu:" + xfs.image, "/");
                BatchReader batches = data.batches(3).shuffle(1).open()) {
            Flow.Publisher<Batch> publisher = batches.publisher();
            publisher.subscribe(new Flow.Subscriber<>() {
                private final Map<String, byte[]> seen = new TreeMap<>();
                private Flow.Subscription subscription;

                @Override
                public void onSubscribe(Flow.Subscription to) {
                    subscription = to;
                    to.request(2);
                }

                @Override
                public void onNext(Batch batch) {
                    contents(batch).forEach((path, content) -> seen.put("0" + path, content));
                    batch.close();
                    subscription.request(1);
                }

                @Override
                public void onError(Throwable e) {
                    all.completeExceptionally(e);
                }

                @Override
                public void onComplete() {
                    all.complete(seen);
                }
            });
            assertSame(all.get(30, TimeUnit.SECONDS), at(0, xfs.sources));
            CompletableFuture<Throwable> refused = new CompletableFuture<>();
            publisher.subscribe(new Flow.Subscriber<>() {
                @Override
                public void onSubscribe(Flow.Subscription to) {
                    to.request(1);
                }

                @Override
                public void onNext(Batch batch) {}

                @Override
                public void onError(Throwable e) {
                    refused.complete(e);
                }

                @Override
                public void onComplete() {}
            });
            assertThat(refused.get(30, TimeUnit.SECONDS)).hasMessageContaining("one subscriber");
        }
    }

    /** The file system is mounted elsewhere, changed and unmounted while batches are read. */
    @Test
    @Tag("root")
    void noticesFilesThatChangedOrVanished() throws Exception {
        requireMounts();
        Xfs xfs = new Xfs(folder)
                .with("kept", 100_000)
                .with("gone", 50_000)
                .with("rewritten", 60_000)
                .with("overwritten", 60_000)
                .make();
        try (Dataset data = Dataset.open("emu:" + xfs.image + "?readonly", "/");
                BatchReader batches =
                        data.batches(4).prefetch(1).epochs(4).keepFailures().open()) {
            // Two batches are read by now, or soon; what comes behind them is read after the change.
            Batch first = batches.next();
            Path mount = Files.createDirectories(folder.resolve("mount"));
            Xfs.run("mount", "-o", "loop", xfs.image.toString(), mount.toString());
            try {
                Files.delete(mount.resolve("gone"));
                Files.delete(mount.resolve("rewritten"));
                Files.write(mount.resolve("rewritten"), new byte[60_000]);
                // The same extents, the same size: only what the inode counts tells.
                Xfs.run(
                        "xfs_io",
                        "-c",
                        "pwrite -S 3 4096 8192",
                        mount.resolve("overwritten").toString());
            } finally {
                Xfs.run("umount", mount.toString());
            }
            assertThat(first).isNotNull();
            first.close();
            Batch last = null;
            for (Batch batch : batches) {
                last = batch;
                if (batch.epoch() == 3) {
                    Map<String, String> problems = new TreeMap<>();
                    for (int i = 0; i < 4; i++) {
                        IOException problem = batch.problem(i);
                        problems.put(batch.path(i), problem == null ? "" : problem.toString());
                    }
                    assertThat(problems.get("/kept")).isEmpty();
                    assertThat(problems.get("/gone")).contains("NoSuchFile").contains("/gone");
                    assertThat(problems.get("/rewritten")).contains("/rewritten has changed since");
                    assertThat(problems.get("/overwritten")).contains("/overwritten has changed since");
                }
            }
            assertThat(last).isNotNull();
        }
    }

    private static void requireMounts() throws IOException {
        assumeTrue(
                "root".equals(System.getProperty("user.name"))
                        && Files.readString(Path.of("/proc/filesystems")).contains("\txfs\n")
                        && Files.exists(Path.of("/dev/loop-control")),
                "needs root, loop devices and a kernel with XFS");
    }

    @Test
    @Tag("root")
    void givesZerosForHolesAndForWhatIsUnwritten() throws Exception {
        requireMounts();
        Xfs xfs = new Xfs(folder).with("plain", 50_000).make();
        Path mount = Files.createDirectories(folder.resolve("mount"));
        Map<String, byte[]> contents = new TreeMap<>();
        Xfs.run("mount", "-o", "loop", xfs.image.toString(), mount.toString());
        try {
            Random random = new Random(12);
            for (int n = 0; n < 12; n++) {
                List<String> command = new ArrayList<>(List.of("xfs_io", "-f"));
                for (int i = 0; i < 6; i++) {
                    int offset = random.nextInt(400_000);
                    int length = 1 + random.nextInt(60_000);
                    String what = List.of(
                                    "pwrite -S " + (1 + i), "falloc", "fpunch", "pwrite -S 77", "fzero", "truncate")
                            .get(random.nextInt(6));
                    command.addAll(List.of("-c", what + " " + offset + (what.equals("truncate") ? "" : " " + length)));
                }
                command.add(mount.resolve("random" + n).toString());
                Xfs.run(command.toArray(String[]::new));
            }
            try (var files = Files.list(mount)) {
                for (Path file : files.toList()) {
                    contents.put("/" + file.getFileName(), Files.readAllBytes(file));
                }
            }
        } finally {
            Xfs.run("umount", mount.toString());
        }
        for (String options : new String[] {"", "?mdts=1"}) {
            try (Dataset data = Dataset.open("emu:" + xfs.image + options, "/");
                    BatchReader batches = data.batches(5).shuffle(3).open()) {
                assertSame(read(batches), at(0, contents));
            }
        }
    }

    @Test
    void failsToIterateWithTheSameError() throws Exception {
        Xfs xfs = new Xfs(folder).with("a", 100_000).make();
        String name = "emu:" + xfs.image + "?faults=error=2/81/dnr@read.lba" + blockOf(xfs.image, "/a") + ":1";
        try (Dataset data = Dataset.open(name, "/");
                BatchReader batches = data.batches(1).open()) {
            assertThatThrownBy(() -> batches.forEach(Batch::close))
                    .isInstanceOf(UncheckedIOException.class)
                    .hasMessageContaining("/a");
        }
    }

    /** Two readers of one data set, each with a thread of its own, meet the change together. */
    @Test
    @Tag("root")
    void noticesAChangeBeforeTheFirstBatchInEachReader() throws Exception {
        requireMounts();
        Xfs xfs = new Xfs(folder).with("kept", 10_000).with("gone", 5_000).make();
        try (Dataset data = Dataset.open("emu:" + xfs.image + "?readonly", "/")) {
            Path mount = Files.createDirectories(folder.resolve("mount"));
            Xfs.run("mount", "-o", "loop", xfs.image.toString(), mount.toString());
            try {
                Files.delete(mount.resolve("gone"));
            } finally {
                Xfs.run("umount", mount.toString());
            }
            try (BatchReader one = data.batches(2).keepFailures().epochs(20).open();
                    BatchReader other =
                            data.batches(2).keepFailures().epochs(20).open()) {
                for (int epoch = 0; epoch < 20; epoch++) {
                    for (BatchReader reader : List.of(one, other)) {
                        try (Batch batch = reader.next()) {
                            assertThat(batch).isNotNull();
                            for (int i = 0; i < 2; i++) {
                                assertThat(batch.problem(i) == null)
                                        .isEqualTo(batch.path(i).equals("/kept"));
                            }
                        }
                    }
                }
            }
            // One that begins when the change is known already knows it too.
            try (BatchReader later = data.batches(2).keepFailures().open();
                    Batch batch = later.next()) {
                assertThat(batch).isNotNull();
                assertThat(batch.problem(batch.path(0).equals("/gone") ? 0 : 1)).isNotNull();
            }
        }
    }

    @Test
    void aLoopMayBeLeftAtAnyBatchAndAnotherBegun() throws Exception {
        Xfs xfs = manySizes().make();
        try (Dataset data = Dataset.open("emu:" + xfs.image, "/");
                BatchReader batches = data.batches(2).endless().prefetch(1).open()) {
            long last = -1;
            for (int loop = 0; loop < 20; loop++) {
                for (Batch batch : batches) {
                    long now = batch.epoch() * batches.batchesPerEpoch() + batch.number();
                    assertThat(now).isEqualTo(last + 1);
                    last = now;
                    if (now % 3 == loop % 3) {
                        break;
                    }
                }
            }
        }
    }

    @Test
    void aBatchThatWasClosedClosesNoOther() throws Exception {
        Xfs xfs = manySizes().make();
        try (Dataset data = Dataset.open("emu:" + xfs.image, "/");
                BatchReader batches = data.batches(3).endless().prefetch(1).open()) {
            Batch stale = batches.next();
            assertThat(stale).isNotNull();
            stale.close();
            // In the same memory sooner or later.
            for (int n = 0; n < 20; n++) {
                try (Batch batch = batches.next()) {
                    assertThat(batch).isNotNull();
                    Map<String, byte[]> before = contents(batch);
                    stale.close();
                    assertThatThrownBy(() -> stale.length(0)).isInstanceOf(IllegalStateException.class);
                    try (Batch following = batches.next()) {
                        assertThat(following).isNotNull();
                        assertSame(contents(batch), before);
                    }
                }
            }
        }
    }

    @Test
    void keepsLittleOfAFile() throws Exception {
        Xfs xfs = manySizes().make();
        try (Dataset data = Dataset.open("emu:" + xfs.image, "/")) {
            assertThat(data.footprint() / data.files()).isLessThan(64);
            assertThat(data.path()).isEqualTo("software controller, user-space queue pairs, file media");
        }
    }
}
