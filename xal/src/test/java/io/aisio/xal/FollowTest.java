package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xal.index.IndexWriter;
import io.aisio.xal.mount.MountedTree;
import io.aisio.xal.watch.Replica;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An index that follows a mounted file system, compared with one that is made afresh. */
@Tag("root")
class FollowTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @TempDir
    private Path folder;

    /** All that was told, in order. */
    private static final class Told implements Index.Listener {
        private final BlockingQueue<Index.Update> updates = new LinkedBlockingQueue<>();

        @Override
        public void updated(Index.Update update) {
            updates.add(update);
        }

        Index.Update await(Class<? extends Change> kind, String path) throws InterruptedException {
            long end = System.nanoTime() + PATIENCE.toNanos();
            List<Index.Update> others = new ArrayList<>();
            while (true) {
                Index.Update next = updates.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                if (next == null) {
                    throw new AssertionError("no " + kind.getSimpleName() + " of " + path + " among " + others);
                }
                if (kind.isInstance(next.change()) && next.path().equals(path)) {
                    return next;
                }
                others.add(next);
            }
        }
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void await(String what, Condition condition) throws Exception {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.holds()) {
            assertThat(System.nanoTime() - end).as(what).isNegative();
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    /** What an index says of each path. */
    private static Map<String, String> content(Index index) throws IOException {
        Map<String, String> content = new TreeMap<>();
        index.walk("/", new Xal.Visitor() {
            @Override
            public void visit(Entry entry) throws IOException {
                try {
                    FileExtents file = index.extents(entry.inode().number());
                    content.put(
                            entry.path(),
                            file.inode() + " " + comparable(file, index.volume().blockBytes()));
                } catch (NoSuchFileException e) {
                    content.put(entry.path(), "gone since");
                }
            }

            @Override
            public void damaged(String path, IOException problem) {
                content.put(path, "damaged: " + problem.getMessage());
            }
        });
        return content;
    }

    /**
     * Without what is not told: that blocks are shared with another file, which also divides extents, and that blocks
     * behind the end of the file were given back.
     */
    private static List<Extent> comparable(FileExtents file, int blockBytes) {
        long end = Math.ceilDiv(file.inode().size(), (long) blockBytes) * blockBytes;
        List<Extent> extents = new ArrayList<>();
        for (Extent extent : file.extents()) {
            long length = Math.min(extent.end(), end) - extent.offset();
            if (length <= 0) {
                continue;
            }
            Extent next = new Extent(extent.offset(), extent.position(), length, extent.flags() & ~Extent.SHARED);
            Extent last = extents.isEmpty() ? null : extents.getLast();
            if (last != null
                    && last.end() == next.offset()
                    && last.position() + last.length() == next.position()
                    && last.flags() == next.flags()) {
                extents.removeLast();
                next = new Extent(last.offset(), last.position(), last.length() + next.length(), last.flags());
            }
            extents.add(next);
        }
        return extents;
    }

    private static Map<String, String> fresh(Path directory) throws IOException {
        try (Xal xal = Xal.mounted(directory, true);
                Index index = xal.index()) {
            assertThat(index.problems()).isEmpty();
            return content(index);
        }
    }

    /** Waits until the index says what the file system says. */
    private static void becomesTheTruth(Index index, Path directory) throws Exception {
        Map<String, String> truth = fresh(directory);
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!content(index).equals(truth) || index.status().state() != Index.State.CURRENT) {
            if (System.nanoTime() - end > 0) {
                assertThat(content(index)).as(index.status().toString()).isEqualTo(truth);
                assertThat(index.status()).isEqualTo(new Index.Status(Index.State.CURRENT, ""));
            }
            TimeUnit.MILLISECONDS.sleep(5);
        }
        assertThat(index.files() + index.directories())
                .as("inodes, each once")
                .isEqualTo(truth.values().stream()
                        .map(inode -> inode.substring(0, inode.indexOf(',')))
                        .distinct()
                        .count());
    }

    /** One that uses a further name of a file only once the index has it: what is done by one never seen is not told. */
    private static RandomWriter writer(Index index, Path root, int seed) {
        return new RandomWriter(root, new Random(seed), path -> await(path + " is known", () -> index.find(path) >= 0));
    }

    @ParameterizedTest
    @CsvSource({"xfs, 1", "xfs, 2", "xfs, 3", "ext4, 4", "ext4, 5"})
    @Tag("slow")
    void isAsTheFileSystemAfterARandomWriter(String type, int seed) throws Exception {
        try (LoopMount mount = LoopMount.make(folder, type)) {
            try (Index index = Index.follow(mount.path(), Index.Follow.UPDATE, _ -> {})) {
                RandomWriter writer = writer(index, mount.path(), seed);
                for (int round = 0; round < 8; round++) {
                    for (int i = 0; i < 150; i++) {
                        writer.changeMore();
                    }
                    becomesTheTruth(index, mount.path());
                }
                assertThat(index.files()).isGreaterThan(15);
            }
        }
    }

    @Test
    @Tag("slow")
    void isAsTheFileSystemAfterItWasReadAgainAndAgainUnderAWriter() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            try (Index index = Index.follow(mount.path(), Index.Follow.UPDATE, _ -> {})) {
                RandomWriter writer = writer(index, mount.path(), 6);
                for (int round = 0; round < 4; round++) {
                    Thread refreshing = Thread.ofPlatform().start(() -> {
                        try {
                            while (!Thread.interrupted()) {
                                index.refresh();
                            }
                        } catch (IOException e) {
                            assertThat(e).isInstanceOf(java.io.InterruptedIOException.class);
                        }
                    });
                    for (int i = 0; i < 150; i++) {
                        writer.changeMore();
                    }
                    refreshing.interrupt();
                    refreshing.join();
                    index.refresh();
                    becomesTheTruth(index, mount.path());
                }
            }
        }
    }

    @Test
    void mapsOneFileForAChangeToOne() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            for (int i = 0; i < 5000; i++) {
                Path directory = mount.path().resolve("d" + i % 50);
                Files.createDirectories(directory);
                Files.write(directory.resolve("f" + i), new byte[1]);
            }
            Told told = new Told();
            try (Index index = Index.follow(mount.path(), Index.Follow.UPDATE, told)) {
                assertThat(index.files()).isEqualTo(5000);
                try (FileChannel file = FileChannel.open(mount.path().resolve("d7/f7"), StandardOpenOption.WRITE)) {
                    file.write(ByteBuffer.allocate(4096), 1 << 20);
                    Index.Update update = told.await(Change.Changed.class, "/d7/f7");
                    assertThat(update.mapped()).isEqualTo(1);
                    assertThat(update.fresh()).extracting(Extent::offset).containsExactly(1L << 20);
                    assertThat(index.extents("/d7/f7")).isEqualTo(update.file());
                    assertThat(index.extents("/d7/f7").inode().size()).isEqualTo((1 << 20) + 4096);
                }
                Files.move(mount.path().resolve("d8"), mount.path().resolve("d9/moved"));
                Index.Update moved = told.await(Change.Moved.class, "/d9/moved");
                assertThat(moved.mapped())
                        .as("files of a directory that was renamed")
                        .isZero();
                assertThat(index.find("/d9/moved/f8")).isPositive();
                assertThat(index.find("/d8/f8")).isEqualTo(-1);
                Files.delete(mount.path().resolve("d9/f9"));
                assertThat(told.await(Change.Removed.class, "/d9/f9").mapped()).isZero();
                assertThat(index.files()).isEqualTo(4999);
                Files.move(
                        mount.path().resolve("d9/f59"),
                        mount.path().resolve("d9/f109"),
                        StandardCopyOption.ATOMIC_MOVE);
                assertThat(told.await(Change.Moved.class, "/d9/f109").mapped()).isEqualTo(1);
                assertThat(index.files()).isEqualTo(4998);
                becomesTheTruth(index, mount.path());
            }
        }
    }

    @Test
    void countsTheNamesOfAFile() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            Path root = mount.path();
            Files.write(root.resolve("one"), new byte[10]);
            Told told = new Told();
            try (Index index = Index.follow(root, Index.Follow.UPDATE, told)) {
                Files.createDirectory(root.resolve("d"));
                Files.createLink(root.resolve("d/two"), root.resolve("one"));
                told.await(Change.Added.class, "/d/two");
                assertThat(index.lookup("/one").inode().links()).isEqualTo(2);
                assertThat(index.files()).isEqualTo(1);
                Files.delete(root.resolve("one"));
                told.await(Change.Removed.class, "/one");
                assertThat(index.lookup("/d/two").inode().links()).isEqualTo(1);
                FileExtents held = index.extents("/d/two");
                Files.delete(root.resolve("d/two"));
                told.await(Change.Removed.class, "/d/two");
                assertThat(index.files()).isZero();
                assertThat(index.isCurrent(held)).isFalse();
                assertThatThrownBy(() -> index.extents(held.inode().number())).isInstanceOf(NoSuchFileException.class);
            }
        }
    }

    @Test
    void holdsWhatADirectoryHeldThatCameOrWent() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "ext4")) {
            Path root = Files.createDirectory(mount.path().resolve("followed"));
            Path outside = mount.path().resolve("outside");
            Files.createDirectories(outside.resolve("deep/deeper"));
            for (int i = 0; i < 30; i++) {
                Files.write(outside.resolve((i % 2 == 0 ? "deep/f" : "deep/deeper/f") + i), new byte[i * 500]);
            }
            try (Index index = Index.follow(root, Index.Follow.UPDATE, _ -> {})) {
                Files.move(outside, root.resolve("inside"));
                becomesTheTruth(index, root);
                assertThat(index.files()).isEqualTo(30);
                Files.move(root.resolve("inside/deep"), mount.path().resolve("gone"));
                becomesTheTruth(index, root);
                assertThat(index.files()).isZero();
            }
        }
    }

    @Test
    void takesTheMapThatIsToldAndAsksOnlyWhereItCannotBe() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            Files.write(mount.path().resolve("file"), new byte[5 * 4096]);
            try (Xal xal = Xal.mounted(mount.path(), true);
                    MountedTree tree = MountedTree.open(mount.path(), true);
                    Index index = xal.index()) {
                IndexWriter writer = Objects.requireNonNull(index.writer());
                Replica replica = new Replica(writer, writer.reader());
                FileExtents truth = index.extents("/file");
                long inode = truth.inode().number();
                replica.apply(tree, new Change.Unmapped(inode, 4096, 4096));
                replica.apply(tree, new Change.Mapped(inode, new Extent(1 << 20, 1 << 24, 8192, Extent.UNWRITTEN)));
                replica.apply(tree, new Change.Mapped(inode + 1000, new Extent(0, 0, 4096, 0)));
                long position = truth.extents().getFirst().position();
                assertThat(index.extents("/file").extents())
                        .containsExactly(
                                new Extent(0, position, 4096, 0),
                                new Extent(8192, position + 8192, 3 * 4096, 0),
                                new Extent(1 << 20, 1 << 24, 8192, Extent.UNWRITTEN));
                assertThat(index.isCurrent(truth)).isFalse();
                assertThat(replica.mapped()).isZero();
                replica.apply(tree, new Change.Unmapped(inode, 8192, Long.MAX_VALUE));
                assertThat(index.extents("/file").extents()).containsExactly(new Extent(0, position, 4096, 0));
                replica.apply(tree, new Change.Mapped(inode, new Extent(4096, 0, -4096, 0)));
                assertThat(replica.mapped()).isEqualTo(1);
                assertThat(index.extents("/file").extents()).isEqualTo(truth.extents());
            }
        }
    }

    @Test
    void keepsAFileThatHasANameElsewhereThanInADirectoryThatWent() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "xfs");
                Xal xal = Xal.mounted(mount.path(), true);
                MountedTree tree = MountedTree.open(mount.path(), true);
                Index index = xal.index()) {
            IndexWriter writer = Objects.requireNonNull(index.writer());
            Replica replica = new Replica(writer, writer.reader());
            Path root = mount.path();
            Files.createDirectories(root.resolve("a/x"));
            Files.createDirectory(root.resolve("a/y"));
            Files.createDirectory(root.resolve("b"));
            Path file = Files.write(root.resolve("a/x/f"), new byte[5000]);
            replica.apply(tree, new Change.Added("/a"));
            replica.apply(tree, new Change.Added("/b"));
            for (String name : List.of("/b/f", "/a/y/f")) {
                Files.createLink(root.resolve(name.substring(1)), file);
                replica.apply(tree, new Change.Added(name));
            }
            assertThat(index.lookup("/a/y/f").inode().links()).isEqualTo(3);
            for (String name : List.of("a/x/f", "a/y/f", "a/x", "a/y", "a")) {
                Files.delete(root.resolve(name));
            }
            replica.apply(tree, new Change.Removed("/a"));
            assertThat(content(index)).isEqualTo(fresh(root)).containsKey("/b/f");
            assertThat(index.files()).isEqualTo(1);
            assertThat(index.directories()).isEqualTo(2);
        }
    }

    @Test
    void isDirtyAndThenReadAgainWhenMoreChangesThanMayWaitWereTold() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            BlockingQueue<Integer> gate = new LinkedBlockingQueue<>();
            Told told = new Told();
            boolean[] held = {true};
            Index.Listener listener = update -> {
                if (held[0]) {
                    held[0] = false;
                    take(gate);
                }
                told.updated(update);
            };
            try (Index index = Index.follow(mount.path(), Index.Follow.UPDATE, listener, 100)) {
                for (int i = 0; i < 200; i++) {
                    Files.write(mount.path().resolve("f" + i), new byte[i]);
                }
                await("dirty", () -> index.status().state() == Index.State.DIRTY);
                assertThat(index.status().reason()).contains("more than 100 changes waited");
                gate.add(1);
                told.await(Change.Everything.class, "");
                becomesTheTruth(index, mount.path());
                assertThat(index.files()).isEqualTo(200);
            }
        }
    }

    private static void take(BlockingQueue<Integer> gate) {
        try {
            assertThat(gate.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isNotNull();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void hindersNoUnmountAndStaysDirtyAfterIt() throws Exception {
        Told told = new Told();
        Index index;
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            Files.write(mount.path().resolve("file"), new byte[5000]);
            index = Index.follow(mount.path(), Index.Follow.UPDATE, told);
        }
        try (index) {
            told.await(Change.Ended.class, "");
            assertThat(index.status().state()).isEqualTo(Index.State.DIRTY);
            assertThat(index.status().reason()).contains("not followed any more", "unmounted");
            assertThat(index.isCurrent(index.extents("/file"))).isFalse();
            assertThatThrownBy(index::refresh).isInstanceOf(IOException.class);
            assertThat(index.status().reason()).isNotEmpty();
        }
    }

    @Test
    void onlyDetectsIfAskedTo() throws Exception {
        Told told = new Told();
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            Path file = Files.write(mount.path().resolve("file"), new byte[5000]);
            try (Index index = Index.follow(mount.path(), Index.Follow.DETECT, told)) {
                FileExtents held = index.extents("/file");
                assertThat(index.isCurrent(held)).isTrue();
                Files.write(file, new byte[5000], StandardOpenOption.APPEND);
                told.await(Change.Changed.class, "/file");
                assertThat(index.isCurrent(held)).isFalse();
                assertThat(index.status()).isEqualTo(new Index.Status(Index.State.DIRTY, "/file changed"));
                assertThat(index.extents("/file")).isEqualTo(held);
                await("current", () -> {
                    index.refresh();
                    return index.status().state() == Index.State.CURRENT;
                });
                assertThat(index.isCurrent(held)).isFalse();
                assertThat(index.lookup("/file").inode().size()).isEqualTo(10_000);
            }
        }
    }

    @Test
    void saysWhichFileCannotBeReadAndMendsItOnceItCan() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            Path file = Files.write(mount.path().resolve("file"), new byte[5000]);
            Files.write(mount.path().resolve("other"), new byte[5000]);
            Path cover = Files.createFile(folder.resolve("cover"));
            try (Index index = Index.follow(mount.path(), Index.Follow.UPDATE, _ -> {});
                    FileChannel open = FileChannel.open(file, StandardOpenOption.WRITE)) {
                FileExtents held = index.extents("/file");
                FileExtents other = index.extents("/other");
                XfsImage.run(List.of("mount", "--bind", cover.toString(), file.toString()));
                try {
                    open.write(ByteBuffer.allocate(4096), 8192);
                    await("dirty", () -> index.status().state() == Index.State.DIRTY);
                    assertThat(index.status().reason()).contains("/file", "something else is mounted there");
                    assertThat(index.isCurrent(held)).isFalse();
                    assertThat(index.isCurrent(other)).isTrue();
                    assertThatThrownBy(() -> index.extents("/file")).hasMessageContaining("could not be read");
                } finally {
                    XfsImage.run(List.of("umount", file.toString()));
                }
                becomesTheTruth(index, mount.path());
                assertThat(index.lookup("/file").inode().size()).isEqualTo(8192 + 4096);
            }
        }
    }

    @Test
    void endsAndIsDirtyWhenItsListenerFails() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            List<Change> told = new ArrayList<>();
            try (Index index = Index.follow(mount.path(), Index.Follow.UPDATE, update -> {
                told.add(update.change());
                if (update.change() instanceof Change.Added) {
                    throw new IOException("cannot go on");
                }
            })) {
                Files.createFile(mount.path().resolve("file"));
                await("dirty", () -> index.status().reason().contains("cannot go on"));
                index.refresh();
                assertThat(index.status().reason()).contains("not followed any more: cannot go on");
                assertThat(index.find("/file")).isPositive();
                assertThat(told).containsExactly(new Change.Added("/file"), new Change.Ended("cannot go on"));
            }
        }
    }

    @Test
    void tellsTheReasonWhereTheFileSystemCannotBeFollowed() throws Exception {
        assertThatThrownBy(() -> Index.follow(folder.resolve("none"), Index.Follow.UPDATE, _ -> {}))
                .isInstanceOf(NoSuchFileException.class);
        assertThatThrownBy(() -> Index.follow(Path.of("/proc"), Index.Follow.UPDATE, _ -> {}))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("/proc is on proc");
    }

    @Test
    @Tag("slow")
    void isReadByAnotherProcessUnderAWriterUntilItsOwnerIsKilled() throws Exception {
        String name = "follow-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
        try (LoopMount mount = LoopMount.make(folder, "xfs")) {
            Process owner =
                    OwnerProcess.start(FollowingOwner.class, mount.path().toString(), name);
            try (Index index = Index.attach(name)) {
                RandomWriter writer = writer(index, mount.path(), 9);
                for (int round = 0; round < 3; round++) {
                    for (int i = 0; i < 150; i++) {
                        writer.changeMore();
                        for (String content : content(index).values()) {
                            assertThat(content).matches("Inode\\[.*] \\[.*]|gone since");
                        }
                    }
                    becomesTheTruth(index, mount.path());
                }
                Path file = Files.write(mount.path().resolve("last"), new byte[70_000]);
                becomesTheTruth(index, mount.path());
                FileExtents held = index.extents("/last");
                assertThat(index.isCurrent(held)).isTrue();
                Files.write(file, new byte[9000], StandardOpenOption.APPEND);
                await("stale", () -> !index.isCurrent(held));
                assertThat(index.status().state()).isEqualTo(Index.State.CURRENT);
                becomesTheTruth(index, mount.path());
                FileExtents now = index.extents("/last");
                owner.destroyForcibly().waitFor();
                assertThat(index.status().state()).isEqualTo(Index.State.OWNER_GONE);
                assertThat(index.status().reason()).contains("process " + owner.pid(), "is gone");
                await("stale", () -> !index.isCurrent(now));
                assertThat(index.extents("/last")).isEqualTo(now);
            } finally {
                owner.destroyForcibly().waitFor();
                Files.deleteIfExists(Path.of("/dev/shm/aisio-" + name));
            }
        }
    }
}
