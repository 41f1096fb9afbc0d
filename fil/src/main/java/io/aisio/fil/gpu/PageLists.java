package io.aisio.fil.gpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;

/**
 * The addresses at which a controller finds the pages of memory, one after another and then once more, shifted by half a page of
 * them. They are PRP entries: those of any command of up to {@value EpochLayout#MOST_PAGES} pages, but for its first one's, lie
 * in one page either in the first copy or in the second, so that no list is ever written.
 *
 * <pre>
 *   first:   | a0 a1 …  a511 | a512 …            |
 *   second:  | - …  a0 … a255 | a256 …  a767 | …
 * </pre>
 */
final class PageLists {
    private static final int PAGE = 4096;

    private final long pages;

    /** @param bytes of the memory, a multiple of a page */
    PageLists(long bytes) {
        pages = bytes / PAGE;
    }

    /** The entry with which the second copy begins: at a page of its own. */
    long second() {
        return Math.ceilDiv(pages, EpochLayout.LIST) * (long) EpochLayout.LIST;
    }

    /** Bytes of both copies: whole pages. */
    long bytes() {
        return Math.ceilDiv(second() + EpochLayout.SHIFTED + pages, EpochLayout.LIST) * PAGE;
    }

    /** Writes both copies. */
    void write(DmaMemory memory, MemorySegment to) {
        for (long page = 0; page < pages; page++) {
            long address = memory.iova(page * PAGE);
            to.setAtIndex(JAVA_LONG, page, address);
            to.setAtIndex(JAVA_LONG, second() + EpochLayout.SHIFTED + page, address);
        }
    }

    /** Bytes of what {@link #writePlaces} writes. */
    long placesBytes() {
        return bytes() / PAGE * Long.BYTES;
    }

    /** Writes where the controller finds each page of the entries. */
    void writePlaces(DmaMemory entries, MemorySegment to) {
        for (long page = 0; page < bytes() / PAGE; page++) {
            to.setAtIndex(JAVA_LONG, page, entries.iova(page * PAGE));
        }
    }
}
