package io.aisio.xal.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.xal.Extent;
import io.aisio.xal.FileExtents;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.OwnerProcess;
import io.aisio.xal.XfsImage;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A shared index whose owner is another process, dies, or whose memory somebody spoils. */
class SharedIndexTest {
    @TempDir
    Path folder;

    private static Process owner(Path shared, String... more) throws IOException {
        return OwnerProcess.start(
                IndexOwner.class,
                Stream.concat(Stream.of(shared.toString()), Stream.of(more)).toArray(String[]::new));
    }

    @RepeatedTest(5)
    void seesOnlyWhatWasWrittenWholeAndIsToldWhenTheOwnerIsKilled() throws Exception {
        Path shared = folder.resolve("aisio-owned");
        Process process = owner(shared);
        try (IndexReader reader = IndexReader.attach(shared)) {
            long end = System.nanoTime() + 700_000_000L + new Random().nextInt(20_000_000);
            long changes = 0;
            Map<Integer, FileExtents> before = new HashMap<>();
            Random random = new Random();
            // On a machine that does much else the changes come slowly.
            long deadline = end + 60_000_000_000L;
            while (System.nanoTime() < end || (changes <= 100 && System.nanoTime() < deadline)) {
                int file = random.nextInt(IndexOwner.FILES);
                try {
                    FileExtents now = reader.extents("/f" + file);
                    IndexOwner.check(now);
                    FileExtents old = before.put(file, now);
                    if (old != null && old.version() != now.version()) {
                        changes++;
                        assertThat(now.inode().size()).isGreaterThan(old.inode().size());
                        assertThat(reader.isCurrent(old)).isFalse();
                    }
                } catch (NoSuchFileException e) {
                    assertThat(e.getMessage()).as("renamed at the moment").isEqualTo("/f" + file);
                }
            }
            assertThat(changes).isGreaterThan(10);
            assertThat(reader.hasLostOwner()).isFalse();
            process.destroyForcibly().waitFor();
            assertThat(reader.hasLostOwner()).isTrue();
            assertThat(reader.staleness()).contains("process " + process.pid(), "is gone");
            assertTimeoutPreemptively(Duration.ofSeconds(10), () -> {
                try {
                    FileExtents last = reader.extents(100);
                    IndexOwner.check(last);
                    assertThat(reader.isCurrent(last)).isFalse();
                } catch (io.aisio.xal.IndexException e) {
                    assertThat(e).hasMessageContaining("died while it changed it");
                }
            });
        } finally {
            process.destroyForcibly().waitFor();
        }
        try (IndexWriter next = IndexWriter.create(IndexWriterTest.VOLUME, shared)) {
            assertThat(next.region().owner())
                    .isEqualTo((int) ProcessHandle.current().pid());
        }
    }

