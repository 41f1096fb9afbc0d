package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The index of an image, against a walk of it. */
class IndexOfImageTest {
    @TempDir
    private Path folder;

    @Test
    void holdsWhatAWalkFinds() throws Exception {
        Path tree = folder.resolve("tree");
        for (int i = 0; i < 300; i++) {
            XfsImage.fill(tree.resolve("d" + i % 7 + "/e" + i % 3 + "/f" + i), i * 100);
        }
        Files.createDirectories(tree.resolve("empty/below"));
        XfsImage image = XfsImage.of(folder, tree, "", "-b", "size=4096");
        try (FileBlocks blocks = FileBlocks.open(image.path());
                Xal xal = Xal.open(blocks);
                Index index = xal.index()) {
            assertThat(index.problems()).isEmpty();
            Map<String, Entry> walked = new TreeMap<>();
            xal.walk("/", visitor(walked));
            Map<String, Entry> indexed = new TreeMap<>();
            index.walk("/", visitor(indexed));
            assertThat(indexed).isEqualTo(walked);
            for (Entry entry : walked.values()) {
                assertThat(index.lookup(entry.path())).isEqualTo(entry);
                if (entry.type() == FileType.REGULAR) {
                    List<Extent> extents = xal.extents(entry);
                    assertThat(index.extents(entry.path()).extents()).isEqualTo(extents);
                }
            }
            assertThatThrownBy(() -> index.lookup("/d1/none")).isInstanceOf(NoSuchFileException.class);
            index.refresh();
            assertThat(index.problems()).isEmpty();
        }
    }

    private static Xal.Visitor visitor(Map<String, Entry> found) {
        return new Xal.Visitor() {
            @Override
            public void visit(Entry entry) {
                assertThat(found.put(entry.path(), entry)).isNull();
            }

            @Override
            public void damaged(String path, IOException problem) throws IOException {
                throw new IOException(path, problem);
            }
        };
    }
}
