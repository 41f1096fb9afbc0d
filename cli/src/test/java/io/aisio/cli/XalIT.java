package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code xal find} and {@code xal bmap} through the real {@code ./aisio}, by the kernel and by a queue pair. */
@Tag("slow")
class XalIT {
    /** What comes before the image's path to open it either way. */
    private static final String KERNEL = "";

    private static final String CONTROLLER = "emu:";

    @TempDir
    private static Path folder;

    private static Path tree;
    private static XfsImage image;

    @BeforeAll
    static void makeAnImage() throws IOException {
        tree = Files.createDirectory(folder.resolve("tree"));
        Random random = new Random(1);
        for (int i = 0; i < 400; i++) {
            write(tree.resolve("many/sub-" + i % 3 + "/file-" + i), random.nextInt(6000), random);
        }
        write(tree.resolve("large"), 5_000_001, random);
        write(tree.resolve("empty"), 0, random);
        write(tree.resolve("it's-größe"), 10, random);
        Files.createDirectories(tree.resolve("no-files/here"));
        image = XfsImage.of(tree, folder.resolve("set.img"));
    }

    private static void write(Path file, int bytes, Random random) throws IOException {
        byte[] content = new byte[bytes];
        random.nextBytes(content);
        Files.createDirectories(file.getParent());
        Files.write(file, content);
    }

