package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.FileBlocks;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsException;
import io.aisio.xal.XfsImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logs as mkfs.xfs and the kernel leave them: clean after each unmount, dirty whenever anything may be missing. */
class LogTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-b size=4096",
                "--unsupported -b size=1024 -l size=16m",
                "-b size=65536",
                "-s size=4096",
                "-l size=64m,su=4096",
                "-l size=64m,su=32768",
                "-l size=64m,su=262144",
                "-d su=64k,sw=4",
                "--unsupported -l agnum=1,size=20m",
            })
    void aFreshOneIsClean(String options) throws Exception {
        assertThat(state(XfsImage.empty(folder, options.split(" ", -1)).path())).isEqualTo("clean");
    }

    @Tag("root")
    @Tag("slow")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "--unsupported -b size=4096 -l size=10m",
                "--unsupported -b size=1024 -l size=6m",
                "--unsupported -l size=16m,su=4096",
                "--unsupported -l size=20m,su=262144",
                "--unsupported -s size=4096 -l size=16m",
                "--unsupported -b size=65536 -l size=40m",
            })
    void isCleanAfterEachUnmountAndDirtyWhileMounted(String options) throws Exception {
        needsRoot();
        Path image = XfsImage.empty(folder, options.split(" ", -1)).path();
        Path mount = Files.createDirectory(folder.resolve("mount"));
        Path copy = folder.resolve("copy");
        for (int turn = 0; turn < 12; turn++) {
            String mountOptions = turn % 2 == 0 ? "loop" : "loop,logbsize=256k";
            XfsImage.run(List.of("mount", "-o", mountOptions, image.toString(), mount.toString()));
            try {
                // Each turn writes some megabytes of log, so that it goes round, and ends somewhere else.
                XfsImage.run(List.of("sh", "-c", traffic(turn), "sh", mount.toString()));
                XfsImage.run(List.of("sync", "-f", mount.toString()));
                XfsImage.run(List.of("cp", "--sparse=always", image.toString(), copy.toString()));
                assertThat(state(copy)).as("mounted, turn %d", turn).startsWith("dirty");
                if (turn % 4 == 1) {
                    frozen(mount, image, copy);
                }
            } finally {
                XfsImage.run(List.of("umount", mount.toString()));
            }
            assertThat(state(image)).as("unmounted, turn %d", turn).isEqualTo("clean");
        }
        assertThat(cycle(image)).as("it went round").isGreaterThan(1);
        // A look at it changes nothing, and neither does a check.
        XfsImage.run(List.of("mount", "-o", "loop,ro", image.toString(), mount.toString()));
        XfsImage.run(List.of("umount", mount.toString()));
        XfsImage.run(List.of("xfs_repair", "-n", image.toString()));
        assertThat(state(image)).isEqualTo("clean");
        // A new log, whose turn goes on where the old one was; then one for another UUID; each used once.
        for (List<String> command : List.of(
                List.of("xfs_repair", "-L", image.toString()),
                List.of("xfs_admin", "-U", "generate", image.toString()))) {
            XfsImage.run(command);
            assertThat(state(image)).as("%s", command).isEqualTo("clean");
            XfsImage.run(List.of("mount", "-o", "loop", image.toString(), mount.toString()));
            try {
                XfsImage.run(List.of("sh", "-c", traffic(20 + command.size()), "sh", mount.toString()));
            } finally {
                XfsImage.run(List.of("umount", mount.toString()));
            }
            assertThat(state(image)).as("used after %s", command).isEqualTo("clean");
        }
    }

    private static void frozen(Path mount, Path image, Path copy) throws Exception {
        XfsImage.run(List.of("xfs_freeze", "-f", mount.toString()));
        try {
            XfsImage.run(List.of("cp", "--sparse=always", image.toString(), copy.toString()));
        } finally {
            XfsImage.run(List.of("xfs_freeze", "-u", mount.toString()));
        }
        assertThat(state(copy)).as("frozen").startsWith("dirty");
    }

    /** Makes some megabytes of log, never the same, in the folder that is the first argument. */
    private static String traffic(int turn) {
        return "mkdir $1/t%d && mkdir $(seq -f $1/t%d/d%%g %d) && rm -rf $1/t%d"
                .formatted(turn, turn, 7_000 + turn * 37, turn - 2);
    }

    @Tag("root")
    @Test
    void isDirtyAfterACrashAndCleanOnceItWasMountedAgain() throws Exception {
        needsRoot();
        Path image = XfsImage.empty(folder).path();
        Path mount = Files.createDirectory(folder.resolve("mount"));
        XfsImage.run(List.of("mount", "-o", "loop", image.toString(), mount.toString()));
        try {
            Files.writeString(mount.resolve("file"), "content");
            XfsImage.run(List.of("xfs_io", "-x", "-c", "shutdown -f", mount.toString()));
        } finally {
            XfsImage.run(List.of("umount", mount.toString()));
        }
        assertThat(state(image)).startsWith("dirty").contains("mount and unmount it once");
        XfsImage.run(List.of("mount", "-o", "loop", image.toString(), mount.toString()));
        XfsImage.run(List.of("umount", mount.toString()));
        assertThat(state(image)).isEqualTo("clean");
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks)) {
            assertThat(xal.lookup("/file").type()).isNotNull();
        }
    }

    private static void needsRoot() throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name"))
                        && Files.readString(Path.of("/proc/filesystems")).contains("\txfs\n")
                        && Files.exists(Path.of("/dev/loop-control")),
                "needs root, loop devices and a kernel with XFS");
    }

    /** How often the log went round. */
    private static long cycle(Path image) throws Exception {
        try (FileBlocks blocks = FileBlocks.open(image);
                MetadataReader reader = new MetadataReader(blocks)) {
            Geometry geometry = Superblock.read("image", reader, blocks.size());
            long log = geometry.position(Superblock.identity(geometry, reader).logStart());
            long first = OnDisk.u32(reader.read(log, 8), LogHead.MAGICNO);
            return first == LogHead.MAGIC ? OnDisk.u32(reader.read(log, 8), LogHead.CYCLE) : first;
        }
    }

    /** {@code clean}, or {@code dirty} and why. */
    private static String state(Path image) throws Exception {
        try (FileBlocks blocks = FileBlocks.open(image)) {
            try (Xal xal = Xal.open(blocks)) {
                assertThat(xal.lookup("/").path()).isEqualTo("/");
                return "clean";
            } catch (XfsException e) {
                assertThat(e.structure()).isEqualTo("log");
                assertThatThrownBy(() -> Xal.open(blocks)).hasMessage(e.getMessage());
                return "dirty: " + e.getMessage();
            }
        }
    }
}
