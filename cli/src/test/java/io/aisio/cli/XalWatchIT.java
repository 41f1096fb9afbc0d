package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.Index;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code xal watch} on a mounted file system, under whoever writes to it. */
@Tag("root")
@Tag("slow")
class XalWatchIT {
    @TempDir
    private Path folder;

    private Path image;
    private Path mount;

    @BeforeEach
    void mount() throws IOException {
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
        assumeTrue(Files.exists(Path.of("/usr/sbin/mkfs.xfs")), "needs mkfs.xfs (apt-get install xfsprogs)");
        mount = Files.createDirectory(folder.resolve("mount"));
        image = folder.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(400L << 20);
        }
        Shell.program("/usr/sbin/mkfs.xfs", "-q", image.toString()).run().succeeds();
        Shell.program("mount", "-o", "loop", image.toString(), mount.toString())
                .run()
                .succeeds();
        Files.createDirectory(mount.resolve("d"));
    }

    @AfterEach
    void unmount() {
        if (mount != null
                && Shell.program("mountpoint", "-q", mount.toString()).run().exit() == 0) {
            unmountOnceFree();
        }
    }

    /** Who watches has a file of it open for moments, and who was killed until he is gone. */
    private void unmountOnceFree() {
        Shell.Result result = Shell.program("umount", mount.toString()).run();
        for (int i = 0; result.exit() != 0 && i < 100; i++) {
            LockSupport.parkNanos(100_000_000);
            result = Shell.program("umount", mount.toString()).run();
        }
        result.succeeds();
    }

    private Shell.Running watch(String... more) throws Exception {
        return watchBy("inotify", "inotify", more);
    }

    private Shell.Running watchBy(String extents, String way, String... more) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("xal", "watch", mount.toString(), "--extents", extents));
        arguments.addAll(List.of(more));
        Shell.Running running = Shell.aisio(arguments.toArray(String[]::new)).start();
        await(running, () -> running.errSoFar().contains("note: " + mount + " is watched by " + way + ": "));
        return running;
    }

    private static void await(Shell.Running running, BooleanSupplier condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        while (!condition.getAsBoolean()) {
            assertThat(running.process().isAlive() && System.nanoTime() - end < 0)
                    .as("it wrote:%n%s%s", running.outSoFar(), running.errSoFar())
                    .isTrue();
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }

    @Test
    void printsEachChangeAndWhereFilesLieThen() throws Exception {
        Shell.Running running = watch();
        try {
            Path file = Files.write(mount.resolve("d/größe"), new byte[10_000]);
            await(running, () -> running.outSoFar().contains("[0, 23, "));
            Files.move(file, mount.resolve("moved"));
            await(running, () -> running.outSoFar().contains(" moved /d/größe -> /moved\n"));
            Files.delete(mount.resolve("moved"));
            await(running, () -> running.outSoFar().contains(" removed /moved\n"));
            running.signal("INT");
            Shell.Result result = running.await().exits(Exit.INTERRUPTED);
            result.says("2 directories, 0 files", "aisio: interrupted", " changes, ", " files mapped, ");
            assertThat(result.out().lines())
                    .allMatch(
                            line -> line.matches("20\\d\\d-\\S+Z (added|changed|moved|removed) /.*|- \\[.*]( # .*)?"));
            result.prints(" added /d/größe\n", "\n- [0, 23, ");
        } finally {
            running.process().destroyForcibly();
        }
    }

    @Test
    void printsTheExtentsThatTheKernelTells() throws Exception {
        assumeTrue(Files.exists(Path.of("/sys/kernel/btf/vmlinux")), "needs a kernel with BTF");
        Shell.Running running = watchBy("ebpf", "inotify, and XFS's tracepoints by eBPF");
        try {
            Path file = Files.createFile(mount.resolve("d/file"));
            await(running, () -> running.outSoFar().contains(" added /d/file\n"));
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                assertThat(channel.write(ByteBuffer.allocate(10_000))).isEqualTo(10_000);
                channel.force(true);
                await(
                        running,
                        () -> running.outSoFar().lines().anyMatch(line -> line.matches("- \\[0, 23, \\d+, \\d+]")));
                channel.truncate(0);
            }
            await(running, () -> running.outSoFar().contains(" unmapped /d/file from byte 0, "));
            running.signal("INT");
            Shell.Result result = running.await().exits(Exit.INTERRUPTED);
            result.prints(" mapped /d/file\n- [0, ");
        } finally {
            running.process().destroyForcibly();
        }
    }

    @Test
    void endsAfterSoManyChangesAndWritesOneObjectALine() throws Exception {
        Shell.Running running = watch("--output", "json", "--count", "2");
        try {
            Files.createDirectory(mount.resolve("d/e"));
            Files.createDirectory(mount.resolve("d/f"));
            List<JsonNode> lines = running.await()
                    .succeeds()
                    .out()
                    .lines()
                    .map(line -> JsonMapper.shared().readTree(line))
                    .toList();
            assertThat(lines).hasSize(3);
            assertThat(lines.getFirst().get("schema").asString()).isEqualTo("aisio.xal.watch/1");
            assertThat(lines.getFirst().get("path").asString()).isEqualTo("inotify");
            assertThat(lines.get(1).get("kind").asString()).isEqualTo("added");
            assertThat(lines.get(1).get("path").asString()).isEqualTo("/d/e");
            assertThat(lines.get(1).get("inode").asLong()).isPositive();
            assertThat(lines.get(2).get("path").asString()).isEqualTo("/d/f");
        } finally {
            running.process().destroyForcibly();
        }
    }

    @Test
    void failsWhenTheFileSystemIsUnmounted() throws Exception {
        Shell.Running running = watch("--mode", "dirty");
        try {
            Path file = Files.write(mount.resolve("file"), new byte[10_000]);
            await(running, () -> running.outSoFar().contains(" changed /file\n"));
            assertThat(running.outSoFar()).doesNotContain("- [");
            assertThat(Files.exists(file)).isTrue();
            unmountOnceFree();
            running.await().exits(Exit.FAILED).says("aisio: " + mount + ": unmounted", " 0 files mapped");
        } finally {
            running.process().destroyForcibly();
        }
    }

    @Test
    void keepsASharedIndexForOthers() throws Exception {
        String name = "watch-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
        Shell.Running running = watch("--shared", name);
        try (Index index = Index.attach(name)) {
            Files.write(mount.resolve("file"), new byte[5000]);
            await(running, () -> sizeOf(index, "/file") == 5000);
            Files.write(mount.resolve("file"), new byte[5000], StandardOpenOption.APPEND);
            await(running, () -> sizeOf(index, "/file") == 10_000);
            assertThat(index.status().state()).isEqualTo(Index.State.CURRENT);
            running.signal("TERM");
            running.await().exits(143).says("the index is shared as " + name);
            assertThat(index.status().state()).isEqualTo(Index.State.OWNER_GONE);
            assertThat(Path.of("/dev/shm/aisio-" + name)).doesNotExist();
        } finally {
            running.process().destroyForcibly();
        }
    }

    private static long sizeOf(Index index, String path) {
        try {
            return index.lookup(path).inode().size();
        } catch (IOException e) {
            return -1;
        }
    }

    @Test
    void saysWhichLimitOfTheKernelIsReached() throws Exception {
        for (int i = 0; i < 30; i++) {
            Files.createDirectory(mount.resolve("d" + i));
        }
        // In a user namespace, which has a limit of its own: that of the machine is not ours to change.
        Shell.program(
                        "unshare",
                        "-U",
                        "--map-root-user",
                        "sh",
                        "-c",
                        "echo 20 > /proc/sys/user/max_inotify_watches && exec \"$@\"",
                        "sh",
                        Shell.ROOT.resolve("aisio").toString(),
                        "xal",
                        "watch",
                        mount.toString())
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .run()
                .failsWith(Exit.FAILED, mount.toString(), "fs.inotify.max_user_watches", "is to be raised");
    }

    @Test
    void endsInTimeAndRefusesWhatDoesNotTellOfChanges() throws Exception {
        Shell.aisio("xal", "watch", "--runtime", "0.1", mount.toString())
                .run()
                .succeeds()
                .says("0 changes");
        Shell.aisio("xal", "watch", image.toString())
                .run()
                .failsWith(Exit.FAILED, image + " is no directory", "mount it", "xal find");
        Shell.aisio("xal", "watch", folder.resolve("none").toString())
                .run()
                .failsWith(Exit.FAILED, folder.resolve("none").toString(), "no such file");
        Shell.aisio("xal", "watch", "/proc").run().failsWith(Exit.FAILED, "/proc is on proc");
        Shell.aisio("xal", "watch", "--count", "0", mount.toString())
                .run()
                .failsWith(Exit.USAGE, "--count 0: at least 1");
        Shell.aisio("xal", "watch", "--shared", "a/b", mount.toString())
                .run()
                .failsWith(Exit.FAILED, "'a/b' cannot name a shared index");
    }
}
