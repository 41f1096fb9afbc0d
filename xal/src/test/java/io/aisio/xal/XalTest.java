package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xal.xfs.RecordedCatalog;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Trees that mkfs.xfs put into an image, as we list and read them. */
class XalTest {
    private static final String SPECIALS = """
            link l--777 0 0 /nowhere/at/all
            long-link l--777 0 0 %s
            pipe p--600 0 0
            null c--666 0 0 1 3
            disk b--600 0 0 7 0
            """.formatted("/far".repeat(250));

    @TempDir
    private static Path folder;

    private static Path tree;

    /** An image holds 64 MiB of zeros for its log. */
    @AfterEach
    void dropImages() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path image :
                    files.filter(file -> file.toString().endsWith(".img")).toList()) {
                Files.delete(image);
            }
        }
    }

    /** A tree with each form that a directory takes, and files of sizes around those of blocks. */
    private static synchronized Path tree() throws IOException {
        if (tree == null) {
            Path root = folder.resolve("tree");
            Files.createDirectories(root.resolve("empty"));
            for (int size : new int[] {0, 1, 511, 512, 513, 1023, 1024, 4095, 4096, 4097, 65_536, 5_000_001}) {
                XfsImage.fill(root.resolve("sizes/f" + size), size);
            }
            names(root.resolve("short"), 3, 8);
            names(root.resolve("block"), 20, 20);
            names(root.resolve("leaf"), 300, 30);
            names(root.resolve("node"), 2_500, 120);
            XfsImage.fill(root.resolve("a/b/c/d/e/f/g/deep"), 10_000);
            XfsImage.fill(root.resolve("n".repeat(255)), 77);
            tree = root;
        }
        return tree;
    }

    private static void names(Path directory, int count, int length) throws IOException {
        Files.createDirectories(directory);
        for (int i = 0; i < count; i++) {
            String name = i + "-";
            XfsImage.fill(directory.resolve(name + "x".repeat(length - name.length() + i % 7)), i % 50 == 0 ? i : 0);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-b size=4096",
                "-b size=1024",
                "-b size=2048 -i size=1024 -n size=8192",
                "-i size=2048 -n size=16384",
                "-b size=1024 -n size=16384 -i nrext64=1",
                "-n size=65536",
                "-b size=65536",
                "-b size=16384 -i size=2048",
                "-s size=4096 -m rmapbt=1,reflink=1,bigtime=1,inobtcount=1,finobt=1 -i nrext64=1,sparse=1",
                "-m rmapbt=0,reflink=0,bigtime=0,inobtcount=0,finobt=0 -i nrext64=0,sparse=0,attr=2",
                "-m uuid=11111111-2222-3333-4444-555555555555 -d agcount=7",
            })
    void listsAndReadsWhatMkfsPutIn(String options) throws Exception {
        XfsImage image = XfsImage.of(folder, tree(), SPECIALS, options.split(" ", -1));
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks)) {
            RecordedCatalog.agreesWithAWalk(blocks);
            Map<String, Entry> seen = new HashMap<>();
            List<String> order = new ArrayList<>();
            xal.walk("/", new Collect(seen, order));

            List<String> expected = new ArrayList<>(image.sources().keySet());
            expected.addAll(List.of("/", "/link", "/long-link", "/pipe", "/null", "/disk"));
            assertThat(order).doesNotHaveDuplicates().containsExactlyInAnyOrderElementsOf(expected);
            assertThat(seen.get("/link").type()).isEqualTo(FileType.SYMLINK);
            assertThat(seen.get("/long-link").inode().size()).isEqualTo(1000);
            assertThat(seen.get("/pipe").type()).isEqualTo(FileType.FIFO);
            assertThat(seen.get("/null").type()).isEqualTo(FileType.CHARACTER_DEVICE);
            assertThat(seen.get("/disk").type()).isEqualTo(FileType.BLOCK_DEVICE);
            for (Map.Entry<String, Path> source : image.sources().entrySet()) {
                Entry entry = seen.get(source.getKey());
                if (Files.isDirectory(source.getValue())) {
                    assertThat(entry.type()).isEqualTo(FileType.DIRECTORY);
                } else {
                    assertThat(entry.type()).isEqualTo(FileType.REGULAR);
                    assertThat(read(image.path(), xal.pieces(entry)))
                            .as(source.getKey())
                            .isEqualTo(Files.readAllBytes(source.getValue()));
                }
            }
        }
    }

    @Test
    void walksADirectoryBeforeWhatItHoldsAndNamesInOrder() throws Exception {
        XfsImage image = XfsImage.of(folder, tree(), SPECIALS);
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks)) {
            List<String> order = new ArrayList<>();
            xal.walk("/a", new Collect(new HashMap<>(), order));
            assertThat(order)
                    .containsExactly(
                            "/a",
                            "/a/b",
                            "/a/b/c",
                            "/a/b/c/d",
                            "/a/b/c/d/e",
                            "/a/b/c/d/e/f",
                            "/a/b/c/d/e/f/g",
                            "/a/b/c/d/e/f/g/deep");
            order.clear();
            xal.walk("//sizes/", new Collect(new HashMap<>(), order));
            assertThat(order.subList(0, 4)).containsExactly("/sizes", "/sizes/f0", "/sizes/f1", "/sizes/f1023");
            order.clear();
            xal.walk("/sizes/f1", new Collect(new HashMap<>(), order));
            assertThat(order).containsExactly("/sizes/f1");
        }
    }

    @Test
    void looksUpPathsAndSaysWhichPartIsMissing() throws Exception {
        XfsImage image = XfsImage.of(folder, tree(), SPECIALS);
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks)) {
            assertThat(xal.lookup("/").type()).isEqualTo(FileType.DIRECTORY);
            assertThat(xal.lookup("/sizes/f5000001").inode().size()).isEqualTo(5_000_001);
            assertThat(xal.lookup("//sizes//f513/").inode().size()).isEqualTo(513);
            assertThatThrownBy(() -> xal.lookup("/sizes/absent/more"))
                    .isInstanceOf(NoSuchFileException.class)
                    .hasMessageContaining("/sizes/absent");
            assertThatThrownBy(() -> xal.lookup("/link/more"))
                    .isInstanceOf(NotDirectoryException.class)
                    .hasMessageContaining("/link");
            assertThatThrownBy(() -> xal.lookup("sizes")).isInstanceOf(NoSuchFileException.class);
            Entry directory = xal.lookup("/sizes");
            assertThatThrownBy(() -> xal.pieces(directory)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void givesTheExtentsThatXfsDbGives() throws Exception {
        XfsImage image = XfsImage.of(folder, tree(), SPECIALS, "-b", "size=1024", "-d", "agcount=5");
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks)) {
            for (String path : List.of("/sizes/f5000001", "/sizes/f4097", "/node", "/sizes/f0")) {
                Entry file = xal.lookup(path);
                assertThat(xal.extents(file))
                        .as(path)
                        .isEqualTo(bmap(
                                image, file.inode(), xal.volume().blockBytes(), image.dbNumber("sb 0", "agblocks")));
            }
            assertThat(xal.extents(xal.lookup("/sizes/f5000001"))).isNotEmpty();
            assertThat(xal.extents(xal.lookup("/node"))).isNotEmpty();
        }
    }

    private static final Pattern BMAP =
            Pattern.compile("data offset (\\d+) startblock \\d+ \\((\\d+)/(\\d+)\\) count (\\d+) flag (\\d)");

    static List<Extent> bmap(XfsImage image, Inode inode, long blockSize, long agBlocks) throws Exception {
        Matcher lines = BMAP.matcher(image.db("inode " + inode.number(), "bmap"));
        List<Extent> extents = new ArrayList<>();
        while (lines.find()) {
            long block = Long.parseLong(lines.group(2)) * agBlocks + Long.parseLong(lines.group(3));
            extents.add(new Extent(
                    Long.parseLong(lines.group(1)) * blockSize,
                    block * blockSize,
                    Long.parseLong(lines.group(4)) * blockSize,
                    lines.group(5).equals("1") ? Extent.UNWRITTEN : 0));
        }
        return extents;
    }

    /** Reads a file as a user of the pieces does. */
    static byte[] read(Path device, List<Piece> pieces) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (FileChannel channel = FileChannel.open(device)) {
            for (Piece piece : pieces) {
                assertThat(piece.offset()).isEqualTo(bytes.size());
                ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(piece.length()));
                if (piece.kind() == Piece.Kind.DATA) {
                    assertThat(channel.read(buffer, piece.position())).isEqualTo(buffer.capacity());
                }
                bytes.write(buffer.array());
            }
        }
        return bytes.toByteArray();
    }

    /** Collects what a walk finds and fails on damage. */
    record Collect(Map<String, Entry> entries, List<String> order) implements Xal.Visitor {
        @Override
        public void visit(Entry entry) {
            assertThat(entry.path()).endsWith("/" + entry.name());
            order.add(entry.path());
            entries.put(entry.path(), entry);
        }

        @Override
        public void damaged(String path, IOException problem) throws IOException {
            throw new IOException(path, problem);
        }
    }
}
