package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files of one block of 1 KiB, on a device that reads 4 KiB; their inodes claim more. */
class ShortBlocksTest {
    private static final int FILES = 16;

    @TempDir
    Path folder;

    private Path image() throws Exception {
        byte[] content = new byte[1024];
        Arrays.fill(content, (byte) 'x');
        Path source = Files.write(folder.resolve("source"), content);
        StringBuilder prototype = new StringBuilder("/\n0 0\nd--755 0 0\n");
        for (int i = 0; i < FILES; i++) {
            prototype.append("f%d ---644 0 0 %s%n".formatted(i, source));
        }
        Path image = folder.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(512 << 20);
        }
        Path proto = Files.writeString(folder.resolve("proto"), prototype.append("$\n"));
        run("mkfs.xfs", "-q", "-b", "size=1024", "-p", proto.toString(), image.toString());
        return image;
    }

    private static void run(String tool, String... arguments) throws Exception {
        Path program = Path.of("/usr/sbin", tool);
        assumeTrue(Files.isExecutable(program), "needs " + tool + " (apt-get install xfsprogs)");
        List<String> command = new ArrayList<>(List.of(program.toString()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        assertThat(process.waitFor()).as(tool).isZero();
    }

    private static Dataset open(Path image) throws IOException {
        return Dataset.open(image + "?lba=4096&readonly", "/");
    }

    /** Has the inode of each file claim a size. */
    private static void claim(Path image, long size) throws Exception {
        List<String> edit = new ArrayList<>(List.of("-x"));
        try (Device device = Device.open(image + "?readonly");
                DeviceBlocks blocks = DeviceBlocks.open(device);
                Xal xal = Xal.open(blocks)) {
            for (int i = 0; i < FILES; i++) {
                edit.addAll(List.of(
                        "-c", "inode " + xal.lookup("/f" + i).inode().number(), "-c", "write core.size " + size));
            }
        }
        edit.add(image.toString());
        run("xfs_db", edit.toArray(String[]::new));
    }

    @Test
    void refusesARunThatWouldBeReadOverTheNext() throws Exception {
        Path image = image();
        claim(image, 4096);
        try (Dataset data = open(image);
                BatchReader batches = data.batches(FILES).keepFailures().open();
                Batch batch = batches.next()) {
            assertThat(batch).isNotNull();
            for (int i = 0; i < FILES; i++) {
                assertThat(batch.problem(i))
                        .hasMessageContaining(batch.path(i))
                        .hasMessageContaining("not whole logical blocks of 4096 bytes");
            }
        }
    }

    /** Of files that are almost all hole, and claim what no memory holds. */
    @ParameterizedTest
    @ValueSource(longs = {1L << 50, 1L << 62, Long.MAX_VALUE - 4095, Long.MAX_VALUE})
    void refusesASizeThatNoMemoryHolds(long size) throws Exception {
        Path image = image();
        claim(image, size);
        assertThatThrownBy(() -> {
                    try (Dataset data = open(image);
                            BatchReader batches = data.batches(FILES).open()) {
                        batches.next();
                    }
                })
                .isInstanceOfAny(IOException.class, IllegalArgumentException.class)
                .hasMessageContaining("image");
    }
}
