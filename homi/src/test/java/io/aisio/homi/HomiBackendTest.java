package io.aisio.homi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.aisio.homi.daemon.Metered;
import io.aisio.homi.daemon.TestDaemon;
import io.aisio.nvme.MappedQueuePair;
import io.aisio.nvme.NvmeException;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.LeasedDevice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device of the daemon's, used as any other. */
class HomiBackendTest {
    @TempDir
    Path folder;

    private static byte[] random(int bytes, long seed) {
        byte[] made = new byte[bytes];
        new Random(seed).nextBytes(made);
        return made;
    }

    @Test
    void aLeasedDeviceReadsWhatItWrote() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared")) {
            try (Device device = Device.open(daemon.uri());
                    Buffer buffer = device.allocate(1 << 20);
                    Buffer back = device.allocate(1 << 20)) {
                assertThat(device.path())
                        .startsWith("leased from homid, user-space queue pairs; there: software controller");
                assertThat(device.geometry().bytes()).isEqualTo(64 << 20);
                assertThat(device.capabilities().queues()).isEqualTo(Capabilities.Queues.USER_SPACE);
                byte[] written = random(1 << 20, 1);
                MemorySegment.copy(written, 0, buffer.segment(), ValueLayout.JAVA_BYTE, 0, written.length);
                device.write(3, buffer);
                device.flush();
                device.read(3, back);
                assertThat(back.segment().mismatch(buffer.segment())).isEqualTo(-1);
                assertThat(daemon.device().queuesUsed()).isEqualTo(1);
            }
            daemon.awaitIdle();
        }
    }

    @Test
    void aQueueThatIsMappedForAGpuIsShownAsOne() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared")) {
            try (Device device = Device.open(daemon.uri());
                    Queue queue = device.openQueue(8);
                    MappedQueuePair mapped = ((LeasedDevice) device).mapQueuePair(32)) {
                assertThat(queue.depth()).isEqualTo(8);
                assertThat(mapped.isLost()).isFalse();
                assertThat(daemon.daemon.status().rows())
                        .extracting(Metered.Row::path, Metered.Row::depth)
                        .containsExactlyInAnyOrder(tuple(Metered.Path.PROCESS, 8), tuple(Metered.Path.GPU, 32));
            }
            daemon.awaitIdle();
        }
    }

    @Test
    void twoClientsHaveQueuesOfTheirOwnOnOneDevice() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared")) {
            try (Device one = Device.open(daemon.uri());
                    Device two = Device.open(daemon.uri());
                    Buffer written = one.allocate(4096);
                    Buffer read = two.allocate(4096);
                    Queue queue = one.openQueue(8);
                    Queue other = two.openQueue(8)) {
                written.segment().fill((byte) 0x5A);
                queue.bindWrite(0, written, 0, 4096);
                other.bindRead(0, read, 0, 4096);
                int[] completed = new int[8];
                for (int i = 0; i < 100; i++) {
                    queue.submit(new int[] {0}, new long[] {i * 8L}, 1);
                    assertThat(queue.await(completed)).isEqualTo(1);
                    assertThat(completed[0]).isZero();
                    read.segment().fill((byte) 0);
                    other.submit(new int[] {0}, new long[] {i * 8L}, 1);
                    assertThat(other.await(completed)).isEqualTo(1);
                    assertThat(read.segment().mismatch(written.segment())).isEqualTo(-1);
                }
                assertThat(daemon.daemon.status().rows()).hasSize(2).allSatisfy(row -> {
                    assertThat(row.state()).isEqualTo("working");
                    assertThat(row.owner().pid())
                            .isEqualTo((int) ProcessHandle.current().pid());
                });
            }
            daemon.awaitIdle();
        }
    }

    @Test
    void aLeaseThatReadsWritesNothing() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared");
                Device device = Device.open(daemon.uri() + "&access=read");
                Buffer buffer = device.allocate(4096)) {
            assertThat(device.capabilities().has(Capabilities.Trait.WRITES)).isFalse();
            device.read(0, buffer);
            assertThatThrownBy(() -> device.write(0, buffer)).isInstanceOf(NvmeException.class);
        }
    }

    @Test
    void commandsInFlightComeBackWhenTheControllerIsReset() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared&latency=50ms")) {
            try (Device device = Device.open(daemon.uri());
                    Buffer buffer = device.allocate(8 * 4096);
                    Queue queue = device.openQueue(8)) {
                int[] slots = new int[8];
                long[] lbas = new long[8];
                for (int i = 0; i < 8; i++) {
                    queue.bindRead(i, buffer, i * 4096L, 4096);
                    slots[i] = i;
                    lbas[i] = i * 8L;
                }
                queue.submit(slots, lbas, 8);
                daemon.daemon.reset(TestDaemon.DEVICE);
                int[] completed = new int[8];
                int came = 0;
                while (came < 8) {
                    int n = queue.await(completed);
                    for (int i = 0; i < n; i++) {
                        if (completed[i] < 0) {
                            assertThat(queue.failure(~completed[i]))
                                    .isInstanceOfSatisfying(
                                            NvmeException.class,
                                            e -> assertThat(e.retryable())
                                                    .as(e.getMessage())
                                                    .isTrue());
                        }
                    }
                    came += n;
                }
                assertThat(came).isEqualTo(8);
                queue.submit(slots, lbas, 8);
                for (int left = 8; left > 0; ) {
                    int n = queue.await(completed);
                    for (int i = 0; i < n; i++) {
                        assertThat(completed[i]).isNotNegative();
                    }
                    left -= n;
                }
                assertThat(daemon.device().resets()).isEqualTo(1);
            }
            daemon.awaitIdle();
        }
    }

    @Test
    void adminCommandsThatTellSomethingGoThroughTheDaemonAndNoOthers() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared&serial=HOMI1");
                Device device = Device.open(daemon.uri())) {
            MemorySegment data = MemorySegment.ofArray(new byte[4096]);
            device.passthrough().execute(io.aisio.nvme.Command.of(io.aisio.nvme.spec.Opcode.IDENTIFY, 0, 1), data);
            assertThat(new String(
                            data.asSlice(4, 20).toArray(ValueLayout.JAVA_BYTE),
                            java.nio.charset.StandardCharsets.US_ASCII))
                    .startsWith("HOMI1");
            assertThatThrownBy(() -> device.passthrough()
                            .execute(
                                    io.aisio.nvme.Command.of(io.aisio.nvme.spec.Opcode.FORMAT_NVM, 1, 0),
                                    MemorySegment.NULL))
                    .hasMessageContaining("Format NVM is not for clients");
        }
    }

    @Test
    void smallPiecesOfMemoryShareWhatTheDaemonGives() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared");
                Device device = Device.open(daemon.uri())) {
            Buffer[] buffers = new Buffer[2000];
            for (int i = 0; i < buffers.length; i++) {
                buffers[i] = device.allocate(4096);
                buffers[i].segment().set(ValueLayout.JAVA_INT, 0, i);
            }
            for (int i = 0; i < buffers.length; i++) {
                assertThat(buffers[i].segment().get(ValueLayout.JAVA_INT, 0)).isEqualTo(i);
                buffers[i].close();
            }
            try (Buffer again = device.allocate(4096)) {
                assertThat(again.segment().get(ValueLayout.JAVA_INT, 0)).isZero();
            }
        }
    }

    @Test
    void whatCannotBeSaysWhyAndWhatNext() throws Exception {
        assertThatThrownBy(() -> Device.open("homi:nvme0?socket=" + folder.resolve("none.sock")))
                .hasMessageContaining("no daemon listens there; next: start one");
        assertThatThrownBy(() -> Device.open("homi:nvme0/x")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Device.open("homi:nvme0?acess=read")).hasMessageContaining("no option 'acess' here");
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared")) {
            assertThatThrownBy(() -> Device.open("homi:nvme7?socket=" + daemon.socket))
                    .hasMessageContaining("there is no device 'nvme7'; next: there is [nvme0]");
            assertThatThrownBy(() -> Device.open("homi:nvme0/9?socket=" + daemon.socket))
                    .hasMessageContaining("no usable namespace 9");
        }
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB")) {
            assertThatThrownBy(() -> Device.open(daemon.uri())).hasMessageContaining("cannot be leased");
            assertThat(daemon.device().leasable()).isFalse();
        }
    }

    @Test
    void aProgramIsNamedAsItSaysElseByWhatTheJvmWasToldToStart() {
        String tools = "io.aisio.cli/io.aisio.cli.Aisio xnvmeperf run --iosize 512 homi:nvme0";
        assertThat(HomiBackend.program("xnvmeperf run", tools)).isEqualTo("xnvmeperf run");
        assertThat(HomiBackend.program("", "org.example/org.example.Loader secret"))
                .isEqualTo("Loader");
        assertThat(HomiBackend.program("", "Loader")).isEqualTo("Loader");
        assertThat(HomiBackend.program("", "/opt/app/loader-1.2.jar secret")).isEqualTo("loader-1.2.jar");
        assertThat(HomiBackend.program("", "")).isEqualTo("a Java program");
    }
}
