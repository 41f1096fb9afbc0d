package io.aisio.bench;

import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;

/** Makes images with an XFS in them, without root and without a mount. */
final class XfsImage {
    /** Size of a made image: above the 300 MiB that mkfs.xfs asks for, sparse but for its log of 64 MiB. */
    static final long BYTES = 512L << 20;

    private static final String SHIPPED = "sample.xfs.gz";

    private XfsImage() {}

    /** The mkfs.xfs of this machine, if it has one. */
    static Optional<Path> mkfs() {
        return Program.find("mkfs.xfs").map(Program::path);
    }

    /**
     * Makes a fresh XFS image that holds files.
     *
     * @param mkfs the program
     * @param files whose contents lie below {@code source}
     * @param source the folder, a sibling of the image
     * @param image which is made
     * @throws IOException with what mkfs.xfs said, if it fails
     */
    static void make(Path mkfs, SampleFiles files, Path source, Path image) throws IOException {
        make(mkfs, BYTES, Map.of(), files, source, image);
    }

    /** The same with a size, and variables for the program's environment. */
    static void make(Path mkfs, long bytes, Map<String, String> environment, SampleFiles files, Path source, Path image)
            throws IOException {
        try (var channel = Files.newByteChannel(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.position(bytes - 1).write(ByteBuffer.allocate(1));
        }
        make(
                mkfs,
                environment,
                files,
                source,
                image,
                "no " + ByteSize.format(bytes) + " image in " + image.getParent());
    }

    /**
     * Makes an XFS that holds files on a block device, whatever that held.
     *
     * @param source the files' folder; what the program needs is written beside it
     */
    static void makeOn(Path blockDevice, Path mkfs, SampleFiles files, Path source) throws IOException {
        make(mkfs, Map.of(), files, source, blockDevice, "no file system on " + blockDevice);
    }

    private static void make(
            Path mkfs, Map<String, String> environment, SampleFiles files, Path source, Path target, String not)
            throws IOException {
        Path folder = Objects.requireNonNull(source.getParent());
        Path prototype = Files.writeString(folder.resolve("prototype"), prototype(files, folder.relativize(source)));
        Path said = folder.resolve("mkfs.log");
        // Names in a prototype have no way to hold a space: the program runs in the folder, and they are relative.
        ProcessBuilder builder = new ProcessBuilder(
                        mkfs.toString(),
                        "-q",
                        "-f",
                        "-p",
                        prototype.getFileName().toString(),
                        target.toAbsolutePath().toString())
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(said.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        try {
            if (process.waitFor() != 0) {
                String text = Files.readString(said).strip();
                throw new IOException(mkfs + " made " + not + ": "
                        + text.lines().findFirst().orElse("exit status " + process.exitValue()));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while " + mkfs + " ran");
        } finally {
            process.destroy();
        }
    }

    /** The prototype of mkfs.xfs(8): a line for each file, directories closed with a dollar sign. */
    private static String prototype(SampleFiles files, Path source) {
        TreeMap<String, StringBuilder> folders = new TreeMap<>();
        for (SampleFiles.SampleFile file : files.files()) {
            String[] parts = file.path().split("/", -1);
            folders.computeIfAbsent(parts[1], name -> new StringBuilder())
                    .append(" %s ---644 0 0 %s%s%n".formatted(parts[2], source, file.path()));
        }
        StringBuilder text = new StringBuilder("/dev/null\n0 0\nd--755 0 0\n");
        folders.forEach((name, lines) ->
                text.append(name).append(" d--755 0 0\n").append(lines).append("$\n"));
        return text.append("$\n").toString();
    }

    /** Unpacks the image that comes with the program, of {@link SampleFiles#small()}. */
    static void unpack(Path image) throws IOException {
        try (InputStream in = Objects.requireNonNull(XfsImage.class.getResourceAsStream(SHIPPED), SHIPPED)) {
            Files.copy(new GZIPInputStream(in), image);
        }
    }
}
