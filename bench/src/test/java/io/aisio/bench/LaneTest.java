package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class LaneTest {
    /** By reflection: the module itself has no use for the management modules. */
    private static long allocatedByThisThread() throws ReflectiveOperationException {
        Object bean = Class.forName("java.lang.management.ManagementFactory")
                .getMethod("getThreadMXBean")
                .invoke(null);
        Method allocated = Class.forName("com.sun.management.ThreadMXBean").getMethod("getCurrentThreadAllocatedBytes");
        return (long) allocated.invoke(bean);
    }

    private static long allocatedBy(IoPattern pattern, boolean latency, int rounds)
            throws IOException, ReflectiveOperationException {
        TestDevice device = TestDevice.ofNullMedia(1L << 40);
        RunOptions options = new RunOptions(
                List.of("emu:null"),
                pattern,
                pattern.readPercent(),
                128,
                4096,
                Duration.ofSeconds(1),
                Duration.ZERO,
                1,
                null,
                latency,
                Duration.ZERO,
                1,
                false);
        Latency times = latency ? new Latency() : null;
        Failures failures = new Failures();
        try (Lane lane = new Lane(device, device.openQueue(128), 0, options, times, times, failures)) {
            lane.bind(1);
            lane.fill();
            turn(lane, rounds);
            allocatedByThisThread();
            long before = allocatedByThisThread();
            turn(lane, rounds);
            long after = allocatedByThisThread();
            assertThat(lane.done()).isGreaterThan(rounds * 64L);
            lane.drain(1_000_000_000);
            return after - before;
        }
    }

    private static void turn(Lane lane, int rounds) throws IOException {
        for (int i = 0; i < rounds; i++) {
            lane.turn(false);
        }
    }

    @Test
    void givesUpCommandsThatNeverComplete() throws IOException {
        TestDevice device = TestDevice.ofNullMedia(1000);
        device.lost = lba -> lba == 2;
        Failures failures = new Failures();
        RunOptions options = RunOptions.of(List.of("emu:null"), IoPattern.READ, 8, 512, Duration.ofSeconds(1));
        try (Lane lane = new Lane(device, device.openQueue(8), 0, options, null, null, failures)) {
            lane.bind(1);
            lane.fill();
            lane.drain(20_000_000);
            assertThat(lane.done()).isEqualTo(7);
        }
        assertThat(failures.first())
                .containsExactly("emu:test: 1 I/Os were still in flight 20 ms after the last one was heard of");
        assertThat(device.openBuffers).hasValue(0);
    }

    @Test
    void allocatesNothingForAnIo() throws IOException, ReflectiveOperationException {
        for (IoPattern pattern : IoPattern.values()) {
            for (boolean latency : new boolean[] {false, true}) {
                // Asking costs a few hundred bytes itself; a single object for each I/O would be 20 MB.
                assertThat(allocatedBy(pattern, latency, 20_000))
                        .as(pattern + (latency ? " with latency" : ""))
                        .isLessThan(10_000);
            }
        }
    }
}