    @Test
    void sayThatTheOwnerDiedWithinAChangeInsteadOfWaitingForItsEnd() throws Exception {
        Path shared = folder.resolve("aisio-halfway");
        Process process = owner(shared, "halfway");
        try (IndexReader reader = IndexReader.attach(shared)) {
            process.destroyForcibly().waitFor();
            assertTimeoutPreemptively(
                    Duration.ofSeconds(10),
                    () -> assertThatThrownBy(() -> reader.find("/f1"))
                            .hasMessageContaining("process " + process.pid() + ", died while it changed it"));
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private IndexWriter filled(Path shared) throws IOException {
        IndexWriter writer = IndexWriter.create(IndexWriterTest.VOLUME, shared, 1);
        writer.beginReading(1);
        writer.put(new Inode(1, 0, FileType.DIRECTORY, 0755, 2, 0), 040755, 1, List.of());
        writer.put(new Inode(2, 0, FileType.DIRECTORY, 0755, 2, 0), 040755, 1, List.of());
        writer.addName(1, "dir", 2);
        for (int i = 0; i < 300; i++) {
            writer.put(
                    new Inode(10 + i, 1, FileType.REGULAR, 0644, 1, 4096),
                    0100644,
                    1,
                    List.of(new Extent(0, 4096L * i, 4096, 0), new Extent(8192, 4096L * i, 4096, 0)));
            writer.addName(i % 2 + 1, "file" + i, 10 + i);
        }
        writer.damaged(new IOException("something is wrong"));
        writer.endReading();
        return writer;
    }

    /** Whatever lies there: an answer or an exception of ours, soon. */
    private static void readAll(IndexReader reader, Random random) {
        List<Runnable> reads = List.of(
                () -> tried(() -> reader.lookup("/dir/file" + random.nextInt(300))),
                () -> tried(() -> reader.find("/file" + random.nextInt(300))),
                () -> tried(() -> reader.extents("/dir/file" + random.nextInt(300))),
                () -> tried(() -> reader.extents(10 + random.nextInt(300))),
                () -> tried(() -> reader.list(1 + random.nextInt(2))),
                () -> tried(reader::problems),
                () -> tried(reader::volume),
                () -> tried(reader::staleness),
                () -> tried(() -> reader.isCurrent(new FileExtents(
                        new Inode(10, 1, FileType.REGULAR, 0644, 1, 4096), List.of(), 0, random.nextInt()))));
        reads.get(random.nextInt(reads.size())).run();
    }

    private interface Attempt {
        Object run() throws IOException;
    }

    private static void tried(Attempt attempt) {
        try {
            Object _ = attempt.run();
        } catch (IOException e) {
            assertThat(e.getMessage()).isNotEmpty();
        }
    }

    @RepeatedTest(3)
    void neitherFailsNorHangsOnMemoryThatSomebodySpoils() throws Exception {
        Path shared = folder.resolve("aisio-spoilt");
        Random random = new Random(7);
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            try (IndexWriter writer = filled(shared);
                    OpenFile file = OpenFile.open(shared, OpenFile.Access.READ_WRITE);
                    Mapping spoilt = Mapping.of(file, writer.region().layout.bytes)) {
                MemorySegment memory = spoilt.segment();
                byte[] good = Files.readAllBytes(shared);
                for (int round = 0; round < 300; round++) {
                    try (IndexReader reader = IndexReader.attach(shared, 2_000_000)) {
                        int flips = 1 + random.nextInt(40);
                        for (int i = 0; i < flips; i++) {
                            // One in each page over the rounds, and the header more often than the rest.
                            long at = random.nextInt(4) == 0
                                    ? random.nextInt(512)
                                    : (long) (round * 40 + i)
                                                    % (memory.byteSize() / Mapping.PAGE_SIZE)
                                                    * Mapping.PAGE_SIZE
                                            + random.nextInt(Mapping.PAGE_SIZE);
                            byte was = memory.get(ValueLayout.JAVA_BYTE, at);
                            memory.set(ValueLayout.JAVA_BYTE, at, (byte) (was ^ 1 << random.nextInt(8)));
                            for (int reads = 0; reads < 10; reads++) {
                                readAll(reader, random);
                            }
                        }
                    } finally {
                        MemorySegment.copy(MemorySegment.ofArray(good), 0, memory, 0, good.length);
                    }
                }
                try (IndexReader reader = IndexReader.attach(shared)) {
                    assertThat(reader.find("/dir/file1")).isEqualTo(11);
                }
            }
        });
    }

    @Test
    void saysThatTheFileWasCutShort() throws Exception {
        Path shared = folder.resolve("aisio-cut");
        try (IndexWriter writer = filled(shared);
                IndexReader reader = IndexReader.attach(shared)) {
            assertThat(reader.find("/dir/file1")).isEqualTo(11);
            long bytes = Files.size(shared);
            try (RandomAccessFile file = new RandomAccessFile(shared.toFile(), "rw")) {
                file.setLength(bytes - 1);
                assertThatThrownBy(() -> IndexReader.attach(shared)).hasMessageContaining("its columns take " + bytes);
                file.setLength(4096);
                assertThatThrownBy(() -> reader.lookup("/dir/file1")).hasMessageContaining("its memory was taken away");
                file.setLength(bytes);
            }
        }
    }

