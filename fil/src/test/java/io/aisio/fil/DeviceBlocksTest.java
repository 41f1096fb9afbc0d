package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeviceBlocksTest {
    @TempDir
    private Path folder;

    @Test
    void readsBlocksOfADeviceInPiecesLargerThanItsBuffer() throws Exception {
        byte[] content = new byte[3 << 20];
        new Random(6).nextBytes(content);
        Path image = Files.write(folder.resolve("blocks.img"), content);
        try (Device device = Device.open("emu:" + image + "?lba=4096&mdts=3");
                DeviceBlocks blocks = DeviceBlocks.open(device);
                Arena arena = Arena.ofConfined()) {
            assertThat(blocks.size()).isEqualTo(content.length);
            assertThat(blocks.alignment()).isEqualTo(4096);
            MemorySegment target = arena.allocate((2 << 20) + 4096);
            blocks.read(8192, target);
            assertThat(target.mismatch(MemorySegment.ofArray(content).asSlice(8192, target.byteSize())))
                    .isEqualTo(-1);
            assertThatThrownBy(() -> blocks.read(content.length, target.asSlice(0, 4096)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("LBA Out of Range");
            assertThatThrownBy(() -> blocks.read(512, target.asSlice(0, 4096)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("512");
        }
    }
}
