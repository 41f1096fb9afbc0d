package io.aisio.xal;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A fresh file system in an image, mounted until it is closed.
 *
 * @param image that the loop device lies in
 * @param path where it is mounted
 */
public record LoopMount(Path image, Path path) implements AutoCloseable {
    private static final long BYTES = 512L << 20;

    /** Makes a file system of a type that {@code mkfs.TYPE} makes, and mounts it; skips the test where that cannot be. */
    public static LoopMount make(Path folder, String type, String... options) throws Exception {
        return made(folder, "mkfs." + type + " -q " + String.join(" ", options));
    }

    /** Makes a file system by a command line, to which the image is added, and mounts it; skips the test as well. */
    public static LoopMount made(Path folder, String mkfs) throws Exception {
        String type = mkfs.substring("mkfs.".length(), mkfs.indexOf(' '));
        needsLoopDevices();
        assumeTrue(
                Files.readString(Path.of("/proc/filesystems")).contains("\t" + type + "\n"),
                "needs a kernel with " + type);
        Path image = folder.resolve("mounted-" + type + ".img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(BYTES);
        }
        List<String> command = new ArrayList<>(List.of(mkfs.split(" +", 0)));
        command.add(image.toString());
        XfsImage.run(command);
        LoopMount made = new LoopMount(
                image, Files.createDirectories(folder.resolve("mount-" + type)).toRealPath());
        made.mount("loop");
        return made;
    }

    /** Skips the test where nothing can be mounted. */
    public static void needsLoopDevices() {
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
    }

    /** Unmounts it and mounts it again. */
    public void again(String options) throws Exception {
        close();
        mount(options);
    }

    /** The device that it lies on. */
    public Path device() throws Exception {
        return Path.of(XfsImage.run(List.of("findmnt", "-n", "-o", "SOURCE", path.toString()))
                .strip());
    }

    private void mount(String options) throws Exception {
        XfsImage.run(List.of("mount", "-o", options, image.toString(), path.toString()));
    }

    @Override
    public void close() throws Exception {
        XfsImage.run(List.of("umount", path.toString()));
    }
}
