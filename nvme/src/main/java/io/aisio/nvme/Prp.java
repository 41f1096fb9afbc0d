package io.aisio.nvme;

import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Physical Region Pages: how a command names its data (section 4.3).
 *
 * <pre>
 *   data in 1 page     PRP1 = address, with its offset into the page     PRP2 = 0
 *   in 2 pages         PRP1                                              PRP2 = the second page
 *   in more            PRP1                                              PRP2 = a list of the others, one page long
 * </pre>
 */
final class Prp {
    /** The page size that CC.MPS is set to, in bytes. */
    static final int PAGE = 4096;

    /** Entries in a list of one page; lists are not chained. */
    static final int LIST_ENTRIES = PAGE / Long.BYTES;

    /** The most bytes that one command can name at any offset into a page: the list covers what follows PRP1's page. */
    static final int MAX_BYTES = LIST_ENTRIES * PAGE;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Prp() {}

    /** How many pages data at {@code offset} of its memory touches. */
    static int pages(long offset, long bytes) {
        return (int) (((offset & PAGE - 1) + bytes + PAGE - 1) / PAGE);
    }

    /** PRP entry 1. */
    static long first(DmaMemory data, long offset) {
        return data.iova(offset);
    }

    /** PRP entry 2 of data in one or two pages. */
    static long second(DmaMemory data, long offset, long bytes) {
        return pages(offset, bytes) == 1 ? 0 : data.iova(nextPage(offset));
    }

    /** Writes the list of data in more than two pages: every page but the first. */
    static void writeList(DmaMemory data, long offset, long bytes, MemorySegment list) {
        long at = nextPage(offset);
        for (int i = 0; at < offset + bytes; i++, at += PAGE) {
            list.setAtIndex(LONG, i, data.iova(at));
        }
    }

    private static long nextPage(long offset) {
        return (offset & -PAGE) + PAGE;
    }
}
