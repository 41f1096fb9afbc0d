package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The driver as a client of vfio-user, and the software controller as its server. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class VfioUserPairTest {
    @TempDir
    Path folder;

    private final ConcurrentLinkedQueue<String> notes = new ConcurrentLinkedQueue<>();

    private Running serve(EmuConfiguration configuration) throws Exception {
        return new Running(VfioUserServer.open(folder.resolve("socket"), configuration, notes::add));
    }

    /** A server and the thread that it accepts on. */
    record Running(VfioUserServer server, Thread thread) implements AutoCloseable {
        Running(VfioUserServer server) {
            this(server, Thread.ofPlatform().daemon().start(server::serve));
        }

        String device() {
            return "vfu:" + server.path();
        }

        @Override
        public void close() throws Exception {
            server.close();
            thread.join();
        }
    }

    private static void fill(Buffer buffer, long seed) {
        for (long at = 0; at < buffer.size(); at += Long.BYTES) {
            buffer.segment().set(ValueLayout.JAVA_LONG, at, seed * 31 + at);
        }
    }

    @Test
    void whatIsWrittenIsReadAgain() throws Exception {
        try (Running running = serve(EmuConfiguration.memory(64 << 20))) {
            try (Device device = Device.open(running.device());
                    Buffer written = device.allocate(1 << 20);
                    Buffer read = device.allocate(1 << 20)) {
                assertThat(device.path()).isEqualTo("vfio-user, user-space queue pairs");
                fill(written, 7);
                device.write(100, written, 0, written.size());
                device.read(100, read, 0, read.size());
                assertThat(read.segment().mismatch(written.segment())).isEqualTo(-1);
                device.flush();
            }
            // Before the server ends, of which the note would tell instead.
            while (notes.size() < 2) {
                Thread.onSpinWait();
            }
        }
        assertThat(notes).first().asString().matches("client 1 \\(process \\d+\\) came");
        assertThat(notes).last().asString().matches("client 1 \\(process \\d+\\) left");
    }

    @Test
    void queuesWorkAtDepth() throws Exception {
        try (Running running = serve(EmuConfiguration.memory(16 << 20));
                Device device = Device.open(running.device());
                Buffer buffer = device.allocate(64 * 4096);
                Queue queue = device.openQueue(64)) {
            for (int slot = 0; slot < 64; slot++) {
                queue.bindRead(slot, buffer, slot * 4096L, 4096);
            }
            fill(buffer, 3);
            device.write(0, buffer);
            byte[] written = buffer.segment().toArray(ValueLayout.JAVA_BYTE);
            int[] slots = new int[64];
            long[] lbas = new long[64];
            int[] done = new int[64];
            for (int round = 0; round < 100; round++) {
                for (int slot = 0; slot < 64; slot++) {
                    slots[slot] = slot;
                    lbas[slot] = slot * 8L;
                }
                queue.submit(slots, lbas, 64);
                int reaped = 0;
                while (reaped < 64) {
                    int n = queue.poll(done);
                    for (int i = 0; i < n; i++) {
                        assertThat(done[i])
                                .as("a slot that is done, not failed")
                                .isNotNegative();
                    }
                    reaped += n;
                }
                assertThat(buffer.segment().mismatch(MemorySegment.ofArray(written)))
                        .as("round %d: the first byte that differs", round)
                        .isEqualTo(-1);
                buffer.segment().fill((byte) round);
            }
        }
    }

    @Test
    void eachClientHasMediaOfItsOwn() throws Exception {
        try (Running running = serve(EmuConfiguration.memory(1 << 20));
                Device one = Device.open(running.device());
                Device two = Device.open(running.device());
                Buffer first = one.allocate(4096);
                Buffer second = two.allocate(4096)) {
            fill(first, 1);
            one.write(0, first);
            two.read(0, second);
            assertThat(second.segment().get(ValueLayout.JAVA_LONG, 8)).isZero();
            assertThat(running.server().clients()).isEqualTo(2);
        }
    }

    @Test
    void anImageThatIsWrittenHasOneClientAtATime() throws Exception {
        Path image = Files.write(folder.resolve("image"), new byte[1 << 20]);
        try (Running running = serve(EmuConfiguration.image(image));
                Device device = Device.open(running.device())) {
            assertThat(device.geometry().lbaCount()).isEqualTo(2048);
            assertThatThrownBy(() -> Device.open(running.device())).hasMessageContaining("what it serves is in use");
        }
    }

    @Test
    void anImageThatIsOnlyReadIsShared() throws Exception {
        Path image = Files.write(folder.resolve("image"), new byte[1 << 20]);
        try (Running running = serve(EmuConfiguration.image(image).withReadOnly(true));
                Device one = Device.open(running.device());
                Device two = Device.open(running.device());
                Buffer buffer = two.allocate(4096)) {
            two.read(0, buffer);
            assertThat(one.name()).isEqualTo(two.name());
        }
    }

    @Test
    void aServerThatEndsIsADeviceThatWasRemoved() throws Exception {
        Running running = serve(EmuConfiguration.memory(1 << 20));
        try (Device device = Device.open(running.device());
                Buffer buffer = device.allocate(4096)) {
            running.close();
            long begun = System.nanoTime();
            // Registers may be read before the end of the connection is noticed.
            assertThatThrownBy(() -> device.read(0, buffer))
                    .hasMessageMatching("(?s).*the device (was removed|is gone).*");
            assertThat(System.nanoTime() - begun).as("nanoseconds").isLessThan(5_000_000_000L);
        }
        assertThat(folder.resolve("socket")).doesNotExist();
    }

    @Test
    void saysWhatIsMissing() throws Exception {
        assertThatThrownBy(() -> Device.open("vfu:" + folder.resolve("none")))
                .hasMessageContaining("there is no such socket; next: start a server");
        Path file = Files.writeString(folder.resolve("file"), "");
        assertThatThrownBy(() -> Device.open("vfu:" + file)).hasMessageContaining("this is no socket");
    }
}
