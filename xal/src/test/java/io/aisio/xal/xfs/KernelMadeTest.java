package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** File systems that the kernel filled, as it sees them itself: names by find, blocks by xfs_bmap, bytes by read(2). */
@Tag("root")
class KernelMadeTest {
    private static final int PIECES = 1_500;
    private static final int NAMES = 4_000;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-b size=1024 -i nrext64=1 -m rmapbt=1",
                "-b size=1024 -n size=8192 -i nrext64=0 -m reflink=0",
                "-b size=4096 -i size=2048 -m bigtime=0,reflink=1"
            })
    void agreesWithTheKernel(String options) throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name"))
                        && Files.readString(Path.of("/proc/filesystems")).contains("\txfs\n")
                        && Files.exists(Path.of("/dev/loop-control")),
                "needs root, loop devices and a kernel with XFS");
        XfsImage image = XfsImage.empty(folder, options.split(" ", -1));
        Path mount = Files.createDirectories(folder.resolve("mount"));
        XfsImage.run(List.of("mount", "-o", "loop", image.path().toString(), mount.toString()));
        Map<String, List<Mapped>> maps = new TreeMap<>();
        Map<String, byte[]> contents = new HashMap<>();
        List<String> found;
        try {
            fill(mount);
            // Remounted, so that nothing is in flight: what is delayed is allocated, what is too much is trimmed.
            XfsImage.run(List.of("umount", mount.toString()));
            XfsImage.run(List.of("mount", "-o", "loop,ro", image.path().toString(), mount.toString()));
            found = find(mount);
            for (String name : List.of("scattered", "sparse", "unwritten", "kept", "shared", "clone", "attributes")) {
                maps.put("/" + name, bmap(mount.resolve(name)));
                contents.put("/" + name, Files.readAllBytes(mount.resolve(name)));
            }
        } finally {
            XfsImage.run(List.of("umount", mount.toString()));
        }
        compare(image, options, found, maps, contents);
    }

    private void compare(
            XfsImage image,
            String options,
            List<String> found,
            Map<String, List<Mapped>> maps,
            Map<String, byte[]> contents)
            throws Exception {
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks)) {
            RecordedCatalog.agreesWithAWalk(blocks);
            List<String> listed = new ArrayList<>();
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) {
                    listed.add("%s %d %d %o %d %s"
                            .formatted(
                                    letter(entry.type()),
                                    entry.inode().number(),
                                    entry.inode().size(),
                                    entry.inode().mode(),
                                    entry.inode().links(),
                                    entry.path().substring(1)));
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    throw new IOException(path, problem);
                }
            });
            assertThat(listed).containsExactlyInAnyOrderElementsOf(found);

            for (Map.Entry<String, List<Mapped>> map : maps.entrySet()) {
                Entry file = xal.lookup(map.getKey());
                List<Mapped> mapped = new ArrayList<>();
                for (Extent extent : xal.extents(file)) {
                    add(mapped, new Mapped(extent.sectors(), extent.unwritten(), extent.shared()));
                }
                assertThat(mapped).as(map.getKey()).isEqualTo(map.getValue());
                assertThat(read(image.path(), xal.pieces(file)))
                        .as(map.getKey())
                        .isEqualTo(contents.get(map.getKey()));
            }
            assertThat(xal.extents(xal.lookup("/scattered"))).hasSizeGreaterThan(PIECES - 1);
            assertThat(xal.extents(xal.lookup("/unwritten"))).anyMatch(Extent::unwritten);
            assertThat(xal.extents(xal.lookup("/clone")).stream().anyMatch(Extent::shared))
                    .isEqualTo(!options.contains("reflink=0"));
            assertThat(xal.pieces(xal.lookup("/sparse"))).anyMatch(piece -> piece.kind() == Piece.Kind.HOLE);
            assertThat(xal.lookup("/bad\uDCFFname").type()).isEqualTo(FileType.REGULAR);
            assertThatThrownBy(() -> xal.lookup("/bad\uFFFDname")).isInstanceOf(IOException.class);
            for (String tall : List.of("/scattered", "/names")) {
                assertThat(image.db("inode " + xal.lookup(tall).inode().number(), "print core.format"))
                        .as("mkfs and the kernel made what this test is for: %s", tall)
                        .contains("btree");
            }
        }
    }

    /** Files of every shape that a file has, in the root of the file system. */
    private static void fill(Path mount) throws Exception {
        Random random = new Random(7);
        byte[] block = new byte[4096];
        Path names = Files.createDirectories(mount.resolve("names"));
        try (FileChannel scattered = create(mount.resolve("scattered"))) {
            for (int i = 0; i < NAMES; i++) {
                // Alternating, so that neither the directory nor the file gets blocks that lie one after another.
                Files.writeString(
                        names.resolve("a-name-that-takes-some-room-in-its-directory-" + i), "x".repeat(i % 3));
                if (i < PIECES) {
                    random.nextBytes(block);
                    scattered.write(ByteBuffer.wrap(block), i * 8192L);
                }
                if (i % 16 == 0) {
                    scattered.force(false);
                }
            }
        }
        for (int i = 0; i < NAMES; i++) {
            // Every third, and two runs that leave whole blocks empty: in the middle, and the last ones.
            if (i % 3 == 0 || i / 300 == 5 || i > NAMES - 300) {
                Files.delete(names.resolve("a-name-that-takes-some-room-in-its-directory-" + i));
            }
        }
        try (FileChannel sparse = create(mount.resolve("sparse"))) {
            random.nextBytes(block);
            sparse.write(ByteBuffer.wrap(block), 5_000_003);
            sparse.write(ByteBuffer.wrap(block), 9_000_000);
        }
        io(mount.resolve("unwritten"), "falloc 0 1m", "pwrite -S 7 64k 64k", "pwrite 900k 3333", "fpunch 100k 8k");
        io(mount.resolve("kept"), "falloc -k 0 300k", "pwrite 0 10001");
        io(mount.resolve("shared"), "pwrite -S 3 0 200k");
        io(mount.resolve("attributes"), "pwrite -S 9 0 70k", "fpunch 8k 8k", "fcollapse 24k 8k");
        XfsImage.run(List.of(
                "cp",
                "--reflink=auto",
                mount.resolve("shared").toString(),
                mount.resolve("clone").toString()));
        io(mount.resolve("clone"), "pwrite -S 4 50k 10k");
        for (int i = 0; i < 20; i++) {
            Files.setAttribute(mount.resolve("attributes"), "user:a" + i, ByteBuffer.wrap(block, 0, 700));
            Files.setAttribute(names, "user:a" + i, ByteBuffer.wrap(block, 0, 70));
        }
        Files.createLink(mount.resolve("hard"), mount.resolve("sparse"));
        Files.createSymbolicLink(mount.resolve("link"), Path.of("/nowhere"));
        Files.createSymbolicLink(mount.resolve("remote"), Path.of("/far".repeat(200)));
        XfsImage.run(List.of("mknod", mount.resolve("disk").toString(), "b", "7", "9"));
        XfsImage.run(List.of("mknod", mount.resolve("pipe").toString(), "p"));
        try (ServerSocketChannel socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            socket.bind(UnixDomainSocketAddress.of(mount.resolve("socket")));
        }
        XfsImage.run(List.of("sh", "-c", "touch \"" + mount + "/bad$(printf '\\377')name\" " + mount + "/schön"));
        Path deep = mount;
        for (int i = 0; i < 100; i++) {
            deep = Files.createDirectory(deep.resolve("d" + i));
        }
    }

    private static FileChannel create(Path path) throws IOException {
        return FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    }

    private static void io(Path path, String... commands) throws Exception {
        List<String> line = new ArrayList<>(List.of("xfs_io", "-f"));
        for (String command : commands) {
            line.add("-c");
            line.add(command);
        }
        line.add(path.toString());
        XfsImage.run(line);
    }

    /** All entries: type, inode, size, permissions, links and path. */
    private static List<String> find(Path mount) throws Exception {
        Process find = new ProcessBuilder("find", ".", "-printf", "%y %i %s %m %n %P\\0")
                .directory(mount.toFile())
                .start();
        byte[] output = find.getInputStream().readAllBytes();
        assertThat(find.waitFor()).isZero();
        List<String> lines = new ArrayList<>();
        for (String line : new String(output, StandardCharsets.ISO_8859_1).split("\0", -1)) {
            if (!line.isEmpty()) {
                lines.add(FileName.decode(line.getBytes(StandardCharsets.ISO_8859_1)));
            }
        }
        return lines;
    }

    private static String letter(FileType type) {
        return switch (type) {
            case REGULAR -> "f";
            case DIRECTORY -> "d";
            case SYMLINK -> "l";
            case CHARACTER_DEVICE -> "c";
            case BLOCK_DEVICE -> "b";
            case FIFO -> "p";
            case SOCKET -> "s";
        };
    }

    /** An extent as xfs_bmap prints it. */
    private record Mapped(Extent.Sectors sectors, boolean unwritten, boolean shared) {}

    private static final Pattern MAPPED =
            Pattern.compile("\\d+: \\[(\\d+)\\.\\.(\\d+)]: +(\\d+)\\.\\.(\\d+) .* ([01]+)\\n");
    /** Of xfs_bmap's flags: the extent is unwritten. */
    private static final int UNWRITTEN = 010000;
    /** Of xfs_bmap's flags: other files have the blocks too. */
    private static final int SHARED = 0100000;

    private static List<Mapped> bmap(Path path) throws Exception {
        Matcher lines = MAPPED.matcher(XfsImage.run(List.of("xfs_bmap", "-p", "-v", path.toString())));
        List<Mapped> mapped = new ArrayList<>();
        while (lines.find()) {
            Mapped next = new Mapped(
                    new Extent.Sectors(
                            Long.parseLong(lines.group(1)),
                            Long.parseLong(lines.group(2)),
                            Long.parseLong(lines.group(3)),
                            Long.parseLong(lines.group(4))),
                    (Integer.parseInt(lines.group(5), 8) & UNWRITTEN) != 0,
                    (Integer.parseInt(lines.group(5), 8) & SHARED) != 0);
            add(mapped, next);
        }
        return mapped;
    }

    /** Adds an extent, or lengthens the last by it: xfs_bmap cuts extents where blocks begin to be shared. */
    private static void add(List<Mapped> mapped, Mapped next) {
        if (!mapped.isEmpty()) {
            Extent.Sectors last = mapped.getLast().sectors();
            if (last.fileLast() + 1 == next.sectors().fileFirst()
                    && last.deviceLast() + 1 == next.sectors().deviceFirst()
                    && mapped.getLast().unwritten() == next.unwritten()) {
                next = new Mapped(
                        new Extent.Sectors(
                                last.fileFirst(),
                                next.sectors().fileLast(),
                                last.deviceFirst(),
                                next.sectors().deviceLast()),
                        next.unwritten(),
                        mapped.getLast().shared() || next.shared());
                mapped.removeLast();
            }
        }
        mapped.add(next);
    }

    private static byte[] read(Path device, List<Piece> pieces) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (FileChannel channel = FileChannel.open(device)) {
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
