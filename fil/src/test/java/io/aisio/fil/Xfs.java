package io.aisio.fil;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;

/** An XFS image that mkfs.xfs fills from a flat set of files. No mount, no root. */
public final class Xfs {
    private static final long BYTES = 512L << 20;

    /** The files' bytes by their path in the image. */
    final Map<String, byte[]> sources = new TreeMap<>();

    public final Path image;
    private final Path folder;
    private final StringBuilder specials = new StringBuilder();

    public Xfs(Path folder) {
        this.folder = folder;
        this.image = folder.resolve("fil.img");
    }

    /** Adds a file of seeded random bytes. */
    public Xfs with(String name, int bytes) {
        byte[] content = new byte[bytes];
        new Random(name.hashCode() * 31L + bytes).nextBytes(content);
        sources.put("/" + name, content);
        return this;
    }

    /** Adds lines of a prototype file: symbolic links, pipes, directories with what is in them. */
    public Xfs special(String lines) {
        specials.append(lines).append('\n');
        return this;
    }

    /** Makes the image. */
    public Xfs make(String... options) throws Exception {
        return make(StandardCharsets.UTF_8, options);
    }

    /** Makes the image, with names in a character set. */
    Xfs make(Charset charset, String... options) throws Exception {
        StringBuilder prototype = new StringBuilder("/\n0 0\nd--755 0 0\n");
        for (Map.Entry<String, byte[]> source : sources.entrySet()) {
            String name = source.getKey().substring(1);
            Path file = Files.write(folder.resolve(name), source.getValue());
            prototype.append(name).append(" ---644 0 0 ").append(file).append('\n');
        }
        prototype.append(specials).append("$\n");
        Path description = Files.writeString(folder.resolve("fil.proto"), prototype, charset);
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(BYTES);
        }
        List<String> command = new ArrayList<>(List.of("mkfs.xfs", "-q", "-f", "-p", description.toString()));
        command.addAll(List.of(options));
        command.add(image.toString());
        run(command.toArray(String[]::new));
        return this;
    }

    /** Runs a program, or skips the test where it is not installed. */
    public static String run(String... command) throws Exception {
        boolean there = Stream.of("/usr/sbin", "/sbin", "/usr/bin", "/bin")
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, command[0])));
        assumeTrue(there, () -> "needs " + command[0] + " (apt-get install xfsprogs)");
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().merge("PATH", "/usr/sbin:/sbin", (old, sbin) -> old + ":" + sbin);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(List.of(command) + ": exit " + process.exitValue() + ": " + output);
        }
        return output;
    }
}
