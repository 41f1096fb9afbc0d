package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.MappedBar;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Queues that somebody else drives, through memory and doorbells alone. */
class LentQueuePairTest {
    private static final int DEPTH = 31;
    private static final int MIB = 1 << 20;
    private static final long GIVE_UP_NANOS = 20_000_000_000L;

    private static NvmeDevice open(String name) throws IOException {
        return (NvmeDevice) Device.open(name);
    }

    /** Drives a pair as a GPU does: entries, a fence, the doorbell; completions by phase tag. */
    private static final class Driver implements AutoCloseable {
        final Buffer sq;
        final Buffer cq;
        final LentQueuePair pair;
        final MappedBar bar;
        private final int lbaBytes;
        int tail;
        int head;
        int phase = 1;

        Driver(NvmeDevice device, int depth) throws IOException {
            sq = device.allocate((depth + 1L) * Sqe.BYTES);
            cq = device.allocate((depth + 1L) * Cqe.BYTES);
            pair = device.lendQueuePair(sq.memory(), cq.memory(), depth);
            lbaBytes = device.geometry().lbaBytes();
            bar = Objects.requireNonNull(device.doorbells());
        }

        void put(int cid, int opcode, int nsid, long lba, int blocks, DmaMemory data, long offset) {
            MemorySegment ring = sq.segment();
            long at = (long) tail * Sqe.BYTES;
            ring.asSlice(at, Sqe.BYTES).fill((byte) 0);
            Wire.i64(ring, at + Sqe.PRP1, data.iova(offset));
            Wire.i64(ring, at + Sqe.PRP2, blocks * lbaBytes > 4096 ? data.iova(offset + 4096) : 0);
            Wire.i64(ring, at + Sqe.CDW10, lba);
            Wire.i64(ring, at + Sqe.CDW12, blocks - 1);
            Wire.i64(ring, at + Sqe.DW0, Sqe.word0(opcode, nsid) | (long) cid << Sqe.CID_SHIFT);
            tail = tail + 1 == pair.entries() ? 0 : tail + 1;
        }

        void ring() {
            bar.write32(pair.tailDoorbell(), tail);
        }

        /** Waits for the next completion, checks it and gives its entry back; its status. */
        Status take(int cid) {
            long at = (long) head * Cqe.BYTES + Cqe.WORD1;
            long end = System.nanoTime() + GIVE_UP_NANOS;
            while (Cqe.phase(Wire.i64(cq.segment(), at)) != phase) {
                assertThat(System.nanoTime()).as("the deadline of CID %d", cid).isLessThan(end);
                Thread.onSpinWait();
            }
            long word = Wire.i64(cq.segment(), at);
            assertThat(Cqe.cid(word)).isEqualTo(cid);
            assertThat(Cqe.sqid(word)).isEqualTo(pair.qid());
            if (++head == pair.entries()) {
                head = 0;
                phase ^= 1;
            }
            bar.write32(pair.headDoorbell(), head);
            return new Status(Cqe.status(word));
        }

        @Override
        public void close() throws IOException {
            pair.close();
            sq.close();
            cq.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"emu:4MiB", "emu:4MiB?dstrd=2&entries=64", "emu:4MiB?lba=4096&namespaces=2&nsid=2"})
    void movesDataOfAnotherDevicesMemoryMoreThanOnceAround(String name) throws Exception {
        try (NvmeDevice device = open(name);
                CardMemory card = new CardMemory(MIB);
                Buffer peer = device.map(card);
                Driver driver = new Driver(device, DEPTH)) {
            int lba = device.geometry().lbaBytes();
            int blocks = 8192 / lba;
            assertThat(driver.pair.entries()).isEqualTo(DEPTH + 1);
            byte[] content = new byte[DEPTH * 8192];
            Random random = new Random(3);
            for (int round = 0; round < 40; round++) {
                random.nextBytes(content);
                MemorySegment.copy(content, 0, card.inside(), ValueLayout.JAVA_BYTE, 0, content.length);
                for (int opcode : new int[] {Opcode.WRITE, Opcode.READ}) {
                    for (int i = 0; i < DEPTH; i++) {
                        long place = opcode == Opcode.WRITE ? i : DEPTH + i;
                        driver.put(
                                1000 * round + i & 0x7FFF,
                                opcode,
                                device.nsid(),
                                (long) i * blocks,
                                blocks,
                                peer.memory(),
                                place * 8192);
                    }
                    driver.ring();
                    for (int i = 0; i < DEPTH; i++) {
                        assertThat(driver.take(1000 * round + i & 0x7FFF).isSuccess())
                                .isTrue();
                    }
                }
                assertThat(card.inside()
                                .asSlice(DEPTH * 8192L, content.length)
                                .mismatch(MemorySegment.ofArray(content)))
                        .isEqualTo(-1);
            }
        }
    }

