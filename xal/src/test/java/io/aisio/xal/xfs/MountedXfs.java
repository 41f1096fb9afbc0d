package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.Attributes;
import io.aisio.xal.Comparison;
import io.aisio.xal.Entry;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** An XFS image that the kernel fills and reads, to be compared with what lies in the image. */
final class MountedXfs implements AutoCloseable {
    private final Path image;
    private final Path mount;
    private boolean mounted;

    private MountedXfs(Path image, Path mount) {
        this.image = image;
        this.mount = mount;
    }

    /** Names an image; skips the test where it cannot be mounted. */
    static MountedXfs of(Path image, Path folder) throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name"))
                        && Files.readString(Path.of("/proc/filesystems")).contains("\txfs\n")
                        && Files.exists(Path.of("/dev/loop-control")),
                "needs root, loop devices and a kernel with XFS");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/setfattr")), "needs setfattr (apt-get install attr)");
        return new MountedXfs(image, Files.createDirectories(folder.resolve("mount")));
    }

    /** The image. */
    Path image() {
        return image;
    }

    /** Mounts it, lets a shell run a script in its root, and unmounts it. */
    void fill(String script) throws Exception {
        mount("loop");
        Path file = Files.writeString(image.resolveSibling("fill.sh"), script);
        XfsImage.run(List.of("sh", "-c", "cd \"$1\" && exec bash -eu \"$2\"", "sh", mount.toString(), file.toString()));
        unmount();
    }

    private void mount(String options) throws Exception {
        XfsImage.run(List.of("mount", "-o", options, image.toString(), mount.toString()));
        mounted = true;
    }

    private void unmount() throws Exception {
        mounted = false;
        XfsImage.run(List.of("umount", mount.toString()));
    }

    /** Unmounts it, if it is mounted. */
    @Override
    public void close() throws Exception {
        if (mounted) {
            unmount();
        }
    }

    /**
     * Compares everything: each entry with what find prints of it, each map with FIEMAP's, each byte of each file with
     * what lies at its extents, and the reading of all at once with a walk.
     *
     * @return what was compared
     */
    Comparison.Counts agrees(String description) throws Exception {
        mount("loop,ro,norecovery");
        List<String> differences = new ArrayList<>();
        Comparison comparison = new Comparison(new Comparison.Listener() {
            @Override
            public void differs(String path, String what, String first, String second) {
                differences.add(path + ": " + what + ": " + first + ", " + second);
            }

            @Override
            public void damaged(String path, IOException problem) {
                differences.add(path + ": " + problem);
            }
        });
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal disk = Xal.open(blocks)) {
            assertThat(lines(disk)).as(description).containsExactlyInAnyOrderElementsOf(find());
            try (Xal kernel = Xal.mounted(mount, false)) {
                comparison.maps(kernel, disk);
                comparison.bytes(kernel, blocks);
            }
            assertThat(differences).as(description).isEmpty();
            RecordedCatalog.agreesWithAWalk(blocks);
        }
        unmount();
        return comparison.counts();
    }

    /** What our reading tells of each entry, as {@link #find} has it. */
    private static List<String> lines(Xal xal) throws IOException {
        List<String> lines = new ArrayList<>();
        xal.walk("/", new Xal.Visitor() {
            @Override
            public void visit(Entry entry) throws IOException {
                Attributes a = xal.attributes(entry);
                lines.add("%s %d %d %o %d %d %d %d %s %s %s\t%s"
                        .formatted(
                                letter(entry.type()),
                                entry.inode().number(),
                                entry.inode().size(),
                                entry.inode().mode(),
                                entry.inode().links(),
                                a.owner(),
                                a.group(),
                                a.allocated() / 512,
                                seconds(a.modified()),
                                seconds(a.changed()),
                                a.target() == null ? "" : a.target(),
                                entry.path().substring(1)));
            }

            @Override
            public void damaged(String path, IOException problem) throws IOException {
                throw new IOException(path, problem);
            }
        });
        return lines;
    }

    private static String seconds(Instant time) {
        return "%d.%09d0".formatted(time.getEpochSecond(), time.getNano());
    }

    /** Type, inode, size, permissions, links, owners, blocks, times, target and path, of all entries. */
    private List<String> find() throws Exception {
        Process find = new ProcessBuilder("find", ".", "-printf", "%y %i %s %m %n %U %G %b %T@ %C@ %l\t%P\\0")
                .directory(mount.toFile())
                .start();
        byte[] output = find.getInputStream().readAllBytes();
        assertThat(find.waitFor()).isZero();
        List<String> lines = new ArrayList<>();
        for (String line : new String(output, StandardCharsets.ISO_8859_1).split("\0", -1)) {
            if (!line.isEmpty()) {
                lines.add(FileName.decode(line.getBytes(StandardCharsets.ISO_8859_1)));
            }
        }
        return lines;
    }

    private static String letter(FileType type) {
        return switch (type) {
            case REGULAR -> "f";
            case DIRECTORY -> "d";
            case SYMLINK -> "l";
            case CHARACTER_DEVICE -> "c";
            case BLOCK_DEVICE -> "b";
            case FIFO -> "p";
            case SOCKET -> "s";
        };
    }

    /** What xfs_db prints of fields of inodes, by their numbers; the fields as {@code name=value}, one after another. */
    Map<Long, String> inodes(List<Long> numbers, List<String> fields) throws Exception {
        List<String> line = new ArrayList<>(List.of("xfs_db", "-r", "-f"));
        for (long number : numbers) {
            line.addAll(List.of("-c", "inode " + number, "-c", "print " + String.join(" ", fields)));
        }
        line.add(image.toString());
        Map<Long, String> printed = new TreeMap<>();
        String[] values = XfsImage.run(line).strip().split("\n", -1);
        assertThat(values).hasSize(numbers.size() * fields.size());
        for (int i = 0; i < numbers.size(); i++) {
            List<String> one = new ArrayList<>();
            for (int k = 0; k < fields.size(); k++) {
                one.add(values[i * fields.size() + k].replace(" = ", "="));
            }
            printed.put(numbers.get(i), String.join(" ", one));
        }
        return printed;
    }
}
