package io.aisio.linux.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.block.DeviceUse.Kind;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The kernel's own tables, with loop devices for disks. */
class LoopDeviceTest {
    @TempDir
    Path folder;

    private Path image;
    private Path mount;
    private String loop = "";

    @BeforeEach
    void attach() throws IOException, InterruptedException {
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
        image = folder.resolve("image");
        mount = Files.createDirectory(folder.resolve("a mount"));
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(512L << 20);
        }
        loop = run("losetup", "--find", "--show", image.toString()).strip().replace("/dev/", "");
    }

    @AfterEach
    void detach() throws IOException, InterruptedException {
        if (!loop.isEmpty()) {
            run("losetup", "--detach", "/dev/" + loop);
        }
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("ends").isTrue();
        assertThat(process.exitValue()).as(said).isZero();
        return said;
    }

    private List<DeviceUse> uses() throws IOException {
        BlockUses uses = BlockUses.look();
        BlockDevice device = uses.devices().named(loop);
        assertThat(device).isNotNull();
        assertThat(uses.of(image.toRealPath())).hasToString(image.toRealPath() + " is attached to " + loop);
        List<DeviceUse> found = uses.of(device);
        // In a container, root too may be refused to look into a process of whoever started it.
        assertThat(uses.unseen()).allMatch(unseen -> unseen.endsWith("may not be known"));
        return found;
    }

    @ParameterizedTest
    @ValueSource(strings = {"xfs", "ext4", "btrfs"})
    void tellsAMountAndThenWhatIsLeft(String type) throws IOException, InterruptedException {
        run("mkfs." + type, "-q", "/dev/" + loop);
        run("mount", "/dev/" + loop, mount.toString());
        try {
            assertThat(uses())
                    .containsExactly(
                            new DeviceUse(
                                    Kind.MOUNTED, loop, "is mounted at " + mount.toRealPath() + " (" + type + ")"),
                            new DeviceUse(Kind.SIGNATURE, loop, "carries " + type));
        } finally {
            run("umount", mount.toString());
        }
        assertThat(uses()).containsExactly(new DeviceUse(Kind.SIGNATURE, loop, "carries " + type));
    }

    @Test
    void tellsAMountThatOnlyAnotherNamespaceHas() throws IOException, InterruptedException {
        run("mkfs.ext4", "-q", "/dev/" + loop);
        Process other = new ProcessBuilder(
                        "unshare",
                        "--mount",
                        "sh",
                        "-c",
                        "mount /dev/" + loop + " '" + mount + "' && echo up && read end")
                .redirectErrorStream(true)
                .start();
        try {
            assertThat(new String(other.getInputStream().readNBytes(2), StandardCharsets.UTF_8))
                    .isEqualTo("up");
            assertThat(uses().getFirst().toString())
                    .contains(loop + " is mounted at " + mount.toRealPath()
                            + " (ext4) in the mount namespace of process ");
        } finally {
            other.getOutputStream().close();
            assertThat(other.waitFor(30, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void tellsWhoHasItOpen() throws IOException, InterruptedException {
        Process reader = new ProcessBuilder("sh", "-c", "exec 5< /dev/" + loop + " && echo up && read end").start();
        try {
            assertThat(new String(reader.getInputStream().readNBytes(2), StandardCharsets.UTF_8))
                    .isEqualTo("up");
            assertThat(uses())
                    .containsExactly(new DeviceUse(Kind.OPEN, loop, "is open in process " + reader.pid() + " (sh)"));
        } finally {
            reader.getOutputStream().close();
            assertThat(reader.waitFor(30, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void tellsSwap() throws IOException, InterruptedException {
        run("mkswap", "/dev/" + loop);
        Process on = new ProcessBuilder("swapon", "/dev/" + loop)
                .redirectErrorStream(true)
                .start();
        String said = new String(on.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assumeTrue(on.waitFor() == 0, "needs a machine that may swap: " + said);
        try {
            assertThat(uses())
                    .containsExactly(
                            new DeviceUse(Kind.SWAP, loop, "is swapped to"),
                            new DeviceUse(Kind.SIGNATURE, loop, "carries swap"));
        } finally {
            run("swapoff", "/dev/" + loop);
        }
    }
}
