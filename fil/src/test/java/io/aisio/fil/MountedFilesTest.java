package io.aisio.fil;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.XfsException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An image that the kernel filled: our file system beside the JDK's over the kernel's mount of it, name by name. */
@Tag("root")
@Timeout(180)
class MountedFilesTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({"'', ?mdts=5", "-b size=1024 -n size=4096, ?qpairs=1", "-s size=4096 -m reflink=1, ?lba=4096&mdts=3"})
    void isAsTheKernelHasIt(String options, String device) throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
        Xfs xfs = new Xfs(folder).with("seed", 10);
        xfs.make(options.isEmpty() ? new String[0] : options.split(" ", -1));
        Path mount = Files.createDirectory(folder.resolve("mount"));
        Path unclean = folder.resolve("unclean.img");
        mount("loop", xfs.image, mount);
        try {
            fill(mount);
            Xfs.run("sync", "-f", mount.toString());
            Xfs.run("cp", "--sparse=always", xfs.image.toString(), unclean.toString());
        } finally {
            Xfs.run("umount", mount.toString());
        }
        mount("loop,ro,noatime", xfs.image, mount);
        try (FileSystem ours = FileSystems.newFileSystem(URI.create("aisio:emu:" + xfs.image + device), Map.of())) {
            Map<String, Path> kernel = walk(mount);
            Map<String, Path> found = walk(ours.getPath("/"));
            assertThat(found.keySet()).isEqualTo(kernel.keySet());
            assertThat(kernel).hasSizeGreaterThan(700);
            for (Map.Entry<String, Path> each : kernel.entrySet()) {
                compare(each.getKey(), found.get(each.getKey()), each.getValue(), mount);
            }
            assertThat(Files.getFileStore(ours.getPath("/")).getUnallocatedSpace())
                    .isCloseTo(
                            Files.getFileStore(mount).getUnallocatedSpace(),
                            org.assertj.core.data.Percentage.withPercentage(1));
        } finally {
            Xfs.run("umount", mount.toString());
        }
        assertThatThrownBy(() -> FileSystems.newFileSystem(URI.create("aisio:emu:" + unclean + device), Map.of()))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining("log");
    }

    private static void mount(String options, Path image, Path mount) throws Exception {
        Xfs.run("mount", "-o", options, image.toString(), mount.toString());
    }

    private static void fill(Path mount) throws Exception {
        Random random = new Random(9);
        Path tree = Files.createDirectories(mount.resolve("a/b/c/d"));
        for (int i = 0; i < 600; i++) {
            byte[] content = new byte[i % 50 == 0 ? random.nextInt(200_000) : random.nextInt(40)];
            random.nextBytes(content);
            Files.write(tree.resolve("file-%05d-%s".formatted(i, "x".repeat(i % 90))), content);
        }
        for (int i = 0; i < 50; i++) {
            Files.write(
                    Files.createDirectories(mount.resolve("classes/class" + i)).resolve("one"), new byte[i * 100]);
        }
        sparse(mount.resolve("sparse"), random);
        fragmented(mount.resolve("one"), mount.resolve("two"), random);
        Path unwritten = mount.resolve("unwritten");
        Files.write(unwritten, "begin".getBytes(ISO_8859_1));
        Xfs.run("xfs_io", "-c", "falloc 8192 300000", "-c", "pwrite -S 7 100000 5000", unwritten.toString());
        Files.createLink(mount.resolve("hard"), unwritten);
        Files.createSymbolicLink(mount.resolve("link"), Path.of("a/b/../b/./c"));
        Files.createSymbolicLink(mount.resolve("a/up"), Path.of("../classes/class7"));
        Files.createSymbolicLink(mount.resolve("long"), Path.of("a/b/c/d/" + "../d/".repeat(150)));
        Files.createSymbolicLink(mount.resolve("dangling"), Path.of("no"));
        Files.createSymbolicLink(mount.resolve("circle"), Path.of("a/back"));
        Files.createSymbolicLink(mount.resolve("a/back"), Path.of("../circle"));
        Xfs.run("mkfifo", mount.resolve("fifo").toString());
        Xfs.run("mknod", mount.resolve("disk").toString(), "b", "7", "3");
        // Names that are no UTF-8.
        Xfs.run(
                "bash",
                "-c",
                "cd " + mount + " && echo x > $'latin\\xe9' && mkdir $'\\xff\\xfe' && ln -s $'\\xff' $'\\xff\\xfe/l'");
        Files.createDirectory(mount.resolve("\u4e2d\u6587 \ud83d\ude00 %!?#"));
        Xfs.run("chown", "4000000000:70000", unwritten.toString());
        Xfs.run("chmod", "5751", mount.resolve("sparse").toString());
        Xfs.run(
                "touch",
                "-d",
                "1999-12-31T23:59:59.123456789Z",
                mount.resolve("sparse").toString());
        Xfs.run(
                "touch",
                "-h",
                "-d",
                "2037-01-01T00:00:00.000000001Z",
                mount.resolve("dangling").toString());
    }

    private static void sparse(Path file, Random random) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            for (int i = 0; i < 40; i++) {
                byte[] content = new byte[random.nextInt(20_000)];
                random.nextBytes(content);
                channel.write(ByteBuffer.wrap(content), random.nextInt(5_000_000));
            }
            channel.write(ByteBuffer.wrap(new byte[] {1}), 6_000_000);
        }
    }

    /** Two files that grow in turn, so that neither's blocks lie together. */
    private static void fragmented(Path one, Path two, Random random) throws Exception {
        byte[] block = new byte[8192];
        for (int i = 0; i < 60; i++) {
            for (Path file : List.of(one, two)) {
                random.nextBytes(block);
                try (OutputStream out =
                        Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
                    out.write(block, 0, i == 59 ? 777 : block.length);
                }
                Xfs.run("sync", file.toString());
            }
        }
    }

    /** All that is beneath a folder, by the bytes of its path from there. */
    private static Map<String, Path> walk(Path root) throws IOException {
        Map<String, Path> found = new TreeMap<>();
        int strip = bytes(root).length();
        try (Stream<Path> walk = Files.walk(root)) {
            walk.forEach(path -> {
                String name = bytes(path).substring(strip);
                assertThat(found.put(name.replaceAll("^/|/$", ""), path)).isNull();
            });
        }
        return found;
    }

    /** A path's bytes, each as a character: a URI has them all. */
    private static String bytes(Path path) {
        String uri = path.toUri().toString();
        int mark = uri.indexOf("!/");
        String raw = uri.startsWith("aisio:") ? uri.substring(mark + 1) : uri.substring("file://".length());
        return URLDecoder.decode(raw.replace("+", "%2B"), ISO_8859_1);
    }

    private static void compare(String name, Path ours, Path kernel, Path mount) throws IOException {
        assertThat(attributes(ours)).as(name).isEqualTo(attributes(kernel));
        if (Files.isSymbolicLink(kernel)) {
            // The JDK shows each byte outside of UTF-8 as one character that says so.
            String target = Files.readSymbolicLink(ours).toString().replaceAll("[\udc80-\udcff]", "\ufffd");
            assertThat(target).as(name).isEqualTo(Files.readSymbolicLink(kernel).toString());
        }
        assertThat(Files.exists(ours)).as(name).isEqualTo(Files.exists(kernel));
        if (Files.exists(kernel)) {
            assertThat("/" + bytes(ours.toRealPath()).substring(1).replaceAll("/$", ""))
                    .as(name)
                    .isEqualTo("/"
                            + bytes(kernel.toRealPath())
                                    .substring(bytes(mount.toRealPath()).length())
                                    .replaceAll("/$", ""));
            assertThat(Files.size(ours)).as(name).isEqualTo(Files.size(kernel));
        }
        if (Files.isRegularFile(kernel, LinkOption.NOFOLLOW_LINKS)) {
            assertThat(Files.readAllBytes(ours)).as(name).isEqualTo(Files.readAllBytes(kernel));
            assertThat(Files.mismatch(ours, kernel)).as(name).isEqualTo(-1);
        }
    }

    private static Map<String, Object> attributes(Path path) throws IOException {
        Map<String, Object> all = new HashMap<>(Files.readAttributes(path, "unix:*", LinkOption.NOFOLLOW_LINKS));
        all.keySet()
                .retainAll(List.of(
                        "lastModifiedTime",
                        "lastAccessTime",
                        "creationTime",
                        "ctime",
                        "size",
                        "isRegularFile",
                        "isDirectory",
                        "isSymbolicLink",
                        "isOther",
                        "permissions",
                        "mode",
                        "ino",
                        "nlink",
                        "uid",
                        "gid"));
        assertThat(all).hasSize(15);
        return all;
    }
}