    @Test
    void tellsWhoDrivesItOfFailedCommands() throws Exception {
        try (NvmeDevice device = open("emu:1MiB");
                CardMemory card = new CardMemory(65536);
                Buffer peer = device.map(card);
                Driver driver = new Driver(device, DEPTH)) {
            driver.put(1, Opcode.READ, 1, 5000, 1, peer.memory(), 0);
            driver.put(2, Opcode.READ, 1, 0, 1, peer.memory(), 0);
            card.failures.set(1);
            driver.put(3, Opcode.READ, 1, 0, 1, peer.memory(), 0);
            driver.ring();
            assertThat(driver.take(1).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
            assertThat(driver.take(2).code()).isEqualTo(Status.DATA_TRANSFER_ERROR);
            assertThat(driver.take(3).isSuccess()).isTrue();
        }
    }

    @Test
    void worksBesideAnotherAndTheDriversOwn() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?qpairs=4");
                CardMemory card = new CardMemory(MIB);
                Buffer peer = device.map(card);
                Buffer own = device.allocate(MIB);
                Driver first = new Driver(device, DEPTH);
                Driver second = new Driver(device, 3);
                Queue queue = device.openQueue(8)) {
            assertThat(first.pair.qid()).isNotEqualTo(second.pair.qid());
            int[] slots = {0, 1, 2, 3, 4, 5, 6, 7};
            int[] completed = new int[8];
            long[] lbas = new long[8];
            for (int slot = 0; slot < 8; slot++) {
                lbas[slot] = 4000 + slot;
                queue.bindWrite(slot, own, slot * 512L, 512);
            }
            for (int round = 0; round < 200; round++) {
                card.inside().asSlice(0, 512).fill((byte) round);
                card.inside().asSlice(4096, 512).fill((byte) ~round);
                own.segment().asSlice(0, 4096).fill((byte) (3 * round));
                first.put(round, Opcode.WRITE, 1, 10, 1, peer.memory(), 0);
                second.put(round, Opcode.WRITE, 1, 11, 1, peer.memory(), 4096);
                first.ring();
                second.ring();
                queue.submit(slots, lbas, 8);
                assertThat(first.take(round).isSuccess()).isTrue();
                assertThat(second.take(round).isSuccess()).isTrue();
                for (int left = 8; left > 0; ) {
                    int n = queue.poll(completed);
                    for (int i = 0; i < n; i++) {
                        assertThat(completed[i]).isNotNegative();
                    }
                    left -= n;
                }
                device.read(10, own, 65536, 1024);
                assertThat(own.segment().get(ValueLayout.JAVA_BYTE, 65536)).isEqualTo((byte) round);
                assertThat(own.segment().get(ValueLayout.JAVA_BYTE, 65536 + 1023))
                        .isEqualTo((byte) ~round);
            }
            assertThatThrownBy(() -> new Driver(device, 1))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("all 4 queue pairs");
        }
    }

    @Test
    void isLostInAResetWhileOthersGoOn() throws Exception {
        try (NvmeDevice device = open("emu:1MiB");
                Buffer own = device.allocate(4096);
                Queue queue = device.openQueue(1)) {
            NvmeController controller = device.controller();
            Driver driver = new Driver(device, DEPTH);
            driver.put(1, Opcode.FLUSH, 1, 0, 1, own.memory(), 0);
            driver.ring();
            assertThat(driver.take(1).isSuccess()).isTrue();
            assertThat(driver.pair.isLost()).isFalse();
            assertThat(driver.pair.loss()).isNull();
            driver.pair.look();
            controller.reset();
            assertThat(driver.pair.isLost()).isTrue();
            assertThat(driver.pair.loss()).hasMessageContaining("a reset was asked for");
            assertThat(driver.pair.mayStillAccessMemory()).isFalse();
            driver.pair.look();
            assertThat(controller.resets()).isEqualTo(1);
            queue.bindRead(0, own, 0, 512);
            queue.submit(new int[] {0}, new long[] {0}, 1);
            int[] completed = new int[1];
            assertThat(queue.await(completed)).isEqualTo(1);
            assertThat(completed[0]).isZero();
            try (Driver next = new Driver(device, DEPTH)) {
                assertThat(next.pair.qid())
                        .as("the lost one's identifier is kept")
                        .isNotEqualTo(driver.pair.qid());
            }
            driver.close();
            try (Driver next = new Driver(device, DEPTH)) {
                next.put(9, Opcode.READ, 1, 0, 8, own.memory(), 0);
                next.ring();
                assertThat(next.take(9).isSuccess()).isTrue();
            }
        }
    }

    @Test
    void findsAFatalControllerByALook() throws Exception {
        try (NvmeDevice device = open("emu:1MiB?faults=fatal@flush:1");
                Buffer own = device.allocate(4096)) {
            Driver driver = new Driver(device, DEPTH);
            driver.put(1, Opcode.FLUSH, 1, 0, 1, own.memory(), 0);
            driver.ring();
            long end = System.nanoTime() + GIVE_UP_NANOS;
            while (!driver.pair.isLost()) {
                assertThat(System.nanoTime()).as("the deadline").isLessThan(end);
                driver.pair.look();
            }
            assertThat(driver.pair.loss()).isNotNull();
            driver.close();
            device.read(0, own, 0, 4096);
        }
    }

    @Test
    void isClosedBeforeTheControllerInAnyOrderWithOthers() throws Exception {
        NvmeDevice device = open("emu:1MiB");
        Driver first = new Driver(device, DEPTH);
        Driver second = new Driver(device, DEPTH);
        Queue queue = device.openQueue(4);
        assertThatThrownBy(device::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("are open");
        first.close();
        first.pair.close();
        assertThatThrownBy(device::close).isInstanceOf(IllegalStateException.class);
        queue.close();
        second.close();
        device.close();
        first.pair.close();
    }

    @Test
    void isClosedWithCommandsInFlight() throws Exception {
        try (NvmeDevice device = open("emu:1MiB?latency=1000ms");
                Buffer own = device.allocate(4096)) {
            Driver driver = new Driver(device, DEPTH);
            for (int i = 0; i < DEPTH; i++) {
                driver.put(i, Opcode.READ, 1, 0, 1, own.memory(), 0);
            }
            driver.ring();
            driver.close();
        }
    }

    @Test
    void takesOnlyMemoryThatMayHoldRings() throws Exception {
        try (NvmeDevice device = open("emu:1MiB");
                CardMemory card = new CardMemory(65536);
                Buffer peer = device.map(card);
                Buffer sq = device.allocate(8192);
                Buffer cq = device.allocate(4096)) {
            assertThatThrownBy(() -> device.lendQueuePair(sq.memory(), cq.memory(), 0))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> device.lendQueuePair(sq.memory(), cq.memory(), 128))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("submission queue");
            cq.segment().set(ValueLayout.JAVA_BYTE, 127 * Cqe.BYTES + 14, (byte) 1);
            assertThatThrownBy(() -> device.lendQueuePair(sq.memory(), cq.memory(), 127))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("not zeroed");
            device.lendQueuePair(sq.memory(), cq.memory(), 126).close();
            assertThatThrownBy(() -> device.lendQueuePair(peer.memory(), cq.memory(), 126))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("Invalid Field");
            assertThatThrownBy(() -> device.lendQueuePair(sq.memory(), peer.memory(), 126))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("Invalid Field");
            cq.segment().fill((byte) 0);
            device.lendQueuePair(sq.memory(), cq.memory(), 127).close();
        }
    }

    @Test
    void isRefusedWhereTheControllerLooksForDoorbellsInMemory() throws Exception {
        try (NvmeDevice device = open("emu:1MiB?shadow")) {
            assertThatThrownBy(() -> new Driver(device, 1))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("Doorbell Buffer Config")
                    .hasMessageContaining("next:");
            // And its identifier is free again.
            device.openQueue(1).close();
        }
    }

    @Test
    void leavesNothingBehindWhereTheControllerRefuses() throws Exception {
        try (NvmeDevice device = open("emu:1MiB?qpairs=1&faults=error=1/1/dnr@createcq:1,error=1/1/dnr@createsq:1");
                Buffer own = device.allocate(4096)) {
            for (int refused = 0; refused < 2; refused++) {
                assertThatThrownBy(() -> new Driver(device, DEPTH)).isInstanceOf(NvmeException.class);
            }
            try (Driver driver = new Driver(device, DEPTH)) {
                driver.put(5, Opcode.READ, 1, 0, 8, own.memory(), 0);
                driver.ring();
                assertThat(driver.take(5).isSuccess()).isTrue();
            }
            assertThat(device.controller().resets()).isZero();
        }
    }

    @Test
    void resetsAControllerThatDoesNotDeleteIt() throws Exception {
        try (NvmeDevice device = open("emu:1MiB?faults=error=1/1/dnr@deletesq:1")) {
            Driver driver = new Driver(device, DEPTH);
            assertThatThrownBy(driver.pair::close).isInstanceOf(NvmeException.class);
            assertThat(driver.pair.isLost()).isTrue();
            assertThat(device.controller().resets()).isEqualTo(1);
            driver.close();
            try (Driver next = new Driver(device, DEPTH)) {
                assertThat(next.pair.qid()).as("the identifier is free").isEqualTo(driver.pair.qid());
            }
        }
    }

    @Test
    void isLostWithAControllerThatIsGone() throws Exception {
        try (NvmeDevice device = open("emu:1MiB?faults=vanish@flush:1");
                Buffer own = device.allocate(4096)) {
            Driver driver = new Driver(device, DEPTH);
            driver.put(1, Opcode.FLUSH, 1, 0, 1, own.memory(), 0);
            driver.ring();
            long end = System.nanoTime() + GIVE_UP_NANOS;
            while (!driver.pair.isLost()) {
                assertThat(System.nanoTime()).as("the deadline").isLessThan(end);
                driver.pair.look();
            }
            assertThat(driver.pair.loss()).isSameAs(device.controller().failure());
            assertThat(driver.pair.mayStillAccessMemory()).isFalse();
            driver.close();
            assertThatThrownBy(() -> new Driver(device, DEPTH)).isInstanceOf(NvmeException.class);
        }
    }
}
