package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What could take a server's JVM down does not, as programs run it: compiled, without assertions. */
@Tag("slow")
class VfioUserForkTest {
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void case26_filesThatAreCutShorterUnderLoadDoNotEndTheJvm(boolean checked) throws Exception {
        Fork.Result result = Fork.run(checked, CutShort.class);
        assertThat(result.exit()).as(result.output()).isZero();
        assertThat(result.output()).contains("still there");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void case26_filesThatAreCutShorterUnderComparesDoNotEndTheJvm(boolean checked) throws Exception {
        Fork.Result result = Fork.run(checked, CutCompare.class);
        assertThat(result.exit()).as(result.output()).isZero();
        assertThat(result.output()).contains("still there, after " + CutCompare.ROUNDS + " clients");
    }

    /** Clients that take their memory's pages away while the controller compares data with it, once that is compiled. */
    static final class CutCompare {
        private static final long IOVA = 1L << 33;
        private static final long DATA = IOVA + (1 << 24);
        private static final int COMPARE_BYTES = 8192;
        static final int ROUNDS = 6;

        private CutCompare() {}

        public static void main(String[] arguments) throws Exception {
            Path folder = Files.createTempDirectory("aisio-fork");
            Path socket = folder.resolve("socket");
            ConcurrentLinkedQueue<String> notes = new ConcurrentLinkedQueue<>();
            VfioUserServer server = VfioUserServer.open(socket, EmuConfiguration.memory(1 << 20), notes::add);
            Thread.ofPlatform().daemon().start(server::serve);
            for (int round = 0; round < ROUNDS; round++) {
                cut(socket, round == 0 ? 1500 : 50);
                while (server.clients() > 0) {
                    Thread.onSpinWait();
                }
            }
            System.out.println("still there, after "
                    + notes.stream().filter(note -> note.contains("was gone")).count() + " clients");
            server.close();
            Files.delete(folder);
        }

        private static void cut(Path socket, int batches) throws Exception {
            Path path = Files.createTempFile(Path.of("/dev/shm"), "aisio-fork", "");
            try (RawVfioUser raw = RawVfioUser.connect(socket);
                    OpenFile rings = OpenFile.inMemory("rings", 1 << 20);
                    Mapping memory = Mapping.of(rings, 1 << 20);
                    OpenFile data = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
                data.resize(1 << 20);
                raw.version();
                RawVfioUser.Message region =
                        raw.call(5, RawVfioUser.bytes(32).putInt(4096).array());
                try (Mapping doorbells = Mapping.of(region.files().getFirst(), 0x1000, 0x1000, true)) {
                    region.files().forEach(OpenFile::close);
                    raw.call(2, RawVfioUser.dmaMap(3, 0, IOVA, 1 << 20), rings);
                    raw.call(2, RawVfioUser.dmaMap(3, 0, DATA, 1 << 20), data);
                    raw.write(0, 0x24, 4, 63 << 16 | 63);
                    raw.write(0, 0x28, 8, IOVA);
                    raw.write(0, 0x30, 8, IOVA + 4096);
                    raw.write(0, 0x14, 4, 0x0046_0001);
                    while ((raw.read(0, 0x1C, 4) & 1) == 0) {
                        Thread.onSpinWait();
                    }
                    // Create I/O Completion Queue and Submission Queue 1, of 64 entries each.
                    entry(memory, 0, 5, IOVA + 3 * 4096, 0, 63 << 16 | 1, 1);
                    entry(memory, 64, 1, IOVA + 2 * 4096, 0, 63 << 16 | 1, 1 << 16 | 1);
                    for (int tail = 1; tail <= 2; tail++) {
                        ring(doorbells, 0, tail);
                        await(memory, 4096 + (tail - 1) * 16L, 1);
                    }
                    // 64 Compares, over and over, of blocks that are zero with memory that is.
                    for (int i = 0; i < 64; i++) {
                        entry(memory, 2 * 4096 + i * 64L, 5, DATA, DATA + 4096, i * 16, 0);
                        memory.segment().set(ValueLayout.JAVA_INT, 2 * 4096 + i * 64L + 4, 1);
                        memory.segment().set(ValueLayout.JAVA_INT, 2 * 4096 + i * 64L + 48, COMPARE_BYTES / 512 - 1);
                    }
                    for (int batch = 0; batch < batches; batch++) {
                        ring(doorbells, 8, (batch + 1) % 2 * 32);
                        await(memory, 3 * 4096 + batch % 2 * 512 + 31 * 16L, batch / 2 % 2 == 0 ? 1 : 0);
                        ring(doorbells, 12, (batch + 1) % 2 * 32);
                    }
                    ring(doorbells, 8, (batches + 1) % 2 * 32);
                    // The first page stays: a comparison looks at the first byte by itself.
                    data.resize(4096);
                    ring(doorbells, 8, (batches + 1) % 2 * 32 + 31);
                    if (!raw.isEnded()) {
                        throw new AssertionError("the server goes on with memory that is gone");
                    }
                }
            } finally {
                Files.delete(path);
            }
        }

        private static void entry(Mapping memory, long at, int opcode, long prp1, long prp2, int dword10, int dword11) {
            MemorySegment entry = memory.segment().asSlice(at, 64);
            entry.set(ValueLayout.JAVA_INT, 0, opcode);
            entry.set(ValueLayout.JAVA_LONG, 24, prp1);
            entry.set(ValueLayout.JAVA_LONG, 32, prp2);
            entry.set(ValueLayout.JAVA_INT, 40, dword10);
            entry.set(ValueLayout.JAVA_INT, 44, dword11);
        }

        private static void ring(Mapping doorbells, long doorbell, int value) {
            VarHandle.releaseFence();
            doorbells.segment().set(ValueLayout.JAVA_INT, doorbell, value);
            VarHandle.fullFence();
        }

        /** Waits for a completion, and sees that its command succeeded. */
        private static void await(Mapping memory, long at, int phase) {
            int word;
            do {
                Thread.onSpinWait();
                VarHandle.acquireFence();
                word = memory.segment().get(ValueLayout.JAVA_INT, at + 12);
            } while ((word >>> 16 & 1) != phase);
            if (word >>> 17 != 0) {
                throw new AssertionError("status 0x" + Integer.toHexString(word >>> 17));
            }
        }
    }

    /** Clients that take their memory's pages away while the controller moves data. */
    static final class CutShort {
        private static final long IOVA = 1L << 33;
        private static final int ROUNDS = 12;

        private CutShort() {}

        public static void main(String[] arguments) throws Exception {
            Path folder = Files.createTempDirectory("aisio-fork");
            Path socket = folder.resolve("socket");
            ConcurrentLinkedQueue<String> notes = new ConcurrentLinkedQueue<>();
            VfioUserServer server = VfioUserServer.open(socket, EmuConfiguration.memory(64 << 20), notes::add);
            Thread.ofPlatform().daemon().start(server::serve);
            warmUp("vfu:" + socket);
            for (int round = 0; round < ROUNDS; round++) {
                cut(socket, round);
            }
            while (server.clients() > 0) {
                Thread.onSpinWait();
            }
            warmUp("vfu:" + socket);
            System.out.println("still there, after "
                    + notes.stream().filter(note -> note.contains("was gone")).count()
                    + " clients whose memory was gone");
            server.close();
            Files.delete(folder);
        }

        /** Until the controller's code is compiled. */
        private static void warmUp(String name) throws Exception {
            try (Device device = Device.open(name);
                    Buffer buffer = device.allocate(16 * 16_384);
                    Queue queue = device.openQueue(16)) {
                int[] slots = new int[16];
                long[] lbas = new long[16];
                for (int slot = 0; slot < 16; slot++) {
                    slots[slot] = slot;
                    lbas[slot] = slot * 32L;
                    if (slot % 2 == 0) {
                        queue.bindRead(slot, buffer, slot * 16_384L, 16_384);
                    } else {
                        queue.bindWrite(slot, buffer, slot * 16_384L, 16_384);
                    }
                }
                for (int round = 0; round < 4000; round++) {
                    queue.submit(slots, lbas, 16);
                    for (int reaped = 0; reaped < 16; ) {
                        reaped += queue.poll(slots);
                    }
                    for (int slot = 0; slot < 16; slot++) {
                        slots[slot] = slot;
                    }
                }
            }
        }

        /** Two files: rings that stay, data that are cut off in the middle of commands; or both in one. */
        private static void cut(Path socket, int round) throws Exception {
            boolean ringsToo = round % 3 == 0;
            Path path = Files.createTempFile(Path.of("/dev/shm"), "aisio-fork", "");
            try (RawVfioUser raw = RawVfioUser.connect(socket);
                    OpenFile rings = OpenFile.inMemory("rings", 1 << 20);
                    Mapping ringMemory = Mapping.of(rings, 1 << 20);
                    OpenFile data = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
                data.resize(1 << 20);
                raw.version();
                RawVfioUser.Message region =
                        raw.call(5, RawVfioUser.bytes(32).putInt(4096).array());
                try (Mapping doorbells = Mapping.of(region.files().getFirst(), 0x1000, 0x1000, true)) {
                    region.files().forEach(OpenFile::close);
                    raw.call(2, RawVfioUser.dmaMap(3, 0, IOVA, 1 << 20), rings);
                    raw.call(2, RawVfioUser.dmaMap(3, 0, IOVA + (1 << 24), 1 << 20), data);
                    long ring = ringsToo ? IOVA + (1 << 24) : IOVA;
                    raw.write(0, 0x24, 4, 63 << 16 | 63);
                    raw.write(0, 0x28, 8, ring);
                    raw.write(0, 0x30, 8, IOVA + 4096);
                    raw.write(0, 0x14, 4, 0x0046_0001);
                    while ((raw.read(0, 0x1C, 4) & 1) == 0) {
                        Thread.onSpinWait();
                    }
                    Mapping ringMapping = ringsToo ? Mapping.of(data, 1 << 20) : ringMemory;
                    // The same 62 Identify commands over and over: the controller is always in the midst of one.
                    for (int i = 0; i < 64; i++) {
                        MemorySegment entry = ringMapping.segment().asSlice(i * 64L, 64);
                        entry.set(ValueLayout.JAVA_INT, 0, i << 16 | 6);
                        entry.set(ValueLayout.JAVA_LONG, 24, IOVA + (1 << 24) + 65_536 + i * 4096L);
                        entry.set(ValueLayout.JAVA_INT, 40, 1);
                    }
                    VarHandle.releaseFence();
                    int tail = 0;
                    for (int i = 0; i < 4000 + round * 997; i++) {
                        tail = (tail + 1) % 64;
                        doorbells.segment().set(ValueLayout.JAVA_INT, 0, tail);
                        doorbells.segment().set(ValueLayout.JAVA_INT, 4, (tail + 48) % 64);
                        Thread.onSpinWait();
                    }
                    data.resize(0);
                    for (int i = 0; i < 100_000; i++) {
                        tail = (tail + 1) % 64;
                        doorbells.segment().set(ValueLayout.JAVA_INT, 0, tail);
                    }
                    if (ringsToo) {
                        ringMapping.close();
                    }
                }
            } finally {
                Files.delete(path);
            }
        }
    }
}
