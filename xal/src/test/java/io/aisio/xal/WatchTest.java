package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.LinuxException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is told of a tree under a writer, compared with the tree. */
class WatchTest {
    private static final Duration PATIENCE = Duration.ofSeconds(8);
    private static final Path SETTINGS = Path.of("/proc/sys/fs/inotify");

    @TempDir
    private Path folder;

    /** The names and sizes of a tree, known from what is told alone. */
    private static final class Model implements Watch.Listener {
        private final Path root;
        private final Map<String, Long> sizes = new TreeMap<>();
        private final List<Change> told = new ArrayList<>();

        Model(Path root) {
            this.root = root;
        }

        @Override
        public synchronized void told(Change change) throws IOException {
            told.add(change);
            switch (change) {
                case Change.Added(String path) -> look(path);
                case Change.Changed(String path) -> look(path);
                case Change.Removed(String path) -> remove(path);
                case Change.Moved(String from, String to) -> move(from, to);
                case Change.Everything _ -> {
                    sizes.clear();
                    sizes.putAll(truth(root));
                }
                case Change.Mapped _, Change.Unmapped _, Change.Ended _ -> {}
            }
            notifyAll();
        }

        private void move(String from, String to) throws IOException {
            remove(to);
            if (!sizes.containsKey(from)) {
                sizes.putAll(truth(root, root.resolve(to.substring(1))));
            }
            for (String path : List.copyOf(sizes.keySet())) {
                if (path.equals(from) || path.startsWith(from + "/")) {
                    sizes.remove(path);
                    look(to + path.substring(from.length()));
                }
            }
            look(to);
        }

        private void look(String path) {
            try {
                if (!path.equals("/")) {
                    sizes.put(path, size(root.resolve(path.substring(1))));
                }
            } catch (IOException e) {
                // Gone or renamed since: that is told next, and what it says is the truth then.
                sizes.put(path, -1L);
            }
        }

        private void remove(String path) {
            sizes.keySet().removeIf(name -> name.equals(path) || name.startsWith(path + "/"));
        }

        synchronized boolean tells(Class<? extends Change> kind) {
            return told.stream().anyMatch(kind::isInstance);
        }

        synchronized Map<String, Long> sizes() {
            return new TreeMap<>(sizes);
        }

        synchronized List<Change> told() {
            return List.copyOf(told);
        }

        void becomesTheTruth() throws Exception {
            Map<String, Long> truth = truth(root);
            waitFor(() -> sizes().equals(truth));
            assertThat(sizes()).as("told last: %s", told().getLast()).isEqualTo(truth);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"xfs", "ext4", "a folder"})
    @Tag("root")
    void knowsATreeFromWhatIsToldWhileAWriterChangesIt(String type) throws Exception {
        try (LoopMount mount = type.equals("a folder") ? null : LoopMount.make(folder, type)) {
            Path root = mount == null ? Files.createDirectory(folder.resolve("tree")) : mount.path();
            Model model = new Model(root);
            try (Watch watch = Watch.open(root, model)) {
                model.told(new Change.Everything("it begins"));
                Random random = new Random(Long.getLong("watch.seed", 11));
                RandomWriter writer = new RandomWriter(root, random);
                for (int round = 0; round < 15; round++) {
                    for (int i = 0; i < 200; i++) {
                        writer.changeSomething();
                    }
                    model.becomesTheTruth();
                    assertThat(watch.isOpen()).as("%s", model.told().getLast()).isTrue();
                }
                assertThat(model.sizes()).hasSizeGreaterThan(20);
                assertThat(model.tells(Change.Moved.class)).isTrue();
                assertThat(model.tells(Change.Ended.class)).isFalse();
            }
        }
    }

    @Test
    void tellsAllOfADirectoryThatWasFilledBeforeItsWatchStood() throws Exception {
        Model model = new Model(folder);
        try (Watch _ = Watch.open(folder, model)) {
            for (int i = 0; i < 50; i++) {
                Path deep = Files.createDirectories(folder.resolve("d" + i + "/e/f/g"));
                Files.writeString(deep.resolve("file"), "x".repeat(i));
            }
            model.becomesTheTruth();
            assertThat(model.sizes()).hasSize(50 * 5);
        }
    }

