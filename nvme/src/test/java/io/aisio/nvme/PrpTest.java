package io.aisio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.upcie.DmaMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;
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

    private final ScatteredMemory memory = ScatteredMemory.of(2100, 42);
    /** Pages for a list, each somewhere else for the device. */
    private final ListPages.Page[] list = new ListPages.Page[5];

    {
        for (int i = 0; i < list.length; i++) {
            list[i] = new ListPages.Page(Arena.ofAuto().allocate(PAGE, PAGE), 0x7_0000_0000L + (long) i * 7 * PAGE);
        }
    }

    /** Walks the entries as section 4.3 tells a controller to, and checks each byte's address. */
    private void check(long offset, int bytes) {
        String what = bytes + " bytes at " + offset;
        long prp1 = Prp.first(memory, offset);
        long prp2 = 0;
        for (ListPages.Page page : list) {
            page.memory().fill((byte) 0xEE);
        }
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
            assertThat(entries(what, pages - 1, Prp.listPages(pages)))
                    .as(what)
                    .isEqualTo(IntStream.range(0, pages - 1)
                            .mapToLong(i -> memory.iova(offset + PAGE - prp1 % PAGE + (long) i * PAGE))
                            .boxed()
                            .toList());
        }
    }

    /** The entries of a list, following it from page to page, which must be as many as were said. */
    private List<Long> entries(String what, int count, int listPages) {
        List<Long> found = new ArrayList<>();
        int page = 0;
        int i = 0;
        while (found.size() < count) {
            long entry = list[page].memory().getAtIndex(ValueLayout.JAVA_LONG, i);
            if (i == Prp.LIST_ENTRIES - 1 && found.size() + 1 < count) {
                page++;
                assertThat(entry).as(what + ", link to page " + page).isEqualTo(list[page].iova());
                i = 0;
            } else {
                found.add(entry);
                i++;
            }
        }
        assertThat(page + 1).as(what + ", pages of the list").isEqualTo(listPages);
        if (i < Prp.LIST_ENTRIES) {
            assertThat(list[page].memory().getAtIndex(ValueLayout.JAVA_LONG, i))
                    .as(what + ": beyond the list")
                    .isEqualTo(0xEEEE_EEEE_EEEE_EEEEL);
        }
        return found;
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
        for (int length = Prp.ONE_LIST_BYTES - 2 * PAGE; length <= Prp.ONE_LIST_BYTES; length += 512) {
            for (long offset : new long[] {0, 4, 512, 2048, PAGE - 512, PAGE - 4, PAGE, 3 * PAGE + 4}) {
                check(offset, length);
            }
        }
    }

    @Test
    void goesOnInAnotherPageAroundTheLastEntryOfEach() {
        for (int pages : new int[] {512, 513, 514, 1023, 1024, 1025, 1534, 1535, 2046}) {
            for (int bytes = pages * PAGE - 512; bytes <= pages * PAGE + 512; bytes += 512) {
                for (long offset : new long[] {0, 4, PAGE - 512, PAGE - 4}) {
                    check(offset, bytes);
                }
            }
        }
    }

    @Test
    void anSglHasOneDescriptorForEachPieceAndNoneTooMany() {
        long[] iovas = {10, 11, 12, 20, 30, 31, 40};
        ScatteredMemory pieces = new ScatteredMemory(
                Arena.ofAuto().allocate(7L * PAGE, PAGE),
                Arrays.stream(iovas).map(page -> page * PAGE).toArray());
        assertThat(SglList.runs(pieces, 0, 3 * PAGE)).isEqualTo(1);
        assertThat(SglList.runs(pieces, 8, 3 * PAGE)).isEqualTo(2);
        assertThat(SglList.runs(pieces, 0, 7 * PAGE)).isEqualTo(4);
        SglList.write(pieces, 8, 6 * PAGE, list[0]);
        long[][] expected = {
            {10 * PAGE + 8, 3 * PAGE - 8}, {20 * PAGE, PAGE}, {30 * PAGE, 2 * PAGE}, {40 * PAGE, 8},
        };
        for (int i = 0; i < expected.length; i++) {
            assertThat(list[0].memory().getAtIndex(ValueLayout.JAVA_LONG, 2L * i))
                    .isEqualTo(expected[i][0]);
            assertThat(list[0].memory().getAtIndex(ValueLayout.JAVA_LONG, 2L * i + 1))
                    .isEqualTo(expected[i][1]);
        }
        assertThat(SglList.runs(memory, 0, 300 * PAGE)).isGreaterThan(SglList.MOST_RUNS);
    }

    @Test
    void theLargestTransferAtTheLastOffsetFillsTheListExactly() {
        assertThat(Prp.pages(PAGE - 4, Prp.ONE_LIST_BYTES)).isEqualTo(Prp.LIST_ENTRIES + 1);
        check(PAGE - 4, Prp.ONE_LIST_BYTES);
    }
}
