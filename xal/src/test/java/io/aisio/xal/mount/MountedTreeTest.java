package io.aisio.xal.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xal.Comparison;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileType;
import io.aisio.xal.LoopMount;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsImage;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
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

    @Test
    @Tag("root")
    void givesACatalogEachInodeOnceBeforeItsNames() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                MountedTree tree = MountedTree.open(loop.path(), true)) {
            Path mount = loop.path();
            fill(mount);
            Map<Long, Long> extents = new TreeMap<>();
            List<Long> named = new ArrayList<>();
            tree.readAll(new Catalog() {
                @Override
                public void inodes(InodeBatch batch) {
                    for (int i = 0; i < batch.inodes(); i++) {
                        long end = i + 1 < batch.inodes() ? batch.firstExtent(i + 1) : batch.extents();
                        assertThat(extents.put(batch.number(i), end - batch.firstExtent(i)))
                                .isNull();
                    }
                }

                @Override
                public void names(long directory, NameBatch batch) {
                    assertThat(extents).containsKey(directory);
                    for (int i = 0; i < batch.names(); i++) {
                        named.add(batch.inode(i));
                    }
                }

                @Override
                public boolean knows(long number, int generation, long stamp) {
                    return false;
                }

                @Override
                public void keep(long number) {
                    throw new AssertionError("inode " + number + " is not known");
                }

                @Override
                public void damaged(IOException problem) {
                    throw new AssertionError(problem);
                }
            });
            String found = XfsImage.run(List.of("find", mount.toString(), "-mindepth", "1", "-printf", "%i\\n"));
            assertThat(named)
                    .containsExactlyInAnyOrderElementsOf(
                            found.lines().map(Long::valueOf).toList());
            assertThat(extents.keySet()).containsAll(named);
            long scattered = (Long) Files.getAttribute(mount.resolve("scattered"), "unix:ino");
            assertThat(extents.get(scattered)).isGreaterThanOrEqualTo(PIECES);
        }
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
