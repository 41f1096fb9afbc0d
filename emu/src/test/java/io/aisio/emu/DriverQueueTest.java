package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Queues of every size and data of every shape, between the real driver and the real software controller. */
class DriverQueueTest {
    private static final int PAGE = 4096;
    /** What PRP entry 1 and a full list name: 2 MiB at offset 0 of a page. */
    private static final int LIST_BYTES = 512 * PAGE;

    @ParameterizedTest
    @CsvSource({"false, false", "true, false", "false, true"})
    void movesDataOfEveryShapeAroundPagesAndLists(boolean sgl, boolean shadow) throws Exception {
        int bytes = 6 << 20;
        int[] offsets = {0, 4, 508, 512, 2048, PAGE - 512, PAGE - 4, PAGE, PAGE + 4};
        int[] lengths = {
            512,
            1024,
            PAGE - 512,
            PAGE,
            PAGE + 512,
            2 * PAGE - 512,
            2 * PAGE,
            2 * PAGE + 512,
            3 * PAGE,
            64 * PAGE,
            LIST_BYTES - PAGE,
            LIST_BYTES - 512,
            LIST_BYTES,
            LIST_BYTES + PAGE,
            2 * LIST_BYTES + 512
        };
        byte[] content = new byte[bytes];
        new Random(3).nextBytes(content);
        try (Driven driven = new Driven(
                        EmuConfiguration.memory(bytes).withMdts(11).withSgl(sgl).withShadow(shadow));
                QueuePair pair = driven.driver.createQueuePair(3);
                DmaMemory memory = driven.function.allocate(bytes)) {
            for (int offset : offsets) {
                for (int length : lengths) {
                    MemorySegment all = memory.segment();
                    MemorySegment.copy(content, offset, all, ValueLayout.JAVA_BYTE, offset, length);
                    run(pair, Opcode.WRITE, memory, offset, length, 5);
                    all.fill((byte) 0x77);
                    run(pair, Opcode.READ, memory, offset, length, 5);
                    String what = length + " bytes at offset " + offset;
                    assertThat(all.asSlice(offset, length)
                                    .mismatch(MemorySegment.ofArray(content).asSlice(offset, length)))
                            .as(what)
                            .isEqualTo(-1);
                    assertThat(all.asSlice(0, offset).mismatch(filled(offset)))
                            .as("before " + what)
                            .isEqualTo(-1);
                    long rest = all.byteSize() - offset - length;
                    assertThat(all.asSlice(offset + length, rest).mismatch(filled(rest)))
                            .as("behind " + what)
                            .isEqualTo(-1);
                }
            }
        }
    }

    private static MemorySegment filled(long bytes) {
        byte[] poison = new byte[(int) bytes];
        Arrays.fill(poison, (byte) 0x77);
        return MemorySegment.ofArray(poison);
    }

    private static void run(QueuePair pair, int opcode, DmaMemory memory, long offset, int bytes, long lba)
            throws Exception {
        pair.bind(2, Command.overBlocks(opcode, 1, 0, bytes / 512), memory, offset, bytes);
        pair.submit(new int[] {2}, new long[] {lba}, 1);
        int[] completed = new int[2];
        assertThat(Completions.await(pair, completed)).isEqualTo(1);
        if (completed[0] < 0) {
            throw pair.failure(2);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 16, 1024})
    void wrapsItsRingsAndGenerationsAtEveryDepth(int entries) throws Exception {
        try (Driven driven = new Driven(EmuConfiguration.nothing(1 << 30).withEntries(entries))) {
            assertThat(driven.driver.maxDepth()).isEqualTo(entries - 1);
            for (int depth : new int[] {1, driven.driver.maxDepth()}) {
                keepFull(driven, depth, 40_000);
            }
            assertThatThrownBy(() -> driven.driver.createQueuePair(entries))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("1 to " + (entries - 1));
        }
    }