    private static List<String> source(Path from) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            return files.map(file -> "/" + tree.relativize(file)).toList();
        }
    }

    private static JsonNode json(String... arguments) {
        return JsonMapper.shared()
                .readTree(Shell.aisio(arguments).run().succeeds().out());
    }

    @ParameterizedTest
    @ValueSource(strings = {KERNEL, CONTROLLER})
    void findsWhatTheSourceTreeHolds(String scheme) throws IOException {
        Shell.Result found =
                Shell.aisio("xal", "find", scheme + image.path()).run().succeeds();
        assertThat(found.out().lines()).hasSizeGreaterThan(400).containsExactlyInAnyOrderElementsOf(source(tree));
        assertThat(found.err()).isEmpty();
        assertThat(Shell.aisio("xal", "find", scheme + image.path(), "/many/sub-1/")
                        .run()
                        .succeeds()
                        .out()
                        .lines())
                .containsExactlyInAnyOrderElementsOf(source(tree.resolve("many/sub-1")));
    }

    @ParameterizedTest
    @ValueSource(strings = {KERNEL, CONTROLLER})
    void mapsFilesAsXfsDbDoes(String scheme) {
        String device = scheme + image.path();
        JsonNode entries = json("xal", "find", "--output", "json", device).get("entries");
        List<String> paths = List.of("/large", "/many/sub-0/file-0", "/many/sub-2/file-398", "/empty", "/many/sub-1");
        StringBuilder expected = new StringBuilder();
        for (String path : paths) {
            long inode = entries.valueStream()
                    .filter(entry -> entry.get("path").asString().equals(path))
                    .findFirst()
                    .orElseThrow()
                    .get("inode")
                    .asLong();
            List<String> lines = image.bmap(inode);
            expected.append("'").append(device).append(path).append(lines.isEmpty() ? "': ~\n" : "':\n");
            lines.forEach(line -> expected.append(line).append('\n'));
        }
        assertThat(expected.toString()).contains("/large':\n- [0, ").contains("/empty': ~\n");
        Shell.Result mapped = Shell.aisio(Stream.concat(Stream.of("xal", "bmap", device), paths.stream())
                        .toArray(String[]::new))
                .run()
                .succeeds();
        assertThat(mapped.out()).isEqualTo(expected.toString());
    }

    @Test
    void theJsonTellsWhichWayTheDataTook() {
        String way = "software controller, user-space queue pairs, read-only file media";
        JsonNode found = json("xal", "find", "--output", "json", CONTROLLER + image.path(), "/large");
        assertThat(found.get("schema").asString()).isEqualTo(XalFind.SCHEMA);
        assertThat(found.get("path").asString()).isEqualTo(way);
        assertThat(found.get("ok").asBoolean()).isTrue();
        assertThat(found.get("entries").get(0).get("size").asLong()).isEqualTo(5_000_001);
        JsonNode mapped = json("xal", "bmap", "--output", "json", image.path().toString(), "/large");
        assertThat(mapped.get("schema").asString()).isEqualTo(XalBmap.SCHEMA);
        assertThat(mapped.get("path").asString()).startsWith("kernel, ");
        assertThat(mapped.get("files")
                        .get(0)
                        .get("extents")
                        .get(0)
                        .get("file_first")
                        .asLong())
                .isZero();
    }

    @Test
    void quotesANameAsYamlWantsIt() {
        Shell.aisio("xal", "bmap", image.path().toString(), "/it's-größe")
                .run()
                .succeeds()
                .prints("'" + image.path() + "/it''s-größe':\n- [0, 7, ");
    }

    @Test
    void printsTheBytesOfANameThatIsNotUtf8() {
        assertThat(StandardOutput.bytes("/n\udcffä😀")).isEqualTo(new byte[] {
            '/', 'n', (byte) 0xff, (byte) 0xc3, (byte) 0xa4, (byte) 0xf0, (byte) 0x9f, (byte) 0x98, (byte) 0x80
        });
        assertThat(Printable.of("a\u001b[31m\n\udcff\u202eä😀")).isEqualTo("a\\x1b[31m\\x0a\\xff\\u202eä😀");
    }

    @ParameterizedTest
    @ValueSource(strings = {KERNEL, CONTROLLER})
    void listsTheRestAndFailsWhenAnInodeIsDamaged(String scheme) throws IOException {
        JsonNode entries = json("xal", "find", "--output", "json", image.path().toString(), "/many/sub-1/file-1")
                .get("entries");
        long inode = entries.get(0).get("inode").asLong();
        // di_mtime: nothing but the CRC depends on it.
        XfsImage damaged =
                image.damagedAt(image.position(inode) + 40, folder.resolve("inode" + scheme.length() + ".img"));
        Shell.Result found = Shell.aisio("xal", "find", scheme + damaged.path())
                .run()
                .exits(Exit.FAILED)
                .says("aisio: /many/sub-1/file-1: ", "inode " + inode, "crc is 0x", "xfs_repair -n");
        assertThat(found.err().lines()).hasSize(1);
        List<String> rest = new ArrayList<>(source(tree));
        rest.remove("/many/sub-1/file-1");
        assertThat(found.out().lines()).containsExactlyInAnyOrderElementsOf(rest);
        Shell.aisio("xal", "bmap", scheme + damaged.path(), "/many/sub-1/file-1")
                .run()
                .failsWith(Exit.FAILED, "/many/sub-1/file-1: ", "crc is 0x");
    }

    @ParameterizedTest
    @ValueSource(strings = {KERNEL, CONTROLLER})
    void refusesADamagedSuperblock(String scheme) throws IOException {
        // sb_fname: nothing but the CRC depends on it.
        XfsImage damaged = image.damagedAt(110, folder.resolve("superblock" + scheme.length() + ".img"));
        Shell.aisio("xal", "find", scheme + damaged.path())
                .run()
                .failsWith(Exit.FAILED, damaged.path().toString(), "superblock", "crc is 0x", "xfs_repair -n");
    }

    @Test
    void namesAPathThatIsNotThere() {
        String device = image.path().toString();
        Shell.aisio("xal", "find", device, "/nix")
                .run()
                .failsWith(Exit.FAILED, device + " holds no /nix; './aisio xal find " + device + "' lists");
        Shell.aisio("xal", "find", device, "/large/nix").run().failsWith(Exit.FAILED, "/large is no directory");
        Shell.aisio("xal", "find", device, "large").run().failsWith(Exit.FAILED, "begins with /; try '/large'");
        Shell.Result some =
                Shell.aisio("xal", "bmap", device, "/nix", "/empty").run().exits(Exit.FAILED);
        assertThat(some.err().lines()).hasSize(1);
        assertThat(some.out()).isEqualTo("'" + device + "/empty': ~\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"human", "json"})
    void failsWhenNobodyReadsTheListing(String format) {
        Shell.program(
                        "bash",
                        "-c",
                        "exec \"$@\" > /dev/full",
                        "bash",
                        Shell.ROOT.resolve("aisio").toString(),
                        "xal",
                        "find",
                        "--output",
                        format,
                        image.path().toString())
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .run()
                .failsWith(Exit.FAILED, "standard output could not be written");
    }

    @Test
    void ctrlCEndsAListingAtOnce() {
        // Slow enough that opening it alone takes a second.
        Shell.Running find = Shell.program(
                        "env",
                        "--default-signal=INT",
                        Shell.ROOT.resolve("aisio").toString(),
                        "xal",
                        "find",
                        "emu:" + image.path() + "?latency=200ms")
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .start();
        find.awaitsThread("emu:");
        Instant pressed = Instant.now();
        find.signal("INT");
        Shell.Result stopped = find.await().exits(Exit.INTERRUPTED);
        assertThat(Duration.between(pressed, Instant.now())).isLessThan(Duration.ofSeconds(2));
        assertThat(stopped.err()).isEqualTo("aisio: interrupted\n");
    }
}
