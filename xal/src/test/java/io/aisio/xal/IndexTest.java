package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An index of an image, against the image itself. */
class IndexTest {
    @TempDir
    Path folder;

    private XfsImage image() throws Exception {
        Path tree = folder.resolve("tree");
        for (int i = 0; i < 400; i++) {
            XfsImage.fill(tree.resolve("d" + i % 7 + "/e" + i % 3 + "/größe-" + i), i * 37);
        }
        XfsImage.fill(tree.resolve("n".repeat(255)), 5_000_001);
        return XfsImage.of(folder, tree, "link l--777 0 0 /nowhere\n");
    }

    @Test
    void tellsTheSameAsTheImageInTheSameOrder() throws Exception {
        XfsImage image = image();
        String name = "test-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks);
                Index index = xal.index();
                Index shared = xal.index(name);
                Index attached = Index.attach(name)) {
            Map<String, Entry> expected = new HashMap<>();
            List<String> order = new ArrayList<>();
            xal.walk("/", new XalTest.Collect(expected, order));
            assertThat(order).hasSizeGreaterThan(400);
            for (Index some : List.of(index, shared, attached)) {
                Map<String, Entry> found = new HashMap<>();
                List<String> foundOrder = new ArrayList<>();
                some.walk("/", new XalTest.Collect(found, foundOrder));
                assertThat(foundOrder).isEqualTo(order);
                assertThat(found).isEqualTo(expected);
                assertThat(some.problems()).isEmpty();
                assertThat(some.volume()).isEqualTo(xal.volume());
                assertThat(some.status()).isEqualTo(new Index.Status(Index.State.CURRENT, ""));
                assertThat(some.files() + some.directories()).isEqualTo(order.size());
                assertThat(some.bytes()).isPositive();
                for (Entry entry : expected.values()) {
                    FileExtents extents = some.extents(entry.path());
                    assertThat(some.lookup(entry.path())).isEqualTo(entry);
                    assertThat(some.find(entry.path())).isEqualTo(entry.inode().number());
                    assertThat(some.isCurrent(extents)).isTrue();
                    if (entry.type() == FileType.REGULAR) {
                        assertThat(extents.extents()).isEqualTo(xal.extents(entry));
                        assertThat(extents.pieces()).isEqualTo(xal.pieces(entry));
                    }
                }
                assertThat(some.lookup("//d1//e1/").path()).isEqualTo("/d1/e1");
                assertThatThrownBy(() -> some.lookup("/link/more")).isInstanceOf(NotDirectoryException.class);
                assertThatThrownBy(() -> some.lookup("d1")).isInstanceOf(NoSuchFileException.class);
            }
            FileExtents before = attached.extents("/d1/e1/größe-1");
            shared.refresh();
            assertThat(attached.find("/d1/e1/größe-1")).isEqualTo(before.inode().number());
            assertThat(attached.isCurrent(before))
                    .as("unchanged by reading again")
                    .isTrue();
            assertThatThrownBy(attached::refresh).isInstanceOf(IllegalStateException.class);
            shared.close();
            shared.close();
            assertThat(attached.status().state()).isEqualTo(Index.State.OWNER_GONE);
            assertThatThrownBy(() -> index(shared)).isInstanceOf(IllegalStateException.class);
            assertThat(Files.exists(Path.of("/dev/shm/aisio-" + name))).isFalse();
        }
    }

    private static Entry index(Index index) throws IOException {
        return index.lookup("/");
    }

    @Test
    void refusesNamesThatAreNone() {
        for (String name : List.of("", "a/b", "../x", "x".repeat(201), "a\0b")) {
            assertThatThrownBy(() -> Index.attach(name))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("cannot name a shared index");
        }
    }
}
