package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The {@code xal} commands on file systems that the kernel filled, compared with the tools that ask it. */
@Tag("root")
@Tag("slow")
class XalMountIT {
    @TempDir
    private Path folder;

    private Path mount;

    @BeforeEach
    void needsRoot() throws IOException {
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
        mount = Files.createDirectory(folder.resolve("mount"));
    }

    /** A file system with holes, preallocation, clones where there are any, links and a few hundred files. */
    private Path image(String type) throws IOException {
        Path image = folder.resolve(type + ".img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(512L << 20);
        }
        tool("mkfs." + type, "-q", image.toString());
        mounted(image, "loop", () -> {
            shell(
                    "for i in $(seq 200); do mkdir -p d$((i % 9)); head -c $((i * 97)) /dev/urandom > d$((i % 9))/f$i; done");
            shell("fallocate -l 3M unwritten; head -c 5000 /dev/urandom | dd of=unwritten bs=1k seek=77 conv=notrunc");
            shell(
                    "head -c 300000 /dev/urandom > holes; fallocate -p -o 40960 -l 40960 holes; truncate -s 400000 holes");
            shell("cp --reflink=auto holes clone; ln holes hard; ln -s /far/away link; : > empty; sync -f .");
        });
        return image;
    }

    private interface Doing {
        void run() throws IOException;
    }

    private void mounted(Path image, String options, Doing doing) throws IOException {
        Shell.program("mount", "-o", options, image.toString(), mount.toString())
                .run()
                .succeeds();
        try {
            doing.run();
        } finally {
            Shell.program("umount", mount.toString()).run().succeeds();
        }
    }

    private String shell(String script) {
        return Shell.program("bash", "-ec", script).in(mount).run().succeeds().out();
    }

    private static void tool(String name, String... arguments) {
        Path program = Stream.of("/usr/sbin", "/sbin", "/usr/bin")
                .map(path -> Path.of(path, name))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
        assumeTrue(program != null, "needs " + name);
        Shell.program(program.toString(), arguments).run().succeeds();
    }

    private static JsonNode json(String... arguments) {
        return JsonMapper.shared()
                .readTree(Shell.aisio(arguments).run().succeeds().out());
    }

    @Test
    void findsNoDifferenceBetweenBlocksAndKernel() throws IOException {
        for (String type : List.of("xfs", "ext4")) {
            JsonNode verified =
                    json("xal", "verify", "--output", "json", image(type).toString());
            assertThat(verified.get("files").asLong()).as(type).isGreaterThanOrEqualTo(204);
            assertThat(verified.get("bytes").asLong()).as(type).isGreaterThan(3_000_000);
            assertThat(verified.get("differences").asLong()).as(type).isZero();
            assertThat(verified.get("damaged").asLong()).as(type).isZero();
            assertThat(verified.get("entries").asLong() > 0).as(type).isEqualTo(type.equals("xfs"));
        }
    }

    @Test
    void tellsTheSameOfBlocksAndOfTheMount() throws IOException {
        Path image = image("xfs");
        String[] onDisk = {
            Shell.aisio("xal", "find", image.toString()).run().succeeds().out(),
            map(image.toString()),
            stat(image.toString())
        };
        mounted(image, "loop,ro", () -> {
            assertThat(onDisk[0].lines())
                    .containsExactlyInAnyOrderElementsOf(
                            shell("find . -printf '/%P\\n'").lines().toList());
            assertThat(onDisk[1]).isEqualTo(shell("xfs_bmap unwritten holes").replaceAll("(?m)^(?=[a-z])", "/"));
            assertThat(map(mount.toString())).isEqualTo(onDisk[1]);
            assertThat(stat(mount.toString())).isEqualTo(onDisk[2]);
            assertThat(onDisk[2]).contains("Target    /far/away");
        });
        assertThat(json("xal", "index", "--output", "json", image.toString())
                        .get("files")
                        .asLong())
                .isGreaterThanOrEqualTo(204);
        assertThat(json("xal", "info", "--output", "json", image.toString())
                        .get("block_bytes")
                        .asLong())
                .isEqualTo(4096);
    }

    private static String map(String where) {
        return Shell.aisio("xal", "bmap", "--format", "xfs_bmap", where, "/unwritten", "/holes")
                .run()
                .succeeds()
                .out();
    }

    /** Without flags, which the kernel is not asked for. */
    private static String stat(String where) {
        return Shell.aisio("xal", "stat", where, "/link", "/holes", "/d1")
                .run()
                .succeeds()
                .out()
                .replaceAll("(?m)^ +(Flags|Extents).*\n", "");
    }

    @Test
    void refusesAFileSystemThatIsMountedUnlessToldToIgnoreItsLog() throws IOException {
        Path image = image("xfs");
        Path copy = folder.resolve("copy.img");
        mounted(image, "loop", () -> {
            shell("for i in $(seq 50); do : > new$i; done; sync -f .");
            Shell.program("cp", "--sparse=always", image.toString(), copy.toString())
                    .run()
                    .succeeds();
        });
        Shell.aisio("xal", "find", copy.toString()).run().failsWith(Exit.FAILED, copy.toString(), "log");
        Shell.aisio("xal", "find", "--ignore-log", copy.toString(), "/holes")
                .run()
                .succeeds()
                .prints("/holes\n");
    }

    @Test
    void benchMakesItsImageOnceAndMeasuresItMountedToo() throws IOException {
        tool("mkfs.xfs", "-V");
        Path image = folder.resolve("many.xfs");
        for (int run = 0; run < 2; run++) {
            JsonNode json = json(
                    "xal",
                    "bench",
                    "--image",
                    image.toString(),
                    "--files",
                    "300",
                    "--directories",
                    "10",
                    "--starts",
                    "1",
                    "--output",
                    "json");
            assertThat(json.get("files").asLong()).isEqualTo(300);
            assertThat(json.get("directories").asLong()).isEqualTo(11);
            assertThat(json.get("seconds")).hasSize(1);
            assertThat(json.get("filefragSeconds").asDouble()).isPositive();
            assertThat(json.get("xfsBmapSecondsExtrapolated").asDouble()).isPositive();
            assertThat(json.get("find").get("heapBytes").asDouble()).isZero();
            assertThat(image).isRegularFile();
        }
        assertThat(Files.readString(Path.of("/proc/mounts"))).doesNotContain(image.toString());
        Shell.aisio("xal", "bench", "--starts", "0").run().failsWith(Exit.FAILED, "--starts");
    }
}
