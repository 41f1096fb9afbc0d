package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("root")
class ComparisonTest {
    @TempDir
    private Path folder;

    private final List<String> told = new ArrayList<>();

    private final Comparison comparison = new Comparison(new Comparison.Listener() {
        @Override
        public void differs(String path, String what, String first, String second) {
            told.add(path + " " + what);
        }

        @Override
        public void damaged(String path, IOException problem) {
            told.add(path + " " + problem.getMessage());
        }
    });

    @Test
    void tellsOfAMountedXfsWhatItsBlocksHaveOtherwise() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                Xal mounted = Xal.mounted(loop.path(), true)) {
            for (String name : List.of("same", "longer", "mode", "gone", "moved")) {
                XfsImage.fill(loop.path().resolve(name), 10_000);
            }
            Path old = folder.resolve("old.img");
            XfsImage.run(List.of("fsfreeze", "--freeze", loop.path().toString()));
            try {
                XfsImage.run(List.of("cp", "--sparse=always", loop.image().toString(), old.toString()));
                try (FileBlocks device = FileBlocks.open(loop.device())) {
                    comparison.maps(mounted, device, true);
                }
                assertThat(told).isEmpty();
                assertThat(comparison.counts().entries()).isEqualTo(6);
            } finally {
                XfsImage.run(List.of("fsfreeze", "--unfreeze", loop.path().toString()));
            }
            Files.write(loop.path().resolve("longer"), new byte[20_000]);
            XfsImage.run(List.of("chmod", "600", loop.path().resolve("mode").toString()));
            Files.delete(loop.path().resolve("gone"));
            Files.createFile(loop.path().resolve("new"));
            Path moved = loop.path().resolve("moved");
            XfsImage.run(List.of("xfs_io", "-c", "fpunch 4k 4k", moved.toString()));
            try (FileBlocks device = FileBlocks.open(old)) {
                comparison.maps(mounted, device, true);
            }
            assertThat(told)
                    .containsExactly(
                            "/ inode",
                            "/gone existence",
                            "/longer inode",
                            "/longer extent 0 of the joined",
                            "/mode inode",
                            "/moved extent 0 of the joined",
                            "/new existence");
            assertThat(comparison.counts().differences()).isEqualTo(7);
            assertThat(comparison.counts().changed()).isZero();
        }
    }

    @Test
    void countsApartWhatNeverRests() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "ext4");
                Xal mounted = Xal.mounted(loop.path(), true);
                FileBlocks device = FileBlocks.open(loop.device())) {
            XfsImage.fill(loop.path().resolve("still"), 100_000);
            Path busy = loop.path().resolve("busy");
            XfsImage.fill(busy, 4 << 20);
            Process writer = new ProcessBuilder(
                            "sh", "-c", "i=0; while :; do echo $i | dd of=" + busy + " conv=notrunc; i=$((i+1)); done")
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            try {
                comparison.bytes(mounted, device);
            } finally {
                writer.destroyForcibly().waitFor();
            }
            assertThat(told).isEmpty();
            assertThat(comparison.counts().entries()).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void tellsWhatChangesWhereNobodyCanWrite(boolean frozen) throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "ext4");
                Xal mounted = Xal.mounted(loop.path(), true);
                FileBlocks device = FileBlocks.open(loop.device())) {
            XfsImage.fill(loop.path().resolve("a"), 100_000);
            XfsImage.fill(loop.path().resolve("b"), 100_000);
            // Whenever it is read, it is another; and the next is gone.
            comparison.bytes(
                    mounted,
                    new Read(device, _ -> {
                        Files.setLastModifiedTime(loop.path().resolve("a"), FileTime.from(Instant.now()));
                        Files.deleteIfExists(loop.path().resolve("b"));
                    }),
                    frozen);
            if (frozen) {
                assertThat(told).hasSize(2).first().isEqualTo("/a status or map");
                assertThat(told.getLast()).contains("/b");
                assertThat(comparison.counts().changed()).isZero();
            } else {
                assertThat(told).isEmpty();
                assertThat(comparison.counts().changed()).isEqualTo(2);
            }
        }
    }

    @Test
    void doesNotCountAsChangedWhatItCouldNoLongerReadFromItsBlocks() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                Xal mounted = Xal.mounted(loop.path(), true)) {
            XfsImage.fill(loop.path().resolve("longer"), 10_000);
            Path old = folder.resolve("old.img");
            XfsImage.run(List.of("fsfreeze", "--freeze", loop.path().toString()));
            try {
                XfsImage.run(List.of("cp", "--sparse=always", loop.image().toString(), old.toString()));
            } finally {
                XfsImage.run(List.of("fsfreeze", "--unfreeze", loop.path().toString()));
            }
            Files.write(loop.path().resolve("longer"), new byte[20_000]);
            try (FileBlocks device = FileBlocks.open(old)) {
                boolean[] inodes = {false};
                BlockSource dying = new Read(device, position -> {
                    // The first pass gets to the inodes, and none after that to the superblock.
                    inodes[0] |= position >= 4096 && position < 1 << 20;
                    if (position == 0 && inodes[0]) {
                        throw new XfsException("dying", "superblock", "AG 0", "the device is gone");
                    }
                });
                comparison.maps(mounted, dying, true);
            }
            assertThat(told).hasSize(1).first().asString().startsWith("/ ");
            assertThat(comparison.counts().damaged()).isEqualTo(1);
            assertThat(comparison.counts().unsettled()).isPositive();
            assertThat(comparison.counts().changed()).isZero();
        }
    }

    private interface OnRead {
        void read(long position) throws IOException;
    }

    /** A device that something is done with before each read. */
    private record Read(BlockSource device, OnRead before) implements BlockSource {
        @Override
        public String name() {
            return device.name();
        }

        @Override
        public long size() {
            return device.size();
        }

        @Override
        public int alignment() {
            return device.alignment();
        }

        @Override
        public void read(long position, MemorySegment target) throws IOException {
            before.read(position);
            device.read(position, target);
        }
    }

    @Test
    void endsWhenItIsInterrupted() throws Exception {
        try (LoopMount loop = LoopMount.make(folder, "xfs");
                Xal mounted = Xal.mounted(loop.path(), true);
                FileBlocks device = FileBlocks.open(loop.device())) {
            Thread.currentThread().interrupt();
            try {
                assertThatThrownBy(() -> comparison.maps(mounted, device, true))
                        .isInstanceOf(InterruptedIOException.class);
                assertThatThrownBy(() -> comparison.bytes(mounted, device)).isInstanceOf(InterruptedIOException.class);
            } finally {
                // Closing the mount waits for a program.
                Thread.interrupted();
            }
        }
    }
}
