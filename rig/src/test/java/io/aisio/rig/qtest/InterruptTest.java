package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.Interrupt;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** MSI-X: the admin queue's vector, and vectors of queues whose entries this test writes itself. */
class InterruptTest {
    private static final Duration LONG = Duration.ofSeconds(20);
    private static final int ENTRIES = 8;

    @Test
    void raisesVectorZeroWhenAnAdminCommandCompletes() throws Exception {
        try (QemuNvme qemu = QemuNvme.build()
                        .controller("msix_qsize=3")
                        .namespace(1 << 20, "")
                        .start();
                QtestFunction function = qemu.function(0)) {
            assertThat(function.interruptVectors()).isEqualTo(3);
            // Before the controller is enabled: a queue uses only vectors that there were when it came to be.
            List<? extends Interrupt> vectors = function.enableInterrupts(2);
            assertThat(vectors).extracting(Interrupt::vector).containsExactly(0, 1);
            try (NvmeController driver = NvmeController.open(function)) {
                assertThat(vectors.get(0).await(LONG))
                        .as("of the commands that brought it up")
                        .isTrue();
                for (int i = 0; i < 5; i++) {
                    driver.execute(Command.of(Opcode.GET_FEATURES, 0, Feature.NUMBER_OF_QUEUES));
                    assertThat(vectors.get(0).await(LONG)).isTrue();
                }
                assertThat(vectors.get(0).await(Duration.ofMillis(50))).isFalse();
                assertThat(vectors.get(1).await(Duration.ZERO)).isFalse();
            }
            assertThatThrownBy(() -> function.enableInterrupts(1)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void refusesMoreVectorsThanThereAre() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build().controller("msix_qsize=3").namespace(1 << 20, ""))) {
            assertThatThrownBy(() -> rig.function.enableInterrupts(4))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("1 to 3 are possible");
        }
    }

    @Test
    void raisesTheVectorOfTheQueueThatACommandCompletesIn() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build().controller("msix_qsize=5").namespace(1 << 20, ""))) {
            List<? extends Interrupt> vectors = rig.function.enableInterrupts(5);
            try (DmaMemory shadow = rig.function.allocate(8192);
                    DmaMemory first = queue(rig, 1, 4);
                    DmaMemory second = queue(rig, 2, 2)) {
                // Pages of this test's in place of the driver's: QEMU takes the doorbells' values from there.
                rig.driver.execute(Command.of(Opcode.DOORBELL_BUFFER_CONFIG, 0, 0), shadow, 8192);
                for (int i = 0; i < 3 * ENTRIES; i++) {
                    flush(rig, shadow, first, 1, i);
                    assertThat(vectors.get(4).await(LONG)).isTrue();
                    assertThat(completion(first, i)).isZero();
                    ring(rig, shadow, Registers.cqHeadDoorbell(1, 0), (i + 1) % ENTRIES);
                    assertThat(vectors.get(2).await(Duration.ZERO)).isFalse();
                }
                flush(rig, shadow, second, 2, 0);
                assertThat(vectors.get(2).await(LONG)).isTrue();
                assertThat(vectors.get(4).await(Duration.ZERO)).isFalse();
                delete(rig, 1);
                delete(rig, 2);
            }
        }
    }

    @Test
    void aQueueSleepsUntilItsOwnVectorIsRaised() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build()
                        .controller("msix_qsize=3,max_ioqpairs=4")
                        .namespace(1 << 20, ""));
                QueuePair polled = rig.driver.createQueuePair(4);
                QueuePair first = rig.driver.createSleepingQueuePair(4);
                DmaMemory memory = rig.function.allocate(4096)) {
            assertThat(polled.sleeps()).isFalse();
            assertThatThrownBy(() -> polled.await(new int[4])).isInstanceOf(IllegalStateException.class);
            QueuePair second = rig.driver.createSleepingQueuePair(4);
            assertThatThrownBy(() -> rig.driver.createSleepingQueuePair(4))
                    .hasMessageContaining("no interrupt vector is left for queue 4, of 3 that there are");
            readThrough(first, memory);
            readThrough(second, memory);
            second.close();
            // Its vector serves the next.
            try (QueuePair third = rig.driver.createSleepingQueuePair(4)) {
                readThrough(third, memory);
            }
            assertThat(first.await(new int[4])).as("with nothing in flight").isZero();
        }
    }

    private static void readThrough(QueuePair pair, DmaMemory memory) throws Exception {
        int[] completed = new int[4];
        long began = System.nanoTime();
        for (int i = 0; i < 50; i++) {
            pair.bind(i % 4, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, 0, 512);
            pair.submit(new int[] {i % 4}, new long[] {i}, 1);
            assertThat(pair.await(completed)).isEqualTo(1);
            assertThat(completed[0]).isEqualTo(i % 4);
        }
        // A queue that is not woken looks after 100 ms by itself.
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(5));
    }

    /** A queue pair with interrupts: submission ring on the first page, completion ring on the second. */
    private static DmaMemory queue(Rig rig, int qid, int vector) throws Exception {
        DmaMemory memory = rig.function.allocate(8192);
        // The driver takes the start of the data as the address: so the completion ring's page is given alone.
        rig.driver.execute(
                Command.of(Opcode.CREATE_IO_CQ, 0, ENTRIES - 1 << 16 | qid, vector << 16 | 2 | 1),
                new Page(memory, 4096),
                4096);
        rig.driver.execute(Command.of(Opcode.CREATE_IO_SQ, 0, ENTRIES - 1 << 16 | qid, qid << 16 | 1), memory, 4096);
        return memory;
    }

    private static void delete(Rig rig, int qid) throws Exception {
        rig.driver.execute(Command.of(Opcode.DELETE_IO_SQ, 0, qid));
        rig.driver.execute(Command.of(Opcode.DELETE_IO_CQ, 0, qid));
    }

    private static void ring(Rig rig, DmaMemory shadow, long doorbell, int value) {
        Wire.i32(shadow.segment(), doorbell - Registers.DOORBELLS, value);
        rig.function.bar(0).write32(doorbell, value);
    }

    private static void flush(Rig rig, DmaMemory shadow, DmaMemory memory, int qid, int count) {
        long entry = (long) (count % ENTRIES) * Sqe.BYTES;
        memory.segment().asSlice(entry, Sqe.BYTES).fill((byte) 0);
        Wire.i64(memory.segment(), entry + Sqe.DW0, Sqe.word0(Opcode.FLUSH, 1) | (long) count << Sqe.CID_SHIFT);
        ring(rig, shadow, Registers.sqTailDoorbell(qid, 0), (count + 1) % ENTRIES);
    }

    /** Status of the completion, which must be there. */
    private static int completion(DmaMemory memory, int count) {
        long word = Wire.i64(memory.segment(), 4096 + (long) (count % ENTRIES) * Cqe.BYTES + Cqe.WORD1);
        assertThat(Cqe.phase(word)).isEqualTo(1 - count / ENTRIES % 2);
        assertThat(Cqe.cid(word)).isEqualTo(count);
        return Cqe.status(word);
    }

    /** A page of other memory. */
    private record Page(DmaMemory memory, long offset) implements DmaMemory {
        @Override
        public MemorySegment segment() {
            return memory.segment().asSlice(offset, 4096);
        }

        @Override
        public long iova(long at) {
            return memory.iova(offset + at);
        }

        @Override
        public void close() {}
    }
}
