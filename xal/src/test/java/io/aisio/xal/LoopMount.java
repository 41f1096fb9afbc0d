package io.aisio.xal;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A fresh file system in an image, mounted until it is closed. */
public record LoopMount(Path path) implements AutoCloseable {
    private static final long BYTES = 400L << 20;

    /** Makes a file system of a type that {@code mkfs.TYPE} makes, and mounts it; skips the test where that cannot be. */
    public static LoopMount make(Path folder, String type, String... options) throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name"))
                        && Files.readString(Path.of("/proc/filesystems")).contains("\t" + type + "\n")
                        && Files.exists(Path.of("/dev/loop-control")),
                "needs root, loop devices and a kernel with " + type);
        Path image = folder.resolve("mounted-" + type + ".img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(BYTES);
        }
        List<String> command = new ArrayList<>(List.of("mkfs." + type, "-q"));
        command.addAll(List.of(options));
        command.add(image.toString());
        XfsImage.run(command);
        Path path = Files.createDirectories(folder.resolve("mount-" + type)).toRealPath();
        XfsImage.run(List.of("mount", "-o", "loop", image.toString(), path.toString()));
        return new LoopMount(path);
    }

    @Override
    public void close() throws Exception {
        XfsImage.run(List.of("umount", path.toString()));
    }
}
