package io.aisio.fil.nio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.fil.Xfs;
import io.aisio.xal.Attributes;
import io.aisio.xal.BlockSource;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is found by path, and what of it is kept: of a directory that is damaged, or beneath itself, too. */
class TreeTest {
    private static final int NAMES = 400;
    /** Bytes of a directory's block, unless mkfs.xfs was told otherwise. */
    private static final int BLOCK = 4096;

    @TempDir
    private Path folder;

    private Path image;
    private long below;
    private List<Extent> blocks;

    @BeforeEach
    void make() throws Exception {
        StringBuilder large = new StringBuilder("large d--755 0 0\n");
        for (int i = 0; i < NAMES; i++) {
            large.append("name%03d p--600 0 0\n".formatted(i));
        }
        Xfs xfs = new Xfs(folder)
                .special(large + "$")
                .special("above d--755 0 0\nbelow d--755 0 0\nbottom d--755 0 0\n$\n$\n$")
                .make();
        image = xfs.image;
        try (FileBlocks source = FileBlocks.open(image);
                Xal xal = Xal.open(source)) {
            below = xal.lookup("/above/below").inode().number();
            blocks = xal.extents(xal.lookup("/large"));
        }
    }

    private interface Use {
        void of(Tree tree) throws IOException;
    }

    private void open(Use use) throws IOException {
        try (FileBlocks source = FileBlocks.open(image)) {
            open(source, use);
        }
    }

    private static void open(BlockSource source, Use use) throws IOException {
        try (Xal xal = Xal.open(source)) {
            use.of(new Tree(xal));
        }
    }

    private static Entry find(Tree tree, String path) throws IOException {
        return tree.find(List.of(path.split("/")), true, path);
    }

    @Test
    void aDirectoryIsReadOnce() throws IOException {
        open(tree -> {
            Entry large = find(tree, "large");
            Tree.Directory content = tree.list(large);
            assertThat(content.names()).hasSize(NAMES);
            assertThat(tree.list(large)).isSameAs(content);
        });
    }

    @Test
    void aDamagedDirectoryIsReadOnceToo() throws IOException {
        Extent second = blocks.stream()
                .filter(extent -> extent.offset() <= BLOCK && BLOCK < extent.end())
                .findFirst()
                .orElseThrow();
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(second.position() + (BLOCK - second.offset()) + 100);
            file.write(new byte[] {1, 2, 3});
        }
        open(tree -> {
            Entry large = find(tree, "large");
            Tree.Directory content = tree.list(large);
            assertThat(content.problems()).hasSize(1);
            assertThat(content.names()).hasSizeBetween(1, NAMES - 1);
            assertThat(tree.list(large)).isSameAs(content);
            assertThat(find(tree, "large/" + content.names().keySet().iterator().next()))
                    .extracting(Entry::path)
                    .asString()
                    .startsWith("/large/name");
            assertThatThrownBy(() -> find(tree, "large/none"))
                    .isSameAs(content.problems().getFirst());
        });
    }

    /** Blocks that cannot be read for a while. */
    private record Failing(FileBlocks blocks, boolean[] fails) implements BlockSource {
        @Override
        public String name() {
            return blocks.name();
        }

        @Override
        public long size() {
            return blocks.size();
        }

        @Override
        public int alignment() {
            return blocks.alignment();
        }

        @Override
        public void read(long position, MemorySegment target) throws IOException {
            if (fails[0]) {
                throw new IOException("not now");
            }
            blocks.read(position, target);
        }
    }

    @Test
    void whatCouldNotBeReadIsReadAgainSoon() throws IOException {
        boolean[] fails = new boolean[1];
        try (FileBlocks source = FileBlocks.open(image)) {
            for (Duration again : List.of(Duration.ofDays(1), Duration.ofMillis(1))) {
                try (Xal xal = Xal.open(new Failing(source, fails))) {
                    Tree tree = new Tree(xal, again);
                    Entry large = find(tree, "large");
                    fails[0] = true;
                    // Its inode was read, its blocks were not.
                    Tree.Directory content = tree.list(large);
                    assertThat(content.problems()).isNotEmpty();
                    fails[0] = false;
                    if (again.toDays() > 0) {
                        assertThat(tree.list(large)).isSameAs(content);
                        continue;
                    }
                    long deadline = System.nanoTime() + 30_000_000_000L;
                    while (tree.list(large).names().size() < NAMES) {
                        assertThat(System.nanoTime() - deadline).isNegative();
                        Thread.onSpinWait();
                    }
                }
            }
        }
    }

    @Test
    void aDirectoryThatIsBeneathItselfIsNoWayDown() throws Exception {
        open(tree -> {
            Attributes bottom = tree.attributes(find(tree, "above/below/bottom"));
            assertThat(bottom).isNotNull();
        });
        long above;
        try (FileBlocks source = FileBlocks.open(image);
                Xal xal = Xal.open(source)) {
            above = xal.lookup("/above").inode().number();
        }
        // What was named bottom is named above anew.
        Xfs.run(
                "xfs_db",
                "-x",
                "-c",
                "inode " + below,
                "-c",
                "write u3.sfdir3.list[0].inumber.i4 " + above,
                image.toString());
        open(tree -> {
            assertThat(find(tree, "above/below").path()).isEqualTo("/above/below");
            assertThatThrownBy(() -> find(tree, "above/below/bottom"))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(
                            "a directory has one name: it is /above, and /above/below/bottom names it too");
        });
    }
}
