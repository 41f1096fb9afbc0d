package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.NvmeException;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a daemon and its clients must survive of each other, in processes of their own. */
@Timeout(180)
class ProcessesTest {
    private static final int CLIENTS = 8;

    @TempDir
    Path folder;

    @Test
    void case21_ofEightClientsFourAreKilledAndAllThatTheyHadIsBack() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared")) {
            try (Device warm = Device.open(daemon.uri());
                    Buffer buffer = warm.allocate(4096)) {
                warm.write(0, buffer);
            }
            daemon.awaitIdle();
            long descriptors = DaemonCasesTest.descriptors();
            long mappings = DaemonCasesTest.mappings();
            List<Child> children = new ArrayList<>();
            try {
                for (int i = 0; i < CLIENTS; i++) {
                    children.add(new Child(ClientProcess.class, daemon.uri(), Integer.toString(i)));
                }
                for (Child child : children) {
                    assertThat(child.line()).isEqualTo("ready");
                }
                assertThat(daemon.device().queuesUsed()).isEqualTo(CLIENTS);
                for (Child child : children) {
                    child.go();
                }
                Random random = new Random(8);
                for (int i = 0; i < CLIENTS / 2; i++) {
                    LockSupport.parkNanos(random.nextLong(30_000_000));
                    children.get(i).kill();
                }
                daemon.await(() -> daemon.device().queuesUsed() == CLIENTS / 2, "the queues of those that were killed");
                for (int i = CLIENTS / 2; i < CLIENTS; i++) {
                    Child left = children.get(i);
                    assertThat(left.process.isAlive()).isTrue();
                    assertThat(left.finish()).as("exit code of client %d", i).isZero();
                    assertThat(left.line()).startsWith("compared ").isNotEqualTo("compared 0");
                }
            } finally {
                for (Child child : children) {
                    child.close();
                }
            }
            daemon.awaitIdle();
            assertThat(daemon.device().resets()).as("resets").isZero();
            daemon.await(() -> clientThreads() == 0, "the end of the clients' threads");
            assertThat(DaemonCasesTest.mappings()).as("mappings").isEqualTo(mappings);
            assertThat(DaemonCasesTest.descriptors()).as("descriptors").isEqualTo(descriptors);
        }
    }

    @Test
    void case21_whatAChildHoldsOfAClientThatWasKilledIsBack() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:64MiB?shared");
                Child client = new Child(HeirProcess.class, daemon.socket.toString())) {
            ProcessHandle heir = ProcessHandle.of(Long.parseLong(client.line())).orElseThrow();
            try {
                assertThat(daemon.device().queuesUsed()).isEqualTo(1);
                client.kill();
                daemon.awaitIdle();
                assertThat(heir.isAlive()).as("who has the socket still").isTrue();
                assertThat(daemon.notes).anyMatch(n -> n.contains("left: its process has ended"));
            } finally {
                heir.destroyForcibly();
            }
        }
    }

    private static long clientThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("homi client"))
                .count();
    }

    @Test
    void case28_aDaemonThatIsTerminatedTellsItsClientsAndLeavesNothing() throws Exception {
        Path socket = folder.resolve("homi").resolve("homi.sock");
        try (Child daemon = new Child(DaemonProcess.class, socket.toString(), "emu:64MiB?shared&latency=2s")) {
            assertThat(daemon.line()).isEqualTo("ready");
            try (Device device = Device.open("homi:nvme0?socket=" + socket);
                    Buffer buffer = device.allocate(4096);
                    Queue queue = device.openQueue(4)) {
                inFlight(queue, buffer);
                daemon.terminate();
                comesBackFailed(queue);
                assertThatThrownBy(() -> device.read(0, buffer)).hasMessageContaining("the daemon ends");
            }
            assertThat(daemon.exitCode()).isZero();
            assertThat(socket).doesNotExist();
        }
    }

    @Test
    void case28_aDaemonThatIsKilledHangsNobodyAndIsStartedAnew() throws Exception {
        Path socket = folder.resolve("homi").resolve("homi.sock");
        try (Child daemon = new Child(DaemonProcess.class, socket.toString(), "emu:64MiB?shared&latency=10s")) {
            assertThat(daemon.line()).isEqualTo("ready");
            try (Device device = Device.open("homi:nvme0?socket=" + socket);
                    Buffer buffer = device.allocate(4096);
                    Queue queue = device.openQueue(4)) {
                inFlight(queue, buffer);
                daemon.kill();
                comesBackFailed(queue);
                assertThatThrownBy(() -> device.read(0, buffer)).isInstanceOf(NvmeException.class);
                assertThatThrownBy(() -> queue.submit(new int[] {0}, new long[] {0}, 1))
                        .isInstanceOf(NvmeException.class);
            }
        }
        assertThat(socket).as("left behind").exists();
        try (TestDaemon again = new TestDaemon(folder, "emu:64MiB?shared");
                Device device = Device.open(again.uri());
                Buffer buffer = device.allocate(4096)) {
            device.read(0, buffer);
        }
    }

    private static void inFlight(Queue queue, Buffer buffer) throws Exception {
        for (int i = 0; i < 4; i++) {
            queue.bindRead(i, buffer, 0, 4096);
        }
        queue.submit(new int[] {0, 1, 2, 3}, new long[4], 4);
    }

    private static void comesBackFailed(Queue queue) throws Exception {
        int[] completed = new int[4];
        int failed = 0;
        while (queue.outstanding() > 0) {
            int n = queue.await(completed);
            for (int i = 0; i < n; i++) {
                if (completed[i] < 0) {
                    failed++;
                    assertThat(queue.failure(~completed[i])).isInstanceOf(NvmeException.class);
                }
            }
        }
        assertThat(failed).as("commands that came back failed").isPositive();
    }
}
