package io.aisio.xnvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileDeviceTest {
    private static final int BLOCKS = 64;

    @TempDir
    Path folder;

    private Path image;
    private final byte[] content = new byte[BLOCKS * 512 + 100];

    @BeforeEach
    void writeAnImage() throws IOException {
        new Random(1).nextBytes(content);
        image = Files.write(folder.resolve("image"), content);
    }

    private byte[] bytes(Buffer buffer, long offset, int length) {
        return buffer.segment().asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
    }

    private byte[] blocks(int first, int n) {
        return java.util.Arrays.copyOfRange(content, first * 512, (first + n) * 512);
    }

    @Test
    void readsAndWritesWholeBlocks() throws IOException {
        try (Device device = Device.open(image.toString());
                Buffer buffer = device.allocate(4096)) {
            assertThat(device.geometry().lbaCount())
                    .as("a partial block at the end does not count")
                    .isEqualTo(BLOCKS);
            assertThat(device.geometry().lbaBytes()).isEqualTo(512);
            device.read(3, buffer);
            assertThat(bytes(buffer, 0, 4096)).isEqualTo(blocks(3, 8));
            buffer.segment().fill((byte) 7);
            device.write(10, buffer, 0, 1024);
            device.flush();
            assertThat(java.util.Arrays.copyOfRange(Files.readAllBytes(image), 5120, 6144))
                    .containsOnly(7);
            assertThat(java.util.Arrays.copyOfRange(Files.readAllBytes(image), 6144, 6656))
                    .isEqualTo(blocks(12, 1));
        }
    }

    @Test
    void aQueueOfCallsCarriesOutWhatItIsGivenInOrder() throws IOException {
        try (Device device = Device.open(image + "?path=pread");
                Buffer buffer = device.allocate(4096);
                Queue queue = device.openQueue(4)) {
            for (int slot = 0; slot < 4; slot++) {
                queue.bindRead(slot, buffer, slot * 512L, 512);
            }
            queue.submit(new int[] {2, 0, 3}, new long[] {5, 9, BLOCKS}, 3);
            assertThat(queue.outstanding()).isEqualTo(3);
            int[] completed = new int[2];
            assertThat(queue.poll(completed)).isEqualTo(2);
            assertThat(completed).containsExactly(2, 0);
            assertThat(queue.poll(completed)).isEqualTo(1);
            assertThat(completed[0]).isEqualTo(~3);
            assertThat(queue.failure(3)).hasMessageContaining("beyond the end at LBA 64");
            assertThat(queue.poll(completed)).isZero();
            assertThat(bytes(buffer, 1024, 512)).isEqualTo(blocks(5, 1));
            assertThat(bytes(buffer, 0, 512)).isEqualTo(blocks(9, 1));
            assertThatThrownBy(() -> queue.failure(2)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void thePathThatIsAskedForIsTheOneThatIsTaken() throws IOException {
        try (Device device = Device.open(image + "?path=pread&buffered")) {
            assertThat(device.path()).isEqualTo("kernel, pread and pwrite, page cache");
            assertThat(device.capabilities()).hasToString("system calls, writes, buffered");
        }
        try (Device device = uring(image + "?path=uring&buffered&readonly")) {
            assertThat(device.path()).startsWith("kernel, io_uring, page cache");
            assumeTrue(!device.path().contains("not registered"), "needs registered buffers: " + device.path());
            assertThat(device.capabilities())
                    .hasToString("io_uring, buffered, sleeps, registered buffers, registered file");
        }
        try (Device device = uring(image + "?sqpoll&buffered")) {
            assertThat(device.path()).startsWith("kernel, io_uring, submission polled, page cache");
            assertThat(device.capabilities().has(Capabilities.Trait.SUBMISSION_POLLED))
                    .isTrue();
        }
    }

    private static Device uring(String name) throws IOException {
        try {
            return Device.open(name);
        } catch (IOException e) {
            return abort("needs io_uring: " + e.getMessage());
        }
    }

    @Test
    void refusesOptionsThatExcludeEachOther() {
        assertThatThrownBy(() -> Device.open(image + "?path=fast")).hasMessageContaining("path=uring and path=pread");
        assertThatThrownBy(() -> Device.open(image + "?direct&buffered")).hasMessageContaining("one of both");
        assertThatThrownBy(() -> Device.open(image + "?path=pread&sqpoll")).hasMessageContaining("only io_uring polls");
        assertThatThrownBy(() -> Device.open(image + "?iopoll&buffered")).hasMessageContaining("leave out buffered");
    }

    @Test
    void whatCannotGoPastThePageCacheIsRefusedOnlyIfThatWasAskedFor() throws IOException {
        Path memory = Path.of(
                "/dev/shm/aisio-file-device-test-" + ProcessHandle.current().pid());
        assumeTrue(Files.isWritable(memory.getParent()), "needs /dev/shm");
        try {
            Files.write(memory, content);
            try (Device device = Device.open(memory.toString())) {
                assumeTrue(
                        device.path().contains("page cache"), "needs a tmpfs that reads nothing past the page cache");
                assertThat(device.path()).contains("(not direct: " + memory + ": the file system reads nothing past");
                assertThat(device.capabilities().has(Capabilities.Trait.BUFFERED))
                        .isTrue();
            }
            assertThatThrownBy(() -> Device.open(memory + "?direct"))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("reads nothing past the page cache");
        } finally {
            Files.deleteIfExists(memory);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"?path=pread&buffered", "?path=uring&buffered", "?path=uring", "?path=pread", ""})
    void aFileThatBecomesShorterEndsItsReads(String options) throws IOException {
        try (Device device = uring(image + options);
                Buffer buffer = device.allocate(8192);
                Queue queue = device.openQueue(2)) {
            queue.bindRead(0, buffer, 0, 4096);
            queue.bindRead(1, buffer, 4096, 4096);
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(10 * 512 + 300);
            }
            queue.submit(new int[] {0, 1}, new long[] {0, 8}, 2);
            int[] completed = new int[2];
            int n = queue.await(completed);
            while (queue.outstanding() > 0) {
                int[] more = new int[2];
                int m = queue.await(more);
                System.arraycopy(more, 0, completed, n, m);
                n += m;
            }
            assertThat(completed).containsExactlyInAnyOrder(0, ~1);
            assertThat(queue.failure(1))
                    .hasMessageContaining("ended after " + (2 * 512 + 300) + " of 4096 bytes at LBA 8");
            assertThatThrownBy(() -> device.read(8, buffer, 0, 4096))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("ended after " + (2 * 512 + 300) + " of 4096 bytes at LBA 8");
            queue.submit(new int[] {1}, new long[] {0}, 1);
            assertThat(queue.await(completed)).isEqualTo(1);
            assertThat(completed[0]).isEqualTo(1);
            assertThat(bytes(buffer, 4096, 4096)).isEqualTo(blocks(0, 8));
        }
    }

    @Test
    void aWriteWithoutSpaceFailsWithItsErrno() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root, to mount a small tmpfs");
        Path mount = Files.createDirectory(folder.resolve("full"));
        assumeTrue(
                new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=64k", "none", mount.toString())
                                .start()
                                .waitFor()
                        == 0,
                "needs the right to mount");
        try {
            Path file = mount.resolve("image");
            try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
                sparse.setLength(1 << 20);
            }
            for (String path : List.of("pread", "uring")) {
                try (Device device = uring(file + "?path=" + path);
                        Buffer buffer = device.allocate(1 << 20);
                        Queue queue = device.openQueue(1)) {
                    queue.bindWrite(0, buffer, 0, 1 << 20);
                    queue.submit(new int[] {0}, new long[1], 1);
                    int[] completed = new int[1];
                    assertThat(queue.await(completed)).isEqualTo(1);
                    assertThat(completed[0]).isEqualTo(~0);
                    assertThat(queue.failure(0)).hasMessageContaining("ENOSPC");
                    assertThatThrownBy(() -> device.write(0, buffer)).hasMessageContaining("ENOSPC");
                }
            }
        } finally {
            assertThat(new ProcessBuilder("umount", mount.toString()).start().waitFor())
                    .isZero();
        }
    }

    @Test
    void aQueueRefusesSlotsThatCannotBeSubmitted() throws IOException {
        try (Device device = Device.open(image.toString());
                Buffer buffer = device.allocate(4096)) {
            Queue queue = device.openQueue(2);
            queue.bindWrite(0, buffer, 0, 512);
            assertThatThrownBy(() -> queue.submit(new int[] {0, 1}, new long[2], 2))
                    .hasMessageContaining("no command bound");
            assertThatThrownBy(() -> queue.submit(new int[] {0, 0}, new long[2], 2))
                    .hasMessageContaining("in flight already");
            assertThatThrownBy(() -> queue.submit(new int[] {2}, new long[1], 1))
                    .hasMessageContaining("does not exist");
            assertThatThrownBy(() -> queue.bindRead(2, buffer, 0, 512)).hasMessageContaining("slot 2");
            assertThatThrownBy(() -> queue.bindRead(0, buffer, 0, 100)).hasMessageContaining("no multiple");
            assertThatThrownBy(() -> queue.bindRead(0, buffer, 0, 2 << 20)).hasMessageContaining("at most 1048576");
            assertThatThrownBy(() -> queue.bindRead(0, buffer, 4096, 512))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(queue.outstanding()).isZero();
            queue.close();
            assertThatThrownBy(() -> queue.submit(new int[] {0}, new long[1], 1))
                    .hasMessageContaining("closed");
        }
    }

    @Test
    void refusesToWriteWhatWasOpenedReadOnly() throws IOException {
        try (Device device = Device.open(image + "?readonly");
                Buffer buffer = device.allocate(4096)) {
            device.read(0, buffer);
            assertThatThrownBy(() -> device.write(0, buffer)).hasMessageContaining("read-only");
        }
        assertThat(Files.readAllBytes(image)).isEqualTo(content);
    }

    @Test
    void refusesWhatIsNoDevice() throws IOException {
        Path empty = Files.createFile(folder.resolve("empty"));
        assertThatThrownBy(() -> Device.open(empty.toString())).hasMessageContaining("truncate -s 1G");
        assertThatThrownBy(() -> Device.open(folder.toString())).hasMessageContaining("is a folder");
        assertThatThrownBy(() -> Device.open(folder.resolve("none").toString())).hasMessageContaining("no such file");
        assertThatThrownBy(() -> Device.open(image + "?lba=1000")).hasMessageContaining("power of two");
        assertThatThrownBy(() -> Device.open(image + "?speed=high")).hasMessageContaining("no option 'speed'");
    }

    @Test
    void aClosedBufferIsAnExceptionAndNoCrash() throws IOException {
        try (Device device = Device.open(image.toString())) {
            Buffer buffer = device.allocate(4096);
            MemorySegment segment = buffer.segment();
            buffer.close();
            assertThatThrownBy(() -> device.read(0, buffer)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void aFileThatIsBeingWrittenIsNotOpenedASecondTime() throws IOException {
        try (Device writer = Device.open(image.toString())) {
            assertThat(writer.geometry().lbaCount()).isEqualTo(BLOCKS);
            assertThatThrownBy(() -> Device.open(image + "?readonly"))
                    .hasMessageContaining("in use by somebody else")
                    .hasMessageContaining("close the other program");
        }
        try (Device one = Device.open(image + "?readonly");
                Device two = Device.open(image + "?readonly")) {
            assertThat(one.geometry()).isEqualTo(two.geometry());
        }
    }
}
