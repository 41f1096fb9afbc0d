package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The image that {@code ./aisio dist} makes, as somebody uses it who has nothing else. */
@Tag("slow")
class DistIT {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    /** What an image may take, as a folder and thus as an archive. */
    private static final long MOST_BYTES = 60_000_000;

    @TempDir
    private static Path temporary;

    private static Path folder;
    private static Path image;

    @BeforeAll
    static void makeIt() throws IOException {
        assumeTrue(Files.isDirectory(Shell.ROOT.resolve("cli/src")), "needs the sources");
        folder = Files.createDirectory(temporary.resolve("some images"));
        Shell.Result made = dist(folder.toString()).run().succeeds();
        image = list(folder).stream().filter(Files::isDirectory).findFirst().orElseThrow();
        assertThat(made.out()).contains(image.toString(), image + ".tar.gz");
    }

    @Test
    void isSmallAndAllThatIsLeft() throws IOException {
        assertThat(list(folder))
                .extracting(path -> path.getFileName().toString())
                .containsExactlyInAnyOrder(image.getFileName().toString(), image.getFileName() + ".tar.gz");
        try (Stream<Path> files = Files.walk(image)) {
            assertThat(files.filter(Files::isRegularFile)
                            .mapToLong(file -> file.toFile().length())
                            .sum())
                    .isLessThan(MOST_BYTES);
        }
        assertThat(image.resolve("VERSION")).content().startsWith("aisio 0.").contains("java 25.");
        assertThat(image.resolve("LICENSE")).exists();
        assertThat(image.resolve("licences/README.txt")).exists();
    }

    @Test
    void startsFromItsArchiveThroughALinkWithNothingInTheEnvironmentAndLooksForNoJdk() throws IOException {
        Path unpacked = Files.createDirectory(temporary.resolve("unpacked"));
        Shell.program("tar", "-xzf", image + ".tar.gz", "-C", unpacked.toString())
                .run()
                .succeeds();
        Path there = list(unpacked).getFirst();
        Path link = Files.createSymbolicLink(temporary.resolve("a link"), there.resolve("aisio"));
        bare(link, "--version")
                .run()
                .succeeds()
                .prints("aisio 0.", there.resolve("runtime").toString());
        Shell.Result run = bare(link, "xnvmeperf", "verify", "--iosize", "4096", "--count", "64", "emu:16MiB")
                .run()
                .succeeds();
        assertThat(run.err()).isEmpty();
    }

    @Test
    void startsFromWhereNothingCanBeWritten() {
        assumeTrue(
                Shell.program("/usr/bin/unshare", "-m", "true").run().exit() == 0,
                "needs root, to mount the image read-only");
        String script =
                "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec env -i \"$0/aisio\" --version";
        Shell.program("/usr/bin/unshare", "-m", "sh", "-c", script, image.toString())
                .run()
                .succeeds()
                .prints("aisio 0.");
        assertThat(image.resolve("app/start.aot")).doesNotExist();
    }

    @Test
    void saysThatAnImageIsMadeBesideTheSources() {
        bare(image.resolve("aisio"), "dist").run().failsWith(Exit.FAILED, "in a clone");
    }

    @Test
    void leavesNothingBehindWhenItIsInterrupted() throws IOException {
        Path other = Files.createDirectory(temporary.resolve("interrupted"));
        Shell.Running running = Shell.program(
                        "/usr/bin/env",
                        "--default-signal=INT",
                        Shell.ROOT.resolve("aisio").toString(),
                        "dist",
                        other.toString())
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .within(PATIENCE)
                .start();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (list(other).isEmpty() && System.nanoTime() < deadline) {
            Thread.onSpinWait();
        }
        running.signal("INT");
        running.await().exits(Exit.INTERRUPTED);
        assertThat(list(other)).isEmpty();
    }

    @Test
    void leavesNothingBehindOnAFullDisk() throws IOException {
        assumeTrue(
                Shell.program("/usr/bin/unshare", "-m", "true").run().exit() == 0, "needs root, to mount a small disk");
        Path small = Files.createDirectory(temporary.resolve("small"));
        String script =
                "mount -t tmpfs -o size=8m none \"$0\" && { \"$1\" dist \"$0\"; code=$?; ls -A \"$0\"; exit $code; }";
        Shell.Result result = Shell.program(
                        "/usr/bin/unshare",
                        "-m",
                        "sh",
                        "-c",
                        script,
                        small.toString(),
                        Shell.ROOT.resolve("aisio").toString())
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .within(PATIENCE)
                .run()
                .exits(Exit.FAILED);
        assertThat(result.out()).isEmpty();
        assertThat(result.err()).containsIgnoringCase("no space left");
    }

    @Test
    void refusesWhatItCannotUnderstandAndAFolderThatIsNotItsOwn() throws IOException {
        dist("--test").run().failsWith(Exit.USAGE, "no option '--test'", "./aisio dist --help");
        dist("one", "two").run().failsWith(Exit.USAGE, "no argument 'two'");
        Path taken = Files.createDirectories(temporary.resolve("taken").resolve(image.getFileName()));
        dist(taken.getParent().toString()).run().failsWith(Exit.FAILED, taken.toString(), "next:");
        assertThat(list(taken.getParent())).containsExactly(taken);
        dist("--help").run().succeeds().prints("Usage: ./aisio dist");
    }

    private static Shell dist(String... arguments) {
        List<String> all = new ArrayList<>(List.of("dist"));
        all.addAll(List.of(arguments));
        return Shell.aisio(all.toArray(String[]::new)).within(PATIENCE);
    }

    /** A program with a JAVA_HOME that leads nowhere as all of its environment, and in another folder. */
    private static Shell bare(Path program, String... arguments) {
        List<String> all =
                new ArrayList<>(List.of("-i", "AISIO_BUILD=never", "JAVA_HOME=/nonexistent", program.toString()));
        all.addAll(List.of(arguments));
        return Shell.program("env", all.toArray(String[]::new)).in(Path.of("/")).within(PATIENCE);
    }

    private static List<Path> list(Path parent) throws IOException {
        try (Stream<Path> paths = Files.list(parent)) {
            return paths.toList();
        }
    }
}
