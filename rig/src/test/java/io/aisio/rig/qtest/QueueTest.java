package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.emu.Completions;
import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Queues of every size, and data of every shape. */
class QueueTest {
    private static final int PAGE = 4096;
    /** What PRP entry 1 and a full list name: 2 MiB at offset 0 of a page. */
    private static final int LIST_BYTES = 512 * PAGE;

    private static Rig rig;

    @BeforeAll
    static void start() throws Exception {
        rig = Rig.start(QemuNvme.build().controller("mdts=0").namespace(16 << 20, ""));
    }

    @AfterAll
    static void end() throws Exception {
        if (rig != null) {
            rig.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 300", "2, 500", "5, 2000", "63, 4000", "64, 4000", "1000, 5000", "2047, 8000"})
    void wrapsItsRingsAtEveryDepth(int depth, int commands) throws Exception {
        try (QueuePair pair = rig.driver.createQueuePair(depth);
                DmaMemory memory = rig.function.allocate(PAGE)) {
            int[] slots = new int[depth];
            boolean[] inFlight = new boolean[depth];
            for (int slot = 0; slot < depth; slot++) {
                pair.bind(slot, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, 0, 512);
                slots[slot] = slot;
            }
            int[] completed = new int[depth];
            int ready = depth;
            for (int done = 0; done < commands; done += ready) {
                pair.submit(slots, new long[depth], ready);
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
            }
        }
    }

    @Test
    void usesEveryQueuePairThatItWasGrantedAtOnce() throws Exception {
        List<QueuePair> pairs = new ArrayList<>();
        try (DmaMemory memory = rig.function.allocate(64L * 512)) {
            while (pairs.size() < rig.driver.maxQueuePairs()) {
                pairs.add(rig.driver.createQueuePair(3));
            }
            assertThat(pairs).hasSize(64);
            assertThatThrownBy(() -> rig.driver.createQueuePair(3))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("all 64 queue pairs");
            for (int round = 0; round < 5; round++) {
                for (int i = 0; i < pairs.size(); i++) {
                    memory.segment().asSlice(i * 512L, 512).fill((byte) (i + round));
                    pairs.get(i).bind(round % 3, Command.overBlocks(Opcode.WRITE, 1, 0, 1), memory, i * 512L, 512);
                    pairs.get(i).submit(new int[] {round % 3}, new long[] {i}, 1);
                }
                for (QueuePair pair : pairs) {
                    assertThat(Completions.await(pair, new int[3])).isEqualTo(1);
                }
                for (int i = 0; i < pairs.size(); i++) {
                    memory.segment().asSlice(i * 512L, 512).fill((byte) 0);
                    pairs.get(i).bind(2, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, i * 512L, 512);
                    pairs.get(i).submit(new int[] {2}, new long[] {i}, 1);
                    assertThat(Completions.await(pairs.get(i), new int[3])).isEqualTo(1);
                    assertThat(memory.segment().asSlice(i * 512L, 512).mismatch(filled(512, i + round)))
                            .isEqualTo(-1);
                }
            }
            pairs.remove(20).close();
            pairs.add(rig.driver.createQueuePair(7));
            assertThat(pairs.getLast().qid()).isEqualTo(21);
        } finally {
            for (QueuePair pair : pairs) {
                pair.close();
            }
        }
    }

    private static MemorySegment filled(long bytes, int value) {
        return MemorySegment.ofArray(new byte[(int) bytes]).fill((byte) value);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 4, 508, 512, 2048, PAGE - 512, PAGE - 4, PAGE, PAGE + 4})
    void movesDataOfEveryShapeAroundPagesAndLists(int offset) throws Exception {
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
            LIST_BYTES
        };
        try (Blocks blocks = new Blocks(rig, 1)) {
            MemorySegment all = blocks.memory.segment();
            for (int length : lengths) {
                MemorySegment content = blocks.fill(offset + length, offset + length);
                Command write = Command.overBlocks(Opcode.WRITE, 1, 5, length / 512);
                assertThat(blocks.execute(write, offset, length, 0).isSuccess()).isTrue();
                all.fill((byte) 0x77);
                Command read = Command.overBlocks(Opcode.READ, 1, 5, length / 512);
                assertThat(blocks.execute(read, offset, length, 0).isSuccess()).isTrue();
                String what = length + " bytes at offset " + offset;
                assertThat(all.asSlice(offset, length).mismatch(content.asSlice(offset, length)))
                        .as(what)
                        .isEqualTo(-1);
                assertThat(all.asSlice(0, offset).mismatch(filled(offset, 0x77)))
                        .as("before " + what)
                        .isEqualTo(-1);
                long rest = Math.min(2L * PAGE, all.byteSize() - offset - length);
                assertThat(all.asSlice(offset + length, rest).mismatch(filled(rest, 0x77)))
                        .as("behind " + what)
                        .isEqualTo(-1);
            }
        }
    }

    @Test
    void deletesAQueueWithCommandsInFlight() throws Exception {
        try (DmaMemory memory = rig.function.allocate(1 << 20)) {
            for (int i = 0; i < 20; i++) {
                QueuePair pair = rig.driver.createQueuePair(32);
                int[] slots = new int[32];
                for (int slot = 0; slot < 32; slot++) {
                    slots[slot] = slot;
                    Command write = Command.overBlocks(Opcode.WRITE, 1, 0, 64);
                    pair.bind(slot, write, memory, slot * 32768L, 32768);
                }
                pair.submit(slots, new long[32], 32);
                pair.close();
            }
        }
        assertThat(rig.driver.failure()).isNull();
    }
}
