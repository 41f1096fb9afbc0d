package io.aisio.xal.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.OpenFile;
import io.aisio.xal.Extent;
import io.aisio.xal.FileExtents;
import io.aisio.xal.FileType;
import io.aisio.xal.IndexException;
import io.aisio.xal.Inode;
import io.aisio.xal.Volume;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An index against plain maps. */
class IndexWriterTest {
    static final Volume VOLUME = new Volume(
            "xfs", "test", "on disk", "uuid", "label", 4096, 1 << 20, 1 << 19, 100, List.of("reflink", "rmap"));
    private static final int FILE = 0100644;
    private static final int DIRECTORY = 040755;
    private static final long ROOT = 128;

    @TempDir
    Path folder;

    /** A file system in maps. */
    private static final class Model {
        final Map<Long, Inode> inodes = new TreeMap<>();
        final Map<Long, List<Extent>> extents = new TreeMap<>();
        final Map<Long, Map<String, Long>> names = new TreeMap<>();
        /** How often each inode was changed, as a change count on disk tells it. */
        final Map<Long, Long> stamps = new TreeMap<>();

        final Random random;
        long next = ROOT;

        Model(Random random) {
            this.random = random;
            addInode(FileType.DIRECTORY);
        }

        long addInode(FileType type) {
            long number = next++;
            inodes.put(
                    number,
                    new Inode(
                            number,
                            random.nextInt(),
                            type,
                            type == FileType.DIRECTORY ? 0755 : 0644,
                            1,
                            random.nextLong(1 << 30)));
            extents.put(number, randomExtents());
            if (type == FileType.DIRECTORY) {
                names.put(number, new TreeMap<>());
            }
            return number;
        }

        List<Extent> randomExtents() {
            List<Extent> list = new ArrayList<>();
            long at = 0;
            int count = random.nextInt(10) == 0 ? random.nextInt(100) : random.nextInt(4);
            for (int i = 0; i < count; i++) {
                at += 4096L * (1 + random.nextInt(5));
                long bytes = 4096L * (1 + random.nextInt(9));
                list.add(new Extent(
                        at, 4096L * random.nextInt(1 << 20), bytes, random.nextInt(4) == 0 ? Extent.UNWRITTEN : 0));
                at += bytes;
            }
            return list;
        }

        long randomDirectory() {
            List<Long> all = new ArrayList<>(names.keySet());
            return all.get(random.nextInt(all.size()));
        }

        void giveAll(IndexWriter writer, boolean keepUnchanged) throws IOException {
            writer.beginReading(ROOT);
            InodeBatch batch = new InodeBatch();
            for (Inode inode : inodes.values()) {
                long stamp = stamps.getOrDefault(inode.number(), 0L);
                if (keepUnchanged
                        && inode.type() == FileType.REGULAR
                        && writer.knows(inode.number(), inode.generation(), stamp)) {
                    writer.keep(inode.number());
                    continue;
                }
                int mode = inode.type() == FileType.DIRECTORY ? DIRECTORY : FILE;
                batch.addInode(inode.number(), inode.generation(), mode, inode.links(), inode.size(), stamp);
                for (Extent extent : extents.get(inode.number())) {
                    batch.addExtent(extent.offset(), extent.position(), extent.length(), extent.flags());
                }
            }
            writer.inodes(batch);
            for (Map.Entry<Long, Map<String, Long>> directory : names.entrySet()) {
                writer.names(directory.getKey(), batch(directory.getValue()));
            }
            writer.endReading();
        }

        void check(IndexReader reader) throws IOException {
            check(reader, ROOT, "");
            assertThat(reader.problems()).isEmpty();
            assertThat(reader.directories()).isEqualTo(names.size());
            assertThat(reader.files()).isEqualTo(inodes.size() - names.size());
            assertThat(reader.staleness()).isNull();
        }

        private void check(IndexReader reader, long directory, String path) throws IOException {
            Map<String, Long> listed = new TreeMap<>();
            for (IndexReader.Listed child : reader.list(directory)) {
                assertThat(listed.put(child.name(), child.number())).isNull();
            }
            assertThat(listed).isEqualTo(names.get(directory));
            for (Map.Entry<String, Long> name : listed.entrySet()) {
                String child = path + "/" + name.getKey();
                long number = name.getValue();
                assertThat(reader.find(child)).isEqualTo(number);
                assertThat(reader.lookup(child).inode()).isEqualTo(inodes.get(number));
                FileExtents found = reader.extents(child);
                assertThat(found.extents()).isEqualTo(extents.get(number));
                assertThat(reader.isCurrent(found)).isTrue();
                if (names.containsKey(number)) {
                    check(reader, number, child);
                }
            }
        }
    }

