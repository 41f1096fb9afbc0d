package io.aisio.upcie;

import io.aisio.linux.IovaRange;
import io.aisio.linux.Mapping;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

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

    /** What is free, by address: lengths in bytes. Neighbours are joined. */
    private final TreeMap<Long, Long> free = new TreeMap<>();

    IovaAllocator(List<IovaRange> ranges) {
        for (IovaRange range : ranges) {
            if (range.first() < 0 || Long.compareUnsigned(range.last(), range.first()) < 0) {
                continue;
            }
            long last = range.last() < 0 ? HIGHEST : Math.min(range.last(), HIGHEST);
            long first = Math.ceilDiv(Math.max(range.first(), LOWEST), Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE;
            long end = (last + 1) & -Mapping.PAGE_SIZE;
            if (first < FIRST_CHOICE && end > FIRST_CHOICE) {
                release(first, FIRST_CHOICE - first);
                first = FIRST_CHOICE;
            }
            if (end > first) {
                release(first, end - first);
            }
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
        Long at = fit(free.tailMap(FIRST_CHOICE), bytes, alignment);
        if (at == null) {
            at = fit(free.headMap(FIRST_CHOICE), bytes, alignment);
        }
        if (at == null) {
            throw new IOException("no " + bytes + " I/O virtual addresses in a row are left of those that the IOMMU"
                    + " translates for this function");
        }
        Map.Entry<Long, Long> from = free.floorEntry(at);
        long start = from.getKey();
        long length = from.getValue();
        long end = at + bytes + Mapping.PAGE_SIZE;
        free.remove(start);
        if (at > start) {
            free.put(start, at - start);
        }
        if (start + length > end) {
            free.put(end, start + length - end);
        }
        return at;
    }

    private static @Nullable Long fit(Map<Long, Long> ranges, long bytes, long alignment) {
        for (Map.Entry<Long, Long> range : ranges.entrySet()) {
            long at = Math.ceilDiv(range.getKey(), alignment) * alignment;
            // The page that is left free included.
            if (range.getValue() - (at - range.getKey()) >= bytes + Mapping.PAGE_SIZE) {
                return at;
            }
        }
        return null;
    }

    /** Gives a range back, of the length that was taken. */
    synchronized void free(long at, long bytes) {
        release(at, bytes + Mapping.PAGE_SIZE);
    }

    private void release(long at, long bytes) {
        Map.Entry<Long, Long> before = free.floorEntry(at);
        // Not across the first choice: what lies below is looked at last.
        if (before != null && before.getKey() + before.getValue() == at && at != FIRST_CHOICE) {
            free.remove(before.getKey());
            bytes += at - before.getKey();
            at = before.getKey();
        }
        Long after = free.get(at + bytes);
        if (after != null && at + bytes != FIRST_CHOICE) {
            free.remove(at + bytes);
            bytes += after;
        }
        free.put(at, bytes);
    }
}
