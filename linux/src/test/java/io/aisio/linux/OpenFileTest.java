package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OpenFileTest {
    @TempDir
    Path folder;

    @Test
    void readsAndWritesAtPositionsAsJavaSeesThem() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[10_000]);
        try (Arena arena = Arena.ofConfined();
                OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
            MemorySegment bytes = arena.allocateFrom("somewhere");
            file.write(bytes, 5000);
            file.flush();
            assertThat(file.size()).isEqualTo(10_000);
            assertThat(new String(Files.readAllBytes(path), 5000, 9)).isEqualTo("somewhere");

            MemorySegment back = arena.allocate(100);
            assertThat(file.read(back, 4998)).isEqualTo(100);
            assertThat(back.getString(2)).isEqualTo("somewhere");
            assertThat(file.read(back, 9_990)).as("only what is left").isEqualTo(10);
            assertThat(file.read(back, 20_000)).as("beyond the end").isZero();
        }
    }

    @Test
    void saysWhichCallFailedOnWhatAndWhy() {
        Path missing = folder.resolve("missing");
        assertThatThrownBy(() -> OpenFile.open(missing, OpenFile.Access.READ_ONLY))
                .isInstanceOfSatisfying(LinuxException.class, e -> {
                    assertThat(e.errno()).isEqualTo(Errno.ENOENT);
                    assertThat(e.call()).isEqualTo("open");
                })
                .hasMessage(missing + ": no such file (open: ENOENT)");
    }

    @Test
    void aFileOpenedForReadingIsNotWritten() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[512]);
        try (Arena arena = Arena.ofConfined();
                OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY)) {
            assertThatThrownBy(() -> file.write(arena.allocate(1), 0)).hasMessageContaining("EBADF");
        }
    }

    @Test
    void opensOnceMoreWhatIsOpenWhateverItsPathNamesMeanwhile() throws IOException {
        Path path = Files.writeString(folder.resolve("file"), "old");
        try (Arena arena = Arena.ofConfined();
                OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
            Files.move(path, folder.resolve("elsewhere"));
            Files.writeString(path, "new");
            try (OpenFile again = file.again(false)) {
                MemorySegment bytes = arena.allocate(8);
                assertThat(again.read(bytes, 0)).isEqualTo(3);
                assertThat(bytes.getString(0)).isEqualTo("old");
                assertThat(again.status().isSameFile(file.status())).isTrue();
                assertThat(again.access()).isEqualTo(OpenFile.Access.READ_WRITE);
                assertThat(again.path()).isEqualTo(path);
                again.write(arena.allocateFrom("x"), 0);
            }
            assertThat(path).hasContent("new");
        }
    }

    @Test
    void aFullDiskIsAnError() throws IOException {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full), "needs /dev/full");
        try (Arena arena = Arena.ofConfined();
                OpenFile file = OpenFile.open(full, OpenFile.Access.READ_WRITE)) {
            assertThatThrownBy(() -> file.write(arena.allocate(512), 0))
                    .hasMessage("/dev/full: no space left on the device (pwrite: ENOSPC)");
        }
    }

    @Test
    void aClosedFileIsAJavaExceptionAndNoReusedDescriptor() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[512]);
        OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY);
        file.close();
        file.close();
        try (OpenFile another = OpenFile.open(path, OpenFile.Access.READ_ONLY);
                Arena arena = Arena.ofConfined()) {
            assertThat(another.size()).isEqualTo(512);
            assertThatThrownBy(() -> file.read(arena.allocate(1), 0)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void aMappingIsZeroedAndRefusesUseAfterClose() throws IOException {
        Mapping mapping = Mapping.anonymous(5000);
        MemorySegment segment = mapping.segment();
        assertThat(segment.byteSize()).isEqualTo(8192);
        assertThat(segment.address() % Mapping.PAGE_SIZE).isZero();
        assertThat(segment.mismatch(MemorySegment.ofArray(new byte[8192]))).isEqualTo(-1);
        mapping.close();
        mapping.close();
        assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> Mapping.anonymous(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Mapping.anonymous(1L << 60)).hasMessageContaining("out of memory (mmap: ENOMEM)");
    }

    @Test
    void aFileThatIsWrittenIsClaimedByOneAndAFileThatIsReadByMany() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[512]);
        try (OpenFile writer = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
            writer.claim();
            try (OpenFile reader = OpenFile.open(path, OpenFile.Access.READ_ONLY)) {
                assertThatThrownBy(reader::claim).hasMessage(path + ": in use by somebody else (flock: EAGAIN)");
            }
        }
        try (OpenFile one = OpenFile.open(path, OpenFile.Access.READ_ONLY);
                OpenFile two = OpenFile.open(path, OpenFile.Access.READ_ONLY);
                OpenFile writer = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
            one.claim();
            two.claim();
            assertThatThrownBy(writer::claim).hasMessageContaining("in use by somebody else");
        }
    }

    @Test
    void makesAFileOnceAndFollowsNoLink() throws IOException {
        Path path = folder.resolve("new");
        Path link = Files.createSymbolicLink(folder.resolve("link"), path);
        assertThatThrownBy(() -> OpenFile.create(link, 0600)).hasMessageContaining("exists already (open: EEXIST)");
        try (OpenFile made = OpenFile.create(path, 0600)) {
            FileStatus status = made.status();
            assertThat(status.isRegular()).isTrue();
            assertThat(status.mode() & 0777).isEqualTo(0600);
            assertThat(status.owner()).isEqualTo(((Integer) Files.getAttribute(path, "unix:uid")).longValue());
            assertThat(status.owner()).isEqualTo(FileStatus.effectiveUser());
            assertThat(status.inode()).isEqualTo(Files.getAttribute(path, "unix:ino"));
            assertThatThrownBy(() -> OpenFile.create(path, 0600)).hasMessageContaining("EEXIST");
            assertThatThrownBy(() -> OpenFile.openItself(link, OpenFile.Access.READ_ONLY))
                    .hasMessageContaining("a symbolic link, which is not followed (open: ELOOP)");
            try (OpenFile again = OpenFile.openItself(path, OpenFile.Access.READ_ONLY)) {
                assertThat(again.status().isSameFile(status)).isTrue();
            }
            Files.delete(path);
            assertThat(made.status().links()).isZero();
        }
    }

    @Test
    void takesSpaceOnlyForWhatIsAllocated() throws IOException {
        try (OpenFile file = OpenFile.create(folder.resolve("sparse"), 0600)) {
            file.resize(1L << 40);
            assertThat(file.size()).isEqualTo(1L << 40);
            assertThat(file.status().allocated()).isZero();
            file.allocate(1L << 20, 8192);
            assertThat(file.status().allocated()).isBetween(8192L, 65536L);
            file.resize(4096);
            assertThat(file.status().size()).isEqualTo(4096);
        }
    }

    @Test
    void whatOneMappingOfAFileWritesAnotherReads() throws IOException {
        Path path = folder.resolve("shared");
        try (OpenFile file = OpenFile.create(path, 0600);
                OpenFile reader = OpenFile.open(path, OpenFile.Access.READ_ONLY)) {
            file.resize(8192);
            try (Mapping writes = Mapping.of(file, 8192);
                    Mapping reads = Mapping.of(reader, 4096)) {
                writes.segment().set(ValueLayout.JAVA_LONG, 4088, 42);
                assertThat(reads.segment().byteSize()).isEqualTo(4096);
                assertThat(reads.segment().get(ValueLayout.JAVA_LONG, 4088)).isEqualTo(42);
                assertThatThrownBy(() -> reads.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1))
                        .isInstanceOf(IllegalArgumentException.class);
            }
            assertThatThrownBy(() -> Mapping.of(file, 100)).hasMessageContaining("not whole pages");
        }
    }

    @Test
    void tellsWhetherSomebodyElseHasAClaim() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[512]);
        try (OpenFile reader = OpenFile.open(path, OpenFile.Access.READ_ONLY)) {
            assertThat(reader.isClaimed()).isFalse();
            try (OpenFile writer = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
                writer.claim();
                assertThat(reader.isClaimed()).isTrue();
            }
            assertThat(reader.isClaimed()).as("closed").isFalse();
        }
    }

    @Test
    void reservesMoreThanThereIs() throws IOException {
        try (Mapping mapping = Mapping.reserve(1L << 42)) {
            mapping.segment().set(ValueLayout.JAVA_BYTE, (1L << 42) - 1, (byte) 7);
            assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, (1L << 42) - 1))
                    .isEqualTo((byte) 7);
        }
    }
}
