package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("root")
class FileBlocksTest {
    private static final int BLOCK = 4096;

    @TempDir
    private Path folder;

    /** A loop device without a file system that the kernel knows of. */
    private record Loop(Path device) implements AutoCloseable {
        static Loop of(Path image, int sectorBytes) throws Exception {
            LoopMount.needsLoopDevices();
            return new Loop(Path.of(XfsImage.run(
                            List.of("losetup", "-f", "--show", "--sector-size", "" + sectorBytes, image.toString()))
                    .strip()));
        }

        @Override
        public void close() throws Exception {
            XfsImage.run(List.of("losetup", "-d", device.toString()));
        }
    }

    @Test
    void readsADeviceAndNotTheKernelsCacheOfIt() throws Exception {
        Path image = Files.write(folder.resolve("image"), new byte[1 << 20]);
        try (Loop loop = Loop.of(image, 512);
                FileBlocks blocks = FileBlocks.open(loop.device());
                Arena arena = Arena.ofConfined();
                RandomAccessFile cached = new RandomAccessFile(loop.device().toFile(), "r");
                RandomAccessFile beneath = new RandomAccessFile(image.toFile(), "rw")) {
            assertThat(cached.read()).isZero();
            beneath.write(7);
            cached.seek(0);
            assertThat(cached.read()).as("what makes this test one").isZero();
            MemorySegment read = arena.allocate(BLOCK, BLOCK);
            blocks.read(0, read);
            assertThat(read.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 7);
            assertThat(blocks.size()).isEqualTo(1 << 20);
            assertThat(blocks.path()).contains("O_DIRECT");
            assertThatThrownBy(() -> blocks.read(0, read.asSlice(512)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("begins on a page");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void readsManyPiecesOfADeviceAtOnce(int sectorBytes) throws Exception {
        byte[] content = new byte[1 << 20];
        new Random(3).nextBytes(content);
        Path image = Files.write(folder.resolve("image"), content);
        try (Loop loop = Loop.of(image, sectorBytes);
                FileBlocks blocks = FileBlocks.open(loop.device());
                BlockReads reads = blocks.reads(8, 3 * BLOCK)) {
            for (int slot = 0; slot < 8; slot++) {
                reads.start(slot, (7L - slot) * 5 * BLOCK, 3 * BLOCK);
            }
            for (int i = 0; i < 8; i++) {
                int slot = reads.await();
                int at = (7 - slot) * 5 * BLOCK;
                assertThat(reads.buffer(slot).toArray(ValueLayout.JAVA_BYTE))
                        .isEqualTo(Arrays.copyOfRange(content, at, at + 3 * BLOCK));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void readsXfsWithSectorsOf512BytesFromADeviceWithLargerBlocks(int sectorBytes) throws Exception {
        Path tree = folder.resolve("tree");
        for (int i = 0; i < 300; i++) {
            XfsImage.fill(tree.resolve("d" + i % 7 + "/f" + i), i * 31);
        }
        XfsImage image = XfsImage.of(folder, tree, "link l--777 0 0 d1\n", "-s", "size=512", "-b", "size=1024");
        try (Loop loop = Loop.of(image.path(), sectorBytes);
                FileBlocks device = FileBlocks.open(loop.device());
                FileBlocks file = FileBlocks.open(image.path());
                Xal onDevice = Xal.open(device);
                Xal inFile = Xal.open(file)) {
            assertThat(device.alignment()).isEqualTo(sectorBytes);
            List<String> told = told(onDevice);
            assertThat(told).isEqualTo(told(inFile)).hasSize(1 + 7 + 300 + 1);
            try (Index index = onDevice.index()) {
                assertThat(index.problems()).isEmpty();
                assertThat(index.files()).as("the link too").isEqualTo(301);
            }
        }
    }

    @Test
    void refusesADirectory() {
        assertThatThrownBy(() -> FileBlocks.open(folder)).hasMessageContaining("is a directory");
    }

    private static List<String> told(Xal xal) throws IOException {
        List<String> told = new ArrayList<>();
        xal.walk("/", new Xal.Visitor() {
            @Override
            public void visit(Entry entry) throws IOException {
                told.add(entry + " " + xal.extents(entry));
            }

            @Override
            public void damaged(String path, IOException problem) throws IOException {
                throw problem;
            }
        });
        return told;
    }
}