    @Test
    void followsADirectoryThatIsDeeperThanAPathMayBeLong() throws Exception {
        int depth = 3_000;
        Path tree = Files.createDirectory(folder.resolve("tree"));
        python(
                "import os,sys; os.chdir(sys.argv[1])\n"
                        + "for i in range(int(sys.argv[2])): os.mkdir('deep'); os.chdir('deep')\n"
                        + "open('bottom', 'w')",
                folder,
                depth);
        String append = "import os,sys; os.chdir(sys.argv[1])\n"
                + "for i in range(int(sys.argv[2])): os.chdir('deep')\n"
                + "open('bottom', 'a').write('more')";
        String bottom = "/deep".repeat(depth) + "/bottom";
        BlockingQueue<Change> told = new LinkedBlockingQueue<>();
        try {
            try (Watch watch = Watch.open(tree, told::add)) {
                Files.move(folder.resolve("deep"), tree.resolve("deep"));
                waitFor(() -> told.contains(new Change.Added(bottom)));
                python(append, tree, depth);
                waitFor(() -> told.contains(new Change.Changed(bottom)));
                assertThat(told).contains(new Change.Added(bottom), new Change.Changed(bottom));
                assertThat(watch.isOpen()).isTrue();
            }
            told.clear();
            try (Watch watch = Watch.open(tree, told::add)) {
                python(append, tree, depth);
                waitFor(() -> told.contains(new Change.Changed(bottom)));
                assertThat(told).as("deep when it began").contains(new Change.Changed(bottom));
                Files.move(tree.resolve("deep"), folder.resolve("deep"));
                waitFor(() -> told.contains(new Change.Removed("/deep")));
                assertThat(told).contains(new Change.Removed("/deep"));
                assertThat(watch.isOpen()).isTrue();
            }
        } finally {
            // JUnit cannot: it deletes by whole paths.
            XfsImage.run(List.of(
                    "rm",
                    "-rf",
                    folder.resolve("deep").toString(),
                    tree.resolve("deep").toString()));
        }
    }

    private static void python(String program, Path folder, int number) throws Exception {
        XfsImage.run(List.of("python3", "-c", program, folder.toString(), Integer.toString(number)));
    }

    @Test
    void seesTwoNamesExchanged() throws Exception {
        Path a = Files.createDirectory(folder.resolve("a"));
        Files.writeString(a.resolve("in-a"), "1");
        Files.writeString(folder.resolve("b"), "22");
        Model model = new Model(folder);
        try (Watch _ = Watch.open(folder, model)) {
            model.told(new Change.Everything("it begins"));
            XfsImage.run(List.of(
                    "python3",
                    "-c",
                    "import ctypes,sys; sys.exit(ctypes.CDLL(None).renameat2(-100, sys.argv[1].encode(), -100,"
                            + " sys.argv[2].encode(), 2))",
                    a.toString(),
                    folder.resolve("b").toString()));
            model.becomesTheTruth();
            Files.writeString(folder.resolve("b/new"), "333");
            model.becomesTheTruth();
            assertThat(model.sizes()).containsKeys("/b/in-a", "/b/new", "/a");
        }
    }

