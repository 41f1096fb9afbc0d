package io.aisio.xal.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.Change;
import io.aisio.xal.Comparison;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileExtents;
import io.aisio.xal.FileType;
import io.aisio.xal.LoopMount;
import io.aisio.xal.Piece;
import io.aisio.xal.Placement;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsImage;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import io.aisio.xal.index.IndexReader;
import io.aisio.xal.index.IndexWriter;
import io.aisio.xal.watch.Replica;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MountedTreeTest {
    private static final int PIECES = 1_500;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @Tag("root")
    @ValueSource(
            strings = {
                "mkfs.xfs -q -f -b size=4096",
                "mkfs.xfs -q -f -b size=1024 -m reflink=0",
                "mkfs.ext4 -q -F -b 4096",
                "mkfs.ext4 -q -F -b 1024 -O inline_data",
                "mkfs.ext4 -q -F -b 1024 -O ^extents,^64bit,^metadata_csum"
            })
    void agreesWithStrangersAboutNamesMapsAndBytes(String mkfs) throws Exception {
        try (LoopMount loop = LoopMount.made(folder, mkfs);
                Xal xal = Xal.mounted(loop.path(), true)) {
            Path mount = loop.path();
            fill(mount);
            List<String> listed = new ArrayList<>();
            Map<String, Entry> files = new TreeMap<>();
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) {
                    listed.add(entry.path());
                    if (entry.type() == FileType.REGULAR) {
                        files.put(entry.path(), entry);
                    }
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    throw new IOException(path, problem);
                }
            });
            String found = XfsImage.run(List.of("find", mount.toString(), "-printf", "/%P\\n"));
            // The one name that is not UTF-8 is looked at by itself.
            listed.remove("/bad\uDCFFname");
            assertThat(listed)
                    .containsExactlyInAnyOrderElementsOf(found.lines()
                            .filter(line -> !line.startsWith("/bad"))
                            .toList());
            Entry bad = files.remove("/bad\uDCFFname");
            assertThat(bad).isEqualTo(xal.lookup("/bad\uDCFFname"));
            boolean strange = false;
            for (Map.Entry<String, Entry> file : files.entrySet()) {
                List<Extent> extents = xal.extents(file.getValue());
                Path path = mount.resolve(file.getKey().substring(1));
                if (extents.stream().allMatch(Extent::located)) {
                    assertThat(extents.stream().map(MountedTreeTest::line).toList())
                            .as(file.getKey())
                            .isEqualTo(filefrag(path));
                    assertThat(Arrays.equals(read(loop.image(), xal.pieces(file.getValue())), Files.readAllBytes(path)))
                            .as("the bytes of %s", file.getKey())
                            .isTrue();
                } else {
                    strange = true;
                }
            }
            assertThat(xal.extents(files.get("/scattered"))).hasSizeGreaterThanOrEqualTo(PIECES);
            assertThat(strange).as("inline data is not on the device").isEqualTo(mkfs.contains("inline_data"));
            assertThat(xal.volume().type()).isEqualTo(mkfs.substring(5, mkfs.indexOf(' ')));
        }
    }

    /** Takes what a reading gives, checks the order in which it comes, and knows it when it is read again. */
    private static final class Recorded implements Catalog {
        /** Generation, stamp, and how many extents. */
        private record Known(int generation, long stamp, int extents) {}

        private final Map<Long, Known> before;
        final Map<Long, Known> inodes = new ConcurrentHashMap<>();
        final Queue<Long> named = new ConcurrentLinkedQueue<>();
        final Set<Long> kept = ConcurrentHashMap.newKeySet();
        final Queue<String> damage = new ConcurrentLinkedQueue<>();

        Recorded(Map<Long, Known> before) {
            this.before = before;
        }

        @Override
        public void inodes(InodeBatch batch) {
            for (int i = 0; i < batch.inodes(); i++) {
                int end = i + 1 < batch.inodes() ? batch.firstExtent(i + 1) : batch.extents();
                assertThat(inodes.put(
                                batch.number(i),
                                new Known(batch.generation(i), batch.stamp(i), end - batch.firstExtent(i))))
                        .as("inode %d, given twice", batch.number(i))
                        .isNull();
            }
        }

        @Override
        public void names(long directory, NameBatch batch) {
            assertThat(inodes.containsKey(directory) || kept.contains(directory))
                    .isTrue();
            for (int i = 0; i < batch.names(); i++) {
                long number = batch.inode(i);
                assertThat(inodes.containsKey(number) || kept.contains(number) || !damage.isEmpty())
                        .as("inode %d, named before it was given", number)
                        .isTrue();
                named.add(number);
            }
        }

        @Override
        public boolean knows(long number, int generation, long stamp) {
            Known known = before.get(number);
            return known != null && known.generation() == generation && known.stamp() == stamp;
        }

        @Override
        public void keep(long number) {
            assertThat(kept.add(number)).isTrue();
        }

        @Override
        public void damaged(IOException problem) {
            damage.add(problem.getMessage());
        }
    }

    @ParameterizedTest
    @Tag("root")
    @ValueSource(strings = {"xfs", "ext4"})
    void givesACatalogEachInodeOnceBeforeItsNamesAndKeepsWhatDidNotChange(String type) throws Exception {
        try (LoopMount loop = LoopMount.make(folder, type);
                MountedTree tree = MountedTree.open(loop.path(), true)) {
            Path mount = loop.path();
            fill(mount);
            for (int i = 0; i < 3_000; i++) {
                XfsImage.fill(mount.resolve("d" + i % 13 + "/" + i), i % 300);
            }
            for (int i = 0; i < 500; i++) {
                Files.createLink(mount.resolve("d" + i % 7 + "/link" + i), mount.resolve("d" + i % 13 + "/" + i));
            }
            XfsImage.run(List.of("sync", "-f", mount.toString()));
            Recorded first = new Recorded(Map.of());
            tree.readAll(first);
            assertThat(first.damage).isEmpty();
            assertThat(first.kept).isEmpty();
            String found = XfsImage.run(List.of("find", mount.toString(), "-mindepth", "1", "-printf", "%i\\n"));
            assertThat(first.named)
                    .containsExactlyInAnyOrderElementsOf(
                            found.lines().map(Long::valueOf).toList());
            assertThat(first.inodes.keySet()).containsAll(first.named);
            assertThat(first.inodes.get(inode(mount.resolve("scattered"))).extents())
                    .isGreaterThanOrEqualTo(PIECES);

            Recorded again = new Recorded(first.inodes);
            tree.readAll(again);
            assertThat(again.inodes).as("what is not as it was").isEmpty();
            assertThat(again.kept).isEqualTo(first.inodes.keySet());

            Path grown = mount.resolve("d5/5");
            Files.write(grown, new byte[10_000]);
            long gone = inode(mount.resolve("d" + 2501 % 13 + "/2501"));
            Files.delete(mount.resolve("d" + 2501 % 13 + "/2501"));
            Recorded third = new Recorded(first.inodes);
            tree.readAll(third);
            assertThat(third.inodes.keySet())
                    .containsExactlyInAnyOrder(inode(grown), inode(mount.resolve("d" + 2501 % 13)));
            assertThat(third.kept).doesNotContain(gone, inode(grown));
            assertThat(third.named).doesNotContain(gone);
        }
    }

    @Test
    @Tag("root")
    void losesNoFileOfWhichOneNameIsReplacedMeanwhile() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                MountedTree tree = MountedTree.open(loop.path(), false)) {
            Path mount = loop.path();
            int names = 100;
            List<Path> kept = new ArrayList<>();
            for (int i = 0; i < names; i++) {
                Path other = mount.resolve("others/" + i);
                XfsImage.fill(other, 100);
                kept.add(other);
                Files.createDirectories(mount.resolve("replaced"));
                Files.createLink(mount.resolve("replaced/" + i), other);
            }
            List<Long> numbers = new ArrayList<>();
            for (Path path : kept) {
                numbers.add(inode(path));
            }
            AtomicBoolean stop = new AtomicBoolean();
            AtomicLong replacements = new AtomicLong();
            CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> {
                Path fresh = mount.resolve("fresh");
                try {
                    for (int i = 0; !stop.get(); i++) {
                        Path name = mount.resolve("replaced/" + i % names);
                        Files.createFile(fresh);
                        Files.move(fresh, name, StandardCopyOption.ATOMIC_MOVE);
                        Files.createLink(fresh, kept.get(i % names));
                        Files.move(fresh, name, StandardCopyOption.ATOMIC_MOVE);
                        replacements.incrementAndGet();
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            try {
                for (int round = 0; round < 400; round++) {
                    Recorded read = new Recorded(Map.of());
                    tree.readAll(read);
                    assertThat(read.damage).isEmpty();
                    assertThat(read.inodes.keySet())
                            .as("read in round %d", round)
                            .containsAll(numbers);
                }
            } finally {
                stop.set(true);
                writer.get();
            }
            assertThat(replacements).hasPositiveValue();
        }
    }

    /** An index, of which one directory is renamed once it was found, and before its names are read. */
    private record Renaming(IndexWriter writer, long directory, Path from, Path to) implements Catalog {
        @Override
        public void inodes(InodeBatch batch) {
            writer.inodes(batch);
        }

        @Override
        public void names(long directory, NameBatch batch) {
            writer.names(directory, batch);
        }

        @Override
        public boolean knows(long number, int generation, long stamp) {
            return writer.knows(number, generation, stamp);
        }

        @Override
        public void keep(long number) {
            writer.keep(number);
            if (number == directory) {
                try {
                    Files.move(from, to);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        }

        @Override
        public void damaged(IOException problem) {
            writer.damaged(problem);
        }
    }

    @Test
    @Tag("root")
    void aDirectoryThatIsRenamedMeanwhileHasNoNamesRatherThanSomeOfNothing() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                MountedTree tree = MountedTree.open(loop.path(), true);
                IndexWriter writer = IndexWriter.create(tree.describe(), null);
                IndexReader reader = writer.reader()) {
            Path mount = loop.path();
            XfsImage.fill(mount.resolve("d/file"), 100);
            XfsImage.fill(mount.resolve("d/deep/file"), 100);
            long directory = inode(mount.resolve("d"));
            long root = tree.root().inode().number();
            writer.beginReading(root);
            tree.readAll(writer);
            writer.endReading();
            assertThat(reader.find("/d/deep/file")).isPositive();
            writer.beginReading(root);
            tree.readAll(new Renaming(writer, directory, mount.resolve("d"), mount.resolve("e")));
            writer.endReading();
            assertThat(reader.find("/d")).isEqualTo(directory);
            assertThat(reader.list(directory)).isEmpty();
            assertThat(reader.files()).isZero();
            assertThat(reader.directories()).isEqualTo(2);
            assertThat(reader.problems()).isEmpty();
            writer.beginReading(root);
            tree.readAll(writer);
            writer.endReading();
            assertThat(reader.find("/e/deep/file")).isPositive();
        }
    }

    @Test
    @Tag("root")
    void aFileThatChangesEachTimeThatItIsMappedIsStaleAndNotDamaged() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                MountedTree tree = MountedTree.open(loop.path(), true);
                MountedTree restless = MountedTree.open(loop.path(), true, 1);
                IndexWriter writer = IndexWriter.create(tree.describe(), null);
                IndexReader reader = writer.reader()) {
            XfsImage.fill(loop.path().resolve("file"), 5_000);
            Replica replica = new Replica(writer, reader);
            replica.readAll(tree);
            writer.markCurrent();
            FileExtents held = reader.extents("/file");
            assertThat(reader.isCurrent(held)).isTrue();
            replica.apply(restless, new Change.Changed("/file"));
            assertThat(replica.isUnsettled()).isTrue();
            assertThat(reader.staleness()).contains("/file", "changed while it was mapped");
            assertThat(reader.extents("/file").extents()).isEqualTo(held.extents());
            assertThat(reader.isCurrent(reader.extents("/file"))).isFalse();
            // It has no name before it is known.
            XfsImage.fill(loop.path().resolve("new"), 5_000);
            replica.readAll(restless);
            assertThat(replica.isUnsettled()).isTrue();
            assertThat(reader.extents("/file").extents()).isEqualTo(held.extents());
            assertThat(reader.isCurrent(reader.extents("/file"))).isFalse();
            assertThat(reader.find("/new")).isEqualTo(-1);
            assertThat(reader.staleness()).contains("changed while it was mapped");
            assertThat(reader.problems()).isEmpty();
            replica.settle(tree);
            assertThat(replica.isUnsettled()).isFalse();
            assertThat(reader.staleness()).isNull();
            assertThat(reader.isCurrent(reader.extents("/file"))).isTrue();
            assertThat(reader.isCurrent(reader.extents("/new"))).isTrue();
        }
    }

    @Test
    @Tag("root")
    void tellsOfOneThatCannotBeReadAndGivesAllOthers() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                MountedTree tree = MountedTree.open(loop.path(), true)) {
            Path inner = Files.createDirectories(loop.path().resolve("inner"));
            XfsImage.fill(loop.path().resolve("a/file"), 5_000);
            XfsImage.fill(loop.path().resolve("z/file"), 5_000);
            long hidden = inode(inner);
            XfsImage.run(List.of("mount", "-t", "tmpfs", "none", inner.toString()));
            try {
                Recorded read = new Recorded(Map.of());
                tree.readAll(read);
                assertThat(read.damage).singleElement().asString().contains("/inner", "something else is mounted");
                assertThat(read.inodes).hasSize(5);
                assertThat(read.named).hasSize(5).contains(hidden);
            } finally {
                XfsImage.run(List.of("umount", inner.toString()));
            }
        }
    }

    @Test
    @Tag("root")
    void endsWhenItIsInterrupted() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                MountedTree tree = MountedTree.open(loop.path(), true)) {
            Thread.currentThread().interrupt();
            try {
                assertThatThrownBy(() -> tree.readAll(new Recorded(Map.of())))
                        .isInstanceOf(InterruptedIOException.class);
            } finally {
                // Closing the mount waits for a program.
                Thread.interrupted();
            }
        }
    }

    @ParameterizedTest
    @Tag("root")
    @ValueSource(
            strings = {
                "mkfs.xfs -q -L some-name -m uuid=01234567-89ab-cdef-0123-456789abcdef",
                "mkfs.ext4 -q -L some-name -U 01234567-89ab-cdef-0123-456789abcdef"
            })
    void tellsWhatTheFileSystemIsCalled(String mkfs) throws Exception {
        try (LoopMount loop = LoopMount.made(folder, mkfs);
                Xal xal = Xal.mounted(loop.path(), false)) {
            assertThat(xal.volume().uuid()).isEqualTo("01234567-89ab-cdef-0123-456789abcdef");
            assertThat(xal.volume().label()).isEqualTo("some-name");
        }
    }

    private static long inode(Path file) throws IOException {
        return (Long) Files.getAttribute(file, "unix:ino");
    }

    @ParameterizedTest
    @Tag("root")
    @Tag("slow")
    @ValueSource(strings = {"mkfs.xfs -q -f", "mkfs.ext4 -q -F -b 1024"})
    void comparesTenThousandFilesAndFindsTheByteThatWasTurned(String mkfs) throws Exception {
        List<String> told = new ArrayList<>();
        Comparison.Listener listener = new Comparison.Listener() {
            @Override
            public void differs(String path, String what, String first, String second) {
                told.add(path + " " + what + " " + first + " | " + second);
            }

            @Override
            public void damaged(String path, IOException problem) {
                told.add(path + " " + problem);
            }
        };
        try (LoopMount loop = LoopMount.made(folder, mkfs)) {
            Path mount = loop.path();
            fill(mount);
            for (int i = 0; i < 10_000; i++) {
                XfsImage.fill(mount.resolve("many" + i % 10 + "/" + i), i % 9_000);
            }
            loop.again("loop,ro");
            try (Xal mounted = Xal.mounted(mount, true);
                    FileBlocks device = FileBlocks.open(loop.image())) {
                Comparison comparison = new Comparison(listener);
                if (mkfs.contains("xfs")) {
                    try (Xal onDisk = Xal.open(device)) {
                        comparison.maps(onDisk, mounted);
                    }
                }
                comparison.bytes(mounted, device);
                assertThat(told).isEmpty();
                assertThat(comparison.counts().entries()).isGreaterThan(10_000);
                assertThat(comparison.counts().bytes()).isGreaterThan(40_000_000);
                assertThat(comparison.counts().elsewhere()).isZero();

                Extent extent = mounted.extents(mounted.lookup("/many5/5555")).getFirst();
                try (RandomAccessFile file = new RandomAccessFile(loop.image().toFile(), "rw")) {
                    byte[] cached = Files.readAllBytes(mount.resolve("many5/5555"));
                    file.seek(extent.position() + 77);
                    file.write(~cached[77]);
                }
                comparison.bytes(mounted, device);
                assertThat(told).singleElement().asString().contains("/many5/5555 bytes as read, from byte 77");
            }
        }
    }

    @Test
    @Tag("root")
    void tellsWhereTheOneDeviceOfABtrfsHoldsItsBytes() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "btrfs")) {
            Path mount = loop.path();
            fill(mount);
            for (int i = 0; i < 300; i++) {
                XfsImage.fill(mount.resolve("many/" + i), i * 331);
            }
            XfsImage.fill(mount.resolve("large"), 30 << 20);
            XfsImage.run(
                    List.of("fallocate", "-l", "3M", mount.resolve("unwritten").toString()));
            XfsImage.run(List.of(
                    "cp",
                    "--reflink=always",
                    mount.resolve("large").toString(),
                    mount.resolve("clone").toString()));
            Path compressed = mount.resolve("compressed");
            Files.createFile(compressed);
            XfsImage.run(List.of("btrfs", "property", "set", compressed.toString(), "compression", "zstd"));
            Files.write(compressed, "the same again ".repeat(100_000).getBytes(StandardCharsets.UTF_8));
            XfsImage.run(List.of(
                    "btrfs", "subvolume", "create", mount.resolve("sub2").toString()));
            List<String> told = new ArrayList<>();
            Comparison comparison = new Comparison(new Comparison.Listener() {
                @Override
                public void differs(String path, String what, String first, String second) {
                    told.add(path + " " + what + " " + first + " | " + second);
                }

                @Override
                public void damaged(String path, IOException problem) {
                    told.add(path + " " + problem.getMessage());
                }
            });
            try (Xal xal = Xal.mounted(mount, true);
                    FileBlocks device = FileBlocks.open(loop.device())) {
                comparison.bytes(xal, device);
                assertThat(told).singleElement().asString().contains("/sub2", "a subvolume");
                assertThat(comparison.counts().bytes()).isGreaterThan(60 << 20);
                assertThat(comparison.counts().elsewhere()).isBetween(1_500_000L, 2_500_000L);
                assertThat(xal.extents(xal.lookup("/large"))).isNotEmpty().allMatch(e -> e.shared() && e.located());
                assertThat(Arrays.equals(
                                read(loop.image(), xal.pieces(xal.lookup("/large"))),
                                Files.readAllBytes(mount.resolve("large"))))
                        .isTrue();
                assertThat(xal.extents(xal.lookup("/unwritten"))).isNotEmpty().allMatch(Extent::unwritten);
                assertThat(xal.extents(xal.lookup("/tiny"))).noneMatch(Extent::located);
                assertThat(xal.extents(xal.lookup("/compressed"))).isNotEmpty().noneMatch(Extent::located);
                assertThat(Placement.of(xal).device())
                        .isEqualTo(loop.device().getFileName().toString());
            }
        }
    }

    @Test
    @Tag("root")
    void doesNotEnterAnotherMountAndSaysSo() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs")) {
            Path inner = Files.createDirectories(loop.path().resolve("inner"));
            Files.createFile(inner.resolve("hidden"));
            XfsImage.run(List.of("mount", "-t", "tmpfs", "none", inner.toString()));
            try {
                Files.createFile(inner.resolve("foreign"));
                tellsOfTheMountInIt(loop.path());
            } finally {
                XfsImage.run(List.of("umount", inner.toString()));
            }
        }
    }

    private static void tellsOfTheMountInIt(Path mount) throws IOException {
        try (Xal xal = Xal.mounted(mount, false)) {
            List<String> seen = new ArrayList<>();
            List<String> damaged = new ArrayList<>();
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) {
                    seen.add(entry.path());
                }

                @Override
                public void damaged(String path, IOException problem) {
                    damaged.add(path + " " + problem.getMessage());
                }
            });
            assertThat(seen).containsExactly("/");
            assertThat(damaged).singleElement().asString().contains("/inner", "something else is mounted there");
        }
    }

    @Test
    void refusesAFileSystemWithoutADevice() {
        assertThatThrownBy(() -> Xal.mounted(Path.of("/dev/shm"), false))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("/dev/shm is on tmpfs: its files lie in memory");
        assertThatThrownBy(() -> Xal.mounted(Path.of("/proc"), false)).hasMessageContaining("/proc is on proc");
    }

    @Test
    @Tag("root")
    void saysThatTheDeviceHoldsAFileEncrypted() throws Exception {
        try (LoopMount loop = LoopMount.made(folder, "mkfs.ext4 -q -F -O encrypt");
                Xal xal = Xal.mounted(loop.path(), true)) {
            Path secret = Files.createDirectory(loop.path().resolve("secret"));
            encrypt(secret);
            XfsImage.fill(secret.resolve("file"), 10_000);
            XfsImage.fill(loop.path().resolve("plain"), 10_000);
            List<Extent> extents = xal.extents(xal.lookup("/secret/file"));
            XfsImage.run(List.of("sync", "-f", loop.path().toString()));
            byte[] held = new byte[10_000];
            try (RandomAccessFile device = new RandomAccessFile(loop.image().toFile(), "r")) {
                device.seek(extents.getFirst().position());
                device.readFully(held);
            }
            assertThat(held).isNotEqualTo(Files.readAllBytes(secret.resolve("file")));
            assertThat(extents)
                    .isNotEmpty()
                    .noneMatch(Extent::located)
                    .allMatch(e -> e.flagNames().containsAll(List.of("encoded", "data-encrypted")));
            assertThat(xal.extents(xal.lookup("/plain"))).isNotEmpty().allMatch(Extent::located);
        }
    }

    /** Gives an empty directory a key, by e4crypt(8), which wants a keyring that is the session's own. */
    private static void encrypt(Path directory) throws Exception {
        try {
            XfsImage.run(
                    List.of("sh", "-c", "echo some phrase | e4crypt add_key -S s:salt \"$0\"", directory.toString()));
        } catch (IOException e) {
            assumeTrue(false, "needs e4crypt and a kernel with fscrypt: " + e.getMessage());
        }
    }

    @Test
    @Tag("root")
    void refusesAJournalOfDataThatIsTheSuperblocksDefault() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "ext4")) {
            changeUnmounted(loop, "tune2fs", "-o", "journal_data");
            assertThatThrownBy(() -> Xal.mounted(loop.path(), true))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(loop.path() + " is mounted with data=journal");
            loop.again("loop,data=ordered");
            Xal.mounted(loop.path(), true).close();
            changeUnmounted(loop, "tune2fs", "-o", "^journal_data");
            loop.again("loop,data=journal");
            assertThatThrownBy(() -> Xal.mounted(loop.path(), true)).hasMessageContaining("data=journal");
        }
    }

    @Test
    @Tag("root")
    void doesNotLocateAFileWhoseDataIsJournaled() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "ext4")) {
            XfsImage.fill(loop.path().resolve("file"), 10_000);
            XfsImage.fill(loop.path().resolve("other"), 10_000);
            // EXT4_EXTENTS_FL and EXT4_JOURNAL_DATA_FL: as chattr +j does, which needs CAP_SYS_RESOURCE.
            changeUnmounted(loop, "debugfs", "-w", "-R", "set_inode_field /file flags 0x84000");
            try (Xal xal = Xal.mounted(loop.path(), true)) {
                assertThat(xal.extents(xal.lookup("/file")))
                        .isNotEmpty()
                        .allMatch(e -> e.flagNames().contains("unknown_loc"));
                assertThat(xal.extents(xal.lookup("/other"))).isNotEmpty().allMatch(Extent::located);
            }
        }
    }

    private static void changeUnmounted(LoopMount loop, String... command) throws Exception {
        loop.close();
        List<String> line = new ArrayList<>(List.of(command));
        line.add(loop.image().toString());
        try {
            XfsImage.run(line);
        } finally {
            XfsImage.run(List.of(
                    "mount", "-o", "loop", loop.image().toString(), loop.path().toString()));
        }
    }

    private static void fill(Path mount) throws Exception {
        Random random = new Random(11);
        byte[] block = new byte[4096];
        try (FileChannel scattered =
                FileChannel.open(mount.resolve("scattered"), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (int i = 0; i < PIECES; i++) {
                random.nextBytes(block);
                scattered.write(ByteBuffer.wrap(block), i * 8192L);
            }
        }
        Files.writeString(mount.resolve("tiny"), "few bytes");
        Files.createFile(mount.resolve("empty"));
        XfsImage.fill(mount.resolve("sub/plain"), 100_001);
        Files.createLink(mount.resolve("hard"), mount.resolve("sub/plain"));
        Files.createSymbolicLink(mount.resolve("link"), Path.of("sub"));
        XfsImage.run(List.of("mkfifo", mount.resolve("pipe").toString()));
        XfsImage.run(List.of("mknod", mount.resolve("disk").toString(), "b", "7", "9"));
        XfsImage.run(List.of("sh", "-c", "touch \"" + mount + "/bad$(printf '\\377')name\""));
        // Deeper than a path that the kernel takes at once; made from within, by renaming each beneath the next.
        String name = "d".repeat(200);
        XfsImage.run(List.of(
                "sh",
                "-c",
                "cd " + mount + " && for i in $(seq 30); do mkdir t && { [ -d " + name + " ] && mv " + name
                        + " t/ ; mv t " + name + "; }; done"));
    }

    private static String line(Extent extent) {
        return extent.offset() + " " + extent.position() + " " + extent.length();
    }

    private static final Pattern FRAGMENT =
            Pattern.compile("^ *\\d+: +(\\d+)\\.\\. *\\d+: +(\\d+)\\.\\. *\\d+: +(\\d+):", Pattern.MULTILINE);

    /** Offset, position and length of each extent, as filefrag tells them in bytes. */
    private static List<String> filefrag(Path file) throws Exception {
        Matcher lines = FRAGMENT.matcher(XfsImage.run(List.of("filefrag", "-v", "-b1", file.toString())));
        List<String> fragments = new ArrayList<>();
        while (lines.find()) {
            fragments.add(lines.group(1) + " " + lines.group(2) + " " + lines.group(3));
        }
        return fragments;
    }

    private static byte[] read(Path image, List<Piece> pieces) throws IOException {
        java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
        try (FileChannel channel = FileChannel.open(image)) {
            for (Piece piece : pieces) {
                ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(piece.length()));
                if (piece.kind() == Piece.Kind.DATA) {
                    assertThat(channel.read(buffer, piece.position())).isEqualTo(buffer.capacity());
                }
                bytes.write(buffer.array());
            }
        }
        return bytes.toByteArray();
    }
}
