package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ./aisio dataset} as a person runs it. */
class DatasetIT {
    @TempDir
    private Path folder;

    private List<String> left() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    private static void assumeMkfs() {
        assumeTrue(
                Stream.of("/sbin/mkfs.xfs", "/usr/sbin/mkfs.xfs").map(Path::of).anyMatch(Files::isExecutable),
                "needs mkfs.xfs (apt-get install xfsprogs)");
    }

    @Test
    void listTellsTheTotals() {
        Shell.aisio("dataset", "list")
                .run()
                .succeeds()
                .prints("imagenetish", "1,199,379", "134,929,413,838", "448", "3,517,713,980", "171,798,691,840");
        Shell.aisio("dataset", "list", "--scale", "0.5", "--output", "json")
                .run()
                .succeeds()
                .prints("aisio.dataset.list/1", "\"files\" : 224");
    }

    @Test
    void makesAnImageThatVerifiesAndCanBeListed() throws IOException {
        assumeMkfs();
        String image = folder.resolve("set.img").toString();
        Shell.aisio("dataset", "make", "imagenetish", "--scale", "0.00002", "--image", image, "--output", "json")
                .run()
                .succeeds()
                .prints("aisio.dataset.make/1", "\"files\" : 24");
        Shell.aisio("dataset", "verify", "imagenetish", "--scale", "0.00002", image)
                .run()
                .succeeds()
                .prints("24 files", ": 0 differ");
        Shell.aisio("dataset", "verify", "tiktokish", "--scale", "0.002", image)
                .run()
                .exits(Exit.FAILED)
                .says("aisio: class001/class001_00000001.bin has 148504 bytes, not 7394692");
        Shell.aisio("dataset", "make", "tiny", "--files", "3", "--image", image)
                .run()
                .failsWith(Exit.FAILED, image + ": already exists", "--force");
    }

    @Test
    void saysWhatIsWrongWithWords() {
        String target = folder.toString();
        Shell.aisio("dataset", "make", "mnist", target)
                .run()
                .failsWith(Exit.FAILED, "'mnist'", "imagenetish, tiktokish");
        Shell.aisio("dataset", "make", "tiktokish").run().failsWith(Exit.USAGE, "a FOLDER or --image FILE", "--help");
        Shell.aisio("dataset", "make", "tiktokish", "--scale", "2", target)
                .run()
                .failsWith(Exit.FAILED, "not by 2.0");
    }

    @Test
    void ctrlCLeavesNothing() throws IOException {
        Path target = folder.resolve("set");
        Shell.Running making = Shell.program(
                        "env",
                        "--default-signal=INT",
                        Shell.ROOT.resolve("aisio").toString(),
                        "dataset",
                        "make",
                        "tiktokish",
                        target.toString())
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .within(Duration.ofMinutes(2))
                .start();
        making.awaitsThread("aisio-dataset-");
        making.signal("INT");
        Shell.Result stopped = making.await().exits(Exit.INTERRUPTED);
        assertThat(stopped.err()).isEqualTo("aisio: interrupted\n");
        assertThat(left()).isEmpty();
    }

    @Test
    void aFullDiskIsSaidWithTheNextStep() throws IOException {
        Path small = Files.createDirectory(folder.resolve("small"));
        assumeTrue(
                Shell.program("/usr/bin/unshare", "-m", "true").run().exit() == 0, "needs root, to mount a small disk");
        Shell.program(
                        "/usr/bin/unshare",
                        "-m",
                        "sh",
                        "-c",
                        // Room for the blocks, and not for the inodes.
                        "mount -t tmpfs -o size=64m,nr_inodes=100 none \"$0\" && exec \"$@\"",
                        small.toString(),
                        Shell.ROOT.resolve("aisio").toString(),
                        "dataset",
                        "make",
                        "tiny",
                        "--files",
                        "1000",
                        small + "/set")
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .run()
                .failsWith(Exit.FAILED, "the disk of " + small + " filled up", "--scale");
    }
}
