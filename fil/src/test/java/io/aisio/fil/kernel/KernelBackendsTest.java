package io.aisio.fil.kernel;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.linux.FileSystemKind;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Data sets in folders, through the kernel, beside what {@code java.nio} reads of the same files. */
@Timeout(60)
class KernelBackendsTest {
    private static final int PAGE = 4096;

    @TempDir
    private Path folder;

    private static void needs(String backend) {
        if (backend.equals("io_uring")) {
            try (IoUring _ = IoUring.open("a test", IoUring.Options.of(1))) {
                return;
            } catch (LinuxException e) {
                assumeTrue(false, "needs io_uring: " + IoUring.refusal(e.errno()));
            }
        }
    }

    private Path write(String path, int bytes, long seed) throws IOException {
        byte[] content = new byte[bytes];
        new Random(seed).nextBytes(content);
        Path file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        return Files.write(file, content);
    }

    private Dataset open(String backend, Settings settings) throws IOException {
        return Dataset.at(folder.toString()).backend(backend).settings(settings).open();
    }

    /** A tree of names and sizes at which things end or begin. */
    private void grow(Random random) throws IOException {
        int[] sizes = {0, 1, 511, 512, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 100_000};
        String[] names = {"a", "a.b", "a-", "B", "_", "ä", "\uFB01x", "\uD83D\uDE00", "z z", "0"};
        List<Path> folders = new ArrayList<>(List.of(folder));
        for (int i = 0; i < 60; i++) {
            Path in = folders.get(random.nextInt(folders.size()));
            Path path = in.resolve(names[random.nextInt(names.length)] + (random.nextBoolean() ? "" : i));
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                continue;
            }
            switch (random.nextInt(8)) {
                case 0, 1 -> folders.add(Files.createDirectory(path));
                case 2 -> Files.createSymbolicLink(path, folders.getFirst());
                default -> {
                    byte[] content = new byte
                            [random.nextInt(3) == 0 ? random.nextInt(300_000) : sizes[random.nextInt(sizes.length)]];
                    random.nextBytes(content);
                    Files.write(path, content);
                }
            }
        }
        try (RandomAccessFile sparse =
                new RandomAccessFile(folder.resolve("sparse").toFile(), "rw")) {
            sparse.setLength(6_000_001);
            sparse.seek(2_000_000);
            sparse.write(new byte[] {1, 2, 3});
            sparse.seek(5_999_990);
            sparse.write(new byte[] {4, 5, 6});
        }
    }

    /** Names sorted in each directory, a directory's content in its place. */
    private static List<String> expected(Path directory, String path) throws IOException {
        List<String> files = new ArrayList<>();
        List<Path> children;
        try (Stream<Path> all = Files.list(directory)) {
            children = all.sorted((a, b) ->
                            a.getFileName().toString().compareTo(b.getFileName().toString()))
                    .toList();
        }
        for (Path child : children) {
            String name = path + "/" + child.getFileName();
            if (Files.isDirectory(child, LinkOption.NOFOLLOW_LINKS)) {
                files.addAll(expected(child, name));
            } else if (Files.isRegularFile(child, LinkOption.NOFOLLOW_LINKS)) {
                files.add(name);
            }
        }
        return files;
    }

    private void requireSame(Batch batch, int i) throws IOException {
        byte[] content = Files.readAllBytes(folder.resolve(batch.path(i).substring(1)));
        assertThat(batch.length(i)).as(batch.path(i)).isEqualTo(content.length);
        assertThat(batch.content(i).mismatch(MemorySegment.ofArray(content)))
                .as("first byte of %s that differs", batch.path(i))
                .isEqualTo(-1);
        long end = batch.offset(i) + batch.length(i);
        long room = -end & (PAGE - 1);
        assertThat(batch.memory(batch.source(i)).asSlice(end, room).toArray(ValueLayout.JAVA_BYTE))
                .as("behind the end of %s", batch.path(i))
                .containsOnly(new byte[(int) Math.min(1, room)]);
    }

    @ParameterizedTest
    @CsvSource({
        "posix,false,1,1,0",
        "posix,true,1,1,0",
        "posix,false,1,1,20000",
        "posix,true,1,1,1000",
        "io_uring,false,1,128,0",
        "io_uring,true,1,128,0",
        "io_uring,false,1,3,8192",
        "io_uring,true,3,2,5000",
        "io_uring,false,2,1,0"
    })
    void readsWhatTheFileSystemHas(String backend, boolean buffered, int queues, int depth, int ioBytes)
            throws IOException {
        needs(backend);
        Random random = new Random(depth + ioBytes);
        grow(random);
        List<String> expected = expected(folder, "");
        try (Dataset data = open(backend, new Settings(false, buffered, queues, depth, ioBytes))) {
            assertThat(data.path())
                    .startsWith("kernel, " + (backend.equals("posix") ? "pread" : "io_uring"))
                    .contains(buffered ? ", page cache" : ", direct");
            assertThat(Stream.iterate(0, i -> i + 1).limit(data.files()).map(data::path))
                    .containsExactlyElementsOf(expected);
            int files = 0;
            try (BatchReader batches = data.batches(7).shuffle(5).epochs(3).open()) {
                for (Batch batch : batches) {
                    for (int i = 0; i < batch.size(); i++) {
                        requireSame(batch, i);
                        files++;
                    }
                }
                assertThat(batches.effort().commands()).isPositive();
                assertThat(batches.effort().prepareNanos()).isPositive();
            }
            assertThat(files).isEqualTo(3 * expected.size());
        }
        assertThat(openHere()).isEmpty();
    }

    /** Descriptors of this process that are open in the folder. */
    private List<String> openHere() throws IOException {
        List<String> here = new ArrayList<>();
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            for (Path each : descriptors.toList()) {
                try {
                    String target = Files.readSymbolicLink(each).toString();
                    if (target.startsWith(folder.toRealPath().toString())) {
                        here.add(target);
                    }
                } catch (NoSuchFileException e) {
                    // That of the listing itself.
                }
            }
        }
        return here;
    }

    @ParameterizedTest
    @ValueSource(strings = {"posix", "io_uring"})
    void readsAChangedFileAsItIsNowAndTellsWhichCannotBeRead(String backend) throws IOException {
        needs(backend);
        for (String name :
                List.of("same", "grown", "shrunk", "emptied", "filled", "large", "gone", "folder", "still")) {
            write("c/" + name, name.equals("filled") ? 0 : 5000, name.hashCode());
        }
        try (Dataset data = open(backend, Settings.DEFAULT)) {
            write("c/same", 5000, 1);
            write("c/grown", 2 * PAGE, 2);
            write("c/shrunk", 10, 3);
            write("c/emptied", 0, 4);
            write("c/filled", 1, 5);
            write("c/large", 2 * PAGE + 1, 6);
            Files.delete(folder.resolve("c/gone"));
            Files.delete(folder.resolve("c/folder"));
            Files.createDirectory(folder.resolve("c/folder"));
            try (BatchReader batches = data.batches(100).keepFailures().open();
                    Batch batch = batches.next()) {
                assertThat(batch).isNotNull();
                List<String> problems = new ArrayList<>();
                for (int i = 0; i < batch.size(); i++) {
                    IOException problem = batch.problem(i);
                    if (problem == null) {
                        requireSame(batch, i);
                    } else {
                        assertThat(batch.length(i)).isZero();
                        problems.add(String.valueOf(problem.getMessage()));
                    }
                }
                assertThat(problems)
                        .containsExactly(
                                folder
                                        + "/c/filled: it has grown from 0 to 1 bytes since it was listed, and has room for 0",
                                folder + "/c/folder: it was a regular file when it was listed, and is none now",
                                folder + "/c/gone: no such file (openat2: ENOENT)",
                                folder
                                        + "/c/large: it has grown from 5000 to 8193 bytes since it was listed, and has room"
                                        + " for 8192");
            }
            try (BatchReader batches = data.batches(3).open()) {
                assertThatThrownBy(() -> {
                            for (Batch batch = batches.next(); batch != null; batch = batches.next()) {
                                batch.close();
                            }
                        })
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("2 of the 3 files of batch 0 in epoch 0 could not be read")
                        .hasMessageContaining(folder + "/c/filled");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"posix", "io_uring"})
    void readsSeveralPlacesWhileBatchesAreHeld(String backend) throws IOException {
        needs(backend);
        List<String> places = new ArrayList<>();
        for (int place = 0; place < 3; place++) {
            places.add(folder.resolve("place" + place).toString());
            for (int i = 0; i < 20; i++) {
                write("place%d/class%d/%02d".formatted(place, i % 3, i), 1000 * i + place, 100 * place + i);
            }
        }
        try (Dataset data = Dataset.at(places.toArray(String[]::new))
                        .backend(backend)
                        .open();
                BatchReader batches =
                        data.batches(8).shuffle(3).epochs(4).prefetch(5).open()) {
            assertThat(data.classes()).containsExactly("class0", "class1", "class2");
            Deque<Batch> held = new ArrayDeque<>();
            int files = 0;
            for (Batch batch = batches.next(); batch != null; batch = batches.next()) {
                held.addLast(batch);
                if (held.size() == 4) {
                    try (Batch oldest = held.removeFirst()) {
                        files += compare(oldest, places);
                    }
                }
            }
            for (Batch batch : held) {
                files += compare(batch, places);
                batch.close();
            }
            assertThat(files).isEqualTo(4 * 60);
        }
    }

    private static int compare(Batch batch, List<String> places) throws IOException {
        for (int i = 0; i < batch.size(); i++) {
            Path file = Path.of(places.get(batch.source(i)) + batch.path(i));
            assertThat(batch.content(i).toArray(ValueLayout.JAVA_BYTE))
                    .as(file.toString())
                    .isEqualTo(Files.readAllBytes(file));
        }
        return batch.size();
    }

    @ParameterizedTest
    @ValueSource(strings = {"posix", "io_uring"})
    void canBeClosedAtAnyTime(String backend) throws IOException {
        needs(backend);
        for (int i = 0; i < 40; i++) {
            write("f" + i, 200_000, i);
        }
        try (Dataset data = open(backend, new Settings(false, true, 2, 8, 4096))) {
            for (int taken = 0; taken < 4; taken++) {
                try (BatchReader batches = data.batches(5).endless().prefetch(3).open()) {
                    for (int i = 0; i < taken; i++) {
                        Batch batch = batches.next();
                        assertThat(batch).isNotNull();
                        requireSame(batch, 0);
                    }
                }
            }
        }
        assertThat(openHere()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"posix", "io_uring"})
    void readsNothingPastThePageCacheWhereThatIsAllThereIs(String backend) throws IOException {
        needs(backend);
        Path shared = Path.of("/dev/shm");
        assumeTrue(Files.isWritable(shared) && kind(shared).isInMemory(), "needs tmpfs at /dev/shm");
        Path memory = Files.createTempDirectory(shared, "aisio-test");
        Path file = Files.write(memory.resolve("file"), "content".getBytes(UTF_8));
        try {
            try (Dataset data = Dataset.at(memory.toString()).backend(backend).open();
                    BatchReader batches = data.batches(1).open();
                    Batch batch = batches.next()) {
                assertThat(data.path()).contains(", page cache (not direct: the file system's files are in memory");
                assertThat(batch).isNotNull();
                assertThat(batch.content(0).toArray(ValueLayout.JAVA_BYTE)).isEqualTo("content".getBytes(UTF_8));
            }
            assertThatThrownBy(() -> Dataset.at(memory.toString())
                            .backend(backend)
                            .settings(new Settings(true, false, 1, 8, 0))
                            .open())
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith(memory + ": nothing is read past the page cache here")
                    .hasMessageContaining("ask for buffered reads");
            try (Dataset data = Dataset.at(memory.toString())
                    .backend(backend)
                    .settings(new Settings(true, true, 1, 8, 0))
                    .open()) {
                assertThat(data.path()).endsWith(", page cache").doesNotContain("not direct");
            }
        } finally {
            Files.delete(file);
            Files.delete(memory);
        }
    }

    private static FileSystemKind kind(Path path) throws IOException {
        try (OpenFile opened = OpenFile.open(path, OpenFile.Access.READ_ONLY)) {
            return opened.fileSystem();
        }
    }

    @Test
    void readsTheListedFilesInTheirOrder() throws IOException {
        write("b/two", 20, 2);
        write("a/one", 10, 1);
        Files.createSymbolicLink(folder.resolve("link"), Path.of("a/one"));
        Files.createSymbolicLink(folder.resolve("up"), Path.of("a"));
        Dataset.Builder at = Dataset.at(folder.toString()).backend("posix");
        try (Dataset data = at.paths(List.of("b/two", "/a/one", "b/two")).open();
                BatchReader batches = data.batches(3).open();
                Batch batch = batches.next()) {
            assertThat(batch).isNotNull();
            assertThat(List.of(batch.path(0), batch.path(1), batch.path(2)))
                    .containsExactly("/b/two", "/a/one", "/b/two");
            for (int i = 0; i < 3; i++) {
                requireSame(batch, i);
            }
        }
        for (String missing : List.of("no", "a/one/x", "a/../b/two", ".")) {
            assertThatThrownBy(() -> at.paths(List.of("a/one", missing)).open())
                    .isInstanceOf(NoSuchFileException.class)
                    .hasMessageStartingWith(folder + "/" + missing);
        }
        for (String link : List.of("link", "up/one")) {
            assertThatThrownBy(() -> at.paths(List.of(link)).open())
                    .isInstanceOf(LinuxException.class)
                    .hasMessageStartingWith(folder + "/" + link + ": a symbolic link");
        }
        for (String other : List.of("a", "/")) {
            assertThatThrownBy(() -> at.paths(List.of(other)).open())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("no regular file");
        }
    }

    @Test
    void refusesWhatIsNoFolder() throws IOException {
        Path file = write("a/one", 10, 1);
        assertThatThrownBy(() -> Dataset.at(folder + "/no").backend("posix").open())
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining(folder + "/no");
        assertThatThrownBy(() -> Dataset.at(file.toString()).backend("posix").open())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no folder");
        Dataset.Builder at = Dataset.at(folder.toString()).backend("io_uring");
        assertThatThrownBy(() -> at.folder("no/where").open())
                .isInstanceOf(NoSuchFileException.class)
                .hasMessage(folder + "/no/where");
        assertThatThrownBy(() -> at.folder("a/..").open()).isInstanceOf(NoSuchFileException.class);
        assertThatThrownBy(() -> at.folder("a/one").open()).isInstanceOf(NotDirectoryException.class);
        assertThat(openHere()).isEmpty();
    }

    @Test
    void saysWhichFolderCannotBeRead() throws IOException {
        assumeTrue(!"root".equals(System.getProperty("user.name")), "needs a user who may not read everything");
        write("a/b/one", 10, 1);
        assertThat(folder.resolve("a/b").toFile().setReadable(false)).isTrue();
        assertThatThrownBy(() -> Dataset.at(folder.toString()).backend("posix").open())
                .isInstanceOf(LinuxException.class)
                .hasMessageStartingWith(folder + "/a/b: permission denied");
    }

    @Test
    void staysInItsFileSystem() throws IOException {
        assumeTrue(
                Files.isDirectory(Path.of("/dev/shm"))
                        && !Files.getFileStore(Path.of("/dev")).equals(Files.getFileStore(Path.of("/dev/shm"))),
                "needs a mount at /dev/shm");
        assertThatThrownBy(() -> Dataset.at("/dev").backend("posix").folder("/").open())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("another file system is mounted there; name that as a place of its own");
    }

    @Test
    void findsNamesOfAnyBytesAndDepth() throws Exception {
        // 40 folders of 200 bytes: the kernel takes no such path at once.
        String script = """
                cd "$1" && printf deep > start && d=$(printf 'd%.0s' $(seq 200))
                for i in $(seq 40); do mkdir $d && cd -P $d || exit 1; done
                printf bottom > "$(printf 'no\\377utf')"
                """;
        try {
            run("bash", "-c", script, "bash", folder.toString());
            String path = ("/" + "d".repeat(200)).repeat(40) + "/no\uDCFFutf";
            for (boolean buffered : new boolean[] {false, true}) {
                try (Dataset data = open("posix", new Settings(false, buffered, 1, 1, 0));
                        BatchReader batches = data.batches(2).open();
                        Batch batch = batches.next()) {
                    assertThat(batch).isNotNull();
                    assertThat(batch.path(0)).isEqualTo(path);
                    assertThat(batch.content(0).toArray(ValueLayout.JAVA_BYTE)).isEqualTo("bottom".getBytes(UTF_8));
                    assertThat(batch.path(1)).isEqualTo("/start");
                }
            }
        } finally {
            run("rm", "-rf", folder.resolve("d".repeat(200)).toString());
        }
    }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor())
                .as("%s: %s", String.join(" ", command), said)
                .isZero();
    }
}
