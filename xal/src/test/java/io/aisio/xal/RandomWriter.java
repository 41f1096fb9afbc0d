package io.aisio.xal;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/** Changes a tree at random, always in the same way for a seed. */
final class RandomWriter {
    private final Path root;
    private final Random random;
    private final Linked linked;

    /** Is told of each further name of a file, and returns once it may be used. */
    interface Linked {
        void linked(String path) throws Exception;
    }

    RandomWriter(Path root, Random random) {
        this(root, random, _ -> {});
    }

    RandomWriter(Path root, Random random, Linked linked) {
        this.root = root;
        this.random = random;
        this.linked = linked;
    }

    /** Changes names, sizes and data: what each name that was used tells of. */
    void changeSomething() throws Exception {
        Path directory = root.resolve(List.of("", "a", "b", "a/c", "b/d/e").get(random.nextInt(5)));
        Path name = directory.resolve("n" + random.nextInt(12));
        Path other = root.resolve(List.of("n", "a/n", "b/n").get(random.nextInt(3)) + random.nextInt(12));
        boolean there = Files.exists(name, LinkOption.NOFOLLOW_LINKS);
        boolean file = Files.isRegularFile(name);
        switch (random.nextInt(10)) {
            case 0, 1, 2 -> {
                if (!there || file) {
                    Files.createDirectories(directory);
                    Files.write(name, new byte[random.nextInt(50_000)]);
                }
            }
            case 3 -> {
                if (file) {
                    Files.write(name, new byte[random.nextInt(5_000)], StandardOpenOption.APPEND);
                }
            }
            case 4 -> {
                if (file) {
                    try (RandomAccessFile open = new RandomAccessFile(name.toFile(), "rw")) {
                        open.setLength(random.nextInt(80_000));
                    }
                }
            }
            case 5 -> {
                if (!there) {
                    Files.createDirectories(name.resolve("deep"));
                    Files.writeString(name.resolve("deep/leaf"), "leaf");
                    Files.writeString(name.resolve("leaf"), "l");
                }
            }
            case 6, 7 -> {
                if (there
                        && Files.isDirectory(other.getParent())
                        && (file ? !Files.isDirectory(other) : !Files.exists(other))) {
                    Files.move(name, other, StandardCopyOption.REPLACE_EXISTING);
                }
            }
            case 8 -> {
                if (there) {
                    delete(name);
                }
            }
            default -> {
                Path whole = root.resolve(random.nextBoolean() ? "a" : "b");
                Path to = root.resolve(random.nextBoolean() ? "z" : "a");
                if (Files.exists(whole) && !Files.exists(to)) {
                    Files.move(whole, to);
                } else if (Files.exists(root.resolve("z")) && !Files.exists(root.resolve("b"))) {
                    Files.move(root.resolve("z"), root.resolve("b"));
                }
            }
        }
    }

    /** Changes where bytes lie and how many names a file has, or does as {@link #changeSomething}. */
    void changeMore() throws Exception {
        Path name = root.resolve(List.of("n", "a/n", "b/n").get(random.nextInt(3)) + random.nextInt(12));
        Path other = root.resolve(List.of("n", "a/n", "a/c/n").get(random.nextInt(3)) + random.nextInt(12));
        if (!Files.isRegularFile(name)) {
            changeSomething();
            return;
        }
        switch (random.nextInt(24)) {
            case 0 -> fallocate(name, "-p");
            case 1 -> fallocate(name);
            case 2 -> fallocate(name, "-z");
            case 3 -> {
                if (!Files.isDirectory(other)
                        && !Files.isSymbolicLink(other)
                        && Files.isDirectory(other.getParent())
                        && !(Files.exists(other) && Files.isSameFile(other, name))) {
                    XfsImage.run(List.of("cp", "--reflink=auto", name.toString(), other.toString()));
                }
            }
            case 4, 5 -> {
                if (!Files.exists(other, LinkOption.NOFOLLOW_LINKS) && Files.isDirectory(other.getParent())) {
                    Files.createLink(other, name);
                    linked.linked("/" + root.relativize(other));
                }
            }
            case 6 -> {
                if (!Files.exists(other, LinkOption.NOFOLLOW_LINKS) && Files.isDirectory(other.getParent())) {
                    Files.createSymbolicLink(other, Path.of("nowhere"));
                }
            }
            case 7 -> {
                try (RandomAccessFile open = new RandomAccessFile(name.toFile(), "rw")) {
                    for (int i = 0; i < 20; i++) {
                        open.seek(random.nextInt(1 << 20));
                        open.write(new byte[random.nextInt(9000)]);
                    }
                }
            }
            case 8 -> Files.setAttribute(name, "unix:mode", 0600 + random.nextInt(0200));
            default -> changeSomething();
        }
    }

    private void fallocate(Path file, String... what) throws Exception {
        List<String> command = new ArrayList<>(List.of("fallocate"));
        command.addAll(List.of(what));
        long from = random.nextInt(20) * 4096L;
        command.addAll(List.of("-o", "" + from, "-l", "" + (1 + random.nextInt(10)) * 4096L, file.toString()));
        XfsImage.run(command);
    }

    private static void delete(Path path) throws IOException {
        try (Stream<Path> all = Files.walk(path)) {
            for (Path each : all.toList().reversed()) {
                Files.delete(each);
            }
        }
    }
}
