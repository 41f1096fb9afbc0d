package io.aisio.xnvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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
    void aQueueCarriesOutWhatItIsGiven() throws IOException {
        try (Device device = Device.open(image.toString());
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