    static NameBatch batch(Map<String, Long> names) {
        NameBatch batch = new NameBatch();
        names.forEach((name, number) -> {
            byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
            batch.add(MemorySegment.ofArray(bytes), 0, bytes.length, number, 0);
        });
        return batch;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void isWhatPlainMapsAreAfterAnyChanges(int seed) throws IOException {
        Random random = new Random(seed);
        Model model = new Model(random);
        Path shared = seed % 2 == 0 ? folder.resolve("aisio-model") : null;
        try (IndexWriter writer = IndexWriter.create(VOLUME, shared, 1);
                IndexReader reader = writer.reader()) {
            model.giveAll(writer, false);
            model.check(reader);
            for (int round = 0; round < 12; round++) {
                for (int i = 0; i < 300; i++) {
                    change(model, writer);
                }
                model.check(reader);
                for (int i = 0; i < 100; i++) {
                    change(model, null);
                }
                model.giveAll(writer, true);
                model.check(reader);
            }
        }
        assertThat(shared == null || !Files.exists(shared)).isTrue();
    }

    /** Changes the model, and the index in the same way if there is one. */
    private static void change(Model model, IndexWriter writer) throws IOException {
        Random random = model.random;
        long directory = model.randomDirectory();
        Map<String, Long> names = model.names.get(directory);
        String some = names.isEmpty() ? "" : new ArrayList<>(names.keySet()).get(random.nextInt(names.size()));
        switch (random.nextInt(8)) {
            case 0, 1, 2 -> {
                FileType type = random.nextInt(6) == 0 ? FileType.DIRECTORY : FileType.REGULAR;
                long number = model.addInode(type);
                String name = "näme".repeat(random.nextInt(4)) + number;
                names.put(name, number);
                if (writer != null) {
                    put(model, writer, number);
                    assertThat(writer.addName(directory, name, number)).isTrue();
                }
            }
            case 3 -> {
                if (!some.isEmpty() && !model.names.containsKey(names.get(some))) {
                    long number = names.remove(some);
                    model.inodes.remove(number);
                    model.extents.remove(number);
                    if (writer != null) {
                        assertThat(writer.removeName(directory, some)).isEqualTo(number);
                        writer.remove(number);
                    }
                }
            }
            case 4 -> {
                if (!some.isEmpty()) {
                    long number = names.get(some);
                    model.extents.put(number, model.randomExtents());
                    model.stamps.merge(number, 1L, Long::sum);
                    if (writer != null) {
                        put(model, writer, number);
                    }
                }
            }
            case 5 -> {
                if (!some.isEmpty() && !model.names.containsKey(names.get(some))) {
                    long target = model.randomDirectory();
                    String name = "r" + random.nextInt(50);
                    if (!model.names.get(target).containsKey(name)) {
                        model.names.get(target).put(name, names.remove(some));
                        if (writer != null) {
                            assertThat(writer.rename(directory, some, target, name))
                                    .isTrue();
                        }
                    }
                }
            }
            default -> {
                if (!some.isEmpty()) {
                    splice(model, writer, names.get(some));
                }
            }
        }
    }

    private static void put(Model model, IndexWriter writer, long number) throws IOException {
        Inode inode = model.inodes.get(number);
        long stamp = model.stamps.getOrDefault(number, 0L);
        writer.put(inode, inode.type() == FileType.DIRECTORY ? DIRECTORY : FILE, stamp, model.extents.get(number));
    }

    /** Maps or unmaps a range, the model block by block. */
    private static void splice(Model model, IndexWriter writer, long number) throws IOException {
        TreeMap<Long, Extent> blocks = new TreeMap<>();
        for (Extent extent : model.extents.get(number)) {
            for (long at = 0; at < extent.length(); at += 4096) {
                blocks.put(extent.offset() + at, new Extent(0, extent.position() + at, 4096, extent.flags()));
            }
        }
        long from = 4096L * model.random.nextInt(40);
        long bytes = 4096L * (1 + model.random.nextInt(10));
        boolean map = model.random.nextBoolean();
        long position = 4096L * model.random.nextInt(1 << 20);
        for (long at = 0; at < bytes; at += 4096) {
            if (map) {
                blocks.put(from + at, new Extent(0, position + at, 4096, 0));
            } else {
                blocks.remove(from + at);
            }
        }
        List<Extent> after = new ArrayList<>();
        blocks.forEach((offset, block) -> {
            Extent last = after.isEmpty() ? null : after.getLast();
            if (last != null
                    && last.end() == offset
                    && last.position() + last.length() == block.position()
                    && last.flags() == block.flags()) {
                after.set(
                        after.size() - 1,
                        new Extent(last.offset(), last.position(), last.length() + 4096, last.flags()));
            } else {
                after.add(new Extent(offset, block.position(), 4096, block.flags()));
            }
        });
        model.extents.put(number, after);
        model.stamps.merge(number, 1L, Long::sum);
        if (writer != null) {
            assertThat(
                            map
                                    ? writer.map(number, new Extent(from, position, bytes, 0))
                                    : writer.unmap(number, from, from + bytes))
                    .isTrue();
        }
    }

    @Test
    void anUnchangedFileKeepsItsVersionAndAChangedOneIsNotCurrent() throws IOException {
        Model model = new Model(new Random(1));
        long number = model.addInode(FileType.REGULAR);
        model.extents.put(number, List.of(new Extent(0, 8192, 4096, 0)));
        model.names.get(ROOT).put("file", number);
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            model.giveAll(writer, false);
            FileExtents before = reader.extents("/file");
            model.giveAll(writer, false);
            assertThat(reader.extents(number)).isEqualTo(before);
            assertThat(reader.isCurrent(before)).isTrue();
            writer.map(number, new Extent(4096, 12288, 4096, 0));
            assertThat(reader.isCurrent(before)).isFalse();
            assertThat(reader.extents("/file").extents()).containsExactly(new Extent(0, 8192, 8192, 0));
            writer.markDirty("events were lost");
            assertThat(reader.isCurrent(reader.extents("/file"))).isFalse();
            assertThat(reader.staleness()).isEqualTo("events were lost");
            model.giveAll(writer, false);
            assertThat(reader.staleness()).isNull();
            writer.markDirty(ROOT, "a name changed");
            assertThat(reader.staleness()).isEqualTo("a name changed");
            writer.names(ROOT, batch(model.names.get(ROOT)));
            assertThat(reader.staleness()).isNull();
        }
    }

