package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xal.BlockReads;
import io.aisio.xal.BlockSource;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Index;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsImage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongPredicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Reading all of a file system from sources that take little at once, and from such as fail in places. */
class VolumeScanTest {
    @TempDir
    private Path folder;

    /** Reads an image in pieces, and refuses some of it. */
    private static class Limited implements BlockSource {
        private final FileBlocks image;
        private final int limit;
        private final int alignment;
        /** Whether the bytes from a multiple of {@link #alignment} on can be read. */
        private final LongPredicate readable;

        Limited(FileBlocks image, int limit, int alignment, LongPredicate readable) {
            this.image = image;
            this.limit = limit;
            this.alignment = alignment;
            this.readable = readable;
        }

        @Override
        public String name() {
            return image.name();
        }

        @Override
        public long size() {
            return image.size();
        }

        @Override
        public int alignment() {
            return alignment;
        }

        @Override
        public void read(long position, MemorySegment target) throws IOException {
            assertThat(position % alignment).isZero();
            assertThat(target.byteSize() % alignment).isZero();
            for (long at = 0; at < target.byteSize(); at += limit) {
                long end = Math.min(at + limit, target.byteSize());
                for (long unit = at; unit < end; unit += alignment) {
                    if (!readable.test(position + unit)) {
                        throw new IOException(name() + ": byte " + (position + unit) + " cannot be read");
                    }
                }
                image.read(position + at, target.asSlice(at, end - at));
            }
        }

        /** Not the image's own, which would know no limit and read all. */
        @Override
        public BlockReads reads(int slots, int bytes) throws IOException {
            return BlockSource.super.reads(slots, bytes);
        }
    }

    private XfsImage image() throws Exception {
        Path tree = folder.resolve("tree");
        for (int i = 0; i < 600; i++) {
            XfsImage.fill(tree.resolve("some-directory-" + i % 3 + "/file-with-a-name-" + i), i % 50);
        }
        Files.createDirectories(tree.resolve("empty/below"));
        return XfsImage.of(folder, tree, "", "-b", "size=4096");
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 1024, 4096, 32768})
    void findsWhatAWalkFindsWhateverTheSourceTakesAtOnce(int unit) throws Exception {
        try (FileBlocks blocks = FileBlocks.open(image().path())) {
            RecordedCatalog.agreesWithAWalk(new Limited(blocks, unit, unit, any -> true));
            RecordedCatalog.agreesWithAWalk(blocks);
        }
    }

    /** A device with one queue left reads all of it, and one with none says so. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3})
    void readsByAsManyWaysAsThereAre(int ways) throws Exception {
        AtomicInteger open = new AtomicInteger();
        try (FileBlocks blocks = FileBlocks.open(image().path())) {
            BlockSource few = new Limited(blocks, 4096, 512, any -> true) {
                @Override
                public BlockReads reads(int slots, int bytes) throws IOException {
                    if (open.getAndIncrement() >= ways) {
                        open.getAndDecrement();
                        throw new IOException("no queue is left");
                    }
                    BlockReads reads = super.reads(slots, bytes);
                    return (BlockReads) Proxy.newProxyInstance(
                            BlockReads.class.getClassLoader(),
                            new Class<?>[] {BlockReads.class},
                            (_, method, given) -> {
                                if (method.getName().equals("close")) {
                                    open.getAndDecrement();
                                }
                                return method.invoke(reads, given);
                            });
                }
            };
            if (ways == 0) {
                assertThatThrownBy(() -> RecordedCatalog.of(few)).hasMessage("no queue is left");
            } else {
                RecordedCatalog.agreesWithAWalk(few);
            }
        }
        assertThat(open).hasValue(0);
    }

    @Test
    void whatCannotBeReadIsToldAndHidesNothingElse() throws Exception {
        XfsImage image = image();
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks)) {
            // A sector in which two inodes lie, and the first block of another directory.
            long file =
                    xal.lookup("/some-directory-0/file-with-a-name-300").inode().number();
            Geometry geometry;
            long blockAt;
            try (MetadataReader reader = new MetadataReader(blocks)) {
                geometry = Superblock.read(blocks.name(), reader, reader.size());
                long number = xal.lookup("/some-directory-1").inode().number();
                long at = geometry.inodePosition(number);
                InodeCore directory = InodeCore.parse(
                        geometry, number, reader.read(at, geometry.inodeSize()), geometry.where("inode", number, at));
                blockAt = BlockMap.read(geometry, reader, directory).getFirst().position();
            }
            long inodeAt = geometry.inodePosition(file);
            Limited failing = new Limited(
                    blocks, 4096, 512, at -> at != inodeAt / 512 * 512 && (at < blockAt || at >= blockAt + 512));
            RecordedCatalog catalog = RecordedCatalog.of(failing);
            assertThat(catalog.damage())
                    .anyMatch(e -> e.getMessage().contains("byte " + inodeAt + " cannot be read"))
                    .anyMatch(e -> e.getMessage().contains("byte " + blockAt + " cannot be read"));
            Map<String, RecordedCatalog.File> tree =
                    catalog.tree(xal.lookup("/").inode().number());
            assertThat(tree)
                    .doesNotContainKey("/some-directory-0/file-with-a-name-300")
                    .containsKeys("/some-directory-0/file-with-a-name-303", "/some-directory-2/file-with-a-name-599");
            // Of the directory with a block that cannot be read, the names in the others; all of the rest.
            long missing = image.sources().keySet().stream()
                    .filter(path -> !tree.containsKey(path))
                    .count();
            assertThat(missing).isBetween(2L, 130L);
            assertThat(tree.keySet()).anyMatch(path -> path.startsWith("/some-directory-1/"));
            try (Xal broken = Xal.open(failing);
                    Index index = broken.index()) {
                assertThat(index.problems()).anyMatch(text -> text.contains("byte " + blockAt + " cannot be read"));
                assertThat(index.find("/some-directory-2/file-with-a-name-599")).isPositive();
            }
        }
    }
}
