package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.ClosedFileSystemException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code java.nio.file} over the software controller: what programs see of an image, and what they are refused. */
@Timeout(120)
class FilesTest {
    @TempDir
    private static Path folder;

    private static Xfs xfs;
    private static FileSystem files;

    @BeforeAll
    static void make() throws Exception {
        xfs = new Xfs(folder)
                .with("large", 3_000_001)
                .with("small", 1234)
                .with("empty", 0)
                .with("program", 10)
                .special("to-small l--777 5 6 small")
                .special("absolute l--777 0 0 /directory/inner")
                .special("loop l--777 0 0 loop")
                .special("out l--777 0 0 ../../../small")
                .special("nowhere l--777 0 0 no/such")
                .special("slash l--777 0 0 small/")
                .special("pipe p--600 0 0")
                .special("directory du-750 7 8\ninner d--755 0 0\nback l--777 0 0 ../..\n$\n.hidden l--777 0 0 x\n$")
                .make();
        files = FileSystems.newFileSystem(URI.create("aisio:emu:" + xfs.image), Map.of());
    }

    @AfterAll
    static void close() throws Exception {
        if (files != null) {
            files.close();
        }
    }

    private static Path at(String path) {
        return files.getPath(path);
    }

    @Test
    void walksAndReadsWithNothingButJavaNioFile() throws IOException {
        Path root = Path.of(URI.create("aisio:emu:" + xfs.image + "?lba=512!/"));
        try (FileSystem opened = root.getFileSystem();
                Stream<Path> walk = Files.walk(root)) {
            assertThat(opened.isReadOnly()).isTrue();
            List<String> regular = new ArrayList<>();
            for (Path file : (Iterable<Path>) walk::iterator) {
                if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    regular.add(file.toString());
                    assertThat(Files.readAllBytes(file)).isEqualTo(xfs.sources.get(file.toString()));
                }
            }
            assertThat(regular).containsExactlyElementsOf(xfs.sources.keySet());
        }
    }

    @Test
    void isFoundByItsUri() throws IOException {
        URI uri = URI.create("aisio:emu:" + xfs.image);
        assertThat(FileSystems.getFileSystem(uri)).isSameAs(files);
        assertThat((Object) Path.of(at("/directory/inner").toUri())).isEqualTo(at("/directory/inner"));
        assertThatThrownBy(() -> FileSystems.newFileSystem(uri, Map.of()))
                .isInstanceOf(FileSystemAlreadyExistsException.class);
        assertThatThrownBy(() -> FileSystems.getFileSystem(URI.create("aisio:emu:/other")))
                .isInstanceOf(FileSystemNotFoundException.class);
        assertThatThrownBy(() -> Path.of(uri))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("!/ for the root");
        assertThatThrownBy(() -> Path.of(URI.create("aisio:emu:/no/such!/")))
                .isInstanceOf(FileSystemNotFoundException.class)
                .hasMessageContaining("/no/such");
        assertThatThrownBy(() -> Path.of(URI.create("aisio:emu:1GiB!/")))
                .isInstanceOf(FileSystemNotFoundException.class)
                .hasMessageContaining("emu:1GiB")
                .cause()
                .isInstanceOf(IOException.class);
        assertThatThrownBy(() -> FileSystems.newFileSystem(URI.create("aisio:emu:" + xfs.image + "?lab=1"), Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no option 'lab'");
    }

    @Test
    void readsThroughTheKernelsPathToo() throws IOException {
        try (FileSystem kernel = FileSystems.newFileSystem(URI.create("aisio:" + xfs.image), Map.of())) {
            assertThat(Files.readAllBytes(kernel.getPath("large"))).isEqualTo(xfs.sources.get("/large"));
            assertThat(Files.isSameFile(kernel.getPath("large"), at("large"))).isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"?mdts=1&entries=2", "?qpairs=1", "?qpairs=2&mdts=5", "?lba=4096"})
    void readsAnyPartInAnyOrder(String options) throws Exception {
        Xfs image = options.contains("4096") ? new Xfs(Files.createDirectory(folder.resolve("large-blocks"))) : xfs;
        if (image != xfs) {
            image.with("large", 3_000_001).with("small", 1234).make("-s", "size=4096");
        }
        byte[] content = image.sources.get("/large");
        try (FileSystem opened = FileSystems.newFileSystem(URI.create("aisio:emu:" + image.image + options), Map.of());
                SeekableByteChannel channel = Files.newByteChannel(opened.getPath("large"))) {
            assertThat(channel.size()).isEqualTo(content.length);
            Random random = new Random(1);
            for (int i = 0; i < 300; i++) {
                int at = random.nextInt(content.length + 10);
                int length = random.nextInt(i % 10 == 0 ? 2_000_000 : 10_000);
                ByteBuffer buffer =
                        i % 2 == 0 ? ByteBuffer.allocate(length + 3) : ByteBuffer.allocateDirect(length + 3);
                buffer.position(3);
                int n = channel.position(at).read(buffer);
                int expected = length == 0 ? 0 : at >= content.length ? -1 : Math.min(length, content.length - at);
                assertThat(n).as("%d bytes at %d", length, at).isEqualTo(expected);
                assertThat(channel.position()).isEqualTo(at + Math.max(0, n));
                byte[] got = new byte[Math.max(0, n)];
                buffer.flip().position(3).get(got);
                assertThat(got).isEqualTo(Arrays.copyOfRange(content, at, at + got.length));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"?qpairs=1&mdts=3", "?qpairs=3&mdts=3"})
    void servesManyThreadsAtOnce(String options) throws Exception {
        byte[] content = xfs.sources.get("/large");
        URI uri = URI.create("aisio:emu:" + xfs.image + options);
        try (FileSystem opened = FileSystems.newFileSystem(uri, Map.of("queues", 8));
                FileChannel shared = FileChannel.open(opened.getPath("large"));
                ExecutorService threads = Executors.newFixedThreadPool(12)) {
            List<Callable<Integer>> tasks = new ArrayList<>();
            for (int t = 0; t < 12; t++) {
                int seed = t;
                tasks.add(() -> {
                    Random random = new Random(seed);
                    for (int i = 0; i < 60; i++) {
                        int at = random.nextInt(content.length);
                        ByteBuffer buffer = ByteBuffer.allocate(random.nextInt(100_000));
                        int n = Math.max(0, shared.read(buffer, at));
                        assertThat(Arrays.copyOf(buffer.array(), n)).isEqualTo(Arrays.copyOfRange(content, at, at + n));
                        assertThat(Files.readAllBytes(opened.getPath("small"))).isEqualTo(xfs.sources.get("/small"));
                    }
                    return seed;
                });
            }
            for (Future<Integer> result : threads.invokeAll(tasks)) {
                result.get();
            }
        }
    }

    @Test
    void readsStreams() throws IOException {
        byte[] content = xfs.sources.get("/large");
        try (InputStream in = Files.newInputStream(at("large"))) {
            assertThat(in.available()).isEqualTo(content.length);
            assertThat(in.read()).isEqualTo(content[0] & 0xFF);
            assertThat(in.skip(1000)).isEqualTo(1000);
            assertThat(in.readNBytes(300_000)).isEqualTo(Arrays.copyOfRange(content, 1001, 301_001));
            assertThat(in.skip(200_000)).isEqualTo(200_000);
            byte[] some = new byte[1000];
            assertThat(in.readNBytes(some, 10, 900)).isEqualTo(900);
            assertThat(Arrays.copyOfRange(some, 10, 910)).isEqualTo(Arrays.copyOfRange(content, 501_001, 501_901));
            assertThat(in.readAllBytes()).isEqualTo(Arrays.copyOfRange(content, 501_901, content.length));
            assertThat(in.read()).isEqualTo(-1);
            assertThat(in.skip(1)).isZero();
            in.close();
            assertThatThrownBy(in::read).isInstanceOf(ClosedChannelException.class);
        }
        Path copy = Files.copy(at("large"), folder.resolve("copy"), StandardCopyOption.COPY_ATTRIBUTES);
        assertThat(copy).hasBinaryContent(content);
        assertThat(Files.getLastModifiedTime(copy)).isEqualTo(Files.getLastModifiedTime(at("large")));
        assertThat(Files.mismatch(copy, at("large"))).isEqualTo(-1);
        try (FileChannel channel = FileChannel.open(at("large"));
                FileChannel target =
                        FileChannel.open(copy, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            assertThat(channel.transferTo(5, content.length, target)).isEqualTo(content.length - 5);
            assertThat(copy).hasBinaryContent(Arrays.copyOfRange(content, 5, content.length));
            ByteBuffer[] parts = {ByteBuffer.allocate(7), ByteBuffer.allocate(0), ByteBuffer.allocate(9)};
            assertThat(channel.read(parts)).isEqualTo(16);
            assertThat(parts[2].array()).isEqualTo(Arrays.copyOfRange(content, 7, 16));
        }
    }

    @Test
    void followsLinksAsTheKernelWould() throws IOException {
        assertThat(Files.readAllBytes(at("to-small"))).isEqualTo(xfs.sources.get("/small"));
        assertThat(Files.readAllBytes(at("/out"))).isEqualTo(xfs.sources.get("/small"));
        assertThat(Files.readAllBytes(at("/absolute/back/small"))).isEqualTo(xfs.sources.get("/small"));
        assertThat(Files.readSymbolicLink(at("absolute")).toString()).isEqualTo("/directory/inner");
        assertThat((Object) at("absolute/back/to-small").toRealPath()).isEqualTo(at("/small"));
        assertThat((Object) at("absolute/./back/to-small").toRealPath(LinkOption.NOFOLLOW_LINKS))
                .isEqualTo(at("/absolute/back/to-small"));
        assertThat((Object) at("directory/inner/../../small").toRealPath(LinkOption.NOFOLLOW_LINKS))
                .isEqualTo(at("/small"));
        assertThat((Object) at("absolute/../inner/../../directory").toRealPath(LinkOption.NOFOLLOW_LINKS))
                .isEqualTo(at("/absolute/../../directory"));
        assertThat((Object) at("../..").toRealPath(LinkOption.NOFOLLOW_LINKS)).isEqualTo(at("/"));
        assertThatThrownBy(() -> at("directory/none/../inner").toRealPath(LinkOption.NOFOLLOW_LINKS))
                .isInstanceOf(NoSuchFileException.class);
        assertThat((Object) at("nowhere").toRealPath(LinkOption.NOFOLLOW_LINKS)).isEqualTo(at("/nowhere"));
        assertThatThrownBy(() -> at("nowhere").toRealPath()).isInstanceOf(NoSuchFileException.class);
        assertThat(Files.isSameFile(at("absolute/../inner"), at("/directory/inner")))
                .isTrue();
        assertThat(Files.isSameFile(at("small"), at("large"))).isFalse();
        assertThat(Files.isSymbolicLink(at("loop"))).isTrue();
        assertThatThrownBy(() -> Files.size(at("loop"))).isInstanceOf(FileSystemLoopException.class);
        assertThatThrownBy(() -> Files.size(at("nowhere"))).isInstanceOf(NoSuchFileException.class);
        assertThatThrownBy(() -> Files.size(at("slash"))).isInstanceOf(NotDirectoryException.class);
        assertThatThrownBy(() -> Files.size(at("small/.."))).isInstanceOf(NotDirectoryException.class);
        assertThatThrownBy(() -> Files.readSymbolicLink(at("small"))).isInstanceOf(NotLinkException.class);
        assertThatThrownBy(() -> Files.newByteChannel(at("to-small"), LinkOption.NOFOLLOW_LINKS))
                .isInstanceOf(FileSystemException.class)
                .hasMessageContaining("symbolic link");
        assertThat(Files.exists(at("nowhere"))).isFalse();
        assertThat(Files.exists(at("nowhere"), LinkOption.NOFOLLOW_LINKS)).isTrue();
    }

    @Test
    void tellsWhatInodesSay() throws IOException {
        PosixFileAttributes directory = Files.readAttributes(at("directory"), PosixFileAttributes.class);
        assertThat(directory.owner().getName()).isEqualTo("7");
        assertThat(directory.group().getName()).isEqualTo("8");
        assertThat(PosixFilePermissions.toString(directory.permissions())).isEqualTo("rwxr-x---");
        assertThat(Files.getAttribute(at("directory"), "unix:mode")).isEqualTo(044750);
        assertThat(directory.fileKey())
                .isEqualTo(Files.readAttributes(at("directory/inner/.."), PosixFileAttributes.class)
                        .fileKey());
        assertThat(Files.readAttributes(at("to-small"), "posix:owner,size", LinkOption.NOFOLLOW_LINKS))
                .containsEntry("size", 5L)
                .containsOnlyKeys("owner", "size");
        assertThat(Files.getOwner(at("directory"))).isEqualTo(directory.owner());
        assertThat(Files.getFileAttributeView(at("directory"), BasicFileAttributeView.class)
                        .name())
                .isEqualTo("basic");
        assertThat(Files.readAttributes(at("pipe"), "*")).containsEntry("isOther", true);
        assertThat(files.getUserPrincipalLookupService().lookupPrincipalByName("7"))
                .isEqualTo(directory.owner());
        assertThat(Files.isHidden(at("directory/.hidden"))).isTrue();
        assertThatThrownBy(() -> Files.getAttribute(at("small"), "dos:hidden"))
                .isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> Files.getAttribute(at("small"), "basic:mode"))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Files.newByteChannel(at("pipe")))
                .isInstanceOf(FileSystemException.class)
                .hasMessageContaining("FIFO");
        assertThatThrownBy(() -> Files.newByteChannel(at("directory"))).isInstanceOf(FileSystemException.class);
        FileStore store = Files.getFileStore(at("/"));
        assertThat(store.getTotalSpace()).isEqualTo(Files.size(xfs.image));
        assertThat(store.getUnallocatedSpace()).isBetween(store.getTotalSpace() / 2, store.getTotalSpace());
        assertThat(store.isReadOnly()).isTrue();
        assertThat(store.type()).isEqualTo("xfs");
        assertThat(Files.isReadable(at("small"))).isTrue();
        assertThat(Files.isWritable(at("small"))).isFalse();
        assertThat(Files.isExecutable(at("small"))).isFalse();
        assertThat(Files.isExecutable(at("directory"))).isTrue();
    }

    @Test
    void listsDirectories() throws IOException {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(at("absolute/.."), "[!.]*")) {
            stream.forEach(path -> names.add(path.toString()));
            assertThatThrownBy(stream::iterator).isInstanceOf(IllegalStateException.class);
        }
        assertThat(names).containsExactly("absolute/../inner");
        try (Stream<Path> found = Files.find(at(""), 9, (path, attributes) -> attributes.isDirectory())) {
            assertThat(found.map(Path::toString)).containsExactlyInAnyOrder("", "directory", "directory/inner");
        }
        assertThatThrownBy(() -> Files.newDirectoryStream(at("small"))).isInstanceOf(NotDirectoryException.class);
        assertThatThrownBy(() -> Files.newDirectoryStream(at("none"))).isInstanceOf(NoSuchFileException.class);
    }

    private interface Writing {
        void run() throws IOException;
    }

    @Test
    void refusesEveryWrite() throws IOException {
        Path file = at("small");
        Path other = at("other");
        List<Writing> writings = List.of(
                () -> Files.createFile(other),
                () -> Files.createDirectory(other),
                () -> Files.createSymbolicLink(other, file),
                () -> Files.createLink(other, file),
                () -> Files.delete(file),
                () -> Files.deleteIfExists(file),
                () -> Files.copy(file, other),
                () -> Files.move(file, other),
                () -> Files.writeString(file, "x"),
                () -> Files.newOutputStream(other),
                () -> Files.newByteChannel(file, StandardOpenOption.WRITE),
                () -> Files.newByteChannel(file, StandardOpenOption.READ, StandardOpenOption.DELETE_ON_CLOSE),
                () -> Files.setLastModifiedTime(file, FileTime.fromMillis(0)),
                () -> Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxrwxrwx")),
                () -> Files.setOwner(file, Files.getOwner(file)),
                () -> Files.setAttribute(file, "basic:lastModifiedTime", FileTime.fromMillis(0)),
                () -> Files.copy(folder.resolve("fil.proto"), other));
        for (int i = 0; i < writings.size(); i++) {
            assertThatThrownBy(writings.get(i)::run)
                    .as("writing %d", i)
                    .isInstanceOf(ReadOnlyFileSystemException.class);
        }
        assertThatThrownBy(() -> file.getFileSystem().provider().checkAccess(file, java.nio.file.AccessMode.WRITE))
                .isInstanceOf(AccessDeniedException.class);
        try (FileChannel channel = FileChannel.open(file)) {
            assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1)))
                    .isInstanceOf(NonWritableChannelException.class);
            assertThatThrownBy(() -> channel.truncate(0)).isInstanceOf(NonWritableChannelException.class);
            assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1).asReadOnlyBuffer()))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void isOverOnceClosed() throws IOException {
        URI uri = URI.create("aisio:emu:" + xfs.image + "?qpairs=5");
        FileSystem opened = FileSystems.newFileSystem(uri, Map.of());
        Path path = opened.getPath("/large");
        SeekableByteChannel channel = Files.newByteChannel(path);
        opened.close();
        opened.close();
        assertThat(opened.isOpen()).isFalse();
        assertThat(channel.isOpen()).isFalse();
        assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> Files.size(path)).isInstanceOf(ClosedFileSystemException.class);
        assertThatThrownBy(() -> Files.newByteChannel(path)).isInstanceOf(ClosedFileSystemException.class);
        assertThatThrownBy(() -> Files.walk(opened.getPath("/"))).isInstanceOf(ClosedFileSystemException.class);
        assertThatThrownBy(() -> FileSystems.getFileSystem(uri)).isInstanceOf(FileSystemNotFoundException.class);
        try (FileSystem again = FileSystems.newFileSystem(uri, Map.of())) {
            assertThat(Files.size(again.getPath("large"))).isEqualTo(3_000_001);
        }
    }

    /** Readers on many threads, while somebody closes what they read from: each is told so, and nothing else happens. */
    @Test
    void closesUnderReaders() throws Exception {
        for (int round = 0; round < 5; round++) {
            FileSystem opened =
                    FileSystems.newFileSystem(URI.create("aisio:emu:" + xfs.image + "?qpairs=2&mdts=1"), Map.of());
            Path path = opened.getPath("/large");
            byte[] content = xfs.sources.get("/large");
            try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
                List<Future<Long>> readers = new ArrayList<>();
                for (int t = 0; t < 4; t++) {
                    readers.add(threads.submit(() -> {
                        for (long n = 0; ; n++) {
                            try {
                                assertThat(Files.readAllBytes(path)).isEqualTo(content);
                            } catch (ClosedFileSystemException | ClosedChannelException e) {
                                return n;
                            }
                        }
                    }));
                }
                assertThat(Files.readAllBytes(path)).isEqualTo(content);
                opened.close();
                for (Future<Long> reader : readers) {
                    assertThat(reader.get()).isNotNegative();
                }
            }
        }
    }

    @Test
    void isClosedByAnInterruptionAsAnyFileChannel() throws Exception {
        try (FileChannel channel = FileChannel.open(at("large"))) {
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1)))
                    .isInstanceOf(ClosedByInterruptException.class);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(channel.isOpen()).isFalse();
        }
        assertThat(Files.readAllBytes(at("large"))).isEqualTo(xfs.sources.get("/large"));
    }

    /** As any stream of {@link Files}: an interruption is somebody else's to notice. */
    @Test
    void readsStreamsWhileInterrupted() throws Exception {
        try (InputStream in = Files.newInputStream(at("large"))) {
            Thread.currentThread().interrupt();
            assertThat(in.readAllBytes()).isEqualTo(xfs.sources.get("/large"));
            assertThat(Files.size(at("directory/inner/../../small"))).isEqualTo(1234);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void readsStreamsWhileInterruptedThoughTheDeviceAsksForADelay() throws Exception {
        // CRDT1: 100 ms.
        URI uri = URI.create(
                "aisio:emu:" + xfs.image + "?mdts=2&faults=put=128/0100@identify.sub0x1,error=2/81/crd1@read:100-110");
        try (FileSystem opened = FileSystems.newFileSystem(uri, Map.of());
                InputStream in = Files.newInputStream(opened.getPath("/large"))) {
            Thread.currentThread().interrupt();
            assertThat(in.readAllBytes()).isEqualTo(xfs.sources.get("/large"));
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"error:%20", "fatal:200", "duplicate:150", "error=2/81/crd1:100"})
    void readsOnWhereADeviceDoesWrongAFewTimes(String faults) throws IOException {
        // CRDT1: 100 ms.
        URI uri = URI.create(
                "aisio:emu:" + xfs.image + "?mdts=2&faults=put=128/0100@identify.sub0x1," + faults.replace("%", "%25"));
        try (FileSystem opened = FileSystems.newFileSystem(uri, Map.of())) {
            for (int round = 0; round < 3; round++) {
                for (Map.Entry<String, byte[]> source : xfs.sources.entrySet()) {
                    assertThat(Files.readAllBytes(opened.getPath(source.getKey())))
                            .isEqualTo(source.getValue());
                }
            }
        }
    }

    @Test
    void goesOnAfterAReadThatFailed() throws IOException {
        int failures = 0;
        byte[] content = xfs.sources.get("/large");
        for (int n = 100; n < 600; n += 50) {
            URI uri = URI.create("aisio:emu:" + xfs.image + "?mdts=2&faults=error=2/81/dnr:" + n);
            FileSystem opened;
            try {
                opened = FileSystems.newFileSystem(uri, Map.of());
            } catch (IOException e) {
                continue;
            }
            try (opened) {
                Path path = opened.getPath("large");
                int failed = 0;
                for (int i = 0; i < 4; i++) {
                    try {
                        assertThat(Files.readAllBytes(path)).isEqualTo(content);
                    } catch (IOException e) {
                        assertThat(e)
                                .hasMessageStartingWith(opened + ": /large could not be read: ")
                                .hasMessageContaining("Unrecovered Read Error");
                        failed++;
                    }
                }
                assertThat(failed).as(uri.toString()).isLessThanOrEqualTo(1);
                failures += failed;
            }
        }
        assertThat(failures).isPositive();
    }

    @Test
    void findsNamesThatAreNotUtf8() throws Exception {
        Path own = Files.createDirectory(folder.resolve("latin"));
        Xfs latin = new Xfs(own).with("plain", 5);
        // The prototype is written as bytes: a name in ISO 8859-1.
        latin.special("caf\u00e9 l--777 0 0 na\u00efve").make(StandardCharsets.ISO_8859_1);
        try (FileSystem opened = FileSystems.newFileSystem(URI.create("aisio:emu:" + latin.image), Map.of());
                Stream<Path> list = Files.list(opened.getPath("/"))) {
            Path link = list.filter(path -> !path.endsWith("plain")).findFirst().orElseThrow();
            assertThat(link.toString()).isEqualTo("/caf\udce9");
            assertThat(Files.readSymbolicLink(link).toString()).isEqualTo("na\udcefve");
            assertThat(link.toUri().toString()).endsWith("!/caf%E9");
            assertThat(Files.isSymbolicLink(Path.of(link.toUri()))).isTrue();
        }
    }
}