    @Test
    void tellsABurstOfWritesAFewTimesAndTheLastOneToo() throws Exception {
        Path file = Files.createFile(folder.resolve("log"));
        Model model = new Model(folder);
        try (Watch _ = Watch.open(folder, Duration.ofMillis(100), model)) {
            long begin = System.nanoTime();
            for (int i = 0; i < 5_000; i++) {
                Files.writeString(file, "0123456789", StandardOpenOption.APPEND);
            }
            long bursts = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin) / 100;
            waitFor(() -> model.sizes().getOrDefault("/log", 0L) == 50_000);
            assertThat(model.sizes().getOrDefault("/log", 0L) == 50_000)
                    .as("in time")
                    .isTrue();
            assertThat(model.told()).hasSizeBetween(1, (int) bursts + 3);
        }
    }

    @Test
    @Tag("root")
    void tellsThatAllMustBeReadAgainWhenEventsWereLost() throws Exception {
        BlockingQueue<Integer> gate = new LinkedBlockingQueue<>();
        Model model = new Model(folder);
        int queue;
        try (InputStream in = Files.newInputStream(SETTINGS.resolve("max_queued_events"))) {
            queue = Integer.parseInt(new String(in.readNBytes(64), StandardCharsets.US_ASCII).strip());
        }
        assumeTrue(queue <= 100_000, "needs fs.inotify.max_queued_events of at most 100000");
        boolean[] held = {true};
        try (Watch _ = Watch.open(folder, change -> {
            if (held[0]) {
                held[0] = false;
                take(gate);
            }
            model.told(change);
        })) {
            for (int i = 0; i < queue; i++) {
                Files.createFile(folder.resolve("f" + i));
            }
            gate.add(1);
            waitFor(() -> model.tells(Change.Everything.class));
            assertThat(model.tells(Change.Everything.class)).as("in time").isTrue();
            Files.createDirectories(folder.resolve("after/it"));
            model.becomesTheTruth();
            assertThat(model.sizes()).hasSize(queue + 2);
        }
    }

    @Test
    @Tag("root")
    void namesTheSettingWhenItsLimitIsReached() throws Exception {
        for (int i = 0; i < 40; i++) {
            Files.createDirectory(folder.resolve("d" + i));
        }
        // In a user namespace, which has a limit of its own: that of the machine is not ours to change.
        String classes = location(Watch.class) + ":" + location(LinuxException.class) + ":" + location(WatchTest.class);
        String output = XfsImage.run(List.of(
                "unshare",
                "-U",
                "--map-root-user",
                "sh",
                "-c",
                "echo 20 > /proc/sys/user/max_inotify_watches && exec \"$@\"",
                "sh",
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classes,
                RefusedWatch.class.getName(),
                folder.toString()));
        assertThat(output)
                .contains(folder + "/", "fs.inotify.max_user_watches = ", "user.max_inotify_watches", "ENOSPC");
    }

    @Test
    @Tag("root")
    void tellsThatItWasUnmounted() throws Exception {
        Model model;
        Watch watch;
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            model = new Model(mount.path());
            watch = Watch.open(mount.path(), model);
        }
        waitFor(() -> model.tells(Change.Ended.class));
        assertThat(model.tells(Change.Ended.class)).as("in time").isTrue();
        assertThat(model.told().getLast().toString()).contains("unmounted");
        waitFor(() -> !watch.isOpen());
        assertThat(!watch.isOpen()).as("in time").isTrue();
        watch.close();
    }

    @Test
    @Tag("slow")
    void tellsAWriteWithinMilliseconds() throws Exception {
        LinkedBlockingQueue<Long> times = new LinkedBlockingQueue<>();
        Path file = Files.createFile(folder.resolve("file"));
        long[] took = new long[300];
        try (Watch _ = Watch.open(folder, Duration.ZERO, _ -> times.add(System.nanoTime()));
                FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            for (int i = 0; i < took.length; i++) {
                long begin = System.nanoTime();
                channel.write(ByteBuffer.wrap(new byte[4096]), 0);
                Long told = times.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                assertThat(told).isNotNull();
                took[i] = told - begin;
            }
        }
        Arrays.sort(took);
        System.out.printf(
                "a write is told after %d us (median), %d us (99 %%)%n",
                took[took.length / 2] / 1000, took[took.length * 99 / 100] / 1000);
        assertThat(took[took.length / 2]).isLessThan(Duration.ofMillis(50).toNanos());
    }

    @Test
    void endsPromptlyAndTellsNothingMore() throws Exception {
        Model model = new Model(folder);
        Watch watch = Watch.open(folder, model);
        long begin = System.nanoTime();
        watch.close();
        watch.close();
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
        Files.createFile(folder.resolve("late"));
        assertThat(watch.isOpen()).isFalse();
        assertThat(model.told()).isEmpty();
    }

    @Test
    void endsWithTheReasonWhenItsListenerFails() throws Exception {
        LinkedBlockingQueue<Change> told = new LinkedBlockingQueue<>();
        try (Watch watch = Watch.open(folder, change -> {
            told.add(change);
            if (change instanceof Change.Added) {
                throw new IOException("cannot follow");
            }
        })) {
            Files.createFile(folder.resolve("file"));
            waitFor(() -> !watch.isOpen());
            assertThat(!watch.isOpen()).as("in time").isTrue();
            assertThat(told).containsExactly(new Change.Added("/file"), new Change.Ended("cannot follow"));
        }
    }

    private static Map<String, Long> truth(Path root) throws IOException {
        return truth(root, root);
    }

    /** What is below a path and itself, as far as it is not removed meanwhile. */
    private static Map<String, Long> truth(Path root, Path path) throws IOException {
        Map<String, Long> sizes = new TreeMap<>();
        Files.walkFileTree(path, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
                return visitFile(directory, attributes);
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                if (!file.equals(root)) {
                    sizes.put("/" + root.relativize(file), attributes.isDirectory() ? 0 : attributes.size());
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException gone) {
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException gone) {
                return FileVisitResult.CONTINUE;
            }
        });
        return sizes;
    }

    /** The size of a file; 0 of a directory. */
    private static long size(Path path) throws IOException {
        return Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)
                ? 0
                : (Long) Files.getAttribute(path, "size", LinkOption.NOFOLLOW_LINKS);
    }

    private static void take(BlockingQueue<Integer> gate) {
        try {
            assertThat(gate.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isNotNull();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static Path location(Class<?> of) throws Exception {
        return Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI());
    }

    private static void waitFor(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean() && System.nanoTime() - end < 0) {
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }
}
