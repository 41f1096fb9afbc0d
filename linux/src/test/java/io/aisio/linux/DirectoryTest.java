package io.aisio.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectoryTest {
    @TempDir
    Path folder;

    private Directory top() throws IOException {
        return Directory.open(folder.toRealPath().toString().getBytes(UTF_8));
    }

    @Test
    void opensWhatIsBelowAndListsIt() throws IOException {
        Files.createDirectories(folder.resolve("a/b/c"));
        Files.createFile(folder.resolve("a/b/file"));
        List<String> names = new ArrayList<>();
        try (Directory top = top();
                Directory below = top.openBelow("a/b".getBytes(UTF_8))) {
            below.list((name, directory) -> names.add(new String(name, UTF_8) + directory));
        }
        assertThat(names).containsExactlyInAnyOrder("ctrue", "filefalse");
    }

    @Test
    void followsNoLinkOnTheWayOrAtTheEnd() throws IOException {
        Files.createDirectories(folder.resolve("real/inner"));
        Files.createSymbolicLink(folder.resolve("link"), Path.of("real"));
        try (Directory top = top()) {
            for (String path : new String[] {"link", "link/inner"}) {
                refuses(top, path, Errno.ELOOP, Errno.ENOTDIR);
            }
            refuses(top, "..", Errno.EXDEV);
            refuses(top, "real/none", Errno.ENOENT);
        }
    }

    private static void refuses(Directory top, String path, Integer... reasons) {
        assertThatThrownBy(() -> top.openBelow(path.getBytes(UTF_8)))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isIn((Object[]) reasons))
                .hasMessageContaining("/" + path);
    }

    @Test
    void cutsAPathWhereANameEnds() {
        byte[] path = ("a".repeat(4094) + "/b/" + "c".repeat(5000)).getBytes(UTF_8);
        assertThat(Beneath.endOfStep(path, 0)).isEqualTo(4094);
        assertThat(Beneath.endOfStep(path, 4095)).isEqualTo(4096);
        assertThat(Beneath.endOfStep(path, 4097))
                .as("one name, that is too long")
                .isEqualTo(path.length);
        assertThat(Beneath.endOfStep("a/b".getBytes(UTF_8), 0)).isEqualTo(3);
    }
}
