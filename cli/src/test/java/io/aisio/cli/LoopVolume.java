package io.aisio.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A file system in an image, that is mounted and unmounted as a test wants it; closing unmounts it.
 *
 * @param image that holds it
 * @param path where it is mounted while it is
 */
record LoopVolume(Path image, Path path) implements AutoCloseable {
    private static final long BYTES = 512L << 20;

    /** Makes one of a type that {@code mkfs.TYPE} makes; skips the test where it could not be mounted. */
    static LoopVolume make(Path folder, String type) throws IOException {
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
        Path image = folder.resolve(type + ".img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(BYTES);
        }
        tool("mkfs." + type, "-q", image.toString());
        return new LoopVolume(image, Files.createDirectory(folder.resolve("mount-" + type)));
    }

    /** Mounts it. */
    LoopVolume mounted(String options) {
        Shell.program("mount", "-o", options, image.toString(), path.toString())
                .run()
                .succeeds();
        return this;
    }

    /** Runs a script in it. @return what it printed */
    String shell(String script) {
        return Shell.program("bash", "-ec", script).in(path).run().succeeds().out();
    }

    /** Runs a program of an administrator's, or skips the test. */
    static Shell.Result tool(String name, String... arguments) {
        Path program = Stream.of("/usr/sbin", "/sbin", "/usr/bin")
                .map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
        assumeTrue(program != null, "needs " + name);
        return Shell.program(program.toString(), arguments).run().succeeds();
    }

    /** Whether it is mounted. */
    boolean isMounted() throws IOException {
        return Files.readString(Path.of("/proc/mounts")).contains(" " + path + " ");
    }

    /** Unmounts it, if it is mounted. */
    void unmount() throws IOException {
        if (isMounted()) {
            Shell.program("umount", path.toString()).run().succeeds();
        }
    }

    @Override
    public void close() throws IOException {
        unmount();
    }
}
