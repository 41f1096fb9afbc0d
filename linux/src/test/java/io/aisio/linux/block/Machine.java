package io.aisio.linux.block;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A root folder with {@code sys}, {@code proc} and {@code dev} of files, as far as block devices go. */
record Machine(Path root) {
    Machine {
        try {
            put(root.resolve("proc/self/mountinfo"), "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n");
            put(root.resolve("proc/swaps"), "Filename Type Size Used Priority\n");
            Files.createDirectories(root.resolve("dev"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    static void put(Path file, String content) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
    }

    /** A whole device below a folder of {@code sys/devices}; its node is an empty file. */
    Path disk(String below, String name, String numbers) throws IOException {
        return device(root.resolve("sys/devices").resolve(below).resolve(name), name, numbers);
    }

    Path partition(Path disk, int number, String numbers) throws IOException {
        String name = disk.getFileName() + "p" + number;
        put(disk.resolve(name).resolve("partition"), number + "\n");
        return device(disk.resolve(name), name, numbers);
    }

    private Path device(Path folder, String name, String numbers) throws IOException {
        Files.createDirectories(folder.resolve("holders"));
        Files.createDirectories(folder.resolve("slaves"));
        put(folder.resolve("size"), "2048\n");
        link(root.resolve("sys/class/block").resolve(name), folder);
        if (!numbers.isEmpty()) {
            put(folder.resolve("dev"), numbers + "\n");
            link(root.resolve("sys/dev/block").resolve(numbers), folder);
            Path node = root.resolve("dev").resolve(name.replace('!', '/'));
            Files.createDirectories(node.getParent());
            Files.write(node, new byte[1 << 20]);
        }
        return folder;
    }

    /** Says that one device is built upon another. */
    void upon(Path upper, Path lower) throws IOException {
        link(lower.resolve("holders").resolve(upper.getFileName()), upper);
        link(upper.resolve("slaves").resolve(lower.getFileName()), lower);
    }

    static void link(Path link, Path target) throws IOException {
        Files.createDirectories(link.getParent());
        Files.createSymbolicLink(link, target);
    }

    void mounts(String... lines) throws IOException {
        put(root.resolve("proc/self/mountinfo"), String.join("\n", lines) + "\n");
    }
}
