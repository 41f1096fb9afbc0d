package io.aisio.upcie;

import io.aisio.linux.IovaRange;
import io.aisio.linux.Mapping;
import java.io.IOException;
import java.util.List;

/**
 * Hands out I/O virtual addresses of those that an IOMMU translates, none of them within what the platform reserves
 * (interrupts, on x86 0xFEE00000) or above the IOMMU's width.
 *
 * <p>From 4 GiB up first, so that an address that was cut to 32 bits is not an address of ours. After each range a page is
 * left free, so that a device that runs over the end is stopped.
 */
final class IovaAllocator {
    private static final long FIRST_CHOICE = 1L << 32;
    /** Nothing is handed out below: 0 is what a driver's mistake looks like. */
    private static final long LOWEST = 1L << 20;
    /** Nothing is handed out above: addresses stay positive. */
    private static final long HIGHEST = Long.MAX_VALUE - (1L << 30);

    private final FreeRanges high = new FreeRanges();
    private final FreeRanges low = new FreeRanges();

    IovaAllocator(List<IovaRange> ranges) {
        for (IovaRange range : ranges) {
            if (range.first() < 0 || Long.compareUnsigned(range.last(), range.first()) < 0) {
                continue;
            }
            long last = range.last() < 0 ? HIGHEST : Math.min(range.last(), HIGHEST);
            long first = Math.ceilDiv(Math.max(range.first(), LOWEST), Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE;
            long end = (last + 1) & -Mapping.PAGE_SIZE;
            add(low, first, Math.min(end, FIRST_CHOICE));
            add(high, Math.max(first, FIRST_CHOICE), end);
        }
    }

    private static void add(FreeRanges part, long first, long end) {
        if (end > first) {
            part.add(first, end - first);
        }
    }

    /**
     * Takes a range.
     *
     * @param bytes whole pages
     * @param alignment of the first address, a power of two, at least a page
     * @throws IOException if none is long enough
     */
    synchronized long allocate(long bytes, long alignment) throws IOException {
        long length = bytes + Mapping.PAGE_SIZE;
        for (FreeRanges part : List.of(high, low)) {
            Long at = part.fit(length, alignment, Long.MAX_VALUE);
            if (at != null) {
                part.take(at, length);
                return at;
            }
        }
        throw new IOException("no " + bytes + " I/O virtual addresses in a row are left of those that the IOMMU"
                + " translates for this function");
    }

    /** Gives a range back, of the length that was taken. */
    synchronized void free(long at, long bytes) {
        (at < FIRST_CHOICE ? low : high).add(at, bytes + Mapping.PAGE_SIZE);
    }
}
