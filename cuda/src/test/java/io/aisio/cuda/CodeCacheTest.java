package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.FileStatus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The cache of compiled kernels: what is found is what was kept, or nothing. */
class CodeCacheTest {
    private static final byte[] CODE = "code for a GPU".getBytes(StandardCharsets.UTF_8);

    @TempDir
    Path temporary;

    private Path folder;
    private String key;

    @BeforeEach
    void chooseAFolder() {
        folder = temporary.resolve("home/cache/aisio");
        key = key("name", "source", Map.of("header", "text"), List.of("-option"), "NVRTC 13.0");
    }

    private static String key(
            String name, String source, Map<String, String> headers, List<String> options, String compiler) {
        return CodeCache.key(name, source, headers, options, compiler);
    }

    private Path file() {
        return folder.resolve(key + ".cubin");
    }

    @Test
    void findsWhatWasKeptInAFolderOfThisUserAlone() throws IOException {
        CodeCache cache = CodeCache.in(folder);
        assertThat(cache.find(key)).isNull();
        cache.keep(key, CODE);
        assertThat(cache.find(key)).isEqualTo(CODE);
        assertThat(CodeCache.in(folder).find(key)).as("another process").isEqualTo(CODE);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
                .isEqualTo("rwx------");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).as("nothing half-written is left").containsExactly(file());
        }
    }

    @Test
    void keyTellsEveryPartFromEveryOther() {
        assertThat(List.of(
                        key,
                        key("other", "source", Map.of("header", "text"), List.of("-option"), "NVRTC 13.0"),
                        key("name", "other", Map.of("header", "text"), List.of("-option"), "NVRTC 13.0"),
                        key("name", "source", Map.of("other", "text"), List.of("-option"), "NVRTC 13.0"),
                        key("name", "source", Map.of("header", "other"), List.of("-option"), "NVRTC 13.0"),
                        key("name", "source", Map.of("header", "text"), List.of("-other"), "NVRTC 13.0"),
                        key("name", "source", Map.of("header", "text"), List.of("-option"), "NVRTC 13.1"),
                        key("namesource", "", Map.of("header", "text"), List.of("-option"), "NVRTC 13.0"),
                        key("name", "source", Map.of(), List.of("header", "text", "-option"), "NVRTC 13.0x")))
                .doesNotHaveDuplicates();
    }

    /** Every byte of a file counts: the sign, the key, the sum, the code. */
    @Test
    void findsNothingInAFileThatIsDamaged() throws IOException {
        CodeCache cache = CodeCache.in(folder);
        cache.keep(key, CODE);
        byte[] whole = Files.readAllBytes(file());
        for (int i = 0; i < whole.length; i++) {
            byte[] damaged = whole.clone();
            damaged[i] ^= 4;
            Files.write(file(), damaged);
            assertThat(cache.find(key)).as("byte %d is another", i).isNull();
        }
        for (int length : new int[] {0, 1, 71, 72, whole.length - 1}) {
            Files.write(file(), java.util.Arrays.copyOf(whole, length));
            assertThat(cache.find(key)).as("cut after %d bytes", length).isNull();
        }
        cache.keep(key, CODE);
        assertThat(cache.find(key)).as("kept anew").isEqualTo(CODE);
    }

    @Test
    void findsNothingInAFileOfSomethingElse() throws IOException {
        CodeCache cache = CodeCache.in(folder);
        String other = key("other", "", Map.of(), List.of(), "");
        cache.keep(other, CODE);
        Files.move(folder.resolve(other + ".cubin"), file());
        assertThat(cache.find(key)).isNull();
        Files.delete(file());
        Files.createSymbolicLink(file(), Path.of("/dev/zero"));
        assertThat(cache.find(key)).as("a link").isNull();
        cache.keep(key, CODE);
        assertThat(cache.find(key)).as("the link is replaced").isEqualTo(CODE);
    }

    @Test
    void keepsNothingWhereOthersMayWrite() throws IOException {
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        CodeCache cache = CodeCache.in(folder);
        cache.keep(key, CODE);
        assertThat(cache.folder()).isNull();
        assertThat(cache.find(key)).isNull();
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).isEmpty();
        }
    }

    @Test
    void keepsNothingInAFolderOfAnother() throws IOException {
        assumeTrue(FileStatus.effectiveUser() == 0, "needs root");
        Files.createDirectories(folder);
        Files.setAttribute(folder, "unix:uid", 1234);
        assertThat(CodeCache.in(folder).folder()).isNull();
    }

    @Test
    void doesWithoutAFolderThatCannotBe() throws IOException {
        Path file = Files.createFile(temporary.resolve("file"));
        CodeCache cache = CodeCache.in(file.resolve("aisio"));
        cache.keep(key, CODE);
        assertThat(cache.find(key)).isNull();
        assertThat(CodeCache.in(file).folder()).as("a file").isNull();
        assertThat(CodeCache.in(Path.of("/proc/aisio")).folder()).isNull();
    }

    @Test
    void goesOnWhenItsFolderIsRemoved() throws IOException {
        CodeCache cache = CodeCache.in(folder);
        Files.delete(folder);
        cache.keep(key, CODE);
        assertThat(cache.find(key)).isNull();
    }
}
