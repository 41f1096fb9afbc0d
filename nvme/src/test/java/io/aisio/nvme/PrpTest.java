package io.aisio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.upcie.DmaMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class PrpTest {
    private static final int PAGE = 4096;

    /** Memory whose pages lie anywhere for the device, none next to another. */
    private record ScatteredMemory(MemorySegment segment, long[] pages) implements DmaMemory {
        static ScatteredMemory of(int pages, long seed) {
            Random random = new Random(seed);
            long[] iovas = new long[pages];
            for (int i = 0; i < pages; i++) {
                iovas[i] = ((random.nextLong() >>> 16) & -PAGE & -2L * PAGE) + (i % 2 == 0 ? 0 : PAGE);
            }
            return new ScatteredMemory(Arena.ofAuto().allocate((long) pages * PAGE, PAGE), iovas);
        }

        @Override
        public long iova(long offset) {
            return pages[(int) (offset / PAGE)] + offset % PAGE;
        }

        @Override
        public void close() {}
    }

    private final ScatteredMemory memory = ScatteredMemory.of(520, 42);
    private final MemorySegment list = Arena.ofAuto().allocate(PAGE, PAGE);

    /** Walks the entries as section 4.3 tells a controller to, and checks each byte's address. */
    private void check(long offset, int bytes) {
        String what = bytes + " bytes at " + offset;
        long prp1 = Prp.first(memory, offset);
        long prp2 = 0;
        list.fill((byte) 0xEE);
        int pages = Prp.pages(offset, bytes);
        if (pages <= 2) {
            prp2 = Prp.second(memory, offset, bytes);
        } else {
            Prp.writeList(memory, offset, bytes, list);
        }

        long done = Math.min(bytes, PAGE - prp1 % PAGE);
        assertThat(prp1).as(what).isEqualTo(memory.iova(offset));
        if (done == bytes) {
            assertThat(prp2).as(what).isZero();
            assertThat(pages).as(what).isEqualTo(1);
        } else if (bytes - done <= PAGE) {
            assertThat(prp2).as(what).isEqualTo(memory.iova(offset + done));
            assertThat(prp2 % PAGE).as(what).isZero();
            assertThat(pages).as(what).isEqualTo(2);
        } else {
            int i = 0;
            for (; done < bytes; i++, done += PAGE) {
                long entry = list.getAtIndex(ValueLayout.JAVA_LONG, i);
                assertThat(entry).as(what + ", entry " + i).isEqualTo(memory.iova(offset + done));
            }
            assertThat(pages).as(what).isEqualTo(i + 1);
            if (i < Prp.LIST_ENTRIES) {
                assertThat(list.getAtIndex(ValueLayout.JAVA_LONG, i))
                        .as(what + ": beyond the list")
                        .isEqualTo(0xEEEE_EEEE_EEEE_EEEEL);
            }
        }
    }

    @Test
    void namesEveryByteAtEveryOffsetAndAtLengthsAroundEveryBoundary() {
        TreeSet<Integer> lengths = new TreeSet<>();
        for (int pages : new int[] {0, 1, 2, 3, 4, 8}) {
            for (int blocks = -2; blocks <= 2; blocks++) {
                lengths.add(pages * PAGE + blocks * 512);
                lengths.add(pages * PAGE + blocks * 4);
            }
        }
        for (int length : lengths.tailSet(1)) {
            for (long offset = 0; offset < PAGE; offset += 4) {
                check(offset, length);
            }
        }
    }

    @Test
    void namesEveryByteUpToTheLastEntryOfAList() {
        for (int length = Prp.MAX_BYTES - 2 * PAGE; length <= Prp.MAX_BYTES; length += 512) {
            for (long offset : new long[] {0, 4, 512, 2048, PAGE - 512, PAGE - 4, PAGE, 3 * PAGE + 4}) {
                check(offset, length);
            }
        }
    }

    @Test
    void theLargestTransferAtTheLastOffsetFillsTheListExactly() {
        assertThat(Prp.pages(PAGE - 4, Prp.MAX_BYTES)).isEqualTo(Prp.LIST_ENTRIES + 1);
        check(PAGE - 4, Prp.MAX_BYTES);
    }
}
