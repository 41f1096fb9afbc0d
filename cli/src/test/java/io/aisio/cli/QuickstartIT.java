package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Quickstart as a newcomer runs it. */
@Tag("slow")
class QuickstartIT {
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    @TempDir
    Path folder;

    private List<Path> left() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }

    @Test
    void readsAndComparesEveryFileAndCleansUp() throws Exception {
        Shell.Result result = Shell.aisio("quickstart", "--folder", folder.toString())
                .within(PATIENCE)
                .run()
                .succeeds();
        boolean full = Files.exists(Path.of("/sbin/mkfs.xfs")) || Files.exists(Path.of("/usr/sbin/mkfs.xfs"));
        assertThat(result.out()).contains(full ? "    301      96.2" : "     32 ");
        assertThat(result.out())
                .containsPattern(" 0  software controller, user-space queue pairs, read-only file media");
        assertThat(result.out()).containsPattern("The driver costs \\d+\\.\\d ns for a read of 512 bytes at depth 128");
        assertThat(left()).isEmpty();
    }

    @Test
    void worksWithoutMkfs() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/unshare")), "needs unshare (apt-get install util-linux)");
        // A mount namespace of its own in which the program is not there: an empty file lies over it.
        String hide =
                "for f in /sbin/mkfs.xfs /usr/sbin/mkfs.xfs; do [ -e $f ] && mount --bind /dev/null $f; done; exec \"$@\"";
        boolean canHide = Shell.program("/usr/bin/unshare", "-m", "true").run().exit() == 0;
        assumeTrue(canHide, "needs root, to hide mkfs.xfs in a mount namespace");
        Shell.Result result = Shell.program(
                        "/usr/bin/unshare",
                        "-m",
                        "sh",
                        "-c",
                        hide,
                        "sh",
                        Path.of(System.getProperty("aisio.root"), "aisio").toString(),
                        "quickstart",
                        "--folder",
                        folder.toString())
                .with("AISIO_BUILD", "never")
                .within(PATIENCE)
                .run();
        assertThat(result.exit()).as(result.err()).isZero();
        assertThat(result.out())
                .contains("the small image that comes with the program")
                .containsPattern("\n +32 ");
        assertThat(left()).isEmpty();
    }

    @Test
    void keepsTheImageWhenAsked() throws Exception {
        Shell.aisio("quickstart", "--keep", "--folder", folder.toString())
                .within(PATIENCE)
                .run()
                .succeeds();
        assertThat(left()).hasSize(1);
        try (Stream<Path> kept = Files.list(left().getFirst())) {
            assertThat(kept).extracting(Path::getFileName).containsExactly(Path.of("image.xfs"));
        }
    }

    @Test
    void cleansUpOnCtrlC() throws Exception {
        Shell.Running running = Shell.program(
                        "/usr/bin/env",
                        "--default-signal=INT",
                        Path.of(System.getProperty("aisio.root"), "aisio").toString(),
                        "quickstart",
                        "--folder",
                        folder.toString())
                .with("AISIO_BUILD", "never")
                .within(PATIENCE)
                .start();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (left().isEmpty() && System.nanoTime() < deadline) {
            Thread.onSpinWait();
        }
        running.signal("INT");
        assertThat(running.await().exit()).isEqualTo(130);
        assertThat(left()).isEmpty();
    }

    @Test
    void aFullDiskIsSaidWithTheNextStep() throws Exception {
        Path small = Files.createDirectory(folder.resolve("small"));
        assumeTrue(
                Shell.program("/usr/bin/unshare", "-m", "true").run().exit() == 0, "needs root, to mount a small disk");
        String mount = "mount -t tmpfs -o size=8m none \"$0\" && exec \"$@\"";
        Shell.Result result = Shell.program(
                        "/usr/bin/unshare",
                        "-m",
                        "sh",
                        "-c",
                        mount,
                        small.toString(),
                        Path.of(System.getProperty("aisio.root"), "aisio").toString(),
                        "quickstart",
                        "--folder",
                        small.toString())
                .with("AISIO_BUILD", "never")
                .within(PATIENCE)
                .run();
        assertThat(result.exit()).isEqualTo(1);
        assertThat(result.err()).contains("8 MiB free").contains("--folder");
    }
}
