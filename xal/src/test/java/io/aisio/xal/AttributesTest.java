package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What inodes say of themselves, as stat(1) and readlink(1) tell it of the mounted file system. */
@Tag("root")
class AttributesTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "-m bigtime=1 -b size=4096, 2400-01-02T03:04:05.123456789Z",
        "-m bigtime=0 -b size=1024, 2037-12-31T23:59:59.999999999Z",
        "-i size=2048 -b size=65536, 1960-01-02T03:04:05.000000001Z",
        "-m bigtime=0 -i size=1024, 1901-12-14T00:00:00.5Z",
    })
    void areThoseThatTheKernelTells(String options, Instant time) throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
        XfsImage image = XfsImage.empty(folder, options.split(" ", -1));
        Path mount = Files.createDirectories(folder.resolve("mount"));
        Map<String, String> expected = new TreeMap<>();
        XfsImage.run(List.of("mount", "-o", "loop", image.path().toString(), mount.toString()));
        try {
            List<String> names = fill(mount, time);
            XfsImage.run(List.of("umount", mount.toString()));
            XfsImage.run(List.of("mount", "-o", "loop,ro,noatime", image.path().toString(), mount.toString()));
            for (String name : names) {
                expected.put(name, stat(mount.resolve(name)));
            }
        } finally {
            XfsImage.run(List.of("umount", mount.toString()));
        }
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks)) {
            for (Map.Entry<String, String> file : expected.entrySet()) {
                assertThat(line(xal.attributes(xal.lookup("/" + file.getKey()))))
                        .as(file.getKey())
                        .isEqualTo(file.getValue());
            }
            assertThat(xal.attributes(xal.lookup("/file")).modified()).isEqualTo(time);
            assertThat(xal.attributes(xal.lookup("/fixed")).flags()).contains("immutable", "no-dump");
            Entry link = xal.lookup("/link-1000");
            Inode inode = link.inode();
            Entry other = new Entry(
                    link.path(),
                    new Inode(
                            inode.number(),
                            inode.generation() + 1,
                            inode.type(),
                            inode.mode(),
                            inode.links(),
                            inode.size()));
            assertThatThrownBy(() -> xal.attributes(other)).isInstanceOf(XfsException.class);
        }
    }

    private static List<String> fill(Path mount, Instant time) throws Exception {
        List<String> names = new ArrayList<>();
        for (int length : new int[] {1, 7, 8, 100, 160, 300, 335, 337, 900, 968, 969, 1000, 1023}) {
            String target = "/t".repeat(length / 2) + (length % 2 == 0 ? "" : "x");
            Files.createSymbolicLink(mount.resolve("link-" + length), Path.of(target));
            names.add("link-" + length);
        }
        XfsImage.run(List.of("mknod", mount.resolve("disk").toString(), "b", "259", "70000"));
        XfsImage.run(List.of("mknod", mount.resolve("null").toString(), "c", "1", "3"));
        Files.write(mount.resolve("file"), new byte[100_000]);
        Files.write(mount.resolve("fixed"), new byte[10]);
        Files.createDirectory(mount.resolve("directory"));
        XfsImage.run(List.of("chown", "4000000000:70000", mount.resolve("file").toString()));
        XfsImage.run(
                List.of("touch", "-d", time.toString(), mount.resolve("file").toString()));
        XfsImage.run(
                List.of("xfs_io", "-c", "chattr +id", mount.resolve("fixed").toString()));
        names.addAll(List.of("disk", "null", "file", "fixed", "directory"));
        return names;
    }

    /** Owner, group, sectors allocated, times, device, and where a link leads. */
    private static String stat(Path file) throws Exception {
        String line = XfsImage.run(List.of("stat", "--printf=%u %g %b %.9X %.9Y %.9Z %.9W %Hr:%Lr", file.toString()));
        return line + (Files.isSymbolicLink(file) ? " " + Files.readSymbolicLink(file) : "");
    }

    private static String line(Attributes a) {
        Attributes.DeviceNumber device = a.device() == null ? new Attributes.DeviceNumber(0, 0) : a.device();
        return "%d %d %d %s %s %s %s %d:%d%s"
                .formatted(
                        a.owner(),
                        a.group(),
                        a.allocated() / 512,
                        seconds(a.accessed()),
                        seconds(a.modified()),
                        seconds(a.changed()),
                        seconds(a.created()),
                        device.major(),
                        device.minor(),
                        a.target() == null ? "" : " " + a.target());
    }

    private static String seconds(Instant time) {
        return BigDecimal.valueOf(time.getEpochSecond())
                .add(BigDecimal.valueOf(time.getNano(), 9))
                .toPlainString();
    }
}
