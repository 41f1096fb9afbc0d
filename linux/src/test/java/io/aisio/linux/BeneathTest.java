package io.aisio.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BeneathTest {
    @TempDir
    Path folder;

    @Test
    void listsMoreNamesThanOnePieceHolds() throws IOException {
        for (int i = 0; i < 2_000; i++) {
            Files.createFile(folder.resolve("a-name-that-takes-some-room-" + i));
        }
        try (Beneath directory = Beneath.directory(folder)) {
            Set<String> names = directory.list().stream()
                    .filter(name -> !name.isDot())
                    .map(name -> new String(name.bytes(), UTF_8))
                    .collect(Collectors.toSet());
            assertThat(names).hasSize(2_000).contains("a-name-that-takes-some-room-1999");
            assertThat(directory.list()).as("again from its beginning").hasSize(2_002);
        }
    }

    @Test
    void neverFollowsALinkOnTheWayOrAtTheEnd() throws IOException {
        Files.createDirectories(folder.resolve("real/inner"));
        Files.createSymbolicLink(folder.resolve("link"), Path.of("real"));
        try (Beneath directory = Beneath.directory(folder)) {
            directory.openDirectory("real/inner".getBytes(UTF_8), "inner").close();
            for (String path : new String[] {"link", "link/inner"}) {
                assertThatThrownBy(() -> directory.openDirectory(path.getBytes(UTF_8), path))
                        .isInstanceOfSatisfying(
                                LinuxException.class, e -> assertThat(e.errno()).isIn(Errno.ELOOP, Errno.ENOTDIR));
            }
            assertThatThrownBy(() -> directory.openDirectory("..".getBytes(UTF_8), "above"))
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EXDEV));
        }
    }

    @Test
    void tellsWhatJavaTellsOfAFile() throws IOException {
        Path file = Files.write(folder.resolve("file"), new byte[12_345]);
        Files.createLink(folder.resolve("other"), file);
        try (Beneath directory = Beneath.directory(folder)) {
            FileStatus status = directory.status("file".getBytes(UTF_8), "file");
            assertThat(status.size()).isEqualTo(12_345);
            assertThat(status.links()).isEqualTo(2);
            assertThat(status.mode()).isEqualTo(Files.getAttribute(file, "unix:mode"));
            assertThat(status.inode()).isEqualTo(Files.getAttribute(file, "unix:ino"));
            assertThat(status.modified())
                    .isEqualTo(Files.getLastModifiedTime(file).toInstant());
        }
    }

    @Test
    void aUseAfterCloseIsAnException() throws IOException {
        Beneath directory = Beneath.directory(folder);
        directory.close();
        directory.close();
        assertThatThrownBy(directory::list)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }
}
