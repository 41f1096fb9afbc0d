package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.homi.HomiClient;
import io.aisio.homi.HomiControl;
import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.FileStatus;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.upcie.DmaMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a daemon must survive, each case by its number in the list of them. Those with processes are in {@link ProcessesTest}. */
class DaemonCasesTest {
    private static final String SHARED = "emu:64MiB?shared";

    @TempDir
    Path folder;

    static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    private static String open(String access) {
        return "{\"device\":\"nvme0\",\"access\":\"" + access + "\"}";
    }

    @Test
    void case22_aRequestThatIsNoneIsRefusedAndTheNextIsAnswered() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient client = RawClient.greeted(daemon.socket)) {
            for (String line : List.of(
                    "{",
                    "[]",
                    "nonsense",
                    "\"text\"",
                    "{\"jsonrpc\":\"2.0\",\"id\":1}",
                    "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}",
                    "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"status\"}",
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"status\"}",
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"more\":1}",
                    "{} {}",
                    "")) {
                client.send(line + "\n");
                assertThat(client.receive().get("error").get("code").intValue())
                        .as(line)
                        .isIn(RpcException.PARSE_ERROR, RpcException.INVALID_REQUEST);
                assertThat(client.call("status", "{}").get("ready").booleanValue())
                        .isTrue();
            }
            assertThat(client.refused("no.such", "{}")).isEqualTo(RpcException.METHOD_NOT_FOUND);
            assertThat(client.refused("status", "[1]")).isEqualTo(RpcException.INVALID_PARAMS);
            assertThat(client.refused("status", "{\"form\":1}")).isEqualTo(RpcException.INVALID_PARAMS);
            assertThat(client.refused("status", "{\"from\":1e3}")).isEqualTo(RpcException.INVALID_PARAMS);
            assertThat(client.refused("status", "{\"from\":99999999999999999999}"))
                    .isEqualTo(RpcException.INVALID_PARAMS);
        }
    }

    @Test
    void case22_aRequestThatIsNestedTooDeeplyOrNoUtf8IsRefused() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient client = RawClient.greeted(daemon.socket)) {
            client.send("{\"a\":" + "[".repeat(20_000) + "]".repeat(20_000) + "}\n");
            assertThat(client.receive().get("error").get("code").intValue()).isEqualTo(RpcException.PARSE_ERROR);
            client.send("{\"a\":" + "[".repeat(15) + "]".repeat(15) + "}\n");
            assertThat(client.receive().get("error").get("code").intValue()).isEqualTo(RpcException.INVALID_REQUEST);
            byte[] latin =
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\u00e4\"}\n".getBytes(StandardCharsets.ISO_8859_1);
            client.send(latin);
            assertThat(client.receive().get("error").get("message").stringValue())
                    .contains("no UTF-8");
            assertThat(client.call("status", "{}").get("ready").booleanValue()).isTrue();
        }
    }

    @Test
    void case22_aLineThatIsTooLongEndsItsConnectionAlone() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient other = RawClient.greeted(daemon.socket);
                RawClient client = RawClient.greeted(daemon.socket)) {
            byte[] line = new byte[JsonLines.MOST_BYTES + 1];
            Arrays.fill(line, (byte) ' ');
            client.send(line);
            assertThat(client.isEnded()).isTrue();
            assertThat(other.call("status", "{}").get("ready").booleanValue()).isTrue();
            daemon.await(() -> daemon.daemon.status().clients().size() == 1, "the end of the client");
            assertThat(daemon.notes)
                    .anyMatch(n -> n.contains("was sent away: it sent a line of more than 65536 bytes"));
        }
    }

    @Test
    void case22_aLineOfTheLongestLengthIsTaken() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient client = RawClient.greeted(daemon.socket)) {
            String start = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"status\"";
            client.send(start + " ".repeat(JsonLines.MOST_BYTES - start.length() - 1) + "}\n");
            assertThat(client.receive().get("id").intValue()).isEqualTo(7);
        }
    }

    @Test
    void case22_aClientThatIsSilentOrSlowHoldsUpNobody() throws Exception {
        var timeouts = new Configuration.Timeouts(Duration.ofMillis(300), Duration.ofMillis(300), Duration.ZERO);
        try (TestDaemon daemon = new TestDaemon(folder, SHARED, TestDaemon.timeouts(timeouts));
                RawClient silent = new RawClient(daemon.socket);
                RawClient slow = RawClient.greeted(daemon.socket);
                RawClient good = RawClient.greeted(daemon.socket)) {
            slow.send("{\"jsonrpc\":");
            assertThat(good.call("status", "{}").get("ready").booleanValue()).isTrue();
            assertThat(silent.isEnded()).isTrue();
            assertThat(slow.isEnded()).isTrue();
            assertThat(good.call("status", "{}").get("clients").size()).isLessThanOrEqualTo(2);
        }
    }

    @Test
    void case22_aClientThatTakesNoAnswersIsSentAway() throws Exception {
        var timeouts = new Configuration.Timeouts(Duration.ofSeconds(10), Duration.ofMillis(300), Duration.ZERO);
        try (TestDaemon daemon = new TestDaemon(folder, SHARED, TestDaemon.timeouts(timeouts));
                RawClient deaf = RawClient.greeted(daemon.socket);
                RawClient good = RawClient.greeted(daemon.socket)) {
            Thread asks = Thread.ofPlatform().daemon().start(() -> {
                try {
                    while (true) {
                        deaf.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n");
                    }
                } catch (IOException e) {
                    // It was sent away.
                }
            });
            daemon.await(() -> daemon.daemon.status().clients().size() == 1, "the end of the deaf client");
            asks.join();
            assertThat(good.call("status", "{}").get("ready").booleanValue()).isTrue();
        }
    }

    @Test
    void case23_descriptorsThatNobodyAskedForAreRefusedAndNoneIsLeaked() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient client = RawClient.greeted(daemon.socket);
                OpenFile file = OpenFile.inMemory("aisio-test", 1 << 20);
                OpenFile other = OpenFile.open(Path.of("/dev/null"), OpenFile.Access.READ_WRITE)) {
            client.call("device.open", open("write"));
            long before = descriptors();
            for (int i = 0; i < 50; i++) {
                assertThat(client.refused("status", "{}", file)).isEqualTo(RpcException.INVALID_PARAMS);
                assertThat(client.refused("status", "{\"fds\":1}", file)).isEqualTo(RpcException.INVALID_PARAMS);
                assertThat(client.refused("memory.register", "{\"lease\":1,\"bytes\":4096,\"fds\":2}", file, file))
                        .isEqualTo(RpcException.INVALID_PARAMS);
                assertThat(client.refused("memory.register", "{\"lease\":1,\"bytes\":4096,\"fds\":1}"))
                        .isEqualTo(RpcException.INVALID_PARAMS);
                assertThat(client.refused("memory.register", "{\"lease\":1,\"bytes\":4096,\"fds\":1}", other))
                        .isEqualTo(RpcException.DEVICE);
                OpenFile[] many = new OpenFile[20];
                Arrays.fill(many, file);
                assertThat(client.refused("memory.register", "{\"lease\":1,\"bytes\":4096,\"fds\":8}", many))
                        .isEqualTo(RpcException.INVALID_PARAMS);
            }
            assertThat(descriptors()).isEqualTo(before);
            assertThat(client.call("memory.register", "{\"lease\":1,\"bytes\":1048576,\"fds\":1}", file)
                            .get("bytes")
                            .longValue())
                    .isEqualTo(1 << 20);
        }
    }

    @Test
    void case23_descriptorsOfALineThatNeverEndsAreClosed() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                OpenFile file = OpenFile.inMemory("aisio-test", 4096)) {
            long before = descriptors();
            for (int i = 0; i < 20; i++) {
                try (RawClient client = RawClient.greeted(daemon.socket)) {
                    client.send("{\"jsonrpc\"", file, file);
                    client.send(":", file);
                }
            }
            daemon.awaitIdle();
            assertThat(descriptors()).isEqualTo(before);
        }
    }

    @Test
    void case24_theSocketIsItsGroupsAloneInAFolderThatOthersCannotEnter() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED)) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(daemon.socket)))
                    .isEqualTo("rw-rw----");
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(daemon.socket.getParent())))
                    .isEqualTo("rwxr-x---");
        }
        assertThat(folder.resolve("homi/homi.sock")).doesNotExist();
    }

    @Test
    void case24_aFolderThatOthersMayWriteToIsRefused() throws Exception {
        Path open = Files.createDirectory(folder.resolve("homi"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> new TestDaemon(folder, SHARED))
                .hasMessageContaining("others may write to its folder (mode 0777)")
                .hasMessageContaining("next: chmod 0750");
    }

    @Test
    void case24_aSymbolicLinkInThePlaceOfSocketOrFolderIsRefusedAndLeft() throws Exception {
        Path target = Files.createFile(folder.resolve("precious"));
        Path inside = Files.createDirectory(
                folder.resolve("homi"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-x---")));
        Path link = Files.createSymbolicLink(inside.resolve("homi.sock"), target);
        assertThatThrownBy(() -> new TestDaemon(folder, SHARED))
                .hasMessageContaining("is no socket but a symbolic link");
        assertThat(link).isSymbolicLink();
        assertThat(target).exists();
        Path second = Files.createDirectory(folder.resolve("second"));
        Files.createSymbolicLink(second.resolve("homi"), inside);
        assertThatThrownBy(() -> new TestDaemon(second, SHARED)).hasMessageContaining("is a link, or no folder");
    }

    @Test
    void case24_aUserWhoIsNotNamedIsSentAwayWithAWord() throws Exception {
        assumeTrue(FileStatus.effectiveUser() == 0, "needs root, to connect as somebody else");
        assumeTrue(Files.exists(Path.of("/usr/bin/setpriv")), "needs the program setpriv");
        assumeTrue(Files.exists(Path.of("/usr/bin/python3")), "needs python3, as a client of another user");
        var nobody = new Configuration.User(-1, "*", Configuration.Rights.NONE, java.util.Set.of(), false, Quota.USER);
        try (TestDaemon daemon = new TestDaemon(
                folder,
                SHARED,
                c -> new Configuration(
                        c.socket(),
                        c.group(),
                        c.connections(),
                        c.timeouts(),
                        c.client(),
                        c.user(),
                        c.devices(),
                        List.of(nobody),
                        c.exports(),
                        c.fileSystems(),
                        c.dashboard(),
                        c.functions()))) {
            String script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
                    + " print(s.makefile().readline())";
            // The permissions keep him out first: once without them, who he is does.
            assertThat(run("65534", script, daemon.socket)).contains("PermissionError");
            for (Path opened = daemon.socket; !opened.equals(folder.getParent()); opened = opened.getParent()) {
                Files.setPosixFilePermissions(opened, PosixFilePermissions.fromString("rwxrwxrwx"));
            }
            assertThat(run("65534", script, daemon.socket)).contains("-32002").contains("may use no device");
            daemon.awaitIdle();
        }
    }

    private static String run(String uid, String script, Path socket) throws Exception {
        Process process = new ProcessBuilder(
                        "setpriv",
                        "--reuid",
                        uid,
                        "--regid",
                        uid,
                        "--clear-groups",
                        "/usr/bin/python3",
                        "-c",
                        script,
                        socket.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return said;
    }

    @Test
    void case25_whoeverAsksForAMillionQueuesGetsHisQuotaAndOthersGetTheirs() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED, TestDaemon.clientQuota(new Quota(4, 64, 16 << 20, 1)));
                RawClient greedy = RawClient.greeted(daemon.socket);
                RawClient other = RawClient.greeted(daemon.socket)) {
            greedy.call("device.open", open("write"));
            for (int i = 0; i < 4; i++) {
                greedy.call("queue.create", "{\"lease\":1,\"depth\":8}");
            }
            for (int i = 0; i < 1000; i++) {
                assertThat(greedy.refused("queue.create", "{\"lease\":1,\"depth\":8}"))
                        .isEqualTo(RpcException.QUOTA);
            }
            assertThat(greedy.refused("queue.create", "{\"lease\":1,\"depth\":1000000}"))
                    .isIn(RpcException.QUOTA, RpcException.INVALID_PARAMS);
            assertThat(greedy.refused("memory.allocate", "{\"lease\":1,\"bytes\":1099511627776}"))
                    .isEqualTo(RpcException.QUOTA);
            other.call("device.open", open("write"));
            other.call("queue.create", "{\"lease\":1,\"depth\":8}");
            assertThat(daemon.device().queuesUsed()).isEqualTo(5);
        }
    }

    @Test
    void case25_theLastQueuesAreKeptForThoseWhoHaveNone() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED + "&qpairs=4");
                RawClient first = RawClient.greeted(daemon.socket);
                RawClient second = RawClient.greeted(daemon.socket)) {
            first.call("device.open", open("write"));
            second.call("device.open", open("write"));
            for (int i = 0; i < 3; i++) {
                first.call("queue.create", "{\"lease\":1,\"depth\":8}");
            }
            assertThat(first.request("queue.create", "{\"lease\":1,\"depth\":8}")
                            .get("error")
                            .get("message")
                            .stringValue())
                    .contains("nvme0 has 4 queue pairs: 3 are leased, 0 serve exports and 1 are kept");
            second.call("queue.create", "{\"lease\":1,\"depth\":8}");
            assertThat(second.refused("queue.create", "{\"lease\":1,\"depth\":8}"))
                    .isEqualTo(RpcException.QUOTA);
        }
    }

    @Test
    void case25_connectionsHaveAQuotaToo() throws Exception {
        try (TestDaemon daemon = new TestDaemon(
                folder,
                SHARED,
                c -> new Configuration(
                        c.socket(),
                        c.group(),
                        3,
                        c.timeouts(),
                        c.client(),
                        c.user(),
                        c.devices(),
                        c.users(),
                        c.exports(),
                        c.fileSystems(),
                        c.dashboard(),
                        c.functions()))) {
            List<RawClient> clients = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                clients.add(RawClient.greeted(daemon.socket));
            }
            try (RawClient more = new RawClient(daemon.socket)) {
                assertThat(more.receive().get("error").get("code").intValue()).isEqualTo(RpcException.QUOTA);
                assertThat(more.isEnded()).isTrue();
            }
            clients.forEach(RawClient::close);
            daemon.awaitIdle();
            RawClient.greeted(daemon.socket).close();
        }
    }

    @Test
    void case26_aCommandThatNamesAnothersMemoryFailsOnTheSoftwareController() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                Device mine = Device.open(daemon.uri());
                Device victim = Device.open(daemon.uri());
                Buffer secret = victim.allocate(4096);
                Buffer own = mine.allocate(4096)) {
            secret.segment().fill((byte) 0x77);
            // A victim's address, which is no address of this lease's.
            DmaMemory stolen = new DmaMemory() {
                @Override
                public MemorySegment segment() {
                    return own.segment();
                }

                @Override
                public long iova(long offset) {
                    return secret.memory().iova(offset);
                }

                @Override
                public void close() {}
            };
            var source = io.aisio.homi.TestLease.source(mine);
            try (QueuePair pair = source.createQueuePair(4)) {
                for (int opcode : new int[] {Opcode.WRITE, Opcode.READ}) {
                    pair.bind(0, Command.overBlocks(opcode, 1, 0, 1), stolen, 0, 512);
                    pair.submit(new int[] {0}, new long[] {0}, 1);
                    int[] completed = new int[4];
                    while (pair.poll(completed) == 0) {
                        Thread.onSpinWait();
                    }
                    assertThat(completed[0]).as("opcode %d", opcode).isNegative();
                    assertThat(pair.failure(0)).isInstanceOf(NvmeException.class);
                }
            }
            assertThat(secret.segment().get(java.lang.foreign.ValueLayout.JAVA_BYTE, 0))
                    .isEqualTo((byte) 0x77);
            // The victim goes on.
            victim.write(0, secret);
        }
    }

    @Test
    void case27_aSecondDaemonIsRefusedBySocketAndByDevice() throws Exception {
        Path image = folder.resolve("image");
        try (OpenFile file = OpenFile.create(image, 0600)) {
            file.resize(16 << 20);
        }
        String uri = "emu:" + image + "?shared";
        Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
        try (TestDaemon daemon = new TestDaemon(folder, uri)) {
            assertThatThrownBy(() -> new TestDaemon(folder, SHARED))
                    .hasMessageContaining("a server listens there already");
            assertThatThrownBy(() -> new TestDaemon(elsewhere, uri)).hasMessageContaining(image.toString());
            assertThat(elsewhere.resolve("homi/homi.sock")).doesNotExist();
            try (HomiClient client = daemon.client()) {
                assertThat(client.call("status", HomiClient.params())
                                .get("ready")
                                .booleanValue())
                        .isTrue();
            }
        }
        new TestDaemon(elsewhere, uri).close();
    }

    @Test
    void whatIsDrainedLeasesNothingMoreAndGoesOnWithWhatThereIs() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                Device device = Device.open(daemon.uri());
                Buffer buffer = device.allocate(4096);
                RawClient control = RawClient.greeted(daemon.socket)) {
            device.write(0, buffer);
            assertThat(control.call("drain", "{\"device\":\"nvme0\"}")
                            .get("leases")
                            .intValue())
                    .isEqualTo(1);
            assertThat(control.refused("device.open", open("read"))).isEqualTo(RpcException.BUSY);
            device.read(0, buffer);
            assertThat(daemon.daemon.status().state()).isEqualTo("draining");
            assertThat(daemon.daemon.status().ready()).isFalse();
        }
    }

    @Test
    void aUserWhoMayOnlyReadIsHeldToIt() {
        var reader = new Configuration.User(
                1000, "reader", Configuration.Rights.READ, java.util.Set.of("nvme0"), false, Quota.USER);
        assertThat(reader.mayOpen("nvme0", false)).isTrue();
        assertThat(reader.mayOpen("nvme0", true)).isFalse();
        assertThat(reader.mayOpen("nvme1", false)).isFalse();
    }

    /** A page and metrics name rows by them; a client's numbers of leases and queues begin at one. */
    @Test
    void noTwoRowsHaveTheSameName() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient one = RawClient.greeted(daemon.socket);
                RawClient other = RawClient.greeted(daemon.socket)) {
            for (RawClient client : List.of(one, other)) {
                int lease =
                        client.call("device.open", open("write")).get("lease").intValue();
                client.call("queue.create", "{\"lease\":" + lease + ",\"depth\":2}");
                client.call("queue.create", "{\"lease\":" + lease + ",\"depth\":2}");
            }
            assertThat(daemon.daemon.status().rows().stream().map(Metered.Row::id))
                    .hasSize(4)
                    .doesNotHaveDuplicates()
                    .allMatch(id -> id.matches("client \\d+, lease \\d+, queue \\d+"));
        }
    }

    @Test
    void whoLeasedIsNamedWhenHeLeavesAndWhoOnlyAskedIsNot() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED)) {
            new RawClient(daemon.socket).close();
            for (int i = 0; i < 20; i++) {
                try (HomiControl control = HomiControl.open(daemon.socket, "a health check")) {
                    assertThat(control.status().ready()).isTrue();
                }
            }
            daemon.awaitIdle();
            assertThat(kinds(daemon)).containsExactly("started");
            Device.open(daemon.uri()).close();
            daemon.await(() -> texts(daemon, "client-left").size() == 1, "who left");
            assertThat(kinds(daemon)).containsExactly("started", "client-came", "leased", "released", "client-left");
            assertThat(texts(daemon, "client-came"))
                    .singleElement(STRING)
                    .matches("client \\d+ \\(.*process \\d+, uid \\d+\\) came");
            assertThat(texts(daemon, "client-left"))
                    .singleElement(STRING)
                    .matches("client \\d+ \\(.*process \\d+, uid \\d+\\) left");
        }
    }

    @Test
    void whoIsSentAwayIsNamedThoughHeLeasedNothing() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                RawClient client = RawClient.greeted(daemon.socket)) {
            for (int i = 0; i < 16; i++) {
                client.send("{\n");
            }
            daemon.await(() -> !texts(daemon, "client-left").isEmpty(), "its end");
            assertThat(texts(daemon, "client-left")).singleElement(STRING).contains("was sent away: it sent 16 lines");
        }
    }

    private static List<String> kinds(TestDaemon daemon) {
        return daemon.daemon.events().since(0, Events.KEPT).stream()
                .map(Events.Event::kind)
                .toList();
    }

    private static List<String> texts(TestDaemon daemon, String kind) {
        return daemon.daemon.events().since(0, Events.KEPT).stream()
                .filter(event -> event.kind().equals(kind))
                .map(Events.Event::text)
                .toList();
    }

    @Test
    void whatTheControllerProtectsIsShownToBeReadAloneWhateverTheLeaseSays() throws Exception {
        for (String more : List.of("", "&readonly")) {
            try (TestDaemon daemon = new TestDaemon(folder, SHARED + more);
                    RawClient client = RawClient.greeted(daemon.socket)) {
                int lease =
                        client.call("device.open", open("write")).get("lease").intValue();
                client.call("queue.create", "{\"lease\":" + lease + ",\"depth\":2}");
                boolean isProtected = !more.isEmpty();
                assertThat(daemon.device().namespaces().getFirst().writeProtected())
                        .isEqualTo(isProtected);
                assertThat(daemon.daemon.status().rows())
                        .singleElement()
                        .extracting(Metered.Row::readOnly)
                        .isEqualTo(isProtected);
            }
        }
    }

    @Test
    void eventsComeToWhoSubscribed() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED);
                HomiClient client = daemon.client()) {
            List<String> kinds = java.util.Collections.synchronizedList(new ArrayList<>());
            var first = client.subscribe(0, event -> kinds.add(event.get("kind").stringValue()));
            assertThat(first.get("events").get(0).get("kind").stringValue()).isEqualTo("started");
            Device.open(daemon.uri()).close();
            daemon.await(
                    () -> kinds.containsAll(List.of("client-came", "leased", "released", "client-left")), "the events");
        }
    }

    @Test
    void aThousandLeasesLeaveNothing() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, SHARED)) {
            cycle(daemon);
            daemon.awaitIdle();
            long descriptors = descriptors();
            long mappings = mappings();
            int threads = Thread.activeCount();
            long[] lease = new long[1000];
            long[] release = new long[1000];
            for (int i = 0; i < 1000; i++) {
                long began = System.nanoTime();
                try (HomiClient client = daemon.client()) {
                    long opened = client.call("device.open", HomiClient.params().put("device", "nvme0"))
                            .get("lease")
                            .longValue();
                    client.call(
                            "queue.create",
                            HomiClient.params().put("lease", opened).put("depth", 64));
                    client.call(
                            "memory.allocate",
                            HomiClient.params().put("lease", opened).put("bytes", 1 << 16));
                    lease[i] = System.nanoTime() - began;
                    began = System.nanoTime();
                }
                daemon.await(() -> daemon.device().queuesUsed() == 0, "the queue");
                release[i] = System.nanoTime() - began;
            }
            daemon.awaitIdle();
            assertThat(descriptors()).as("descriptors").isEqualTo(descriptors);
            assertThat(mappings()).as("mappings").isLessThanOrEqualTo(mappings + 64);
            daemon.await(() -> Thread.activeCount() <= threads, "the end of threads");
            Arrays.sort(lease);
            Arrays.sort(release);
            System.out.printf(
                    "lease: median %.2f ms, 99%% %.2f ms; release: median %.2f ms, 99%% %.2f ms%n",
                    lease[500] / 1e6, lease[990] / 1e6, release[500] / 1e6, release[990] / 1e6);
            assertThat(lease[500]).as("median of a lease, ns").isLessThan(20_000_000);
            assertThat(release[500]).as("median of a release, ns").isLessThan(100_000_000);
        }
    }

    private static void cycle(TestDaemon daemon) throws IOException {
        try (Device device = Device.open(daemon.uri());
                Buffer buffer = device.allocate(4096)) {
            device.write(0, buffer);
        }
    }

    /** Lines of the memory map that are of files without a name, as rings, doorbells and buffers are. */
    static long mappings() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("/memfd:")).count();
        }
    }
}