    @Test
    void holdsAsManyCommandsAsTheLargestQueue() throws Exception {
        try (Driven driven = new Driven(EmuConfiguration.nothing(1 << 30).withEntries(EmuConfiguration.MAX_ENTRIES))) {
            keepFull(driven, driven.driver.maxDepth(), 3 * driven.driver.maxDepth());
        }
    }

    /** Keeps every slot in flight, and counts that each command comes back once. */
    private static void keepFull(Driven driven, int depth, int commands) throws Exception {
        try (QueuePair pair = driven.driver.createQueuePair(depth);
                DmaMemory memory = driven.function.allocate(PAGE)) {
            int[] slots = new int[depth];
            long[] lbas = new long[depth];
            boolean[] inFlight = new boolean[depth];
            for (int slot = 0; slot < depth; slot++) {
                pair.bind(slot, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, 0, 512);
                slots[slot] = slot;
            }
            int[] completed = new int[depth];
            int ready = depth;
            for (int done = 0; done < commands; ) {
                pair.submit(slots, lbas, ready);
                for (int i = 0; i < ready; i++) {
                    inFlight[slots[i]] = true;
                }
                assertThat(pair.outstanding()).isEqualTo(depth);
                ready = Completions.await(pair, completed);
                for (int i = 0; i < ready; i++) {
                    assertThat(completed[i]).isBetween(0, depth - 1);
                    assertThat(inFlight[completed[i]]).isTrue();
                    inFlight[completed[i]] = false;
                    slots[i] = completed[i];
                }
                done += ready;
            }
        }
    }

    @Test
    void opensAndClosesQueuesManyTimesWithoutKeepingMemory() throws Exception {
        try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20).withQueuePairs(2));
                DmaMemory memory = driven.function.allocate(PAGE)) {
            int before = driven.function.live();
            for (int i = 0; i < 100; i++) {
                try (QueuePair one = driven.driver.createQueuePair(1 + i);
                        QueuePair other = driven.driver.createQueuePair(5)) {
                    assertThat(one.qid() + other.qid()).isEqualTo(3);
                    one.bind(0, Command.overBlocks(Opcode.WRITE, 1, 0, 1), memory, 0, 512);
                    one.submit(new int[] {0}, new long[] {i}, 1);
                    if (i % 2 == 0) {
                        assertThat(Completions.await(one, new int[4])).isEqualTo(1);
                    }
                    run(other, Opcode.READ, memory, 0, 512, i);
                }
                assertThat(driven.function.live()).isEqualTo(before);
            }
        }
    }

    @Test
    void saysThatAllQueuePairsAreInUseAndGivesThemOutAgain() throws Exception {
        try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20).withQueuePairs(3))) {
            List<QueuePair> pairs = new ArrayList<>();
            while (pairs.size() < 3) {
                pairs.add(driven.driver.createQueuePair(4));
            }
            int live = driven.function.live();
            assertThatThrownBy(() -> driven.driver.createQueuePair(4))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("all 3 queue pairs");
            assertThat(driven.function.live()).isEqualTo(live);
            pairs.remove(1).close();
            pairs.add(driven.driver.createQueuePair(9));
            assertThat(pairs).extracting(QueuePair::qid).containsExactlyInAnyOrder(1, 2, 3);
            for (QueuePair pair : pairs) {
                pair.close();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 5", "1, 3", "4, 2", "10, 2"})
    void findsItsDoorbellsAtAnyStride(int stride, int queues) throws Exception {
        byte[] oracle = new byte[1 << 20];
        try (Driven driven = new Driven(EmuConfiguration.memory(oracle.length)
                .withDoorbellStride(stride)
                .withQueuePairs(queues))) {
            try (CommandMix mix =
                    new CommandMix(driven.driver, driven.function, 1, queues, 5, oracle, 0, oracle.length / 512, 9)) {
                mix.run(500);
            }
            assertThat(Arrays.mismatch(DriverMixTest.content(driven, 1), oracle))
                    .isEqualTo(-1);
        }
    }
}
