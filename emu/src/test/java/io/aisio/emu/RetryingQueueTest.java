package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.NvmeException;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands that fail and may be tried again, until they are done or have failed for good. */
@Timeout(60)
class RetryingQueueTest {
    private static final int DEPTH = 8;

    /** A device with faults, and a queue of it, of which each slot reads 4096 bytes. */
    private static final class Opened implements AutoCloseable {
        final Device device;
        final Buffer buffer;
        final RetryingQueue queue;
        final int[] completed;
        final AtomicBoolean goesOn = new AtomicBoolean(true);

        Opened(String faults) throws IOException {
            this(faults, DEPTH);
        }

        /** @param atOnce how many commands are taken at most, each time */
        Opened(String faults, int atOnce) throws IOException {
            completed = new int[atOnce];
            device = Device.open("emu:4MiB?faults=" + faults);
            buffer = device.allocate(DEPTH * 4096);
            queue = new RetryingQueue(device.openQueue(DEPTH), RetryingQueue.DEADLINE, goesOn::get);
            for (int slot = 0; slot < DEPTH; slot++) {
                queue.bindRead(slot, buffer, slot * 4096L, 4096);
            }
        }

        /** Reads LBA 8 times the slot. */
        void submit(int... slots) throws IOException {
            long[] lbas = new long[slots.length];
            for (int i = 0; i < slots.length; i++) {
                lbas[i] = 8L * slots[i];
            }
            queue.submit(slots, lbas, slots.length);
        }

        List<Integer> drain() throws IOException {
            List<Integer> told = new ArrayList<>();
            while (queue.outstanding() > 0) {
                int n = queue.await(completed);
                for (int i = 0; i < n; i++) {
                    told.add(completed[i]);
                }
            }
            return told;
        }

        @Override
        public void close() throws IOException {
            try (device;
                    buffer;
                    Queue last = queue) {
                assertThat(last.outstanding()).isZero();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"error@read.lba9:1-3", "fatal@read:3", "duplicate@read:2", "error@read:%8"})
    void whatADeviceDoesAFewTimesIsSurvived(String faults) throws IOException {
        try (Opened on = new Opened(faults)) {
            on.submit(0, 1, 2, 3, 4, 5, 6, 7);
            assertThat(on.drain()).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7);
        }
    }

