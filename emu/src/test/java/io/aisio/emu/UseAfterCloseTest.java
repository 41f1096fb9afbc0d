package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Using what is closed is a Java exception, never a crash: in a JVM of its own, with checked and unchecked access. */
class UseAfterCloseTest {
    @ParameterizedTest
    @CsvSource({
        "true, bufferBound", "false, bufferBound",
        "true, bufferInFlight", "false, bufferInFlight",
        "true, queue", "false, queue",
        "true, deviceWhilePolled", "false, deviceWhilePolled",
        "true, afterDevice", "false, afterDevice"
    })
    void isAnException(boolean checked, String what) throws Exception {
        Fork.Result result = Fork.run(checked, UseAfterCloseTest.class, what);
        assertThat(result.output()).contains(what + ": as it should");
        assertThat(result.exit()).as(result.output()).isZero();
    }

    /** The forked part. */
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "bufferBound" -> bufferBound();
            case "bufferInFlight" -> bufferInFlight();
            case "queue" -> queue();
            case "deviceWhilePolled" -> deviceWhilePolled();
            case "afterDevice" -> afterDevice();
            default -> throw new IllegalArgumentException(args[0]);
        }
        System.out.println(args[0] + ": as it should");
    }

    /** The device is given addresses that are no longer there: it says so, and goes on. */
    private static void bufferBound() throws Exception {
        try (Device device = Device.open("emu:1MiB");
                Queue queue = device.openQueue(4);
                Buffer other = device.allocate(64 << 10)) {
            Buffer buffer = device.allocate(64 << 10);
            queue.bindRead(0, buffer, 0, 64 << 10);
            queue.bindWrite(1, buffer, 4, 4096);
            queue.bindRead(2, other, 0, 4096);
            buffer.close();
            queue.submit(new int[] {0, 1, 2}, new long[3], 3);
            int[] completed = new int[1];
            for (int i = 0; i < 3; i++) {
                require(queue.await(completed) == 1, "command " + i);
                if (completed[0] == 2) {
                    continue;
                }
                require(completed[0] < 0, "slot " + completed[0] + " read into memory that is closed");
                String message = String.valueOf(queue.failure(~completed[0]).getMessage());
                require(message.contains("Data Transfer Error"), message);
            }
            requireThrows(IllegalStateException.class, () -> buffer.segment().fill((byte) 0));
        }
    }

    private static void bufferInFlight() throws Exception {
        try (Device device = Device.open("emu:64MiB");
                Queue queue = device.openQueue(64)) {
            for (int turn = 0; turn < 200; turn++) {
                Buffer buffer = device.allocate(1 << 20);
                int[] slots = new int[64];
                for (int slot = 0; slot < 64; slot++) {
                    slots[slot] = slot;
                    if (slot % 2 == 0) {
                        queue.bindRead(slot, buffer, 4, 128 << 10);
                    } else {
                        queue.bindWrite(slot, buffer, 0, 128 << 10);
                    }
                }
                queue.submit(slots, new long[64], 64);
                buffer.close();
                while (queue.outstanding() > 0) {
                    require(queue.await(new int[8]) > 0, "nothing came back in turn " + turn);
                }
            }
        }
    }

    private static void queue() throws Exception {
        try (Device device = Device.open("emu:1MiB");
                Buffer buffer = device.allocate(4096)) {
            Queue queue = device.openQueue(4);
            queue.bindRead(0, buffer, 0, 512);
            queue.submit(new int[] {0}, new long[1], 1);
            queue.close();
            queue.close();
            requireThrows(IllegalStateException.class, () -> queue.submit(new int[] {0}, new long[1], 1));
            requireThrows(IllegalStateException.class, () -> queue.poll(new int[4]));
            requireThrows(IllegalStateException.class, () -> queue.await(new int[4]));
            requireThrows(IllegalStateException.class, () -> queue.bindRead(1, buffer, 0, 512));
            device.read(0, buffer);
        }
    }

    private static void deviceWhilePolled() throws Exception {
        Device device = Device.open("emu:1MiB");
        Buffer buffer = device.allocate(4096);
        CountDownLatch polling = new CountDownLatch(1);
        AtomicBoolean end = new AtomicBoolean();
        AtomicReference<Throwable> problem = new AtomicReference<>();
        Queue queue = device.openQueue(4);
        Thread poller = Thread.ofPlatform().start(() -> {
            try {
                queue.bindRead(0, buffer, 0, 512);
                while (!end.get()) {
                    queue.submit(new int[] {0}, new long[1], 1);
                    require(queue.await(new int[1]) == 1, "a command did not come back");
                    polling.countDown();
                }
            } catch (Throwable t) {
                problem.set(t);
                polling.countDown();
            }
        });
        polling.await();
        for (int i = 0; i < 100; i++) {
            requireThrows(IllegalStateException.class, device::close);
            if (Boolean.getBoolean("aisio.checked")) {
                // Who owns a queue is known to assertions only.
                requireThrows(IllegalStateException.class, queue::close);
            }
        }
        end.set(true);
        poller.join();
        require(problem.get() == null, String.valueOf(problem.get()));
        queue.close();
        device.close();
        buffer.close();
    }

    private static void afterDevice() throws Exception {
        Device device = Device.open("emu:1MiB");
        Buffer buffer = device.allocate(4096);
        Queue queue = device.openQueue(4);
        queue.bindRead(0, buffer, 0, 512);
        queue.close();
        device.read(0, buffer);
        device.close();
        requireThrows(IllegalStateException.class, () -> buffer.segment().fill((byte) 0));
        requireThrows(IllegalStateException.class, () -> queue.submit(new int[] {0}, new long[1], 1));
        requireThrows(IllegalStateException.class, () -> queue.poll(new int[1]));
        requireThrows(IllegalStateException.class, () -> device.read(0, buffer));
        requireThrows(IllegalStateException.class, () -> device.write(0, buffer));
        requireThrows(IllegalStateException.class, device::flush);
        requireThrows(IllegalStateException.class, () -> device.openQueue(1));
        requireThrows(IllegalStateException.class, () -> device.allocate(1));
        buffer.close();
        queue.close();
        device.close();
    }

    private interface Action {
        void run() throws Exception;
    }

    private static void requireThrows(Class<? extends Exception> expected, Action action) throws Exception {
        try {
            action.run();
        } catch (Exception e) {
            if (expected.isInstance(e)) {
                return;
            }
            throw e;
        }
        throw new AssertionError("no " + expected.getSimpleName());
    }

    private static void require(boolean good, String what) {
        if (!good) {
            throw new AssertionError(what);
        }
    }
}
