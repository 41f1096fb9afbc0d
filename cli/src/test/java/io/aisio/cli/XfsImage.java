package io.aisio.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** An XFS image that mkfs.xfs fills from a folder. No mount, no root. */
record XfsImage(Path path) {
    /** Sparse. */
    private static final long BYTES = 1L << 30;

    /** Makes an image of a folder that holds folders and regular files. */
    static XfsImage of(Path tree, Path image) throws IOException {
        StringBuilder prototype = new StringBuilder("/\n0 0\nd--755 0 0\n");
        describe(tree, prototype);
        Path file = Files.writeString(image.resolveSibling(image.getFileName() + ".proto"), prototype.append("$\n"));
        try (RandomAccessFile sparse = new RandomAccessFile(image.toFile(), "rw")) {
            sparse.setLength(BYTES);
        }
        tool("mkfs.xfs", "-q", "-f", "-p", file.toString(), image.toString());
        return new XfsImage(image);
    }

    private static void describe(Path folder, StringBuilder prototype) throws IOException {
        List<Path> children;
        try (Stream<Path> list = Files.list(folder)) {
            children = list.sorted().toList();
        }
        for (Path child : children) {
            if (Files.isDirectory(child)) {
                prototype.append(child.getFileName()).append(" d--755 0 0\n");
                describe(child, prototype);
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

    /** What xfs_db prints for commands. */
    String db(String... commands) {
        List<String> words = new ArrayList<>(List.of("-r"));
        for (String command : commands) {
            words.addAll(List.of("-c", command));
        }
        words.add(path.toString());
        return tool("xfs_db", words.toArray(String[]::new));
    }

    /** A field of the superblock. */
    private long superblock(String field) {
        String text = db("sb 0", "print " + field);
        return Long.parseLong(text.substring(text.indexOf('=') + 1).strip());
    }

    /** A file's lines as {@code xal bmap} prints them, from xfs_db's {@code bmap}, which counts blocks in groups. */
    List<String> bmap(long inode) {
        long sectors = superblock("blocksize") / 512;
        long groupBlocks = superblock("agblocks");
        Pattern extent =
                Pattern.compile("data offset (\\d+) startblock \\d+ \\((\\d+)/(\\d+)\\) count (\\d+) flag ([01])");
        return db("inode " + inode, "bmap")
                .lines()
                .map(line -> {
                    Matcher m = extent.matcher(line.strip());
                    if (!m.matches()) {
                        throw new AssertionError("xfs_db prints no extent but " + line);
                    }
                    long offset = Long.parseLong(m.group(1)) * sectors;
                    long start = (Long.parseLong(m.group(2)) * groupBlocks + Long.parseLong(m.group(3))) * sectors;
                    long count = Long.parseLong(m.group(4)) * sectors;
                    return "- [" + offset + ", " + (offset + count - 1) + ", " + start + ", " + (start + count - 1)
                            + "]" + (m.group(5).equals("1") ? " # unwritten" : "");
                })
                .toList();
    }

    /** Copies it, with one byte at a position turned over. */
    XfsImage damagedAt(long position, Path copy) throws IOException {
        Shell.program("cp", "--sparse=always", path.toString(), copy.toString())
                .run()
                .succeeds();
        try (RandomAccessFile file = new RandomAccessFile(copy.toFile(), "rw")) {
            file.seek(position);
            int old = file.read();
            file.seek(position);
            file.write(~old);
        }
        return new XfsImage(copy);
    }

    /** Where an inode begins, in bytes. */
    long position(long inode) {
        Matcher m = Pattern.compile("\\((\\d+)\\)").matcher(db("convert inode " + inode + " byte"));
        if (!m.find()) {
            throw new AssertionError("xfs_db does not tell where inode " + inode + " is");
        }
        return Long.parseLong(m.group(1));
    }

    private static String tool(String name, String... arguments) {
        Path program = Stream.of("/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin", "/bin")
                .map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
        assumeTrue(program != null, "needs " + name + " (apt-get install xfsprogs)");
        return Shell.program(program.toString(), arguments).run().succeeds().out();
    }
}
