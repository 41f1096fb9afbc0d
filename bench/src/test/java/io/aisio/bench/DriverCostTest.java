package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class DriverCostTest {
    private static Queue bound(TestDevice device, int depth) throws IOException {
        Queue queue = device.openQueue(depth);
        try (Buffer buffer = device.allocate(depth * 512L)) {
            for (int slot = 0; slot < depth; slot++) {
                queue.bindRead(slot, buffer, slot * 512L, 512);
            }
        }
        return queue;
    }

    private static void burn(int rounds, AtomicLong sink) {
        for (int i = 0; i < rounds; i++) {
            sink.setOpaque(SplitMix.mix(sink.getPlain() + i));
        }
    }

    @Test
    void takesTheDevicesPartFromTheWhole() throws IOException {
        AtomicLong sink = new AtomicLong();
        try (Queue queue = bound(TestDevice.ofNullMedia(1 << 20), 32)) {
            // A device that is far slower than the queue: what is left must not contain it.
            DriverCost cost = DriverCost.measure(queue, 1 << 20, 1, () -> burn(20_000, sink), 51);
            assertThat(cost.ios()).isPositive();
            assertThat(cost.totalNanosPerIo()).isPositive();
            assertThat(cost.modelNanosPerIo()).isPositive();
            assertThat(cost.nanosPerIo()).isLessThan(cost.totalNanosPerIo() / 2);
            assertThat(queue.outstanding()).isZero();
        }
    }

    @Test
    void doesNotMeasureIosThatFail() throws IOException {
        TestDevice device = TestDevice.ofNullMedia(1 << 20);
        device.fails = lba -> lba > 1000;
        try (Queue queue = bound(device, 8)) {
            assertThatThrownBy(() -> DriverCost.measure(queue, 1 << 20, 1, () -> {}, 1))
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("emu:test: Read of LBA ");
        }
    }

    @Test
    void givesUpOnADeviceThatDoesNothing() throws IOException {
        TestDevice device = TestDevice.ofNullMedia(1 << 20);
        device.lost = lba -> true;
        try (Queue queue = bound(device, 8)) {
            assertThatThrownBy(() -> DriverCost.measure(queue, 1 << 20, 1, () -> {}, 1))
                    .isInstanceOf(IOException.class)
                    .hasMessage("the device completed 0 of 8 commands");
        }
    }
}