    @Test
    void keepsExtentsOfAnySizeAndFlags() throws IOException {
        List<Extent> extents = List.of(
                new Extent(0, 100, 77, Extent.INLINE | Extent.NOT_ALIGNED),
                new Extent(4096, 0, 4096, Extent.UNKNOWN | Extent.DELAYED),
                new Extent(8192, 1L << 50, 1L << 52, Extent.SHARED | Extent.UNWRITTEN),
                new Extent(Long.MAX_VALUE - 8191, 4096, 4096, Extent.ENCODED | Extent.TAIL | Extent.MERGED));
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            Inode inode = new Inode(5, 1, FileType.REGULAR, 0644, 1, 100);
            writer.put(inode, FILE, 1, extents);
            assertThat(reader.extents(5).extents()).isEqualTo(extents);
            assertThatThrownBy(() -> writer.put(
                            inode, FILE, 1, List.of(new Extent(0, 0, 8192, 0), new Extent(4096, 0, 4096, 0))))
                    .hasMessageContaining("begins before the one ahead of it ends");
            assertThat(reader.extents(5).extents()).isEqualTo(extents);
        }
    }

    @Test
    void tellsWhatDoesNotFitIntoATree() throws IOException {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            writer.beginReading(1);
            InodeBatch batch = new InodeBatch();
            for (long directory : new long[] {1, 2, 3, 4, 5}) {
                batch.addInode(directory, 0, DIRECTORY, 2, 0, 0);
            }
            batch.addInode(9, 0, FILE, 1, 0, 0);
            batch.addInode(10, 0, 0170000, 1, 0, 0);
            writer.inodes(batch);
            // 2 lies in the root and in itself; 3 and 4 in each other; 5 has no name.
            writer.names(2, batch(Map.of("circle", 2L, "up", 1L)));
            NameBatch root = batch(new TreeMap<>(Map.of("a", 2L, "absent", 77L, "file", 9L)));
            byte[] twice = "file".getBytes(StandardCharsets.UTF_8);
            root.add(MemorySegment.ofArray(twice), 0, 4, 2, 0);
            writer.names(1, root);
            writer.names(3, batch(Map.of("x", 4L)));
            writer.names(4, batch(Map.of("x", 3L)));
            writer.names(9, batch(Map.of("x", 3L)));
            writer.endReading();
            assertThat(reader.problems())
                    .anyMatch(text -> text.contains("no file has the mode 0170000"))
                    .anyMatch(text -> text.contains("directory inode 1: two of its entries are named file"))
                    .anyMatch(text -> text.contains("directory inode 2: a directory has one name"))
                    .anyMatch(text -> text.contains("directory inode 1: a directory has one name"))
                    .anyMatch(text -> text.contains("directory inode 3: it cannot be reached"))
                    .anyMatch(text -> text.contains("directory inode 4: it cannot be reached"))
                    .anyMatch(text -> text.contains("directory inode 5: it cannot be reached"))
                    .anyMatch(text -> text.contains("inode 9 has names, and was not read as a directory"))
                    .hasSize(8);
            assertThat(reader.find("/a")).isEqualTo(2);
            assertThat(reader.find("/file")).isEqualTo(9);
            assertThat(reader.find("/b")).isEqualTo(-1);
            assertThat(writer.path(2)).isEqualTo("/a");
            assertThat(writer.path(4)).isNull();
            assertThatThrownBy(() -> reader.lookup("/absent"))
                    .isInstanceOf(IndexException.class)
                    .hasMessageContaining("/absent names inode 77, which could not be read");
            assertThatThrownBy(() -> reader.lookup("/a/none/x"))
                    .isInstanceOf(NoSuchFileException.class)
                    .hasMessage("/a/none");
            assertThatThrownBy(() -> reader.lookup("//file/x"))
                    .isInstanceOf(NotDirectoryException.class)
                    .hasMessage("/file");
        }
    }

    /** 100,000 names of a directory, all of one generation. */
    private static NameBatch hundredThousand(int generation) {
        NameBatch names = new NameBatch();
        for (int i = 0; i < 100_000; i++) {
            byte[] name = (i + "-" + generation).getBytes(StandardCharsets.UTF_8);
            names.add(MemorySegment.ofArray(name), 0, name.length, 1000 + i, 0);
        }
        return names;
    }

    @Test
    void readersSeeADirectoryThatIsGivenAnewAsItWasOrAsItIs() throws Exception {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null, 1);
                IndexReader reader = writer.reader()) {
            writer.beginReading(1);
            InodeBatch root = new InodeBatch();
            root.addInode(1, 0, DIRECTORY, 2, 0, 0);
            writer.inodes(root);
            Set<String> seen = ConcurrentHashMap.newKeySet();
            AtomicBoolean done = new AtomicBoolean();
            AtomicReference<Throwable> failure = new AtomicReference<>();
            Thread reading = Thread.ofPlatform().start(() -> {
                try {
                    while (!done.get()) {
                        Map<String, Integer> suffixes = new TreeMap<>();
                        for (IndexReader.Listed child : reader.list(1)) {
                            suffixes.merge(child.name().replaceAll(".*-", ""), 1, Integer::sum);
                        }
                        seen.add(suffixes.toString());
                    }
                } catch (IOException | RuntimeException e) {
                    failure.set(e);
                }
            });
            for (int generation = 1; generation <= 4; generation++) {
                writer.names(1, hundredThousand(generation));
            }
            done.set(true);
            reading.join();
            assertThat(failure.get()).isNull();
            assertThat(seen)
                    .isSubsetOf("{}", "{1=100000}", "{2=100000}", "{3=100000}", "{4=100000}")
                    .isNotEmpty();
            writer.endReading();
            assertThat(reader.list(1))
                    .hasSize(100_000)
                    .allMatch(child -> child.name().endsWith("-4"));
        }
    }

    @Test
    void ofEqualNamesInADirectoryTheFirstCounts() throws IOException {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null, 1);
                IndexReader reader = writer.reader()) {
            for (int round = 0; round < 2; round++) {
                writer.beginReading(1);
                InodeBatch inodes = new InodeBatch();
                inodes.addInode(1, 0, DIRECTORY, 2, 0, round);
                inodes.addInode(2, 0, FILE, 1, 0, 0);
                inodes.addInode(3, 0, FILE, 1, 0, 0);
                writer.inodes(inodes);
                NameBatch names = new NameBatch();
                // The second round finds old names as well as new ones; 77 is never read.
                for (String name : List.of("a", "b", "a", "new" + round, "new" + round, "b")) {
                    byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
                    names.add(
                            MemorySegment.ofArray(bytes),
                            0,
                            bytes.length,
                            names.names() < 2 ? 2 + names.names() : 77,
                            0);
                }
                writer.names(1, names);
                writer.endReading();
                assertThat(reader.find("/a")).isEqualTo(2);
                assertThat(reader.find("/b")).isEqualTo(3);
                assertThat(reader.find("/new" + round)).isEqualTo(77);
                assertThat(reader.list(1)).hasSize(3);
                assertThat(reader.problems())
                        .hasSize(3)
                        .allMatch(text -> text.contains("directory inode 1: two of its entries are named "));
            }
            assertThat(reader.find("/new0")).isEqualTo(-1);
        }
    }

    @Test
    void anInodeThatIsGivenBehindItsNamesIsFoundByAllOfThem() throws IOException {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null, 1);
                IndexReader reader = writer.reader()) {
            writer.beginReading(1);
            InodeBatch root = new InodeBatch();
            root.addInode(1, 0, DIRECTORY, 2, 0, 0);
            writer.inodes(root);
            writer.names(1, batch(Map.of("d", 2L, "f", 3L, "g", 3L)));
            InodeBatch rest = new InodeBatch();
            rest.addInode(2, 0, DIRECTORY, 2, 0, 0);
            rest.addInode(3, 5, FILE, 2, 8192, 0);
            rest.addExtent(0, 4096, 8192, 0);
            writer.inodes(rest);
            writer.names(2, batch(Map.of("h", 3L)));
            writer.endReading();
            assertThat(reader.problems()).isEmpty();
            assertThat(reader.files()).isEqualTo(1);
            assertThat(reader.extentRows()).isEqualTo(1);
            for (String path : List.of("/f", "/g", "/d/h")) {
                assertThat(reader.extents(path).extents()).containsExactly(new Extent(0, 4096, 8192, 0));
            }
        }
    }

    @Test
    void anotherProcessReadsItAndIsToldWhenItIsClosed() throws IOException {
        Path shared = folder.resolve("aisio-one");
        Model model = new Model(new Random(3));
        try (IndexWriter writer = IndexWriter.create(VOLUME, shared, 1)) {
            assertThatThrownBy(() -> IndexReader.attach(shared)).hasMessageContaining("being built by process");
            model.giveAll(writer, false);
            assertThat(Files.getPosixFilePermissions(shared).toString()).isEqualTo("[OWNER_READ, OWNER_WRITE]");
            try (IndexReader reader = IndexReader.attach(shared)) {
                assertThat(reader.volume()).isEqualTo(VOLUME);
                for (int i = 0; i < 5_000; i++) {
                    change(model, writer);
                }
                model.check(reader);
                assertThatThrownBy(() -> IndexWriter.create(VOLUME, shared))
                        .hasMessageContaining(
                                "in use by process " + ProcessHandle.current().pid());
                writer.close();
                assertThat(reader.staleness()).contains("is gone");
            }
        }
        assertThat(shared).doesNotExist();
        assertThatThrownBy(() -> IndexReader.attach(shared)).hasMessageContaining("no such file");
    }

    /** A directory, inode 1, with one file, inode 2, read anew. */
    private static void read(IndexWriter writer, boolean namesAreWhole) throws IOException {
        writer.beginReading(1);
        InodeBatch inodes = new InodeBatch();
        inodes.addInode(1, 0, DIRECTORY, 2, 0, 7);
        inodes.addInode(2, 0, FILE, 1, 0, 7);
        writer.inodes(inodes);
        NameBatch names = batch(Map.of("a", 2L));
        if (!namesAreWhole) {
            names.setIncomplete();
            writer.damaged(new IOException("a block of inode 1"));
        }
        writer.names(1, names);
        writer.endReading();
    }

    @Test
    void knowsNoDirectoryOfWhichNamesAreMissing() throws Exception {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            read(writer, false);
            assertThat(reader.problems()).containsExactly("a block of inode 1");
            assertThat(writer.knows(1, 0, 7)).isFalse();
            assertThat(writer.knows(2, 0, 7)).isTrue();
            read(writer, true);
            assertThat(reader.problems()).isEmpty();
            assertThat(writer.knows(1, 0, 7)).isTrue();
        }
    }

    @Test
    void tellsNobodyThatAStaleInodeIsCurrentUntilItIsPutOrReadAgain() throws Exception {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            read(writer, true);
            FileExtents held = reader.extents(2);
            assertThat(reader.isCurrent(held)).isTrue();
            writer.markStale(2);
            assertThat(reader.isCurrent(held)).isFalse();
            assertThat(reader.isCurrent(reader.extents(2))).isFalse();
            // A part of it is known now, and not the rest.
            assertThat(writer.resize(2, 5000)).isTrue();
            assertThat(writer.map(2, new Extent(0, 1 << 20, 8192, 0))).isTrue();
            assertThat(reader.isCurrent(reader.extents(2))).isFalse();
            assertThat(writer.knows(2, 0, 7)).isFalse();
            read(writer, true);
            assertThat(reader.isCurrent(held)).isFalse();
            assertThat(reader.isCurrent(reader.extents(2))).isTrue();
            writer.markStale(2);
            writer.put(reader.extents(2).inode(), FILE, 7, List.of());
            assertThat(reader.isCurrent(reader.extents(2))).isTrue();
        }
    }

    @Test
    void keepsWhatChangedEachTimeThatItWasLookedAtAsStale() throws Exception {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            read(writer, true);
            FileExtents held = reader.extents(2);
            writer.beginReading(1);
            assertThat(writer.keepStale(2)).isTrue();
            assertThat(writer.keepStale(77)).isFalse();
            writer.keep(1);
            writer.endReading();
            assertThat(reader.extents("/a").inode()).isEqualTo(held.inode());
            assertThat(reader.isCurrent(held)).isFalse();
            assertThat(reader.isCurrent(reader.extents("/a"))).isFalse();
            assertThat(writer.knows(2, 0, 7)).isFalse();
            read(writer, true);
            assertThat(reader.isCurrent(reader.extents("/a"))).isTrue();
        }
    }

    /** Many directories, inode 100_000 and up, each with one file that is a row before any of them. */
    private static void readDirectories(IndexWriter writer, int directories) throws IOException {
        writer.beginReading(1);
        InodeBatch inodes = new InodeBatch();
        inodes.addInode(1, 0, DIRECTORY, 2, 0, 0);
        Map<String, Long> names = new TreeMap<>();
        for (int i = 0; i < directories; i++) {
            inodes.addInode(2 + i, 0, FILE, 1, 0, 0);
            names.put("d" + i, 100_000L + i);
        }
        for (int i = 0; i < directories; i++) {
            inodes.addInode(100_000 + i, 0, DIRECTORY, 2, 0, 0);
        }
        writer.inodes(inodes);
        writer.names(1, batch(names));
        for (int i = 0; i < directories; i++) {
            writer.names(100_000 + i, batch(Map.of("f", 2L + i)));
        }
        writer.endReading();
    }

    @Test
    void readersSeeNoDirectoryThatGoesWithANameOfWhatWentBefore() throws Exception {
        int directories = 20_000;
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            readDirectories(writer, directories);
            AtomicBoolean done = new AtomicBoolean();
            AtomicReference<Object> failure = new AtomicReference<>();
            CountDownLatch running = new CountDownLatch(1);
            Thread reading = Thread.ofPlatform().start(() -> {
                try {
                    for (int i = 0; !done.get(); i = (i + 1) % directories) {
                        try {
                            for (IndexReader.Listed child : reader.list(100_000 + i)) {
                                if (child.inode() == null) {
                                    failure.set(child);
                                }
                            }
                        } catch (NotDirectoryException e) {
                            // It is gone.
                            continue;
                        } finally {
                            running.countDown();
                        }
                    }
                } catch (IOException | RuntimeException e) {
                    failure.set(e);
                }
            });
            running.await();
            writer.beginReading(1);
            InodeBatch root = new InodeBatch();
            root.addInode(1, 0, DIRECTORY, 2, 0, 1);
            writer.inodes(root);
            writer.names(1, new NameBatch());
            writer.endReading();
            done.set(true);
            reading.join();
            assertThat(failure.get()).isNull();
            assertThat(reader.files()).isZero();
            assertThat(reader.directories()).isEqualTo(1);
        }
    }

    @Test
    void hasNoNamesInADirectoryOfWhichNoneCanBeReadAndKeepsThoseOfWhatCannot() throws Exception {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            readDirectories(writer, 3);
            writer.beginReading(1);
            InodeBatch inodes = new InodeBatch();
            inodes.addInode(1, 0, DIRECTORY, 2, 0, 0);
            inodes.addInode(100_000, 0, DIRECTORY, 2, 0, 0);
            inodes.addInode(100_001, 0, DIRECTORY, 2, 0, 0);
            writer.inodes(inodes);
            writer.names(1, batch(Map.of("d0", 100_000L, "d1", 100_001L)));
            writer.unlisted(100_000);
            writer.names(100_001, batch(Map.of("f", 3L)));
            writer.unlisted(100_002);
            writer.unlisted(77);
            writer.endReading();
            assertThat(reader.problems()).isEmpty();
            assertThat(reader.list(100_000)).isEmpty();
            assertThat(writer.knows(100_000, 0, 0)).isFalse();
            assertThat(reader.list(100_001)).containsExactly(new IndexReader.Listed("f", 3, null, false));
            assertThat(reader.find("/d2")).isEqualTo(-1);
            assertThat(reader.files()).isZero();
            assertThat(reader.directories()).isEqualTo(3);
        }
    }

    @Test
    void removesAnInodeWithItsNamesUnlessOneLeadsUpToTheRoot() throws Exception {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            readDirectories(writer, 4);
            // Its names are then in d0, d1, d2 and d3, in this order.
            writer.addName(100_003, "other", 2);
            writer.addName(100_002, "other", 2);
            writer.addName(100_001, "other", 2);
            for (int i = 0; i < 3; i++) {
                assertThat(writer.removeName(1, "d" + i)).isEqualTo(100_000 + i);
            }
            assertThat(writer.path(2)).isNull();
            assertThat(writer.removeUnlessReached(2)).isEqualTo("/d3/other");
            assertThat(reader.find("/d3/other")).isEqualTo(2);
            assertThat(reader.list(100_002))
                    .extracting(IndexReader.Listed::name)
                    .containsExactly("f");
            assertThat(writer.removeUnlessReached(4)).isNull();
            assertThat(reader.list(100_002)).isEmpty();
            assertThat(reader.files()).isEqualTo(3);
            assertThat(writer.removeUnlessReached(100_002)).isNull();
            assertThat(reader.directories()).isEqualTo(4);
            assertThat(writer.removeUnlessReached(1)).isEqualTo("/");
            assertThat(writer.removeUnlessReached(77)).isNull();
        }
    }

    @Test
    void isNotCurrentAsLongAsADirectoryIsNot() throws Exception {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null);
                IndexReader reader = writer.reader()) {
            read(writer, true);
            writer.markDirty(1, "it cannot be opened");
            assertThat(reader.staleness()).isEqualTo("it cannot be opened");
            // Read again, but for that directory.
            writer.beginReading(1);
            writer.keep(1);
            writer.keep(2);
            writer.endReading();
            assertThat(reader.staleness()).isEqualTo("it cannot be opened");
            writer.markDirty(1, "it still cannot");
            assertThat(reader.staleness()).isEqualTo("it still cannot");
            writer.markCurrent(1);
            assertThat(reader.staleness()).isNull();
        }
    }

    @Test
    void knowsThatItsOwnerIsGoneWhereAnotherIndexHasTheNameNow() throws Exception {
        Path shared = folder.resolve("aisio-name");
        IndexReader reader;
        try (IndexWriter first = IndexWriter.create(VOLUME, shared, 1)) {
            read(first, true);
            reader = IndexReader.attach(shared);
            assertThat(reader.find("/a")).isEqualTo(2);
            // More than it has room for: it is copied, and the memory that is read is given up.
            for (int i = 0; i < 1000; i++) {
                first.addName(1, "name" + i, 100 + i);
            }
        }
        assertThat(reader.hasLostOwner()).isTrue();
        try (IndexWriter second = IndexWriter.create(VOLUME, shared, 1)) {
            read(second, true);
            assertThat(second.addName(1, "other", 3)).isTrue();
            assertThat(reader.staleness()).contains("is gone");
            assertThat(reader.find("/other")).isEqualTo(-1);
            assertThat(reader.find("/a")).isEqualTo(2);
        } finally {
            reader.close();
        }
    }

    @Test
    void isReadByOneWhoIsPassedItsMemoryAndMayNotWriteToIt() throws Exception {
        Path shared = folder.resolve("aisio-passed");
        IndexReader reader;
        try (IndexWriter writer = IndexWriter.create(VOLUME, shared, 1);
                IndexReader own = writer.reader()) {
            read(writer, true);
            int[] passed = {0};
            reader = IndexReader.attach("passed", () -> {
                passed[0]++;
                OpenFile file = own.openMemory();
                assertThat(file.access()).isEqualTo(OpenFile.Access.READ_ONLY);
                return file;
            });
            assertThat(reader.find("/a")).isEqualTo(2);
            // More than it has room for: it is copied, and its memory of now is asked for.
            for (int i = 0; i < 3000; i++) {
                writer.addName(1, "name" + i, 100 + i);
            }
            assertThat(reader.find("/name2999")).isEqualTo(3099);
            assertThat(passed[0]).isGreaterThan(1);
            assertThat(reader.hasLostOwner()).isFalse();
        }
        assertThat(reader.hasLostOwner()).isTrue();
        reader.close();
        try (IndexWriter private0 = IndexWriter.create(VOLUME, null, 1);
                IndexReader own = private0.reader()) {
            assertThatThrownBy(own::openMemory).hasMessageContaining("the index is private");
        }
    }

    /** Each step along all names of the inode would take minutes. */
    @Test
    @Timeout(60)
    void losesOneOfManyNamesOfAnInodeWithoutALookAtTheOthers() throws Exception {
        int names = 200_000;
        try (IndexWriter writer = IndexWriter.create(VOLUME, null, 1 << 18);
                IndexReader reader = writer.reader()) {
            read(writer, true);
            for (int i = 0; i < names; i++) {
                assertThat(writer.addName(1, "name" + i, 2)).isTrue();
            }
            for (int i = 0; i < names; i++) {
                assertThat(writer.removeName(1, "name" + i)).isEqualTo(2);
            }
            assertThat(reader.list(1)).hasSize(1);
            assertThat(writer.path(2)).isEqualTo("/a");
            assertThat(writer.removeName(1, "a")).isEqualTo(2);
            assertThat(writer.path(2)).isNull();
        }
    }

    @Test
    void leavesOutANameWhoseInodeIsOfAnotherTypeThanTheDirectorySays() throws Exception {
        try (IndexWriter writer = IndexWriter.create(VOLUME, null, 1000);
                IndexReader reader = writer.reader()) {
            writer.beginReading(1);
            InodeBatch inodes = new InodeBatch();
            inodes.addInode(1, 0, DIRECTORY, 2, 0, 0);
            inodes.addInode(2, 0, FILE, 1, 0, 0);
            inodes.addInode(3, 0, FILE, 1, 0, 0);
            writer.inodes(inodes);
            NameBatch names = new NameBatch();
            names.add(MemorySegment.ofArray(new byte[] {'a'}), 0, 1, 2, DIRECTORY >>> 12);
            names.add(MemorySegment.ofArray(new byte[] {'b'}), 0, 1, 3, FILE >>> 12);
            writer.names(1, names);
            writer.endReading();
            assertThat(reader.find("/a")).isEqualTo(-1);
            assertThat(reader.find("/b")).isEqualTo(3);
            assertThat(reader.problems())
                    .singleElement()
                    .asString()
                    .contains("its entry a says that inode 2 is of type DIRECTORY, whose mode says REGULAR");
        }
    }

    @Test
    void refusesFilesThatAreNoIndex() throws IOException {
        Path file = folder.resolve("aisio-bad");
        Files.write(file, new byte[100]);
        assertThatThrownBy(() -> IndexReader.attach(file)).hasMessageContaining("fewer than a header");
        Files.write(file, new byte[8192]);
        assertThatThrownBy(() -> IndexReader.attach(file)).hasMessageContaining("magic 0x0");
        Path link = Files.createSymbolicLink(folder.resolve("aisio-link"), file);
        assertThatThrownBy(() -> IndexReader.attach(link)).hasMessageContaining("symbolic link");
        assertThatThrownBy(() -> IndexWriter.create(VOLUME, link)).hasMessageContaining("symbolic link");
        // A dead owner's file is replaced.
        try (IndexWriter writer = IndexWriter.create(VOLUME, file)) {
            new Model(new Random(1)).giveAll(writer, false);
            IndexReader.attach(file).close();
        }
    }
}
