package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import io.aisio.linux.UnixListener;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.VfioUserFunction;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The client against servers in bytes: one as SPDK's, and ones that no client should believe. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class VfioUserClientTest {
    private static final int VERSION = 1;
    private static final int DMA_MAP = 2;
    private static final int DMA_UNMAP = 3;
    private static final int GET_INFO = 4;
    private static final int REGION_INFO = 5;
    private static final int IRQ_INFO = 7;
    private static final int SET_IRQS = 8;
    private static final int REGION_READ = 9;
    private static final int REGION_WRITE = 10;
    private static final int RESET = 13;

    @TempDir
    Path folder;

    private OpenFile doorbells;
    private Script script;

    /** What a server does about a command; the whole answer is its own. */
    private interface Answer {
        void to(RawVfioUser client, RawVfioUser.Message command) throws IOException;
    }

    /** A server of one client, in bytes: as SPDK's, but for what a test changes. */
    private final class Script implements AutoCloseable {
        final Map<Integer, Answer> answers = new HashMap<>();
        final List<Integer> seen = new ArrayList<>();
        final List<RawVfioUser.Message> maps = new ArrayList<>();
        private final UnixListener listener;
        private final Thread thread;
        private volatile RawVfioUser client;

        Script() throws IOException {
            listener = UnixListener.bind(folder.resolve("cntrl"), 1);
            thread = Thread.ofPlatform().daemon().unstarted(this::run);
            answers.put(
                    VERSION,
                    reply(json("{ \"capabilities\": { \"max_msg_fds\": 8, \"max_data_xfer_size\": 1048576 } }")));
            answers.put(GET_INFO, reply(ints(16, 3, 9, 5)));
            answers.put(REGION_INFO, (raw, command) -> {
                int index = command.payload().getInt(8);
                if (index == 0) {
                    raw.send(
                            RawVfioUser.message(command.id(), REGION_INFO, 1, registers(1, 0x1000, 0x1000)), doorbells);
                } else {
                    raw.send(RawVfioUser.message(command.id(), REGION_INFO, 1, region(index, 3, 0x1000)));
                }
            });
            answers.put(IRQ_INFO, reply(ints(16, 1, 2, 12)));
            answers.put(SET_IRQS, reply(new byte[0]));
            answers.put(RESET, reply(new byte[0]));
            answers.put(DMA_MAP, reply(new byte[0]));
            answers.put(DMA_UNMAP, (raw, command) -> {
                byte[] echo = new byte[24];
                command.payload().get(echo);
                raw.send(RawVfioUser.message(command.id(), DMA_UNMAP, 1, echo));
            });
            answers.put(REGION_READ, (raw, command) -> {
                int count = command.payload().getInt(12);
                byte[] data = new byte[16 + count];
                command.payload().get(data, 0, 16);
                data[16] = 0x2A;
                raw.send(RawVfioUser.message(command.id(), REGION_READ, 1, data));
            });
            answers.put(REGION_WRITE, (raw, command) -> {
                byte[] echo = new byte[16];
                command.payload().get(echo);
                raw.send(RawVfioUser.message(command.id(), REGION_WRITE, 1, echo));
            });
            thread.start();
        }

        private void run() {
            try {
                UnixConnection connection = listener.accept();
                if (connection == null) {
                    return;
                }
                client = new RawVfioUser(connection);
                while (true) {
                    RawVfioUser.Message command = client.receive();
                    seen.add(command.command());
                    if (command.command() == DMA_MAP) {
                        maps.add(command);
                    }
                    answers.getOrDefault(command.command(), VfioUserClientTest::refuse)
                            .to(client, command);
                }
            } catch (IOException | IllegalStateException e) {
                // The client, or the test, has left.
            }
        }

        /** Leaves, as a server that was killed. */
        void die() {
            client.close();
        }

        @Override
        public void close() throws Exception {
            listener.close();
            if (client != null) {
                client.close();
            }
            thread.join();
            maps.forEach(map -> map.files().forEach(OpenFile::close));
        }
    }

    private static void refuse(RawVfioUser raw, RawVfioUser.Message command) throws IOException {
        ByteBuffer error = ByteBuffer.wrap(RawVfioUser.message(command.id(), command.command(), 0x21, new byte[0]))
                .order(java.nio.ByteOrder.LITTLE_ENDIAN);
        raw.send(error.putInt(12, 22).array());
    }

    private static Answer reply(byte[] payload) {
        return (raw, command) -> raw.send(RawVfioUser.message(command.id(), command.command(), 1, payload));
    }

    private static byte[] ints(int... values) {
        ByteBuffer bytes = RawVfioUser.bytes(values.length * 4);
        for (int value : values) {
            bytes.putInt(value);
        }
        return bytes.array();
    }

    private static byte[] json(String text) {
        byte[] bytes = text.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        return RawVfioUser.bytes(5 + bytes.length)
                .putShort((short) 0)
                .putShort((short) 1)
                .put(bytes)
                .array();
    }

    private static byte[] region(int index, int flags, long size) {
        return RawVfioUser.bytes(32)
                .putInt(32)
                .putInt(flags)
                .putInt(index)
                .putInt(0)
                .putLong(size)
                .putLong(0)
                .array();
    }

    /** BAR 0 of 0x4000 bytes with a sparse capability of one area, and what is said of it. */
    private static byte[] registers(int areas, long offset, long size) {
        return registers(32, 0, areas, offset, size, 0);
    }

    private static byte[] registers(int cap, int next, int areas, long offset, long size, long start) {
        return RawVfioUser.bytes(64)
                .putInt(64)
                .putInt(0xF)
                .putInt(0)
                .putInt(cap)
                .putLong(0x4000)
                .putLong(start)
                .putShort((short) 1)
                .putShort((short) 1)
                .putInt(next)
                .putInt(areas)
                .putInt(0)
                .putLong(offset)
                .putLong(size)
                .array();
    }

    private static long openDescriptors() {
        return RawVfioUser.openDescriptors();
    }

    @BeforeEach
    void open() throws IOException {
        doorbells = OpenFile.inMemory("doorbells", 0x4000);
        script = new Script();
    }

    @AfterEach
    void close() throws Exception {
        script.close();
        doorbells.close();
    }

    @Test
    void bringsAServerUpAsSpdksClientDoes() throws Exception {
        try (VfioUserFunction function = VfioUserFunction.open(folder);
                Mapping page = Mapping.of(doorbells, 0x4000)) {
            assertThat(function.description()).isEqualTo("vfio-user");
            assertThat(script.seen).startsWith(VERSION, GET_INFO, REGION_INFO, REGION_INFO);
            Bar bar = function.bar(0);
            assertThat(bar.size()).isEqualTo(0x4000);
            assertThat(bar.read32(0x1C)).isEqualTo(0x2A);
            assertThat(bar.read64(0)).isEqualTo(0x2A);
            int before = script.seen.size();
            bar.write32(0x1008, 77);
            assertThat(script.seen).as("a doorbell is no message").hasSize(before);
            assertThat(page.segment().get(ValueLayout.JAVA_INT, 0x1008)).isEqualTo(77);
            bar.write32(0x14, 1);
            assertThat(script.seen).last().isEqualTo(REGION_WRITE);
            function.startDma();
            try (DmaMemory memory = function.allocate(8192)) {
                RawVfioUser.Message map = script.maps.getFirst();
                assertThat(map.payload().getInt(0)).isEqualTo(32);
                assertThat(map.payload().getInt(4)).as("read and write").isEqualTo(3);
                assertThat(map.files()).hasSize(1);
                long size = map.payload().getLong(24);
                assertThat(memory.iova(0))
                        .isBetween(map.payload().getLong(16), map.payload().getLong(16) + size - 8192);
                try (Mapping theirs = Mapping.of(map.files().getFirst(), size)) {
                    theirs.segment()
                            .set(
                                    ValueLayout.JAVA_LONG,
                                    memory.iova(4096) - map.payload().getLong(16),
                                    99);
                    assertThat(memory.segment().get(ValueLayout.JAVA_LONG, 4096))
                            .isEqualTo(99);
                }
            }
            for (int i = 0; i < 20; i++) {
                DmaMemory ignored = function.allocate(1 << 20);
            }
            assertThat(script.maps).as("one region serves many allocations").hasSize(1);
            function.stopDma();
            assertThat(script.seen).last().isEqualTo(DMA_UNMAP);
        }
    }

    @Test
    void doorbellsGoByMessageWhereNoneAreShared() throws Exception {
        script.answers.put(
                REGION_INFO,
                (raw, command) -> raw.send(RawVfioUser.message(
                        command.id(), REGION_INFO, 1, region(command.payload().getInt(8), 3, 0x2000))));
        try (VfioUserFunction function = VfioUserFunction.open(folder)) {
            assertThat(function.description()).isEqualTo("vfio-user, doorbells by message");
            function.bar(0).write32(0x1000, 1);
            assertThat(script.seen).last().isEqualTo(REGION_WRITE);
        }
    }

    @Test
    void interruptsAreSetByEventCountersAsManyAsAMessageTakes() throws Exception {
        List<int[]> sets = new ArrayList<>();
        script.answers.put(SET_IRQS, (raw, command) -> {
            sets.add(new int[] {
                command.payload().getInt(4),
                command.payload().getInt(8),
                command.payload().getInt(12),
                command.payload().getInt(16),
                command.files().size()
            });
            command.files().forEach(OpenFile::close);
            raw.send(RawVfioUser.message(command.id(), SET_IRQS, 1, new byte[0]));
        });
        try (VfioUserFunction function = VfioUserFunction.open(folder)) {
            assertThat(function.interruptVectors()).isEqualTo(12);
            assertThat(function.enableInterrupts(10)).hasSize(10);
        }
        assertThat(sets).containsExactly(new int[] {36, 2, 0, 8, 8}, new int[] {36, 2, 8, 2, 2});
    }

    @Test
    void aServerMayAskForMemoryByMessage() throws Exception {
        try (VfioUserFunction function = VfioUserFunction.open(folder);
                DmaMemory memory = function.allocate(4096)) {
            memory.segment().set(ValueLayout.JAVA_INT, 8, 0x1234);
            CountDownLatch answered = new CountDownLatch(3);
            List<RawVfioUser.Message> replies = new ArrayList<>();
            // While the client waits for its read, the server asks, and only then answers.
            script.answers.put(REGION_READ, (raw, command) -> {
                for (int i = 0; i < 3; i++) {
                    long at = i == 2 ? 4096L : memory.iova(8);
                    ByteBuffer ask =
                            RawVfioUser.bytes(i == 1 ? 20 : 16).putLong(at).putLong(4);
                    if (i == 1) {
                        ask.putInt(0x5678);
                    }
                    raw.send(RawVfioUser.message(7, i == 1 ? 12 : 11, 0, ask.array()));
                    replies.add(raw.receive());
                    answered.countDown();
                }
                byte[] data = new byte[20];
                command.payload().get(data, 0, 16);
                raw.send(RawVfioUser.message(command.id(), REGION_READ, 1, data));
            });
            assertThat(function.bar(0).read32(0)).isZero();
            assertThat(answered.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(replies.get(0).payload().getInt(16)).isEqualTo(0x1234);
            assertThat(replies.get(1).errno()).isZero();
            assertThat(memory.segment().get(ValueLayout.JAVA_INT, 8)).isEqualTo(0x5678);
            assertThat(replies.get(2).errno())
                    .as("memory that it was not given")
                    .isEqualTo(22);
        }
    }

    @Test
    void aServerThatDiesIsADeviceThatWasRemoved() throws Exception {
        try (VfioUserFunction function = VfioUserFunction.open(folder)) {
            CountDownLatch removed = new CountDownLatch(1);
            function.onRemoval(removed::countDown);
            DmaMemory memory = function.allocate(4096);
            script.die();
            assertThat(removed.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(function.bar(0).read32(0x1C)).isEqualTo(-1);
            assertThat(function.bar(0).read64(0)).isEqualTo(-1);
            function.bar(0).write32(0x14, 0);
            function.bar(0).write32(0x1000, 0);
            function.stopDma();
            memory.close();
            CountDownLatch late = new CountDownLatch(1);
            function.onRemoval(late::countDown);
            assertThat(late.getCount()).as("one who asks later is told at once").isZero();
        }
    }

    @Test
    void aWaiterLearnsAtOnceThatTheServerDied() throws Exception {
        script.answers.put(REGION_READ, (raw, command) -> raw.close());
        try (VfioUserFunction function = VfioUserFunction.open(folder)) {
            long begun = System.nanoTime();
            assertThat(function.bar(0).read32(0x1C)).isEqualTo(-1);
            assertThat(System.nanoTime() - begun).as("nanoseconds").isLessThan(5_000_000_000L);
        }
    }

    static Stream<Answer> nonsense() {
        return Stream.of(
                (raw, command) -> raw.send(RawVfioUser.message(command.id() + 1, REGION_READ, 1, new byte[20])),
                (raw, command) -> raw.send(RawVfioUser.message(command.id(), REGION_WRITE, 1, new byte[20])),
                (raw, command) -> raw.send(RawVfioUser.message(command.id(), REGION_READ, 1, new byte[20])),
                (raw, command) -> raw.send(RawVfioUser.message(command.id(), REGION_READ, 1, new byte[3])),
                (raw, command) -> raw.send(RawVfioUser.message(command.id(), REGION_READ, 5, new byte[20])),
                (raw, command) -> raw.send(RawVfioUser.bytes(16)
                        .putShort((short) command.id())
                        .putShort((short) REGION_READ)
                        .putInt(0x7FFF_FFFF)
                        .putInt(1)
                        .array()),
                (raw, command) -> raw.send(RawVfioUser.bytes(16)
                        .putShort((short) command.id())
                        .putShort((short) REGION_READ)
                        .putInt(8)
                        .putInt(1)
                        .array()),
                VfioUserClientTest::refuse);
    }

    @ParameterizedTest
    @MethodSource("nonsense")
    void aServerThatAnswersNonsenseIsADeviceThatWasRemoved(Answer answer) throws Exception {
        try (VfioUserFunction function = VfioUserFunction.open(folder)) {
            CountDownLatch removed = new CountDownLatch(1);
            function.onRemoval(removed::countDown);
            // Region 0, offset 0x1C: what is answered by zeroes answers something else.
            script.answers.put(REGION_READ, answer);
            assertThat(function.bar(0).read32(0x1C)).isEqualTo(-1);
            assertThat(removed.await(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    static Stream<byte[]> wrongRegions() {
        return Stream.of(
                new byte[8],
                region(0, 3, 0x800),
                region(0, 3, -1),
                region(1, 3, 0x4000),
                // A capability that follows itself, that lies before or behind, areas that are not there.
                registers(32, 32, 0, 0, 0, 0),
                registers(16, 0, 1, 0x1000, 0x1000, 0),
                registers(60, 0, 1, 0x1000, 0x1000, 0),
                registers(-1, 0, 1, 0x1000, 0x1000, 0),
                registers(2, 0x1000, 0x1000),
                registers(-1, 0x1000, 0x1000),
                // Areas beyond the region, beyond the file, on no page.
                registers(1, 0x4000, 0x1000),
                registers(1, -4096, 0x1000),
                registers(1, 0x1000, -1),
                registers(1, 0x1000, 0),
                registers(32, 0, 1, 0x1000, 0x1000, 0x4000),
                registers(32, 0, 1, 0x1000, 0x1000, -0x1000),
                registers(32, 0, 1, 0x1000, 0x1000, 1L << 62),
                registers(1, 0x1100, 0x100),
                // More than there is room for; a capability that is there twice; more areas than anybody has.
                Arrays.copyOf(registers(1, 0x1000, 0x1000), 4097),
                twice(),
                many());
    }

    private static byte[] twice() {
        byte[] region = registers(32, 64, 1, 0x1000, 0x1000, 0);
        byte[] other = Arrays.copyOf(region, 96);
        System.arraycopy(registers(32, 0, 1, 0x2000, 0x1000, 0), 32, other, 64, 32);
        return other;
    }

    private static byte[] many() {
        ByteBuffer region = RawVfioUser.bytes(48 + 65 * 16).put(registers(65, 0x1000, 0x1000));
        for (int i = 1; i < 65; i++) {
            region.putLong(0x1000).putLong(0x1000);
        }
        return region.array();
    }

    @Test
    void aFileWhosePagesAnotherMayFillIsNotMapped() throws Exception {
        Path types = Path.of("/sys/kernel/btf/vmlinux");
        assumeTrue(Files.isReadable(types), "needs " + types + ", a file of sysfs with content");
        try (OpenFile file = OpenFile.open(types, OpenFile.Access.READ_ONLY)) {
            assertThat(file.status().isRegular() && file.size() >= 0x4000).isTrue();
            script.answers.put(REGION_INFO, (raw, command) -> {
                int index = command.payload().getInt(8);
                byte[] info = index == 0 ? registers(1, 0x1000, 0x1000) : region(index, 3, 0x1000);
                raw.send(RawVfioUser.message(command.id(), REGION_INFO, 1, info), file);
            });
            long before = openDescriptors();
            try (VfioUserFunction function = VfioUserFunction.open(folder)) {
                assertThat(function.description()).isEqualTo("vfio-user, doorbells by message");
                function.bar(0).write32(0x1000, 1);
                assertThat(script.seen).last().isEqualTo(REGION_WRITE);
                assertThat(openDescriptors())
                        .as("a socket's two ends; the files are closed")
                        .isEqualTo(before + 2);
            }
        }
    }

    @Test
    void moreFilesThanAreTakenAreNotBelieved() throws Exception {
        script.answers.put(
                REGION_INFO,
                (raw, command) -> raw.send(
                        RawVfioUser.message(command.id(), REGION_INFO, 1, registers(1, 0x1000, 0x1000)),
                        Collections.nCopies(9, doorbells).toArray(OpenFile[]::new)));
        assertThatThrownBy(() -> VfioUserFunction.open(folder))
                .hasMessageContaining("answers nonsense: more than 8 files with region 0");
    }

    @Test
    void descriptorsWithAnyReplyAreClosed() throws Exception {
        OpenFile[] files = Collections.nCopies(3, doorbells).toArray(OpenFile[]::new);
        script.answers.replaceAll((command, answer) -> command == REGION_INFO || command == SET_IRQS
                ? answer
                : (raw, asked) -> answer.to(new RawVfioUser(raw, files), asked));
        long before = openDescriptors();
        try (VfioUserFunction function = VfioUserFunction.open(folder)) {
            function.startDma();
            try (DmaMemory memory = function.allocate(8192)) {
                assertThat(memory.iova(0)).isNotNegative();
            }
            function.stopDma();
            script.maps.forEach(map -> map.files().forEach(OpenFile::close));
            assertThat(openDescriptors()).as("a socket's two ends").isEqualTo(before + 2);
        }
    }

    @ParameterizedTest
    @MethodSource("wrongRegions")
    void aRegionThatCannotBeIsNotBelieved(byte[] region) throws Exception {
        script.answers.put(
                REGION_INFO,
                (raw, command) -> raw.send(RawVfioUser.message(command.id(), REGION_INFO, 1, region), doorbells));
        long before = openDescriptors();
        assertThatThrownBy(() -> VfioUserFunction.open(folder)).hasMessageContaining("answers nonsense");
        assertThat(openDescriptors())
                .as("our end, and what was passed, is closed; theirs is open")
                .isEqualTo(before + 1);
    }

    @Test
    void descriptorsThatNobodyAskedForAreClosed() throws Exception {
        script.answers.put(REGION_READ, (raw, command) -> {
            byte[] data = new byte[20];
            command.payload().get(data, 0, 16);
            raw.send(
                    RawVfioUser.message(command.id(), REGION_READ, 1, data),
                    Collections.nCopies(30, doorbells).toArray(OpenFile[]::new));
        });
        try (VfioUserFunction function = VfioUserFunction.open(folder)) {
            long before = openDescriptors();
            for (int i = 0; i < 10; i++) {
                assertThat(function.bar(0).read32(0)).isZero();
            }
            assertThat(openDescriptors()).isEqualTo(before);
        }
    }

    @Test
    void saysWhatIsWrongWithVersion() throws Exception {
        script.answers.put(VERSION, reply(new byte[] {1, 0, 0, 0}));
        assertThatThrownBy(() -> VfioUserFunction.open(folder))
                .hasMessageContaining("the server answers VERSION with major version 1")
                .hasMessageContaining("next:");
    }

    @Test
    void saysThatAServerIsBusyThatDoesNotAnswerVersion() throws Exception {
        script.answers.put(VERSION, (raw, command) -> {});
        assertThatThrownBy(() -> VfioUserFunction.open(folder))
                .hasMessageContaining("it serves another client, one at a time")
                .hasMessageContaining("next: wait");
    }
}