    @Test
    void refusesAnotherVersionOfTheLayout() throws Exception {
        Path shared = folder.resolve("aisio-version");
        try (IndexWriter writer = filled(shared)) {
            writer.region().memory.set(ValueLayout.JAVA_INT, Layout.VERSION, 99);
            assertThatThrownBy(() -> IndexReader.attach(shared))
                    .hasMessageContaining("its layout is version 99, known is " + Layout.VERSION_VALUE);
            writer.region().memory.set(ValueLayout.JAVA_INT, Layout.VERSION, Layout.VERSION_VALUE);
            writer.region().memory.set(ValueLayout.JAVA_INT, Layout.ENTRY_ROOM, -5);
            assertThatThrownBy(() -> IndexReader.attach(shared)).hasMessageContaining("room for -5 rows");
        }
    }

    @Test
    @Tag("root")
    void sharedMemoryThatIsFullIsAnExceptionAndWhatWasThereIsReadOn() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root, to mount a small tmpfs");
        Path mount = Files.createDirectories(folder.resolve("small"));
        XfsImage.run(List.of("mount", "-t", "tmpfs", "-o", "size=2m", "none", mount.toString()));
        try {
            Path shared = mount.resolve("aisio-full");
            try (IndexWriter writer = filled(shared);
                    IndexReader reader = IndexReader.attach(shared)) {
                assertThatThrownBy(() -> {
                            for (int i = 1000; i < 1_000_000; i++) {
                                writer.put(new Inode(i, 1, FileType.REGULAR, 0644, 1, 1), 0100644, 1, List.of());
                            }
                        })
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("no space left");
                assertThat(reader.find("/dir/file1")).isEqualTo(11);
                assertThat(writer.removeName(2, "file1")).isEqualTo(11);
                assertThat(reader.find("/dir/file1")).isEqualTo(-1);
            }
            assertThat(mount).isEmptyDirectory();
        } finally {
            XfsImage.run(List.of("umount", mount.toString()));
        }
    }

    @Test
    @Tag("root")
    void aDirectoryForWhichThereIsNoMemoryStaysAsItWas() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root, to mount a small tmpfs");
        Path mount = Files.createDirectories(folder.resolve("small"));
        XfsImage.run(List.of("mount", "-t", "tmpfs", "-o", "size=2m", "none", mount.toString()));
        try {
            Path shared = mount.resolve("aisio-full");
            try (IndexWriter writer = filled(shared);
                    IndexReader reader = IndexReader.attach(shared)) {
                List<IndexReader.Listed> before = reader.list(2);
                long files = reader.files();
                NameBatch names = new NameBatch();
                for (int i = 0; i < 100_000; i++) {
                    byte[] name = ("another-name-" + i).getBytes(StandardCharsets.UTF_8);
                    names.add(MemorySegment.ofArray(name), 0, name.length, 5000 + i, 0);
                }
                assertThatThrownBy(() -> writer.names(2, names))
                        .isInstanceOf(UncheckedIOException.class)
                        .hasMessageContaining("no space left");
                InodeBatch inodes = new InodeBatch();
                for (int i = 0; i < 1000; i++) {
                    inodes.addInode(5000 + i, 1, 0100644, 1, 1, 1);
                    for (int e = 0; e < 200; e++) {
                        inodes.addExtent(8192L * e, 4096, 4096, 0);
                    }
                }
                assertThatThrownBy(() -> writer.inodes(inodes))
                        .isInstanceOf(UncheckedIOException.class)
                        .hasMessageContaining("no space left");
                assertThat(reader.list(2)).isEqualTo(before);
                assertThat(reader.files()).isEqualTo(files);
                assertThat(reader.find("/dir/file1")).isEqualTo(11);
                assertThat(writer.removeName(2, "file1")).isEqualTo(11);
                assertThat(reader.find("/dir/file1")).isEqualTo(-1);
            }
        } finally {
            XfsImage.run(List.of("umount", mount.toString()));
        }
    }
}