    /** A caller that takes less than is in flight has it told in parts: what it was not told is in flight to it. */
    @ParameterizedTest
    @ValueSource(strings = {"error@read.lba9:1-3", "fatal@read:3", "duplicate@read:2", "error@read:%8"})
    void whatADeviceDoesAFewTimesIsSurvivedByWhoTakesOneAtATime(String faults) throws IOException {
        try (Opened on = new Opened(faults, 1)) {
            on.submit(0, 1, 2, 3, 4, 5, 6, 7);
            List<Integer> told = new ArrayList<>();
            for (int left = DEPTH; left > 0; left--) {
                assertThat(on.queue.outstanding()).isEqualTo(left);
                assertThat(on.queue.await(on.completed)).isEqualTo(1);
                told.add(on.completed[0]);
            }
            assertThat(told).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7);
            assertThat(on.queue.poll(on.completed)).isZero();
        }
    }

    @Test
    void whatIsNotToldYetIsInFlight() throws IOException {
        try (Opened on = new Opened("error=2/81/dnr@read.lba9:1", 1)) {
            on.submit(0, 1, 2);
            assertThat(on.queue.await(on.completed)).isEqualTo(1);
            assertThat(on.completed[0]).isZero();
            // Whether the device or the queue has them: they cannot be used.
            for (int slot : new int[] {1, 2}) {
                assertThatThrownBy(() -> on.queue.bindRead(slot, on.buffer, 0, 4096))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("slot " + slot);
                assertThatThrownBy(() -> on.submit(0, slot)).isInstanceOf(IllegalStateException.class);
            }
            on.submit(0);
            assertThat(on.drain()).containsExactlyInAnyOrder(~1, 2, 0);
        }
    }

    @Test
    void whatFailsEachTimeFailsForGood() throws IOException {
        try (Opened on = new Opened("error@read.lba9:1-" + RetryingQueue.TRIES)) {
            on.submit(0, 1, 2);
            assertThat(on.drain()).containsExactlyInAnyOrder(0, ~1, 2);
            assertThat(on.queue.failure(1))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("at LBA 8: ")
                    .hasMessageContaining("Unrecovered Read Error");
            assertThat(on.queue.failure(1).getSuppressed()).hasSize(1);
            on.submit(1);
            assertThat(on.drain()).containsExactly(1);
        }
    }

    @Test
    void whatTheControllerRulesOutIsNotTriedAgain() throws IOException {
        try (Opened on = new Opened("error=2/81/dnr@read:1")) {
            on.submit(1);
            assertThat(on.drain()).containsExactly(~1);
            assertThat(on.queue.failure(1).getSuppressed()).isEmpty();
        }
    }

    /** CRDT1 is that many times 100 ms. */
    private static String delayed(int hundreds) {
        return "put=128/%02x00@identify.sub0x1,error=2/81/crd1@read.lba9:1".formatted(hundreds);
    }

    @Test
    void theControllersDelayIsKeptWhileOthersGoOn() throws IOException {
        try (Opened on = new Opened(delayed(100))) {
            on.submit(0, 1, 2);
            while (on.queue.outstanding() > 1) {
                int n = on.queue.await(on.completed);
                for (int i = 0; i < n; i++) {
                    assertThat(on.completed[i]).isIn(0, 2);
                }
            }
            assertThat(on.queue.outstanding()).isEqualTo(1);
            for (int looks = 0; looks < 100; looks++) {
                assertThat(on.queue.poll(on.completed)).isZero();
            }
            assertThatThrownBy(() -> on.queue.bindRead(1, on.buffer, 0, 4096))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("slot 1");
            assertThatThrownBy(() -> on.submit(3, 1)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> on.queue.failure(1)).isInstanceOf(IllegalStateException.class);
            on.submit(0);
            assertThat(on.queue.await(on.completed)).isEqualTo(1);
            assertThat(on.completed[0]).isZero();
            assertThatThrownBy(() -> on.queue.failure(0)).isInstanceOf(IllegalStateException.class);
            on.goesOn.set(false);
            assertThat(on.drain()).containsExactly(~1);
        }
        try (Opened on = new Opened(delayed(5))) {
            long begun = System.nanoTime();
            on.submit(1);
            assertThat(on.drain()).containsExactly(1);
            assertThat(System.nanoTime() - begun).as("nanoseconds").isGreaterThan(TimeUnit.MILLISECONDS.toNanos(500));
        }
    }

    @Test
    void nobodyWaitsForWhatIsNotWantedAnyMore() throws IOException {
        try (Opened on = new Opened(delayed(100))) {
            on.submit(1, 2);
            assertThat(on.queue.await(on.completed)).isEqualTo(1);
            assertThat(on.completed[0]).isEqualTo(2);
            on.goesOn.set(false);
            assertThat(on.drain()).containsExactly(~1);
            assertThat(on.queue.failure(1)).hasMessageContaining("Unrecovered Read Error");
        }
    }

    @Test
    void anInterruptionEndsTheTriesUnlessToldOtherwise() throws IOException {
        try (Device device = Device.open("emu:4MiB?faults=" + delayed(100));
                Buffer buffer = device.allocate(4096);
                Queue queue = new RetryingQueue(device.openQueue(1))) {
            queue.bindRead(0, buffer, 0, 4096);
            queue.submit(new int[] {0}, new long[] {8}, 1);
            Thread.currentThread().interrupt();
            int[] completed = new int[1];
            assertThat(queue.await(completed)).isEqualTo(1);
            assertThat(completed[0]).isEqualTo(~0);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
        try (Opened on = new Opened(delayed(1))) {
            on.submit(1);
            Thread.currentThread().interrupt();
            assertThat(on.drain()).containsExactly(1);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void aDelayBeyondTheDeadlineIsNotWaitedFor() throws IOException {
        try (Device device = Device.open("emu:4MiB?faults=" + delayed(100));
                Buffer buffer = device.allocate(4096);
                Queue queue = new RetryingQueue(device.openQueue(1), Duration.ofSeconds(9), () -> true)) {
            queue.bindRead(0, buffer, 0, 4096);
            queue.submit(new int[] {0}, new long[] {8}, 1);
            int[] completed = new int[1];
            assertThat(queue.await(completed)).isEqualTo(1);
            assertThat(completed[0]).isEqualTo(~0);
            assertThat(((NvmeException) queue.failure(0)).retryDelay()).isEqualTo(Duration.ofSeconds(10));
        }
    }

    @Test
    void aQueueClosesOverWhatIsToBeTriedAgain() throws IOException {
        try (Device device = Device.open("emu:4MiB?faults=" + delayed(100));
                Buffer buffer = device.allocate(4096)) {
            RetryingQueue queue = new RetryingQueue(device.openQueue(2));
            queue.bindRead(0, buffer, 0, 4096);
            queue.submit(new int[] {0}, new long[] {8}, 1);
            queue.close();
            assertThatThrownBy(() -> queue.poll(new int[1])).isInstanceOf(IllegalStateException.class);
            device.read(0, buffer);
        }
    }
}
