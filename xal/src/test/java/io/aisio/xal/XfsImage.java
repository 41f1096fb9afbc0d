package io.aisio.xal;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;

/** A fresh XFS image, populated by mkfs.xfs from a source tree and a few special files. No mount, no root. */
public final class XfsImage {
    /** Sparse, and large enough for seven allocation groups beside the least log. */
    private static final long BYTES = 1L << 30;

    private final Path path;
    private final Map<String, Path> sources = new TreeMap<>();
    private final StringBuilder prototype = new StringBuilder("/\n0 0\nd--755 0 0\n");

    private XfsImage(Path path) {
        this.path = path;
    }

    /** An image without files. */
    public static XfsImage empty(Path folder, String... options) throws Exception {
        return of(folder, Files.createDirectories(folder.resolve("nothing")), "", options);
    }

    /**
     * Makes an image.
     *
     * @param tree whose directories and regular files it holds
     * @param specials lines of a prototype file for the root directory: symbolic links, devices, pipes
     * @param options of mkfs.xfs
     */
    public static XfsImage of(Path folder, Path tree, String specials, String... options) throws Exception {
        XfsImage image = new XfsImage(folder.resolve("xfs-" + folder.toFile().list().length + ".img"));
        image.describe(tree, "");
        image.prototype.append(specials).append("$\n");
        Path prototype = Files.writeString(folder.resolve(image.path.getFileName() + ".proto"), image.prototype);
        try (RandomAccessFile file = new RandomAccessFile(image.path.toFile(), "rw")) {
            file.setLength(BYTES);
        }
        List<String> command = new ArrayList<>(List.of("mkfs.xfs", "-q", "-f", "-p", prototype.toString()));
        command.addAll(List.of(options));
        command.add(image.path.toString());
        run(command);
        return image;
    }

    private void describe(Path directory, String name) throws IOException {
        List<Path> children;
        try (Stream<Path> list = Files.list(directory)) {
            children = list.sorted(Comparator.comparing(Path::toString)).toList();
        }
        for (Path child : children) {
            String childName = name + "/" + child.getFileName();
            sources.put(childName, child);
            if (Files.isDirectory(child)) {
                prototype.append(child.getFileName()).append(" d--755 0 0\n");
                describe(child, childName);
                prototype.append("$\n");
            } else {
                prototype
                        .append(child.getFileName())
                        .append(" ---644 0 0 ")
                        .append(child)
                        .append('\n');
            }
        }
    }

    public Path path() {
        return path;
    }

    /** What was put in, by its path in the image, without specials. */
    public Map<String, Path> sources() {
        return sources;
    }

    /** What xfs_db prints for commands. */
    public String db(String... commands) throws Exception {
        List<String> line = new ArrayList<>(List.of("xfs_db", "-r", "-f"));
        for (String command : commands) {
            line.add("-c");
            line.add(command);
        }
        line.add(path.toString());
        return run(line);
    }

    /** The value that xfs_db prints for a field, the last argument, after the commands that go to its structure. */
    public long dbNumber(String... address) throws Exception {
        String[] commands = address.clone();
        commands[commands.length - 1] = "print " + commands[commands.length - 1];
        String text = db(commands);
        String value = text.substring(text.indexOf('=') + 1).strip().split("[ \n]", -1)[0];
        return value.equals("null") ? -1 : Long.decode(value);
    }

    /** Writes seeded random bytes, so that no two files are alike. */
    public static void fill(Path file, int bytes) throws IOException {
        byte[] content = new byte[bytes];
        new Random(file.getFileName().toString().hashCode() * 31L + bytes).nextBytes(content);
        Files.createDirectories(file.getParent());
        Files.write(file, content);
    }

    /** Runs a program of xfsprogs, or skips the test where it is not installed. */
    public static String run(List<String> command) throws Exception {
        String program = command.getFirst();
        boolean there = Stream.of("/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin", "/bin")
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
        assumeTrue(there, () -> "needs " + program + " (apt-get install xfsprogs)");
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().merge("PATH", "/usr/sbin:/sbin", (old, sbin) -> old + ":" + sbin);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(command + ": exit " + process.exitValue() + ": " + output);
        }
        return output;
    }
}
