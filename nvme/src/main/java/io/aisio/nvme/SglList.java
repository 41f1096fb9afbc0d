package io.aisio.nvme;

import io.aisio.nvme.spec.Sgl;
import io.aisio.upcie.DmaMemory;

/**
 * A scatter gather list as the driver makes it (section 4.4): of data in one piece for the device, one descriptor in the
 * command itself; of data in several, a segment of one page with a descriptor a piece.
 */
final class SglList {
    /** Descriptors in a segment of one page. */
    static final int MOST_RUNS = Prp.PAGE / Sgl.BYTES;

    private SglList() {}

    /** In how many pieces the device finds the data; more than {@link #MOST_RUNS} if that is too many to go on counting. */
    static int runs(DmaMemory data, long offset, long bytes) {
        int runs = 1;
        long expected = data.iova(offset) + (Prp.nextPage(offset) - offset);
        for (long at = Prp.nextPage(offset); at < offset + bytes && runs <= MOST_RUNS; at += Prp.PAGE) {
            long iova = data.iova(at);
            runs += iova == expected ? 0 : 1;
            expected = iova + Prp.PAGE;
        }
        return runs;
    }

    /** Writes a descriptor for each piece. */
    static void write(DmaMemory data, long offset, long bytes, ListPages.Page segment) {
        long end = offset + bytes;
        long from = offset;
        for (int run = 0; from < end; run++) {
            long iova = data.iova(from);
            long to = Math.min(Prp.nextPage(from), end);
            while (to < end && data.iova(to) == iova + (to - from)) {
                to = Math.min(to + Prp.PAGE, end);
            }
            Sgl.put(segment.memory(), (long) run * Sgl.BYTES, iova, Sgl.word1(Sgl.DATA_BLOCK, (int) (to - from)));
            from = to;
        }
    }
}
