package io.aisio.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReadableFilesTest {
    @TempDir
    private Path folder;

    private final ReadableFiles files = new ReadableFiles(2);

    @BeforeEach
    void fill() throws IOException {
        Files.write(Files.createDirectory(folder.resolve("a")).resolve("file"), "content".getBytes(UTF_8));
    }

    private int open(int file, String path) throws LinuxException {
        try (Beneath directory = Beneath.directory(folder)) {
            return files.open(file, directory, path.getBytes(UTF_8), false);
        }
    }

    @Test
    void readsOneFileAfterAnotherByOneNumber() throws IOException {
        Files.write(folder.resolve("other"), new byte[5000]);
        try (files;
                Mapping memory = Mapping.anonymous(1)) {
            for (int round = 0; round < 3; round++) {
                assertThat(open(0, "a/file")).isZero();
                assertThat(files.isRegular()).isTrue();
                assertThat(files.size()).isEqualTo(7);
                assertThat(files.read(0, memory.segment(), 100, 200, 3)).isEqualTo(4);
                assertThat(memory.segment().asSlice(100, 4).toArray(ValueLayout.JAVA_BYTE))
                        .isEqualTo("tent".getBytes(UTF_8));
                assertThat(files.read(0, memory.segment(), 0, 1, 7)).isZero();
                files.close(0);
                assertThat(open(0, "other")).isZero();
                assertThat(files.size()).isEqualTo(5000);
                files.close(0);
                files.close(0);
            }
        }
    }

    @Test
    void tellsWhatTheFileIsNow() throws IOException {
        try (files;
                Beneath directory = Beneath.directory(folder.resolve("a"))) {
            assertThat(open(1, "a/file")).isZero();
            FileStatus status = directory.status("file".getBytes(UTF_8), "file");
            Instant changed = status.changed();
            assertThat(files.inode()).isEqualTo(status.inode());
            assertThat(files.changedNanos()).isEqualTo(changed.getEpochSecond() * 1_000_000_000L + changed.getNano());
            assertThat(files.device())
                    .isEqualTo(((long) status.device().major() << 32)
                            | status.device().minor());
            Files.write(folder.resolve("a/file"), new byte[9]);
            Files.setLastModifiedTime(folder.resolve("a/file"), FileTime.fromMillis(1));
            assertThat(files.look(1)).isZero();
            assertThat(files.size()).isEqualTo(9);
            assertThat(files.look(directory, "file".getBytes(UTF_8))).isZero();
            assertThat(files.inode()).isEqualTo(status.inode());
        }
    }

    @Test
    void opensNothingElsewhere() throws Exception {
        Files.createSymbolicLink(folder.resolve("link"), Path.of("a/file"));
        Files.createSymbolicLink(folder.resolve("up"), Path.of("a"));
        try (files;
                Beneath directory = Beneath.directory(folder)) {
            assertThat(open(0, "no")).isEqualTo(Errno.ENOENT);
            assertThat(open(0, "link")).isEqualTo(Errno.ELOOP);
            assertThat(open(0, "up/file")).isEqualTo(Errno.ELOOP);
            assertThat(open(0, "../x")).isEqualTo(Errno.EXDEV);
            assertThat(open(0, "a/" + "x".repeat(256))).isEqualTo(Errno.ENAMETOOLONG);
            assertThat(open(0, "a/".repeat(3000))).isEqualTo(Errno.ENAMETOOLONG);
            assertThat(files.look(directory, "link".getBytes(UTF_8))).isZero();
            assertThat(files.isRegular() || files.isDirectory()).isFalse();
            assertThat(open(0, "a")).isZero();
            assertThat(files.isDirectory()).isTrue();
            assertThat(files.isRegular()).isFalse();
        }
    }

    @Test
    void waitsForNoPipe() throws Exception {
        Process made = new ProcessBuilder("mkfifo", folder.resolve("pipe").toString()).start();
        assumeTrue(made.waitFor() == 0, "needs mkfifo");
        try (files) {
            assertThat(open(0, "pipe")).isZero();
            assertThat(files.isRegular()).isFalse();
        }
    }

    @Test
    void doesNotWaitForEverForWhoHoldsALease() throws Exception {
        // fcntl.h: F_SETSIG, F_SETLEASE; F_WRLCK, F_UNLCK. The signal is one that ends no process: SIGURG.
        try (files;
                OpenFile holder = OpenFile.open(folder.resolve("a/file"), OpenFile.Access.READ_WRITE)) {
            holder.enter();
            try {
                assumeTrue(
                        Libc.fcntl(holder.descriptor(), 10, 23) == 0 && Libc.fcntl(holder.descriptor(), 1024, 1) == 0,
                        "needs a file system with leases");
                long begun = System.nanoTime();
                assertThat(open(0, "a/file")).isEqualTo(Errno.EAGAIN);
                assertThat(System.nanoTime() - begun).isBetween(1_000_000_000L, 20_000_000_000L);
                assertThat(Libc.fcntl(holder.descriptor(), 1024, 2)).isZero();
            } finally {
                holder.leave();
            }
            assertThat(open(0, "a/file")).isZero();
        }
    }

    @Test
    void readsOnThroughTheCache() throws IOException {
        try (files;
                Beneath directory = Beneath.directory(folder);
                Mapping memory = Mapping.anonymous(1)) {
            int errno = files.open(0, directory, "a/file".getBytes(UTF_8), true);
            assumeTrue(
                    errno == 0 && files.read(0, memory.segment(), 1, 3, 1) == -Errno.EINVAL,
                    "needs a file system that reads whole blocks past the page cache");
            assertThat(files.throughCache(0)).isZero();
            assertThat(files.read(0, memory.segment(), 1, 3, 1)).isEqualTo(3);
        }
    }

    @Test
    void refusesNumbersThatAreInUseOrAreNot() throws IOException {
        try (files;
                Mapping memory = Mapping.anonymous(1)) {
            assertThat(open(0, "a/file")).isZero();
            assertThatThrownBy(() -> open(0, "a/file")).hasMessage("file 0 is open");
            assertThatThrownBy(() -> files.look(1)).hasMessage("file 1 is not open");
            assertThatThrownBy(() -> files.read(0, memory.segment(), 4096, 1, 0))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
        assertThatThrownBy(() -> files.look(0)).hasMessage("file 0 is not open");
    }
}
