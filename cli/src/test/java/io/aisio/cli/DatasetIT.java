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

/** {@code ./aisio dataset} as a person runs it: what takes a process of its own. */
class DatasetIT {
    @TempDir
    private Path folder;

    private List<String> left() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    @Test
    void makesAnImage() throws IOException {
        DatasetCommandTest.assumeMkfs();
        String image = folder.resolve("set.img").toString();
        Shell.aisio("dataset", "make", "imagenetish", "--scale", "0.00001", "--image", image, "--output", "json")
                .run()
                .succeeds()
                .prints("aisio.dataset.make/1", "\"files\" : 12");
        assertThat(left()).containsExactly("set.img");
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
