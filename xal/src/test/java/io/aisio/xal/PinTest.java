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
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("root")
class PinTest {
    private static final int BYTES = 3 << 20;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"overwritten", "truncated", "removed"})
    void holdsTheOldBytesWhateverHappensToTheFile(String fate) throws Exception {
        try (LoopMount loop = LoopMount.made(folder, "mkfs.xfs -q -f -m reflink=1");
                Xal xal = Xal.mounted(loop.path(), true)) {
            Path mount = loop.path();
            Path file = mount.resolve("data");
            XfsImage.fill(file, BYTES);
            byte[] old = Files.readAllBytes(file);
            try (Pin pin = Pin.of(xal, xal.lookup("/data"))) {
                assertThat(pin.heldBytes()).as("still the file's too").isZero();
                switch (fate) {
                    case "overwritten" ->
                        XfsImage.run(List.of("xfs_io", "-c", "pwrite -S 7 0 3m", "-c", "fsync", file.toString()));
                    case "truncated" -> Files.write(file, new byte[0]);
                    default -> Files.delete(file);
                }
                XfsImage.fill(mount.resolve("other"), 2 * BYTES);
                XfsImage.run(List.of("sync", "-f", mount.toString()));
                assertThat(read(loop.image(), Piece.of(pin.extents(), pin.size())))
                        .isEqualTo(old);
                assertThat(pin.heldBytes()).isEqualTo(BYTES);
            }
        }
    }

    @Test
    void keepsOthersFromWritingToItAndGivesItsSpaceBack() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                Xal xal = Xal.mounted(loop.path(), true)) {
            Path file = loop.path().resolve("data");
            XfsImage.fill(file, 64 << 20);
            byte[] old = Files.readAllBytes(file);
            XfsImage.run(List.of("sync", "-f", loop.path().toString()));
            long free = Files.getFileStore(loop.path()).getUsableSpace();
            try (Pin pin = Pin.of(xal, xal.lookup("/data"))) {
                assertThat(pin.immutable()).isTrue();
                Path clone = clone(loop.path());
                assertThatThrownBy(() -> XfsImage.run(List.of("dd", "if=/dev/zero", "of=" + clone, "count=1")))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("Operation not permitted");
                Files.delete(file);
                XfsImage.run(List.of("sync", "-f", loop.path().toString()));
                try (FileBlocks device = FileBlocks.open(loop.device());
                        Arena arena = Arena.ofConfined()) {
                    MemorySegment block = arena.allocate(4096, 4096);
                    device.read(pin.extents().getFirst().position(), block);
                    assertThat(block.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Arrays.copyOf(old, 4096));
                }
            }
            // The space of the file, which only the pin held, is free soon.
            long deadline = System.nanoTime() + 60_000_000_000L;
            while (Files.getFileStore(loop.path()).getUsableSpace() < free + (60 << 20)) {
                assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
                XfsImage.run(List.of("sync", "-f", loop.path().toString()));
            }
        }
    }

    /** The file without a name that this process has open beneath a folder. */
    private static Path clone(Path mount) throws IOException {
        try (Stream<Path> open =
                Files.list(Path.of("/proc/" + ProcessHandle.current().pid() + "/fd"))) {
            return open.filter(fd -> {
                        try {
                            String target = Files.readSymbolicLink(fd).toString();
                            return target.startsWith(mount + "/") && target.endsWith(" (deleted)");
                        } catch (IOException e) {
                            return false;
                        }
                    })
                    .findFirst()
                    .orElseThrow();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mkfs.ext4 -q -F", "mkfs.xfs -q -f -m reflink=0"})
    void saysWhichFileSystemsCannot(String mkfs) throws Exception {
        try (LoopMount loop = LoopMount.made(folder, mkfs);
                Xal xal = Xal.mounted(loop.path(), true)) {
            Files.writeString(loop.path().resolve("data"), "some bytes");
            Entry data = xal.lookup("/data");
            assertThatThrownBy(() -> Pin.of(xal, data))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("shares no blocks between files");
        }
    }

    @Test
    void refusesBtrfsWhichMovesBlocksWhatever() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "btrfs");
                Xal xal = Xal.mounted(loop.path(), true)) {
            Files.write(loop.path().resolve("data"), new byte[BYTES]);
            Entry data = xal.lookup("/data");
            assertThatThrownBy(() -> Pin.of(xal, data))
                    .isInstanceOf(IOException.class)
                    .hasMessageContainingAll(loop.path().toString(), "btrfs, which moves the blocks of any file");
        }
    }

    private static byte[] read(Path image, List<Piece> pieces) throws IOException {
        byte[] bytes = new byte[BYTES];
        try (RandomAccessFile device = new RandomAccessFile(image.toFile(), "r")) {
            for (Piece piece : pieces) {
                assertThat(piece.kind()).isEqualTo(Piece.Kind.DATA);
                device.seek(piece.position());
                device.readFully(bytes, (int) piece.offset(), (int) piece.length());
            }
        }
        return bytes;
    }
}
