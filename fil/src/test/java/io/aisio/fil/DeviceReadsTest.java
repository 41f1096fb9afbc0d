package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xal.BlockReads;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Reads in flight through the user-space driver: many commands a read, many threads, and faults of the device. */
@Timeout(60)
class DeviceReadsTest {
    private static final int BYTES = 2 << 20;
    private static final int SLOTS = 5;
    private static final int MOST = 100 << 10;

    @TempDir
    private Path folder;

    private final byte[] content = new byte[BYTES];
    private Path path;

    @BeforeEach
    void make() throws IOException {
        new Random(3).nextBytes(content);
        path = Files.write(folder.resolve("image"), content);
    }

    @Test
    void givesEachThreadTheBytesOfEachPlace() throws Exception {
        try (Device device = Device.open("emu:" + path + "?mdts=2");
                DeviceBlocks blocks = DeviceBlocks.open(device);
                ExecutorService threads = Executors.newFixedThreadPool(3)) {
            assertThat(device.geometry().maxTransferBytes()).isLessThan(MOST / 4);
            Callable<Integer> reading = () -> readAll(blocks, 200);
            for (Future<Integer> read : threads.invokeAll(List.of(reading, reading, reading))) {
                assertThat(read.get()).isEqualTo(200);
            }
        }
    }

    private int readAll(DeviceBlocks blocks, int count) throws IOException {
        Random random = new Random(Thread.currentThread().threadId());
        long[] positions = new long[SLOTS];
        int[] lengths = new int[SLOTS];
        int started = 0;
        int ended = 0;
        try (BlockReads reads = blocks.reads(SLOTS, MOST)) {
            for (int slot = 0; slot < SLOTS; slot++, started++) {
                start(reads, slot, positions, lengths, random);
            }
            while (reads.inFlight() > 0) {
                int slot = reads.await();
                assertThat(read(reads, slot, lengths[slot]))
                        .isEqualTo(Arrays.copyOfRange(
                                content, (int) positions[slot], (int) positions[slot] + lengths[slot]));
                ended++;
                if (started < count) {
                    start(reads, slot, positions, lengths, random);
                    started++;
                }
            }
        }
        return ended;
    }

    private static void start(BlockReads reads, int slot, long[] positions, int[] lengths, Random random)
            throws IOException {
        lengths[slot] = 512 * (1 + random.nextInt(MOST / 512));
        positions[slot] = 512L * random.nextInt((BYTES - lengths[slot]) / 512 + 1);
        reads.start(slot, positions[slot], lengths[slot]);
    }

    private static byte[] read(BlockReads reads, int slot, int length) {
        return reads.buffer(slot).asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
    }

    @Test
    void tellsWhichReadFailedAndGoesOnWithTheRest() throws IOException {
        try (Device device = Device.open("emu:" + path + "?mdts=2&faults=error=2/81/dnr:4");
                DeviceBlocks blocks = DeviceBlocks.open(device);
                BlockReads reads = blocks.reads(SLOTS, MOST)) {
            for (int slot = 0; slot < SLOTS; slot++) {
                reads.start(slot, slot * 4096L, 64 << 10);
            }
            int failed = 0;
            int good = 0;
            while (reads.inFlight() > 0) {
                try {
                    int slot = reads.await();
                    assertThat(read(reads, slot, 64 << 10))
                            .isEqualTo(Arrays.copyOfRange(content, slot * 4096, slot * 4096 + (64 << 10)));
                    good++;
                } catch (IOException e) {
                    failed++;
                    int slot = reads.ended();
                    assertThat(e).hasMessageContaining(device.name()).hasMessageContaining("at byte " + slot * 4096);
                    reads.start(slot, slot * 4096L, 64 << 10);
                }
            }
            assertThat(failed).isEqualTo(1);
            assertThat(good).isEqualTo(SLOTS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"error:4", "fatal:9", "error:%20"})
    void survivesWhatTheDeviceDoesAFewTimes(String faults) throws IOException {
        try (Device device = Device.open("emu:" + path + "?mdts=2&faults=" + faults);
                DeviceBlocks blocks = DeviceBlocks.open(device)) {
            assertThat(readAll(blocks, 50)).isEqualTo(50);
        }
    }

    @Test
    void aQueueThatTellsNoMoreFailsAllItsReads() throws IOException {
        try (Device device = Device.open("emu:" + path + "?mdts=2");
                DeviceBlocks blocks = DeviceBlocks.open(SilentDevice.of(device));
                BlockReads reads = blocks.reads(SLOTS, MOST)) {
            for (int slot = 0; slot < SLOTS; slot++) {
                reads.start(slot, slot * 4096L, MOST);
            }
            BitSet failed = new BitSet();
            while (reads.inFlight() > 0) {
                assertThatThrownBy(reads::await)
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(device.name())
                        .hasMessageContaining("taken away");
                failed.set(reads.ended());
            }
            assertThat(failed.cardinality()).isEqualTo(SLOTS);
            assertThatThrownBy(() -> reads.start(0, 0, 4096))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("taken away");
            assertThat(reads.inFlight()).isZero();
        }
    }

    @Test
    void closesWithReadsInFlight() throws IOException {
        try (Device device = Device.open("emu:" + path + "?mdts=2");
                DeviceBlocks blocks = DeviceBlocks.open(device)) {
            BlockReads reads = blocks.reads(SLOTS, MOST);
            for (int slot = 0; slot < SLOTS; slot++) {
                reads.start(slot, slot * 4096L, MOST);
            }
            reads.close();
            reads.close();
            assertThatThrownBy(reads::await).isInstanceOf(IllegalStateException.class);
        }
    }
}
