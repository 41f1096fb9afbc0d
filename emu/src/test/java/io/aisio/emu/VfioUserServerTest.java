package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.emu.VfioUserPairTest.Running;
import io.aisio.linux.EventFd;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Collections;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The server against clients in bytes: what SPDK's sends, and what no client should. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class VfioUserServerTest {
    private static final long IOVA = 0x7F00_0020_0000L;

    @TempDir
    Path folder;

    private final ConcurrentLinkedQueue<String> notes = new ConcurrentLinkedQueue<>();
    private Running running;
    private Path socket;

    @BeforeEach
    void serve() throws Exception {
        socket = folder.resolve("socket");
        running = new Running(VfioUserServer.open(socket, EmuConfiguration.memory(1 << 20), notes::add));
    }

    @AfterEach
    void close() throws Exception {
        running.close();
        assertThat(notes).noneMatch(note -> note.contains("fault of the server's own"));
    }

    private static void await(String what, BooleanSupplier condition) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > until) {
                throw new AssertionError("not within 30 s: " + what);
            }
            Thread.onSpinWait();
        }
    }

    private static long openDescriptors() {
        return RawVfioUser.openDescriptors();
    }

    /** Another client comes, and all is well for it. */
    private void othersAreServed() throws IOException {
        try (Device device = Device.open(running.device());
                Buffer buffer = device.allocate(8192)) {
            buffer.segment().fill((byte) 0x5A);
            device.write(0, buffer);
            buffer.segment().fill((byte) 0);
            device.read(0, buffer);
            assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 8191)).isEqualTo((byte) 0x5A);
        }
    }

    /** A controller that was brought up by bytes: its memory, and the page of its doorbells. */
    private static final class Host implements AutoCloseable {
        final RawVfioUser raw;
        final OpenFile file;
        final Mapping memory;
        final Mapping doorbells;
        int tail;
        int head;

        Host(RawVfioUser raw, OpenFile file) throws IOException {
            this.raw = raw;
            this.file = file;
            memory = Mapping.of(file, 1 << 20);
            assertThat(raw.version().errno()).isZero();
            byte[] ask = new byte[4064];
            ByteBuffer.wrap(ask).order(ByteOrder.LITTLE_ENDIAN).putInt(4064);
            RawVfioUser.Message region = raw.call(5, ask);
            doorbells = Mapping.of(region.files().getFirst(), 0x1000, 0x1000, true);
            region.files().forEach(OpenFile::close);
            assertThat(raw.call(2, RawVfioUser.dmaMap(3, 0, IOVA, 1 << 20), file)
                            .errno())
                    .isZero();
        }

        /** Enables it: the admin queues in the first pages, of 64 entries each. */
        void enable() throws IOException {
            raw.write(0, 0x14, 4, 0);
            assertThat(raw.read(0, 0x1C, 4) & 1).isZero();
            raw.write(0, 0x24, 4, 63 << 16 | 63);
            raw.write(0, 0x28, 8, IOVA);
            raw.write(0, 0x30, 8, IOVA + 4096);
            raw.write(0, 0x14, 4, 0x0046_0001);
            await("RDY", () -> {
                try {
                    return (raw.read(0, 0x1C, 4) & 1) == 1;
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            tail = 0;
            head = 0;
        }

        /** An admin command; status code type and code of its completion. */
        int admin(int opcode, int nsid, long prp1, long prp2, int dword10, int dword11) {
            MemorySegment entry = memory.segment().asSlice(tail * 64L, 64).fill((byte) 0);
            entry.set(ValueLayout.JAVA_INT, 0, 7 << 16 | opcode);
            entry.set(ValueLayout.JAVA_INT, 4, nsid);
            entry.set(ValueLayout.JAVA_LONG, 24, prp1);
            entry.set(ValueLayout.JAVA_LONG, 32, prp2);
            entry.set(ValueLayout.JAVA_INT, 40, dword10);
            entry.set(ValueLayout.JAVA_INT, 44, dword11);
            tail = (tail + 1) % 64;
            java.lang.invoke.VarHandle.releaseFence();
            doorbells.segment().set(ValueLayout.JAVA_INT, 0, tail);
            int phase = 1 - head / 64 % 2;
            MemorySegment completion = memory.segment().asSlice(4096 + head % 64 * 16L, 16);
            await("a completion", () -> (completion.get(ValueLayout.JAVA_INT, 12) >>> 16 & 1) == phase);
            java.lang.invoke.VarHandle.acquireFence();
            head++;
            doorbells.segment().set(ValueLayout.JAVA_INT, 4, head % 64);
            assertThat(completion.get(ValueLayout.JAVA_INT, 12) & 0xFFFF)
                    .as("CID")
                    .isEqualTo(7);
            return completion.get(ValueLayout.JAVA_INT, 12) >>> 17 & 0x7FF;
        }

        @Override
        public void close() {
            raw.close();
            memory.close();
            doorbells.close();
            file.close();
        }
    }

    private Host host() throws IOException {
        return new Host(RawVfioUser.connect(socket), OpenFile.inMemory("host", 1 << 20));
    }

    @Test
    void speaksWithAClientThatSendsWhatSpdksDoes() throws Exception {
        try (RawVfioUser raw = RawVfioUser.connect(socket);
                OpenFile file = OpenFile.inMemory("host", 1 << 20)) {
            RawVfioUser.Message version = raw.version();
            assertThat(version.payload().getShort(0)).isZero();
            assertThat(version.payload().getShort(2)).isEqualTo((short) 1);
            assertThat(version.payload().get(version.payload().limit() - 1))
                    .as("the NUL")
                    .isZero();

            RawVfioUser.Message info = raw.call(
                    4,
                    RawVfioUser.bytes(16)
                            .putInt(16)
                            .putInt(0)
                            .putInt(0)
                            .putInt(0)
                            .array());
            assertThat(info.payload().getInt(0)).isEqualTo(16);
            assertThat(info.payload().getInt(4)).as("reset, PCI").isEqualTo(3);
            assertThat(info.payload().getInt(8)).as("regions").isEqualTo(9);
            assertThat(info.payload().getInt(12)).as("kinds of interrupts").isEqualTo(5);

            for (int index = 0; index < 9; index++) {
                RawVfioUser.Message region = raw.call(
                        5,
                        Arrays.copyOf(
                                RawVfioUser.bytes(12)
                                        .putInt(4064)
                                        .putInt(0)
                                        .putInt(index)
                                        .array(),
                                4064));
                assertThat(region.errno()).isZero();
                assertThat(region.payload().getInt(8)).isEqualTo(index);
                if (index == 0) {
                    assertThat(region.payload().getInt(4)).isEqualTo(0xF);
                    int cap = region.payload().getInt(12);
                    assertThat(region.payload().getShort(cap)).as("sparse mmap").isEqualTo((short) 1);
                    assertThat(region.payload().getInt(cap + 4))
                            .as("no other follows")
                            .isZero();
                    assertThat(region.payload().getInt(cap + 8)).as("areas").isEqualTo(1);
                    assertThat(region.payload().getLong(cap + 16)).isEqualTo(0x1000);
                    assertThat(region.payload().getLong(cap + 24)).isEqualTo(0x1000);
                    assertThat(region.files()).hasSize(1);
                    assertThat(region.files().getFirst().size()).isGreaterThanOrEqualTo(0x2000);
                } else {
                    assertThat(region.files()).isEmpty();
                }
                region.files().forEach(OpenFile::close);
            }
            assertThat(raw.call(2, RawVfioUser.dmaMap(3, 0, IOVA, 1 << 20), file)
                            .size())
                    .isEqualTo(16);
            long command = raw.read(7, 4, 2);
            raw.write(7, 4, 2, command | 0x404);
            assertThat(raw.read(7, 4, 2)).isEqualTo(0x404);
            assertThat(raw.read(7, 8, 4) >>> 8).as("class").isEqualTo(0x010802);
            assertThat(raw.read(0, 8, 4)).as("VS").isEqualTo(0x0001_0400);
            assertThat(raw.read(0, 0, 8) >>> 37 & 1).as("NVM command set").isEqualTo(1);
            // With the descriptor attached again, as SPDK's client does.
            RawVfioUser.Message unmapped = raw.call(3, RawVfioUser.dmaUnmap(0, IOVA, 1 << 20), file);
            assertThat(unmapped.errno()).isZero();
            assertThat(unmapped.payload().remaining()).isEqualTo(24);
        }
    }

    @Test
    void aClientInBytesIdentifiesAndShutsDown() throws Exception {
        try (Host host = host()) {
            host.enable();
            for (int round = 0; round < 100; round++) {
                assertThat(host.admin(6, 0, IOVA + 8192, 0, 1, 0)).isZero();
            }
            assertThat(host.memory.segment().asSlice(8192 + 24, 5).toArray(ValueLayout.JAVA_BYTE))
                    .as("the model number")
                    .startsWith("AiSIO".getBytes(StandardCharsets.US_ASCII));
            host.raw.write(0, 0x14, 4, 0x0046_4001);
            await("SHST", () -> {
                try {
                    return (host.raw.read(0, 0x1C, 4) >>> 2 & 3) == 2;
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
        }
    }

    @Test
    void resetsByMessage() throws Exception {
        try (Host host = host()) {
            host.enable();
            assertThat(host.raw.call(13, new byte[0]).size()).isEqualTo(16);
            assertThat(host.raw.read(0, 0x14, 4)).as("CC").isZero();
            assertThat(host.raw.read(0, 0x1C, 4)).as("CSTS").isZero();
            assertThat(host.raw.read(0, 0x28, 8)).as("ASQ").isZero();
            host.enable();
            assertThat(host.raw.read(0, 0x1C, 4)).isEqualTo(1);
            assertThat(host.admin(6, 0, IOVA + 8192, 0, 1, 0)).isZero();
        }
    }

    @Test
    void registersThatAreReadOnlyStay() throws Exception {
        try (Host host = host()) {
            long cap = host.raw.read(0, 0, 8);
            host.raw.write(0, 0, 8, -1L);
            host.raw.write(0, 8, 4, 0);
            host.raw.write(0, 0x1C, 4, 1);
            assertThat(host.raw.read(0, 0, 8)).isEqualTo(cap);
            assertThat(host.raw.read(0, 8, 4)).isEqualTo(0x0001_0400);
            assertThat(host.raw.read(0, 0x1C, 4)).isZero();
        }
    }

    @Test
    void refusesAccessesThatTheSpecificationDoes() throws Exception {
        try (Host host = host()) {
            RawVfioUser raw = host.raw;
            assertThat(raw.call(9, RawVfioUser.access(0, 0, 2)).errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(9, RawVfioUser.access(0, 0x1000, 4)).errno()).isEqualTo(RawVfioUser.EPERM);
            assertThat(raw.call(9, RawVfioUser.access(0, 0x2000, 4)).errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(9, RawVfioUser.access(0, -4, 4)).errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(9, RawVfioUser.access(3, 0, 4)).errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(9, RawVfioUser.access(7, 4094, 4)).errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(9, RawVfioUser.access(7, 0, -1)).errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(10, RawVfioUser.access(0, 0x14, 8, new byte[4])).errno())
                    .as("count and data differ")
                    .isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(10, RawVfioUser.access(0, 0x1000, 8, new byte[8]))
                            .errno())
                    .isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(1, new byte[] {0, 0, 1, 0}).errno())
                    .as("VERSION once more")
                    .isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(99, new byte[4]).errno()).as("no such command").isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(4, new byte[0]).errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(4, new byte[16]).errno()).as("argsz 0").isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(
                                    5,
                                    RawVfioUser.bytes(32)
                                            .putInt(32)
                                            .putInt(0)
                                            .putInt(9)
                                            .array())
                            .errno())
                    .as("no such region")
                    .isEqualTo(RawVfioUser.EINVAL);
            RawVfioUser.Message small =
                    raw.call(5, RawVfioUser.bytes(32).putInt(32).array());
            assertThat(small.payload().getInt(0))
                    .as("bytes that all of it needs")
                    .isEqualTo(64);
            assertThat(small.payload().getInt(12)).as("no capability fits").isZero();
            assertThat(small.files()).isEmpty();
        }
    }

    @Test
    void aCommandThatWantsNoReplyGetsNone() throws Exception {
        try (Host host = host()) {
            host.raw.send(RawVfioUser.message(5, 9, 0x10, RawVfioUser.access(0, 8, 4)));
            host.raw.send(RawVfioUser.message(6, 99, 0x10, new byte[4]));
            assertThat(host.raw.read(0, 8, 4)).as("the reply to the next").isEqualTo(0x0001_0400);
        }
    }

    // The cases by which a server is trusted.

    @Test
    void case21_aClientThatDiesHoldingQueuesLeavesNothing() throws Exception {
        othersAreServed();
        await("the client has left", () -> running.server().clients() == 0);
        long before = openDescriptors();
        for (int i = 0; i < 5; i++) {
            Host host = host();
            host.enable();
            // Create I/O completion and submission queue 1, then leave without a word.
            assertThat(host.admin(5, 0, IOVA + 16_384, 0, 63 << 16 | 1, 1)).isZero();
            assertThat(host.admin(1, 0, IOVA + 20_480, 0, 63 << 16 | 1, 1 << 16 | 1))
                    .isZero();
            host.close();
        }
        await("all clients are gone", () -> running.server().clients() == 0);
        assertThat(openDescriptors()).isEqualTo(before);
        othersAreServed();
    }

    @Test
    void case22_truncatedAndOversizedMessagesEndTheirConnectionAlone() throws Exception {
        try (Host good = host()) {
            byte[][] bad = {
                // Shorter than a header, and than no message.
                RawVfioUser.bytes(16)
                        .putShort((short) 0)
                        .putShort((short) 9)
                        .putInt(15)
                        .array(),
                RawVfioUser.bytes(16)
                        .putShort((short) 0)
                        .putShort((short) 9)
                        .putInt(0)
                        .array(),
                RawVfioUser.bytes(16)
                        .putShort((short) 0)
                        .putShort((short) 9)
                        .putInt(-1)
                        .array(),
                RawVfioUser.bytes(16)
                        .putShort((short) 0)
                        .putShort((short) 9)
                        .putInt(0x7FFF_FFFF)
                        .array(),
                RawVfioUser.bytes(16)
                        .putShort((short) 0)
                        .putShort((short) 9)
                        .putInt(16 + 16 + (1 << 20) + 1)
                        .array(),
                // A reply to nothing.
                RawVfioUser.message(0, 9, 1, new byte[16]),
            };
            for (byte[] message : bad) {
                try (RawVfioUser raw = RawVfioUser.connect(socket)) {
                    raw.version();
                    raw.send(message);
                    assertThat(raw.isEnded()).as(Arrays.toString(message)).isTrue();
                }
            }
            // One that ends in the middle of its header, or its payload.
            for (int cut : new int[] {7, 20}) {
                try (RawVfioUser raw = RawVfioUser.connect(socket)) {
                    raw.version();
                    raw.send(Arrays.copyOf(RawVfioUser.message(0, 9, 0, new byte[16]), cut));
                }
            }
            await("only one is left", () -> running.server().clients() == 1);
            assertThat(notes)
                    .anyMatch(note -> note.contains("a message that ends after 7 of the 16 bytes of its header"));
            assertThat(notes)
                    .anyMatch(note -> note.contains("a message that ends after 4 of the 16 bytes of its payload"));
            assertThat(good.raw.read(0, 8, 4)).as("the other client goes on").isEqualTo(0x0001_0400);
        }
    }

    @Test
    void case22_versionsThatAreNoneAreRefused() throws Exception {
        byte[] deep = new byte[4 + 1001];
        Arrays.fill(deep, 4, deep.length - 1, (byte) '[');
        // As many objects as a message holds, each with a number.
        byte[] vast = ("\0\0\1\0" + "{\"a\":1,\"a\":".repeat(90_000) + "\0").getBytes(StandardCharsets.US_ASCII);
        for (byte[] payload :
                new byte[][] {{}, {0, 0}, {1, 0, 0, 0}, {0, 0, 1, 0, '{'}, {0, 0, 1, 0, (byte) 0xFF, 0}, deep, vast}) {
            try (RawVfioUser raw = RawVfioUser.connect(socket)) {
                assertThat(raw.call(1, payload).errno()).isEqualTo(RawVfioUser.EINVAL);
                assertThat(raw.isEnded()).isTrue();
            }
        }
        try (RawVfioUser raw = RawVfioUser.connect(socket)) {
            assertThat(raw.call(4, new byte[16]).errno()).as("before VERSION").isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.isEnded()).isTrue();
        }
        othersAreServed();
    }

    @Test
    @Tag("slow")
    void case22_aClientThatIsSilentOrSlowHoldsUpNobody() throws Exception {
        try (RawVfioUser silent = RawVfioUser.connect(socket);
                RawVfioUser slow = RawVfioUser.connect(socket)) {
            slow.version();
            slow.send(new byte[] {0});
            slow.send(new byte[] {0});
            othersAreServed();
            // After 5 s the one, after 10 s the other.
            assertThat(slow.isEnded()).isTrue();
            assertThat(silent.isEnded()).isTrue();
        }
    }

    @Test
    void case22_aClientThatDoesNotReadItsRepliesIsSentAway() throws Exception {
        try (RawVfioUser raw = RawVfioUser.connect(socket)) {
            raw.version();
            byte[] read = RawVfioUser.message(0, 9, 0, RawVfioUser.access(7, 0, 4096));
            assertThatThrownBy(() -> {
                        while (true) {
                            raw.send(read);
                        }
                    })
                    .isInstanceOf(IOException.class);
            await("it is sent away", () -> running.server().clients() == 0);
        }
        othersAreServed();
    }

    @Test
    void case23_descriptorsThatNobodyAskedForAreRefusedAndNotKept() throws Exception {
        Path plain = Files.write(folder.resolve("plain"), new byte[8192]);
        try (Host host = host();
                OpenFile file = OpenFile.inMemory("extra", 8192);
                OpenFile directory = OpenFile.open(folder, OpenFile.Access.READ_ONLY);
                OpenFile zero = OpenFile.open(Path.of("/dev/zero"), OpenFile.Access.READ_WRITE);
                OpenFile readOnly = OpenFile.open(plain, OpenFile.Access.READ_ONLY);
                EventFd event = new EventFd()) {
            RawVfioUser raw = host.raw;
            raw.read(0, 8, 4);
            long before = openDescriptors();
            byte[] map = RawVfioUser.dmaMap(3, 0, 0x10_0000, 8192);
            assertThat(raw.call(9, RawVfioUser.access(0, 8, 4), file).errno())
                    .as("with REGION_READ")
                    .isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(2, map, file, file).errno()).as("two for one").isEqualTo(RawVfioUser.EINVAL);
            OpenFile[] many = Collections.nCopies(100, file).toArray(OpenFile[]::new);
            assertThat(raw.call(2, map, many).errno()).as("a hundred").isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(2, map, directory).errno()).as("a folder").isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(2, map, zero).errno()).as("/dev/zero").isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(2, map, readOnly).errno()).as("one to read").isNotZero();
            raw.sendEvents(RawVfioUser.message(0, 2, 0, map), event);
            assertThat(raw.receive().errno()).as("an event counter").isEqualTo(RawVfioUser.EINVAL);
            // Also in the middle of a message.
            byte[] message = RawVfioUser.message(0, 9, 0, RawVfioUser.access(0, 8, 4));
            raw.send(Arrays.copyOf(message, 16));
            raw.send(Arrays.copyOfRange(message, 16, 32), file);
            assertThat(raw.receive().errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(openDescriptors()).isEqualTo(before);
            assertThat(raw.call(2, map, file).errno()).as("the right one").isZero();
            assertThat(openDescriptors())
                    .as("none is kept: the mapping holds the file")
                    .isEqualTo(before);
        }
    }

    @Test
    void case23_versionTakesNoDescriptors() throws Exception {
        try (RawVfioUser raw = RawVfioUser.connect(socket);
                OpenFile file = OpenFile.inMemory("extra", 4096)) {
            assertThat(raw.call(1, new byte[] {0, 0, 1, 0}, file).errno()).isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.isEnded()).isTrue();
        }
    }

    @Test
    void case24_theSocketIsItsOwnersAndReplacesOnlyAStaleOne() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                .isEqualTo("rw-------");
        assertThatThrownBy(() -> VfioUserServer.open(socket, EmuConfiguration.memory(1 << 20), notes::add))
                .hasMessageContaining("a server listens there already; next:");
        Path link = Files.createSymbolicLink(folder.resolve("link"), socket);
        assertThatThrownBy(() -> VfioUserServer.open(link, EmuConfiguration.memory(1 << 20), notes::add))
                .hasMessageContaining("is no socket but a symbolic link");
        Path file = Files.writeString(folder.resolve("file"), "mine");
        assertThatThrownBy(() -> VfioUserServer.open(file, EmuConfiguration.memory(1 << 20), notes::add))
                .hasMessageContaining("it is left alone");
        assertThat(file).hasContent("mine");
        othersAreServed();
    }

    @Test
    void case26_memoryOutsideWhatWasGivenIsNotReached() throws Exception {
        try (Host host = host()) {
            RawVfioUser raw = host.raw;
            assertThat(raw.call(2, RawVfioUser.dmaMap(3, 0, IOVA, 1 << 20), host.file)
                            .errno())
                    .as("the same once more")
                    .isZero();
            long[][] bad = {
                // Offset, IOVA, size: overlapping, beyond the file, not whole pages, nothing, around the end.
                {0, IOVA + 4096, 4096},
                {0, IOVA - 4096, 8192},
                {0, IOVA, 4096},
                {4096, 0x1000_0000, 1 << 20},
                {1 << 20, 0x1000_0000, 4096},
                {-4096, 0x1000_0000, 4096},
                {0, 0x1000_0000, 1L << 38},
                {0, 0x1000_0000, 100},
                {0, 0x1000_0001, 4096},
                {0, 0x1000_0000, 0},
                {0, 0x1000_0000, -4096},
                {0, -4096, 8192},
                {0, Long.MAX_VALUE - 4095, 8192},
            };
            for (long[] one : bad) {
                assertThat(raw.call(2, RawVfioUser.dmaMap(3, one[0], one[1], one[2]), host.file)
                                .errno())
                        .as(Arrays.toString(one))
                        .isEqualTo(RawVfioUser.EINVAL);
            }
            assertThat(raw.call(2, RawVfioUser.dmaMap(4, 0, 0x1000_0000, 4096), host.file)
                            .errno())
                    .as("unknown flag")
                    .isEqualTo(RawVfioUser.EINVAL);
            assertThat(raw.call(2, RawVfioUser.dmaMap(3, 0, 0x1000_0000, 1L << 39))
                            .errno())
                    .as("more than one client may give")
                    .isEqualTo(RawVfioUser.ENOSPC);
            assertThat(raw.call(3, RawVfioUser.dmaUnmap(0, IOVA, 4096)).errno())
                    .as("not as it was given")
                    .isEqualTo(RawVfioUser.ENOENT);
            host.enable();
            int transferError = 0x04;
            assertThat(host.admin(6, 0, IOVA + (1 << 20), 0, 1, 0))
                    .as("behind it")
                    .isEqualTo(transferError);
            assertThat(host.admin(6, 0, IOVA - 4096, 0, 1, 0)).as("before it").isEqualTo(transferError);
            assertThat(host.admin(6, 0, IOVA + (1 << 20) - 512, IOVA + (1 << 20), 1, 0))
                    .as("across its end")
                    .isEqualTo(transferError);
            assertThat(host.admin(5, 0, IOVA + (1 << 20) - 4096, 0, 1023 << 16 | 1, 1))
                    .as("a queue that runs over its end")
                    .isNotZero();
            // Without a file it is remembered, and not reached.
            assertThat(raw.call(2, RawVfioUser.dmaMap(3, 0, 0x2000_0000, 4096)).errno())
                    .isZero();
            assertThat(host.admin(6, 0, 0x2000_0000, 0, 1, 0)).isEqualTo(transferError);
            assertThat(host.admin(6, 0, IOVA + 8192, 0, 1, 0)).as("within it").isZero();
        }
    }

    @Test
    void case26_memoryThatMayOnlyBeReadIsNotWritten() throws Exception {
        try (Host host = host();
                OpenFile constant = OpenFile.inMemory("constant", 4096)) {
            assertThat(host.raw
                            .call(2, RawVfioUser.dmaMap(1, 0, 0x1000_0000, 4096), constant)
                            .errno())
                    .isZero();
            host.enable();
            int transferError = 0x04;
            assertThat(host.admin(6, 0, 0x1000_0000, 0, 1, 0)).isEqualTo(transferError);
            assertThat(host.admin(6, 0, IOVA + 8192 + 2048, 0x1000_0000, 1, 0))
                    .as("in part")
                    .isEqualTo(transferError);
            assertThat(host.admin(5, 0, 0x1000_0000, 0, 63 << 16 | 1, 1))
                    .as("a completion queue")
                    .isEqualTo(0x02);
            assertThat(host.admin(6, 0, IOVA + 8192, 0, 1, 0)).isZero();
            try (Mapping there = Mapping.of(constant, 4096)) {
                assertThat(there.segment().mismatch(MemorySegment.ofArray(new byte[4096])))
                        .as("nothing was written")
                        .isEqualTo(-1);
            }
            // Nor do registers that are written by message bring it about.
            host.raw.write(0, 0x14, 4, 0);
            host.raw.write(0, 0x28, 8, IOVA);
            host.raw.write(0, 0x30, 8, 0x1000_0000);
            host.raw.write(0, 0x14, 4, 0x0046_0001);
            assertThat(host.raw.read(0, 0x1C, 4) & 2)
                    .as("CFS: no admin completion queue there")
                    .isEqualTo(2);
            // And comes up again.
            host.memory.segment().asSlice(4096, 4096).fill((byte) 0);
            host.enable();
            assertThat(host.admin(6, 0, IOVA + 8192, 0, 1, 0)).isZero();
        }
    }

    /** As QEMU does whenever the memory of its guest changes. */
    @Test
    void queuesWorkOnInMemoryThatWasTakenAwayAndGivenAgain() throws Exception {
        try (Host host = host()) {
            host.enable();
            assertThat(host.admin(6, 0, IOVA + 65_536, 0, 1, 0)).isZero();
            assertThat(host.raw.call(3, RawVfioUser.dmaUnmap(0, IOVA, 1 << 20)).errno())
                    .isZero();
            assertThat(host.raw
                            .call(2, RawVfioUser.dmaMap(3, 0, IOVA, 32_768), host.file)
                            .errno())
                    .isZero();
            assertThat(host.raw
                            .call(2, RawVfioUser.dmaMap(3, 32_768, IOVA + 32_768, (1 << 20) - 32_768), host.file)
                            .errno())
                    .isZero();
            for (int i = 0; i < 100; i++) {
                assertThat(host.admin(6, 0, IOVA + 65_536, 0, 1, 0)).isZero();
            }
        }
    }

    @Test
    void case26_memoryThatIsTakenAwayUnderQueuesFailsTheController() throws Exception {
        try (Host host = host()) {
            host.enable();
            assertThat(host.raw.call(3, RawVfioUser.dmaUnmap(2, 0, 0)).errno()).isZero();
            host.doorbells.segment().set(ValueLayout.JAVA_INT, 0, 1);
            await("the controller fails", () -> {
                try {
                    return (host.raw.read(0, 0x1C, 4) & 2) != 0;
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
        }
        othersAreServed();
    }

    @Test
    void case26_aFileThatIsCutShorterEndsItsConnectionAlone() throws Exception {
        for (int i = 0; i < 20; i++) {
            Path path = Files.createTempFile(Path.of("/dev/shm"), "aisio-test", "");
            try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
                file.resize(1 << 20);
                try (Host host = new Host(RawVfioUser.connect(socket), file);
                        Host other = host()) {
                    host.enable();
                    other.enable();
                    for (int round = 0; round < 50; round++) {
                        assertThat(host.admin(6, 0, IOVA + 8192, 0, 1, 0)).isZero();
                    }
                    file.resize(0);
                    host.doorbells.segment().set(ValueLayout.JAVA_INT, 0, (host.tail + 1) % 64);
                    await("the client is sent away", () -> running.server().clients() == 1);
                    assertThat(other.admin(6, 0, IOVA + 8192, 0, 1, 0)).isZero();
                }
            } finally {
                Files.delete(path);
            }
        }
        assertThat(notes).anyMatch(note -> note.contains("memory that it had given was gone"));
        othersAreServed();
    }

    @Test
    void randomMessagesHarmTheirSenderAlone() throws Exception {
        long seed = Long.getLong("aisio.seed", 20_261);
        Random random = new Random(seed);
        othersAreServed();
        await("the client has left", () -> running.server().clients() == 0);
        long before = openDescriptors();
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(Long.getLong("aisio.fuzz.seconds", 4));
        long sent = 0;
        try (OpenFile file = OpenFile.inMemory("fuzz", 1 << 20)) {
            while (System.nanoTime() < until) {
                try (RawVfioUser raw = RawVfioUser.connect(socket)) {
                    if (random.nextInt(10) > 0) {
                        raw.version();
                    }
                    for (int i = 0; i < 200; i++) {
                        byte[] message = mutated(random);
                        OpenFile[] files = Collections.nCopies(random.nextInt(4) > 0 ? 0 : random.nextInt(12), file)
                                .toArray(OpenFile[]::new);
                        raw.send(message, files);
                        sent++;
                    }
                } catch (IOException e) {
                    // The server has sent it away, as it may.
                    assertThat(String.valueOf(e.getMessage()))
                            .as("seed %d", seed)
                            .containsAnyOf("EPIPE", "ECONNRESET", "ETIMEDOUT", "has left");
                }
            }
        }
        assertThat(sent).isPositive();
        await("all are gone", () -> running.server().clients() == 0);
        assertThat(openDescriptors()).as("seed %d", seed).isEqualTo(before);
        othersAreServed();
    }

    /** A message that makes sense, with some bytes changed, or cut. */
    private static byte[] mutated(Random random) {
        byte[] message = RawVfioUser.message(
                random.nextInt(4),
                random.nextInt(20),
                random.nextInt(8) == 0 ? 0x10 : 0x10 & random.nextInt(),
                switch (random.nextInt(7)) {
                    case 0 -> RawVfioUser.dmaMap(3, 0, random.nextInt(8) * 0x10_0000L, 1 << 20);
                    case 1 -> RawVfioUser.dmaUnmap(random.nextInt(3), random.nextInt(8) * 0x10_0000L, 1 << 20);
                    case 2 -> RawVfioUser.access(0, random.nextInt(0x2100) & -4, 4, new byte[] {1, 0, 70, 0});
                    case 3 -> RawVfioUser.access(7, random.nextInt(256), 4);
                    case 4 ->
                        RawVfioUser.bytes(32)
                                .putInt(4096)
                                .putInt(0)
                                .putInt(random.nextInt(10))
                                .array();
                    case 5 -> RawVfioUser.access(0, random.nextInt(0x40) & -8, 8, new byte[8]);
                    default -> new byte[random.nextInt(64)];
                });
        if (random.nextInt(3) == 0) {
            for (int i = random.nextInt(4); i >= 0; i--) {
                // Mostly behind the size, so that the stream goes on.
                int at = random.nextInt(20) == 0 ? random.nextInt(16) : 8 + random.nextInt(message.length - 8);
                message[at] = (byte) random.nextInt();
            }
        }
        return message;
    }
}
