package io.aisio.nvme;

import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;

/**
 * Physical Region Pages: how a command names its data (section 4.3).
 *
 * <pre>
 *   data in 1 page     PRP1 = address, with its offset into the page     PRP2 = 0
 *   in 2 pages         PRP1                                              PRP2 = the second page
 *   in more            PRP1                                              PRP2 = a list of the others
 * </pre>
 *
 * A list that does not fit one page goes on in another, which the last entry of the first names, and so on.
 */
final class Prp {
    /** The page size that CC.MPS is set to, in bytes. */
    static final int PAGE = 4096;

    /** Entries in a page of a list. */
    static final int LIST_ENTRIES = PAGE / Long.BYTES;

    /** The most bytes that one command can name at any offset into a page with a list of one page. */
    static final int ONE_LIST_BYTES = LIST_ENTRIES * PAGE;

    /** The most bytes in one command: chosen, as more speeds nothing up and keeps a device from other commands. */
    static final int MAX_BYTES = 64 << 20;

    private Prp() {}

    /** How many pages data at {@code offset} of its memory touches. */
    static int pages(long offset, long bytes) {
        return (int) (((offset & PAGE - 1) + bytes + PAGE - 1) / PAGE);
    }

    /** How many pages the list of data takes that touches so many, more than two. */
    static int listPages(int pages) {
        int entries = pages - 1;
        return entries <= LIST_ENTRIES ? 1 : Math.ceilDiv(entries - 1, LIST_ENTRIES - 1);
    }

    /** PRP entry 1. */
    static long first(DmaMemory data, long offset) {
        return data.iova(offset);
    }

    /** PRP entry 2 of data in one or two pages. */
    static long second(DmaMemory data, long offset, long bytes) {
        return pages(offset, bytes) == 1 ? 0 : data.iova(nextPage(offset));
    }

    /**
     * Writes the list of data in more than two pages: every page but the first.
     *
     * @param list at least {@link #listPages} pages
     */
    static void writeList(DmaMemory data, long offset, long bytes, ListPages.Page[] list) {
        long end = offset + bytes;
        int page = 0;
        int i = 0;
        for (long at = nextPage(offset); at < end; at += PAGE) {
            boolean isLast = at + PAGE >= end;
            if (i == LIST_ENTRIES - 1 && !isLast) {
                Wire.i64(list[page].memory(), (long) i * Long.BYTES, list[page + 1].iova());
                page++;
                i = 0;
            }
            Wire.i64(list[page].memory(), (long) i * Long.BYTES, data.iova(at));
            i++;
        }
    }

    /** The start of the page after that of {@code offset}. */
    static long nextPage(long offset) {
        return (offset & -PAGE) + PAGE;
    }
}
