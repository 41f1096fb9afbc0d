package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.homi.HomiControl;
import io.aisio.homi.HomiExtents;
import io.aisio.homi.rpc.RpcException;
import io.aisio.xal.Extent;
import io.aisio.xal.FileExtents;
import io.aisio.xal.Index;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The index of a file system that the kernel has mounted, as a client of the daemon sees it. */
@Timeout(120)
class ExtentsServiceTest {
    private static final long LOOK_NANOS = 2_000_000;

    @TempDir
    Path folder;

    private Path mount() {
        return folder.resolve("mnt");
    }

    private Configuration configuration(Path image) {
        Configuration plain = Configuration.of(
                folder.resolve("run/homi.sock"),
                List.of(new Configuration.Device("disk", "emu:" + image + "?readonly&shared")));
        return new Configuration(
                plain.socket(),
                null,
                plain.connections(),
                plain.timeouts(),
                plain.client(),
                plain.user(),
                plain.devices(),
                List.of(),
                List.of(),
                List.of(new Configuration.FileSystem(mount().toString(), "disk", 1)),
                null,
                List.of());
    }

    private static void run(String... command) throws Exception {
        assertThat(exitCode(command)).as(String.join(" ", command)).isZero();
    }

    private static int exitCode(String... command) throws Exception {
        Process process = new ProcessBuilder(command).inheritIO().start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS))
                .as(String.join(" ", command))
                .isTrue();
        return process.exitValue();
    }

    private static void await(String what, Callable<Boolean> condition) throws Exception {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.call()) {
            assertThat(System.nanoTime()).as(what).isLessThan(until);
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    @Test
    @Tag("root")
    void tellsWhereFilesLieFollowsChangesAndHoldsThemStill() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root, to mount");
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/mkfs.xfs")), "needs mkfs.xfs (apt-get install xfsprogs)");
        Path image = folder.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(400L << 20);
        }
        run("/usr/sbin/mkfs.xfs", "-q", "-m", "reflink=1", image.toString());
        Files.createDirectory(mount());
        ExtentsService service = new ExtentsService(configuration(image).fileSystems());
        try (Daemon daemon = Daemon.open(
                        configuration(image),
                        new Daemon.Parts(List.of(), List.of(service, new ClientsService())),
                        line -> {});
                HomiControl watching = HomiControl.open(serving(daemon), "watching");
                HomiControl control = HomiControl.open(daemon.socket(), "test")) {
            assertThat(control.fileSystems())
                    .singleElement()
                    .satisfies(one -> assertThat(one.state()).isEqualTo("closed"));
            assertThatThrownBy(() -> HomiExtents.open(control, "/other"))
                    .isInstanceOf(RpcException.class)
                    .hasMessageContaining("no extents are told of '/other'; next: there is [" + mount() + "]");
            run("mount", "-o", "loop", image.toString(), mount().toString());
            try {
                look(control, image);
                control.close();
                await(
                        "a pin is not given back",
                        () -> watching.fileSystems().getFirst().pins() == 0);
            } finally {
                // The daemon, which follows the file system, has a file of it open for moments.
                await("it cannot be unmounted", () -> exitCode("umount", mount().toString()) == 0);
            }
            await(
                    "the index does not say that it was unmounted",
                    () -> watching.fileSystems().getFirst().state().equals("stale"));
        }
    }

    private static Path serving(Daemon daemon) {
        Thread.ofPlatform().daemon().start(daemon::serve);
        return daemon.socket();
    }

    private void look(HomiControl control, Path image) throws Exception {
        byte[] content = new byte[3 << 20];
        Arrays.fill(content, (byte) 0x5A);
        Files.write(mount().resolve("first"), content);
        run("sync", "-f", mount().toString());
        try (HomiExtents extents = HomiExtents.open(control, mount().toString())) {
            Index index = extents.index();
            assertThat(extents.device()).isEqualTo("disk");
            // What was written just before may be given its places only now.
            await("the first file is never current", () -> index.isCurrent(index.extents("/first")));
            FileExtents first = index.extents("/first");
            assertThat(first.inode().size()).isEqualTo(content.length);
            assertThatThrownBy(() -> index.lookup("/second")).isInstanceOf(NoSuchFileException.class);
            HomiExtents.Pinned pinned = extents.pin("/first");
            assertThat(pinned.bytes()).isEqualTo(content.length);
            assertThat(read(image, pinned)).isEqualTo(content);
            // Written over: the pinned blocks keep what they had, the file has others.
            byte[] other = new byte[content.length];
            Files.write(mount().resolve("first"), other);
            Files.write(mount().resolve("second"), other);
            run("sync", "-f", mount().toString());
            assertThat(read(image, pinned)).isEqualTo(content);
            await("the index does not follow", () -> index.find("/second") > 0 && !index.isCurrent(first));
            assertThat(control.fileSystems()).singleElement().satisfies(one -> {
                assertThat(one.state()).isEqualTo("current");
                assertThat(one.readers()).isEqualTo(1);
                assertThat(one.pins()).isEqualTo(1);
                assertThat(one.changes()).isPositive();
            });
            extents.unpin(pinned);
            assertThatThrownBy(() -> extents.unpin(pinned)).hasMessageContaining("has no pin " + pinned.number());
            // Forgotten, and given back when the lease ends: else the file system could not be unmounted.
            HomiExtents.Pinned _ = extents.pin("/second");
            assertThat(control.fileSystems().getFirst().pins()).isEqualTo(1);
        }
        assertThat(control.fileSystems().getFirst().pins()).isZero();
        try (HomiControl another = HomiControl.open(control.socket(), "another");
                HomiExtents extents = HomiExtents.open(another, mount().toString())) {
            assertThat(extents.pin("/second").extents()).isNotEmpty();
            long client = control.status().clients().stream()
                    .filter(one -> one.owner().name().equals("another"))
                    .findFirst()
                    .orElseThrow()
                    .id();
            control.ask(
                    "client.release", HomiControl.params().put("client", client).put("lease", 1));
            assertThat(control.fileSystems().getFirst().pins()).isZero();
            assertThat(another.isConnected()).isTrue();
            assertThatThrownBy(() -> extents.pin("/second")).hasMessageContaining("lease 1 has ended");
        }
        // Forgotten, and given back when the connection ends.
        HomiExtents.Pinned _ = HomiExtents.open(control, mount().toString()).pin("/second");
        assertThatThrownBy(
                        () -> control.ask("client.release", HomiControl.params().put("client", 99)))
                .hasMessageContaining("there is no other client 99");
    }

    /** What the device has there, of the image that it is. */
    private static byte[] read(Path image, HomiExtents.Pinned file) throws IOException {
        byte[] content = new byte[(int) file.bytes()];
        try (RandomAccessFile device = new RandomAccessFile(image.toFile(), "r")) {
            for (Extent extent : file.extents()) {
                device.seek(extent.position());
                int bytes = (int) Math.min(extent.length(), content.length - extent.offset());
                device.readFully(content, (int) extent.offset(), bytes);
            }
        }
        return content;
    }
}
