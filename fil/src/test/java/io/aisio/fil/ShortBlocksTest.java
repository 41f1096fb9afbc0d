package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.Entry;
import io.aisio.xal.Inode;
import io.aisio.xal.Piece;
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

/** Files of one block of 1 KiB, on a device that reads 4 KiB; their inodes claim more. */
class ShortBlocksTest {
    private static final int FILES = 16;

    @TempDir
    Path folder;

    private interface Body {
        void run(Xal xal, ExtentReader reader) throws IOException;
    }

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

    private static void with(Path image, Body body) throws IOException {
        try (Device device = Device.open(image + "?lba=4096&readonly");
                DeviceBlocks blocks = DeviceBlocks.open(device)) {
            Xal xal = Xal.open(blocks);
            try (ExtentReader reader = ExtentReader.open(device, xal, 4, 1 << 20)) {
                body.run(xal, reader);
            }
        }
    }

    private static Entry claiming(Xal xal, String path, long size) throws IOException {
        Inode inode = xal.lookup(path).inode();
        return new Entry(
                path, new Inode(inode.number(), inode.generation(), inode.type(), inode.mode(), inode.links(), size));
    }

    @Test
    void refusesAPieceThatWouldBeReadOverTheNext() throws Exception {
        Path image = image();
        List<String> edit = new ArrayList<>(List.of("-x"));
        with(image, (xal, reader) -> {
            for (int i = 0; i < FILES; i++) {
                edit.addAll(
                        List.of("-c", "inode " + xal.lookup("/f" + i).inode().number(), "-c", "write core.size 4096"));
            }
        });
        edit.add(image.toString());
        run("xfs_db", edit.toArray(String[]::new));
        with(image, (xal, reader) -> {
            int onABlock = 0;
            for (int i = 0; i < FILES; i++) {
                Entry file = claiming(xal, "/f" + i, 4096);
                List<Piece> pieces = xal.pieces(file);
                assertThat(pieces).hasSize(2);
                onABlock += pieces.getFirst().position() % 4096 == 0 ? 1 : 0;
                assertThatThrownBy(() -> reader.read(List.of(file), (f, bytes) -> {}))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("not whole logical blocks of 4096 bytes");
            }
            assertThat(onABlock).as("files that begin on a block of the device").isPositive();
        });
    }

    @Test
    void refusesASizeThatNoMemoryHolds() throws Exception {
        with(image(), (xal, reader) -> {
            for (long size : new long[] {Long.MAX_VALUE, Long.MAX_VALUE - 4095, (1 << 20) + 1}) {
                Entry file = claiming(xal, "/f0", size);
                assertThatThrownBy(() -> reader.read(List.of(file), (f, bytes) -> {}))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("more than the buffer");
            }
        });
    }
}
