package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.Bar;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The device API on the software controller, opened by name as applications do. */
class DeviceTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "emu:8MiB",
                "emu:8MiB?mdts=1",
                "emu:8MiB?lba=4096&mdts=2",
                "emu:8MiB?entries=2&mdts=3",
                "emu:8MiB?entries=4&dstrd=3",
                "emu:8MiB?qpairs=1&mdts=16",
                "emu:8MiB?namespaces=3&nsid=3&mdts=2"
            })
    void readsAndWritesMoreThanOneCommandTransfers(String name) throws Exception {
        int bytes = 3 << 20;
        byte[] content = new byte[bytes];
        new Random(8).nextBytes(content);
        try (Device device = Device.open(name);
                Buffer buffer = device.allocate(bytes + 8192)) {
            int lbaBytes = device.geometry().lbaBytes();
            for (int offset : new int[] {0, 4, 1000, 4092}) {
                MemorySegment data = buffer.segment().asSlice(offset, bytes);
                data.copyFrom(MemorySegment.ofArray(content));
                device.write(7, buffer, offset, bytes);
                device.flush();
                buffer.segment().fill((byte) 0x5C);
                device.read(7, buffer, offset, bytes);
                assertThat(data.mismatch(MemorySegment.ofArray(content))).isEqualTo(-1);
                assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, offset + bytes))
                        .isEqualTo((byte) 0x5C);
                device.read(9, buffer, offset, lbaBytes);
                assertThat(data.asSlice(0, lbaBytes)
                                .mismatch(MemorySegment.ofArray(content).asSlice(2L * lbaBytes, lbaBytes)))
                        .isEqualTo(-1);
            }
        }
    }

    @Test
    void namesTheBlocksThatAreBeyondTheEnd() throws Exception {
        try (Device device = Device.open("emu:1MiB?mdts=1");
                Buffer buffer = device.allocate(1 << 20)) {
            buffer.segment().fill((byte) 3);
            assertThatThrownBy(() -> device.read(2048, buffer, 0, 512))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("Read of namespace 1 at LBA 2048")
                    .hasMessageContaining("LBA Out of Range");
            // What fails is the second of two commands.
            assertThatThrownBy(() -> device.write(2032, buffer, 0, 16 << 10))
                    .hasMessageContaining("Write of namespace 1 at LBA 2048")
                    .hasMessageContaining("LBA Out of Range");
            assertThatThrownBy(() -> device.read(Long.MAX_VALUE, buffer, 0, 4096))
                    .hasMessageContaining("LBA Out of Range");
            assertThatThrownBy(() -> device.read(-1, buffer, 0, 512)).hasMessageContaining("LBA");
            // Many commands in flight when the first fails: none is left behind.
            assertThatThrownBy(() -> device.read(2048, buffer)).hasMessageContaining("LBA Out of Range");
            device.read(0, buffer);
        }
    }

    @Test
    void refusesLengthsAndOffsetsThatMakeNoSense() throws Exception {
        try (Device device = Device.open("emu:1MiB");
                Buffer buffer = device.allocate(4096)) {
            assertThatThrownBy(() -> device.read(0, buffer, 0, 100)).hasMessageContaining("100 bytes");
            assertThatThrownBy(() -> device.read(0, buffer, 2, 512)).hasMessageContaining("no multiple of 4");
            assertThatThrownBy(() -> device.read(0, buffer, 3588, 512)).hasMessageContaining("buffer of 4096");
            assertThatThrownBy(() -> device.read(0, buffer, -4, 512)).hasMessageContaining("offset -4");
            assertThatThrownBy(() -> device.read(0, buffer, 0, -512)).hasMessageContaining("-512 bytes");
            device.read(0, buffer, 0, 0);
            device.read(0, buffer);
        }
    }

    @Test
    void servesSynchronousCallsWhenThereIsOneQueuePairOnly() throws Exception {
        try (Device device = Device.open("emu:1MiB?qpairs=1");
                Buffer buffer = device.allocate(4096)) {
            device.read(0, buffer);
            assertThatThrownBy(() -> device.openQueue(4)).hasMessageContaining("all 1 queue pairs");
            device.read(0, buffer);
        }
        try (Device device = Device.open("emu:1MiB?qpairs=1");
                Buffer buffer = device.allocate(4096)) {
            try (Queue queue = device.openQueue(4)) {
                assertThat(queue.depth()).isEqualTo(4);
                assertThatThrownBy(() -> device.read(0, buffer)).hasMessageContaining("all 1 queue pairs");
            }
            device.read(0, buffer);
        }
    }

    @Test
    void refusesToWriteToAReadOnlyImage() throws Exception {
        Path image = image(1 << 20);
        try (Device device = Device.open("emu:" + image + "?readonly");
                Buffer buffer = device.allocate(4096)) {
            assertThat(device.path()).contains("read-only");
            device.read(0, buffer);
            assertThatThrownBy(() -> device.write(0, buffer)).hasMessageContaining("Write Protected");
            device.flush();
        }
    }

    @Test
    void keepsInTheImageWhatWasWritten() throws Exception {
        Path image = image(1 << 20);
        byte[] content = new byte[64 << 10];
        new Random(4).nextBytes(content);
        try (Device device = Device.open("emu:" + image + "?lba=4096");
                Buffer buffer = device.allocate(content.length)) {
            buffer.segment().copyFrom(MemorySegment.ofArray(content));
            device.write(3, buffer);
        }
        byte[] kept = Files.readAllBytes(image);
        assertThat(Arrays.mismatch(content, Arrays.copyOfRange(kept, 3 * 4096, 3 * 4096 + content.length)))
                .isEqualTo(-1);
    }

    private Path image(long bytes) throws Exception {
        Path image = folder.resolve("device.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(bytes);
        }
        return image;
    }

    @Test
    void tellsTheControllerBeforeItIsClosed() throws Exception {
        EmuController emulator = EmuController.open("emu:shutdown", EmuConfiguration.memory(1 << 20));
        Driven.CountingFunction function = new Driven.CountingFunction(emulator.function());
        Bar bar = function.bar(0);
        AtomicReference<String> seen = new AtomicReference<>("");
        AtomicBoolean ended = new AtomicBoolean();
        // Stepped here, so that no state of the controller is missed.
        Thread controller = Thread.ofPlatform().start(() -> {
            while (!ended.get()) {
                emulator.step();
                int shutdown = bar.read32(Registers.CC) & Registers.CC_SHN_MASK;
                int status = bar.read32(Registers.CSTS) & Registers.CSTS_SHST_MASK;
                if (shutdown == Registers.CC_SHN_NORMAL && status == Registers.CSTS_SHST_COMPLETE) {
                    seen.set("shut down");
                }
                Thread.yield();
            }
        });
        NvmeController driver = NvmeController.open(function);
        driver.createQueuePair(4).close();
        assertThat(seen.get()).isEmpty();
        driver.close();
        ended.set(true);
        controller.join();
        function.close();
        assertThat(seen.get()).isEqualTo("shut down");
        assertThat(function.live()).isZero();
    }

    @Test
    void closesTwiceAndRefusesCallsAfterwards() throws Exception {
        Device device = Device.open("emu:1MiB?serial=TWICE");
        Buffer buffer = device.allocate(4096);
        device.read(0, buffer);
        device.close();
        device.close();
        buffer.close();
        assertThatThrownBy(() -> device.read(0, buffer)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> device.openQueue(1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> device.allocate(1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> buffer.segment().get(ValueLayout.JAVA_BYTE, 0))
                .isInstanceOf(IllegalStateException.class);
        assertThat(DriverFaultTest.threads("emu:1MiB?serial=TWICE")).isZero();
    }

    @Test
    void staysOpenWhileAQueueIs() throws Exception {
        String name = "emu:1MiB?serial=BUSY";
        Device device = Device.open(name);
        Buffer buffer = device.allocate(4096);
        device.read(0, buffer);
        Queue queue = device.openQueue(2);
        assertThatThrownBy(device::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("queue pairs {2} are open");
        // The refusal has changed nothing.
        queue.bindRead(0, buffer, 0, 512);
        queue.submit(new int[] {0}, new long[] {9}, 1);
        assertThat(queue.await(new int[1])).isEqualTo(1);
        device.read(0, buffer);
        queue.close();
        device.close();
        assertThat(DriverFaultTest.threads(name)).isZero();
    }

    @Test
    void opensAndClosesAgainWithoutKeepingThreadsOrMemory() throws Exception {
        String name = "emu:64MiB?serial=CYCLES";
        for (int i = 0; i < 20; i++) {
            EmuController emulator = EmuController.open(name, EmuConfiguration.memory(64 << 20));
            emulator.start();
            Driven.CountingFunction function = new Driven.CountingFunction(emulator.function());
            try (NvmeDevice device = NvmeDevice.open(function, 1, name, "test");
                    Buffer buffer = device.allocate(1 << 20);
                    Queue queue = device.openQueue(16)) {
                buffer.segment().fill((byte) i);
                device.write(0, buffer);
                queue.bindRead(0, buffer, 0, 4096);
                queue.submit(new int[] {0}, new long[] {9}, 1);
                assertThat(queue.await(new int[1])).isEqualTo(1);
            }
            assertThat(function.live()).isZero();
            assertThat(function.isClosed()).isTrue();
            assertThat(DriverFaultTest.threads(name)).isZero();
            assertThat(emulatorMappings()).isLessThan(1L << 26);
        }
    }

    /** Bytes of the largest mapping of shared or anonymous memory that has exactly the medium's size. */
    private static long emulatorMappings() throws Exception {
        long found = 0;
        for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
            String[] range = line.substring(0, line.indexOf(' ')).split("-", -1);
            long bytes = Long.parseUnsignedLong(range[1], 16) - Long.parseUnsignedLong(range[0], 16);
            found = bytes == 1L << 26 && line.endsWith(" 0 ") ? bytes : found;
        }
        return found;
    }

    @Test
    void allocatesNothingForAnIo() throws Exception {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        String name = "emu:1MiB?serial=ALLOCATES";
        try (Device device = Device.open(name);
                Buffer buffer = device.allocate(64 * 512);
                Queue queue = device.openQueue(64)) {
            Thread controller = Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().equals(name))
                    .findFirst()
                    .orElseThrow();
            int[] slots = new int[64];
            long[] lbas = new long[64];
            int[] completed = new int[64];
            for (int slot = 0; slot < 64; slot++) {
                queue.bindRead(slot, buffer, slot * 512L, 512);
                slots[slot] = slot;
            }
            rounds(queue, slots, lbas, completed, 2_000);
            long driver = threads.getCurrentThreadAllocatedBytes();
            long controllers = threads.getThreadAllocatedBytes(controller.threadId());
            rounds(queue, slots, lbas, completed, 2_000);
            // 128,000 commands: less than a byte each, so that what a compiler or the measuring takes does not count.
            assertThat(threads.getCurrentThreadAllocatedBytes() - driver).isLessThan(100_000);
            assertThat(threads.getThreadAllocatedBytes(controller.threadId()) - controllers)
                    .isLessThan(100_000);
        }
    }

    private static void rounds(Queue queue, int[] slots, long[] lbas, int[] completed, int rounds) throws Exception {
        for (int i = 0; i < rounds; i++) {
            for (int j = 0; j < lbas.length; j++) {
                lbas[j] = (i * 31L + j) & 1023;
            }
            queue.submit(slots, lbas, slots.length);
            for (int left = slots.length; left > 0; ) {
                int n = queue.await(completed);
                for (int j = 0; j < n; j++) {
                    if (completed[j] < 0) {
                        throw queue.failure(~completed[j]);
                    }
                }
                left -= n;
            }
        }
    }
}
