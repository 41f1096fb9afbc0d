package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.homi.HomiClient;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.FileStatus;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What is taken back from a client, from a device or by the daemon's end, is taken back whole, and not too soon. */
@Timeout(60)
class TakingBackTest {
    private static final String SHARED = "emu:64MiB?shared";
    private static final String OPEN = "{\"device\":\"nvme0\"}";

    @TempDir
    Path folder;

    private static long number(JsonNode answer, String name) {
        return answer.get(name).longValue();
    }

    private static byte[] data(JsonNode answer) {
        return Base64.getDecoder().decode(answer.get("data").stringValue());
    }

    @Test
    void anAdminCommandsBufferIsAsLargeAsTheCommandWrites() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient client = RawClient.greeted(daemon.socket)) {
            String admin = "{\"lease\":" + number(client.call("device.open", OPEN), "lease") + ",\"opcode\":%d,"
                    + "\"cdw10\":%d,\"nsid\":%d,\"bytes\":%d}";
            assertThat(data(client.call("admin", admin.formatted(Opcode.IDENTIFY, 1, 0, 0))))
                    .isEmpty();
            assertThat(data(client.call("admin", admin.formatted(Opcode.IDENTIFY, 1, 0, 64))))
                    .hasSize(64);
            // 16 KiB by the command's own number of dwords.
            int log = 4095 << 16 | 2;
            assertThat(data(client.call("admin", admin.formatted(Opcode.GET_LOG_PAGE, log, 0xFFFF_FFFFL, 4))))
                    .hasSize(4);
            assertThat(data(client.call("admin", admin.formatted(Opcode.GET_LOG_PAGE, 2, 0xFFFF_FFFFL, 512))))
                    .hasSize(512);
            for (int bytes : new int[] {0, 2, 5}) {
                assertThat(client.refused("admin", admin.formatted(Opcode.GET_LOG_PAGE, log, 0, bytes)))
                        .isEqualTo(RpcException.INVALID_PARAMS);
            }
            assertThat(client.refused("admin", admin.formatted(Opcode.IDENTIFY, 1, 0, 8192)))
                    .isEqualTo(RpcException.INVALID_PARAMS);
            assertThat(client.refused("admin", admin.formatted(Opcode.GET_FEATURES, 0xC0, 0, 0)))
                    .isEqualTo(RpcException.NOT_PERMITTED);
            // Errors of others' commands, namespaces and zones that changed, telemetry, events, reservations, a
            // vendor's.
            for (int page : new int[] {0x01, 0x04, 0x07, 0x08, 0x0D, 0x23, 0x80, 0xBF, 0xC0}) {
                assertThat(client.refused("admin", admin.formatted(Opcode.GET_LOG_PAGE, page, 0, 64)))
                        .as("page %02xh", page)
                        .isEqualTo(RpcException.NOT_PERMITTED);
            }
            client.call("admin", admin.formatted(Opcode.GET_LOG_PAGE, 5, 0, 4096));
            assertThat(daemon.device().resets()).isZero();
        }
    }

    @Test
    void aDeviceThatDoesNotKeepItsUsersApartIsLeasedOnlyWhereThatIsSaid() throws Exception {
        UnusualDevice device = new UnusualDevice();
        device.isProtected = false;
        UnaryOperator<Configuration> untrusted =
                c -> Configuration.of(c.socket(), List.of(new Configuration.Device(TestDaemon.DEVICE, SHARED)));
        try (TestDaemon daemon = new TestDaemon(folder, SHARED, untrusted, Daemon.Parts.NONE, device);
                HomiClient client = daemon.client()) {
            assertThatThrownBy(
                            () -> client.call("device.open", HomiClient.params().put("device", TestDaemon.DEVICE)))
                    .isInstanceOf(RpcException.class)
                    .hasMessageContaining("does not keep its users apart")
                    .hasMessageContaining("trusted = true");
            assertThat(daemon.device().leases()).isZero();
        }
    }

    @Test
    void memoryThatCommandsInFlightMayNameWaitsForTheirQueue() throws Exception {
        UnusualDevice device = new UnusualDevice();
        device.isProtected = false;
        try (TestDaemon daemon = new TestDaemon(folder, SHARED, c -> c, Daemon.Parts.NONE, device);
                RawClient client = RawClient.greeted(daemon.socket)) {
            long lease = number(client.call("device.open", OPEN), "lease");
            String allocate = "{\"lease\":" + lease + ",\"bytes\":65536}";
            long early = number(client.call("memory.allocate", allocate), "memory");
            client.call("memory.release", "{\"memory\":" + early + "}");
            assertThat(memory(daemon)).as("no queue is there yet").isZero();
            long queue = number(client.call("queue.create", "{\"lease\":" + lease + ",\"depth\":8}"), "queue");
            long rings = memory(daemon);
            JsonNode piece = client.call("memory.allocate", allocate);
            client.call("memory.release", "{\"memory\":" + number(piece, "memory") + "}");
            assertThat(memory(daemon)).as("still counted").isEqualTo(rings + 65536);
            JsonNode again = client.call("memory.allocate", allocate);
            assertThat(again.get("runs")).as("the client's own again").isEqualTo(piece.get("runs"));
            client.call("memory.release", "{\"memory\":" + number(again, "memory") + "}");
            client.call("queue.delete", "{\"queue\":" + queue + ",\"keep\":true}");
            assertThat(memory(daemon)).as("the queue is stopped").isEqualTo(rings);
            client.call("queue.delete", "{\"queue\":" + queue + "}");
            assertThat(memory(daemon)).isZero();
        }
    }

    private static long memory(TestDaemon daemon) {
        return daemon.daemon.status().clients().getFirst().memoryBytes();
    }

    @Test
    void memoryOfAControllerThatCannotBeStoppedIsKeptWhateverQueuesAreLeft() throws Exception {
        UnusualDevice device = new UnusualDevice();
        try (TestDaemon daemon = new TestDaemon(folder, SHARED, c -> c, Daemon.Parts.NONE, device)) {
            try (RawClient client = RawClient.greeted(daemon.socket)) {
                long lease = number(client.call("device.open", OPEN), "lease");
                long piece =
                        number(client.call("memory.allocate", "{\"lease\":" + lease + ",\"bytes\":65536}"), "memory");
                device.isStubborn = true;
                assertThatThrownBy(() -> daemon.daemon.reset("nvme0")).isInstanceOf(IOException.class);
                client.call("memory.release", "{\"memory\":" + piece + "}");
                assertThat(memory(daemon)).as("still counted").isEqualTo(65536);
            }
            daemon.await(() -> daemon.device().leases() == 0, "the end of the lease");
            daemon.await(
                    () -> daemon.notes.stream().anyMatch(n -> n.contains("the memory of lease 1 is kept for good")),
                    "what is kept");
            device.isStubborn = false;
        }
    }

    @Test
    void whatFailsAtALeasesEndHoldsUpNothingBehindIt() throws Exception {
        UnusualDevice device = new UnusualDevice();
        try (TestDaemon daemon = new TestDaemon(folder, SHARED, c -> c, Daemon.Parts.NONE, device)) {
            device.failsToClose = true;
            try (RawClient client = RawClient.greeted(daemon.socket)) {
                for (int i = 0; i < 2; i++) {
                    long lease = number(client.call("device.open", OPEN), "lease");
                    client.call("queue.create", "{\"lease\":" + lease + ",\"depth\":8}");
                }
            }
            daemon.awaitIdle();
            assertThat(daemon.notes).anyMatch(n -> n.contains("the domain was not closed: the domain does not close"));
            device.failsToClose = false;
        }
    }

    /** An export with one queue pair, that does nothing with it. */
    private static final class Maker implements Export.Maker {
        volatile String failed = "";
        final List<Export.Request> started = new ArrayList<>();
        /** Whether the queue pair ends with the device, and not later. */
        volatile boolean endsAtOnce;

        @Override
        public String kind() {
            return "test";
        }

        @Override
        public Export start(Export.Request request, NvmeDevice device, Events events) throws IOException {
            QueuePair pair = device.controller().createQueuePair(4);
            started.add(request);
            return new Export() {
                @Override
                public Request request() {
                    return request;
                }

                @Override
                public boolean deviceFailed(String why) {
                    failed = why;
                    if (endsAtOnce) {
                        close();
                    }
                    return endsAtOnce;
                }

                @Override
                public void stop() {}

                @Override
                public void close() {
                    try {
                        pair.close();
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                }

                @Override
                public Row row() {
                    Owner nobody = new Owner(0, 0, "");
                    return new Row(
                            request.name(),
                            request.device(),
                            1,
                            Path.KERNEL,
                            nobody,
                            0,
                            0,
                            4,
                            1,
                            false,
                            Instant.EPOCH,
                            "working",
                            Counters.NONE,
                            null);
                }
            };
        }
    }

    @Test
    void aDeviceThatIsRemovedUnderAnExportIsClosedWithItAndComesBack() throws Exception {
        Path image = folder.resolve("image");
        try (OpenFile file = OpenFile.create(image, 0600)) {
            file.resize(16 << 20);
        }
        Maker maker = new Maker();
        try (TestDaemon daemon = new TestDaemon(
                        folder,
                        "emu:" + image + "?shared",
                        c -> c,
                        new Daemon.Parts(List.of(maker), List.of()),
                        io.aisio.xnvme.Device::open);
                RawClient client = RawClient.greeted(daemon.socket)) {
            daemon.daemon.export(new Export.Request("e", "nvme0", 1, "test", 1, 4, false, -1));
            client.call("device.open", OPEN);
            daemon.daemon.deviceRemoved("nvme0", "it was pulled");
            assertThat(maker.failed).isEqualTo("it was pulled");
            assertThat(daemon.device().state()).isEqualTo("absent");
            assertThat(daemon.device().leases()).isZero();
            assertThat(client.refused("device.open", OPEN)).isEqualTo(RpcException.DEVICE);
            assertThatThrownBy(() -> daemon.daemon.deviceAdded("nvme0"))
                    .hasMessageContaining("an export still has queue pairs of it");
            daemon.daemon.unexport("e");
            daemon.daemon.deviceAdded("nvme0");
            assertThat(daemon.device().state()).isEqualTo("working");
            client.call("device.open", OPEN);
        }
    }

    @Test
    void aDeviceThatIsRemovedIsClosedAtOnceIfItsExportEndsWithIt() throws Exception {
        List<NvmeDevice> opened = new ArrayList<>();
        Maker maker = new Maker();
        maker.endsAtOnce = true;
        try (TestDaemon daemon =
                new TestDaemon(folder, SHARED, c -> c, new Daemon.Parts(List.of(maker), List.of()), uri -> {
                    opened.add((NvmeDevice) io.aisio.xnvme.Device.open(uri));
                    return opened.getLast();
                })) {
            daemon.daemon.export(new Export.Request("e", "nvme0", 1, "test", 1, 4, false, -1));
            daemon.daemon.deviceRemoved("nvme0", "it was pulled");
            // The kernel waits for that, before it lets go of a card.
            assertThat(opened)
                    .singleElement()
                    .matches(device -> device.controller().isClosed());
            assertThat(daemon.daemon.status().rows()).hasSize(1);
            daemon.daemon.deviceAdded("nvme0");
            assertThat(daemon.device().queuesUsed()).isZero();
            daemon.daemon.unexport("e");
            daemon.daemon.export(new Export.Request("e", "nvme0", 1, "test", 1, 4, false, -1));
            assertThat(daemon.device().queuesUsed()).isEqualTo(1);
        }
    }

    private static List<String> exported(TestDaemon daemon) {
        return daemon.daemon.exports().stream().map(e -> e.request().name()).toList();
    }

    private static Export.Request request(String name) {
        return new Export.Request(name, "nvme0", 1, "test", 1, 4, false, -1);
    }

    @Test
    void whatTheConfigurationExportsBeginsAgainWhenItsDeviceIsBack() throws Exception {
        Maker maker = new Maker();
        maker.endsAtOnce = true;
        try (TestDaemon daemon = new TestDaemon(
                folder,
                SHARED,
                TestDaemon.exports(request("a"), request("b"), request("c")),
                new Daemon.Parts(List.of(maker), List.of()),
                io.aisio.xnvme.Device::open)) {
            daemon.daemon.export(request("by hand"));
            daemon.daemon.unexport("b");
            daemon.daemon.unexport("c");
            Export.Request other = new Export.Request("c", "nvme0", 1, "test", 1, 2, false, -1);
            daemon.daemon.export(other);
            List<Export> before = daemon.daemon.exports();
            daemon.daemon.deviceRemoved("nvme0", "it was pulled");
            assertThat(maker.started).hasSize(5);
            daemon.daemon.deviceAdded("nvme0");
            // Not what was asked for by hand, nor what was ended or replaced by hand.
            assertThat(maker.started.subList(5, maker.started.size())).containsExactly(request("a"));
            assertThat(exported(daemon)).containsExactlyInAnyOrder("a", "by hand", "c");
            assertThat(daemon.daemon.exports()).doesNotContain(before.getFirst());
            assertThat(daemon.device().queuesUsed()).isEqualTo(1);
            daemon.daemon.deviceAdded("nvme0");
            assertThat(maker.started).hasSize(6);

            // Again, and what was ended by hand is begun by hand.
            daemon.daemon.export(request("b"));
            daemon.daemon.deviceRemoved("nvme0", "it was pulled");
            daemon.daemon.deviceAdded("nvme0");
            assertThat(maker.started.subList(7, maker.started.size())).containsExactly(request("a"), request("b"));
        }
    }

    @Test
    void whatTheConfigurationExportsBeginsOnceItsDeviceIsThere() throws Exception {
        Maker maker = new Maker();
        maker.endsAtOnce = true;
        AtomicInteger there = new AtomicInteger();
        ServedDevice.Opener opener = uri -> {
            if (uri.equals(SHARED) || there.get() > 0) {
                return io.aisio.xnvme.Device.open(SHARED);
            }
            throw new IOException("it is not plugged in");
        };
        Configuration.Device late = new Configuration.Device("late", "late", true);
        Export.Request request = new Export.Request("e", "late", 1, "test", 1, 4, false, -1);
        try (TestDaemon daemon = new TestDaemon(
                folder,
                SHARED,
                c -> TestDaemon.exports(request)
                        .apply(Configuration.of(c.socket(), List.of(c.devices().getFirst(), late))),
                new Daemon.Parts(List.of(maker), List.of()),
                opener)) {
            assertThat(daemon.notes).anyMatch(note -> note.startsWith("error: export e: late is not there"));
            there.set(1);
            daemon.daemon.deviceAdded("late");
            assertThat(exported(daemon)).containsExactly("e");
        }
    }

    @Test
    void whoTakesNothingIsSentAwayOnceHoweverMuchHappens() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient deaf = RawClient.greeted(daemon.socket)) {
            deaf.call("device.open", OPEN);
            deaf.call("events.subscribe", "{}");
            Lease lease = daemon.daemon.device("nvme0").leases().iterator().next();
            // Its end waits for this lock.
            synchronized (lease) {
                for (int i = 0; i < 5000; i++) {
                    daemon.daemon.events().add("other", null, "something happened ".repeat(10));
                }
                assertThat(Thread.getAllStackTraces().keySet())
                        .filteredOn(thread -> thread.getName().endsWith("sent away"))
                        .hasSize(1);
            }
            daemon.awaitIdle();
        }
    }

    @Test
    void oneLeaseIsTakenBackAndTheClientsOthersGoOn() throws Exception {
        Daemon.Parts parts = new Daemon.Parts(List.of(), List.of(new ClientsService()));
        try (TestDaemon daemon = new TestDaemon(folder, SHARED, c -> c, parts, io.aisio.xnvme.Device::open);
                RawClient client = RawClient.greeted(daemon.socket);
                RawClient control = RawClient.greeted(daemon.socket)) {
            long[] leases = new long[2];
            for (int i = 0; i < 2; i++) {
                leases[i] = number(client.call("device.open", OPEN), "lease");
                client.call("queue.create", "{\"lease\":" + leases[i] + ",\"depth\":8}");
            }
            control.call("client.release", "{\"client\":1,\"lease\":" + leases[0] + "}");
            assertThat(daemon.device().leases()).isEqualTo(1);
            assertThat(daemon.device().queuesUsed()).isEqualTo(1);
            JsonNode told = client.receive();
            assertThat(told.get("method").stringValue()).isEqualTo("device.event");
            assertThat(told.get("params").get("kind").stringValue()).isEqualTo("removed");
            assertThat(client.refused("queue.create", "{\"lease\":" + leases[0] + ",\"depth\":8}"))
                    .isEqualTo(RpcException.DEVICE);
            client.call("queue.create", "{\"lease\":" + leases[1] + ",\"depth\":8}");
            for (String none : List.of("{\"client\":1,\"lease\":" + leases[0] + "}", "{\"client\":9,\"lease\":1}")) {
                assertThat(control.refused("client.release", none)).isEqualTo(RpcException.NO_SUCH);
            }
        }
    }

    @Test
    void manyEmptyLeasesOfAUserKeepOneQueuePairFromOthers() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED + "&qpairs=4");
                RawClient hoarder = RawClient.greeted(daemon.socket);
                RawClient other = RawClient.greeted(daemon.socket)) {
            for (int i = 0; i < 8; i++) {
                hoarder.call("device.open", OPEN);
            }
            long lease = number(other.call("device.open", OPEN), "lease");
            for (int i = 0; i < 3; i++) {
                other.call("queue.create", "{\"lease\":" + lease + ",\"depth\":8}");
            }
            assertThat(other.refused("queue.create", "{\"lease\":" + lease + ",\"depth\":8}"))
                    .isEqualTo(RpcException.QUOTA);
            // Leases that files are held still for are not about to have any.
            for (Lease one : daemon.daemon.device("nvme0").leases()) {
                one.holdPins();
            }
            other.call("queue.create", "{\"lease\":" + lease + ",\"depth\":8}");
        }
    }

    @Test
    void aRequestThatIsTooLongIsRefusedHereAndAllElseGoesOn() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                HomiClient client = daemon.client()) {
            client.call("device.open", HomiClient.params().put("device", "nvme0"));
            assertThatThrownBy(() -> client.call("hello", HomiClient.params().put("name", "n".repeat(70_000))))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(client.call("status", HomiClient.params()).get("ready").booleanValue())
                    .isTrue();
            assertThat(daemon.device().leases()).isEqualTo(1);
        }
    }

    @Test
    void aListenersFaultIsReportedAndTheConnectionGoesOn() throws Exception {
        List<Throwable> reported = Collections.synchronizedList(new ArrayList<>());
        Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
        Thread.setDefaultUncaughtExceptionHandler((thread, fault) -> reported.add(fault));
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                HomiClient client = daemon.client()) {
            client.subscribe(0, event -> {
                throw new IllegalArgumentException("a fault of the listener's");
            });
            daemon.daemon.events().add("other", null, "something");
            daemon.await(() -> !reported.isEmpty(), "the report");
            assertThat(reported.getFirst()).hasMessage("a fault of the listener's");
            assertThat(client.call("status", HomiClient.params()).get("ready").booleanValue())
                    .isTrue();
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before);
        }
    }

    @Test
    void aFolderOfSomebodyElsesIsRefused() throws Exception {
        assumeTrue(FileStatus.effectiveUser() == 0, "needs root, to give a folder away");
        Path his = Files.createDirectory(
                folder.resolve("homi"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        Files.setAttribute(his, "unix:uid", 65534);
        assertThatThrownBy(() -> new TestDaemon(folder, SHARED)).hasMessageContaining("its folder is uid 65534's");
    }
}
