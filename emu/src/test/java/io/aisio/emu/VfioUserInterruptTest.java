package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.emu.VfioUserPairTest.Running;
import io.aisio.linux.EventFd;
import io.aisio.linux.OpenFile;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Interrupts of a controller that is served by vfio-user: what clients may say of them, and that they come. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class VfioUserInterruptTest {
    private static final int GET_IRQ_INFO = 7;
    private static final int SET_IRQS = 8;
    private static final int MSIX = 2;
    private static final int NONE = 1;
    private static final int BOOL = 2;
    private static final int EVENTFD = 4;
    private static final int MASK = 8;
    private static final int TRIGGER = 32;
    private static final Duration SOON = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    private Running running;
    private RawVfioUser raw;

    @BeforeEach
    void serve() throws Exception {
        running = new Running(
                VfioUserServer.open(folder.resolve("socket"), EmuConfiguration.memory(16 << 20), note -> {}));
        raw = RawVfioUser.connect(folder.resolve("socket"));
        raw.version();
    }

    @AfterEach
    void end() throws Exception {
        raw.close();
        running.close();
    }

    @Test
    void aQueueSleepsUntilAnInterruptTellsOfItsCompletions() throws Exception {
        try (Device device = Device.open(running.device() + "?interrupts");
                Queue queue = device.openQueue(4);
                Buffer buffer = device.allocate(4096)) {
            assertThat(queue.sleeps()).isTrue();
            queue.bindRead(0, buffer, 0, 512);
            long began = System.nanoTime();
            for (int i = 0; i < 100; i++) {
                queue.submit(new int[] {0}, new long[1], 1);
                assertThat(queue.await(new int[4])).isEqualTo(1);
            }
            // A queue that is not woken looks after 100 ms by itself: without interrupts, this takes 10 s.
            assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(8));
        }
    }

    private static byte[] set(int flags, int index, int start, int count, byte... data) {
        return RawVfioUser.bytes(20 + data.length)
                .putInt(20 + data.length)
                .putInt(flags)
                .putInt(index)
                .putInt(start)
                .putInt(count)
                .put(data)
                .array();
    }

    private int errno(byte[] payload, OpenFile... files) throws Exception {
        return raw.call(SET_IRQS, payload, files).errno();
    }

    private void listen(int start, EventFd... events) throws Exception {
        raw.sendEvents(RawVfioUser.message(3, SET_IRQS, 0, set(EVENTFD | TRIGGER, MSIX, start, events.length)), events);
        assertThat(raw.receive().errno()).isZero();
    }

    private int count(int index) throws Exception {
        byte[] ask = RawVfioUser.bytes(16).putInt(16).putInt(0).putInt(index).array();
        return raw.call(GET_IRQ_INFO, ask).payload().getInt(12);
    }

    @Test
    void tellsOfAVectorForTheAdminQueueAndEachOther() throws Exception {
        int vectors = EmuConfiguration.memory(1 << 20).queuePairs() + 1;
        assertThat(count(MSIX)).isEqualTo(vectors);
        assertThat(count(0)).as("INTx").isZero();
        assertThat(count(1)).as("MSI").isZero();

        assertThat(raw.read(7, 0x06, 2) & 0x10).as("there are capabilities").isEqualTo(0x10);
        int at = (int) raw.read(7, 0x34, 2) & 0xFF;
        assertThat(raw.read(7, at, 2)).as("MSI-X, and no other").isEqualTo(0x11);
        assertThat(raw.read(7, at + 2, 2) & 0x7FF).as("table size").isEqualTo(vectors - 1);
        long table = raw.read(7, at + 4, 4);
        long pending = raw.read(7, at + 8, 4);
        assertThat(table & 7).isEqualTo(4);
        assertThat(pending & 7).isEqualTo(4);
        assertThat(pending >>> 3 << 3).isGreaterThanOrEqualTo((table >>> 3 << 3) + vectors * 16L);

        raw.write(7, 0x20, 4, 0xFFFF_FFFFL);
        long bytes = -raw.read(7, 0x20, 4) & 0xFFFF_FFFFL;
        assertThat(bytes).as("BAR 4").isGreaterThan(pending >>> 3 << 3);
        assertThat(raw.read(4, 12, 4)).as("masked at first").isEqualTo(1);
        raw.write(4, 0, 8, 0xFEE0_0000L);
        assertThat(raw.read(4, 0, 8)).isEqualTo(0xFEE0_0000L);
        assertThat(raw.call(9, RawVfioUser.access(4, bytes, 4)).errno()).isEqualTo(RawVfioUser.EINVAL);
    }

    @Test
    void aClientCanTriggerWhatItListensTo() throws Exception {
        try (EventFd first = new EventFd();
                EventFd second = new EventFd()) {
            listen(3, first, second);
            assertThat(errno(set(NONE | TRIGGER, MSIX, 4, 1))).isZero();
            assertThat(second.await(SOON)).isTrue();
            assertThat(first.await(Duration.ZERO)).isFalse();
            assertThat(errno(set(BOOL | TRIGGER, MSIX, 3, 2, (byte) 1, (byte) 0)))
                    .isZero();
            assertThat(first.await(SOON)).isTrue();
            assertThat(second.await(Duration.ZERO)).isFalse();

            assertThat(errno(set(EVENTFD | TRIGGER, MSIX, 3, 1))).as("nobody").isZero();
            assertThat(errno(set(NONE | TRIGGER, MSIX, 3, 2))).isZero();
            assertThat(second.await(SOON)).isTrue();
            assertThat(first.await(Duration.ZERO)).isFalse();

            assertThat(errno(set(NONE | TRIGGER, MSIX, 0, 0))).as("none at all").isZero();
            assertThat(errno(set(NONE | TRIGGER, MSIX, 4, 1))).isZero();
            assertThat(second.await(Duration.ZERO)).isFalse();
        }
    }

    @Test
    void refusesWhatMakesNoSenseAndKeepsNoDescriptor() throws Exception {
        int vectors = count(MSIX);
        long before = RawVfioUser.openDescriptors();
        try (OpenFile memory = OpenFile.inMemory("no-counter", 4096)) {
            assertThat(errno(set(EVENTFD | TRIGGER, MSIX, 0, 1), memory))
                    .as("no event counter")
                    .isEqualTo(RawVfioUser.EINVAL);
            assertThat(errno(set(NONE | TRIGGER, MSIX, 0, 1), memory)).isEqualTo(RawVfioUser.EINVAL);
            for (byte[] wrong : new byte[][] {
                set(NONE | TRIGGER, MSIX, vectors, 1),
                set(NONE | TRIGGER, MSIX, 0, vectors + 1),
                set(NONE | TRIGGER, MSIX, -1, 1),
                set(NONE | TRIGGER, MSIX, 1, -1),
                set(NONE | TRIGGER, 0, 0, 1),
                set(NONE | TRIGGER, 5, 0, 0),
                set(TRIGGER, MSIX, 0, 1),
                set(NONE | BOOL | TRIGGER, MSIX, 0, 1),
                set(NONE, MSIX, 0, 1),
                set(NONE | MASK, MSIX, 0, 1),
                set(NONE | TRIGGER | 64, MSIX, 0, 1),
                set(BOOL | TRIGGER, MSIX, 0, 2, (byte) 1),
                new byte[19]
            }) {
                assertThat(errno(wrong)).as(java.util.Arrays.toString(wrong)).isEqualTo(RawVfioUser.EINVAL);
            }
        }
        try (EventFd event = new EventFd()) {
            raw.sendEvents(RawVfioUser.message(3, SET_IRQS, 0, set(EVENTFD | TRIGGER, MSIX, 0, 2)), event);
            assertThat(raw.receive().errno()).as("one for two").isEqualTo(RawVfioUser.EINVAL);
        }
        assertThat(RawVfioUser.openDescriptors()).isEqualTo(before);
    }
}
