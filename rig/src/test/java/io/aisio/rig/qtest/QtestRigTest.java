package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.emu.Completions;
import io.aisio.nvme.Command;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The rig itself: what it notices, and what it leaves. */
class QtestRigTest {
    private static QemuNvme.Builder machine() {
        return QemuNvme.build().controller("").namespace(1 << 20, "");
    }

    /** Memory that the device is told of and that is not given out: some bytes from the end of another piece on. */
    private record Elsewhere(DmaMemory neighbour, long beyond) implements DmaMemory {
        @Override
        public MemorySegment segment() {
            return neighbour.segment();
        }

        @Override
        public long iova(long offset) {
            return neighbour.iova(0) + neighbour.size() + beyond + offset;
        }

        @Override
        public void close() {}
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 3584, 4096, 65536})
    void noticesThatTheDeviceWroteWhereItMustNot(long beyond) throws Exception {
        Rig rig = Rig.start(machine());
        try (Blocks blocks = new Blocks(rig, 1);
                DmaMemory memory = rig.function.allocate(4096)) {
            blocks.pair.bind(1, Command.overBlocks(Opcode.READ, 1, 0, 1), new Elsewhere(memory, beyond), 0, 512);
            blocks.data(512).fill((byte) 0x11);
            assertThat(blocks.write(0, 1).isSuccess()).isTrue();
            blocks.pair.submit(new int[] {1}, new long[1], 1);
            assertThat(Completions.await(blocks.pair, new int[1])).isEqualTo(1);
        } catch (AssertionError guard) {
            assertThat(guard).hasMessageContaining("stray DMA");
        }
        assertThatThrownBy(rig::close)
                .isInstanceOf(AssertionError.class)
                .hasMessageMatching("stray DMA: byte at IOVA 0x\\p{XDigit}+, which was not given out, was written");
    }

    @Test
    void noticesMemoryThatWasNotGivenBack() throws Exception {
        QemuNvme qemu = machine().start();
        DmaMemory memory = qemu.function(0).allocate(1);
        assertThat(memory.size()).isEqualTo(4096);
        assertThatThrownBy(qemu::close).hasMessage("1 pieces of DMA memory were not given back");
    }

    @Test
    void givesZeroedMemoryWhoseUseAfterCloseIsAnException() throws Exception {
        try (QemuNvme qemu = machine().start();
                QtestFunction function = qemu.function(0)) {
            for (int i = 0; i < 40; i++) {
                DmaMemory memory = function.allocate(1 << 18);
                assertThat(memory.segment().mismatch(MemorySegment.ofArray(new byte[1 << 18])))
                        .isEqualTo(-1);
                memory.segment().fill((byte) i);
                memory.close();
                memory.close();
                assertThatThrownBy(() -> memory.segment().get(ValueLayout.JAVA_BYTE, 0))
                        .isInstanceOf(IllegalStateException.class);
            }
            assertThatThrownBy(() -> function.allocate(1 << 30))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("DMA memory");
        }
    }

    @Test
    void passesOnWhatQemuSaysWhenItDoesNotStart() {
        assertThatThrownBy(() -> QemuNvme.build().controller("mqes=deep").start())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("QEMU said: ")
                .hasMessageContaining("mqes");
        assertThatThrownBy(() -> QemuNvme.build().controller("max_ioqpairs=0").start())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("max_ioqpairs must be between 1");
    }

    @Test
    void endsQemuAndLeavesNoFile() throws Exception {
        QemuNvme qemu = machine().start();
        Path folder = qemu.image(0).getParent();
        assertThat(Files.size(qemu.image(0))).isEqualTo(1 << 20);
        qemu.close();
        assertThat(qemu.process().isAlive()).isFalse();
        assertThat(folder).doesNotExist();
    }

    @Test
    void saysThatQemuIsGoneInsteadOfWaiting() throws Exception {
        try (QemuNvme qemu = machine().start()) {
            Bar bar = qemu.function(0).bar(0);
            assertThat(bar.read32(Registers.VS)).isEqualTo(0x0001_0400);
            assertThatThrownBy(() -> bar.read32(2)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> bar.read32(bar.size())).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> qemu.function(0).bar(1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> qemu.function(7)).hasMessageContaining("no such function");
            qemu.process().destroyForcibly().waitFor();
            assertThatThrownBy(() -> bar.read32(Registers.VS)).isInstanceOf(UncheckedIOException.class);
        }
    }
}
