package io.aisio.emu;

import java.util.Map;
import java.util.TreeMap;

/** A set of logical blocks, kept as ranges that do not touch one another. */
final class BlockRanges {
    /** The most ranges: so many that nobody misses more, so few that a driver cannot fill memory with them. */
    static final int MOST = 1 << 16;

    /** The end of each range, by its start. */
    private final TreeMap<Long, Long> ranges = new TreeMap<>();

    boolean isEmpty() {
        return ranges.isEmpty();
    }

    void clear() {
        ranges.clear();
    }

    /** Whether any of the blocks is in the set. */
    boolean intersects(long start, long count) {
        Map.Entry<Long, Long> before = ranges.lowerEntry(start + count);
        return before != null && before.getValue() > start;
    }

    /** Whether there is room for the ranges if blocks are added. */
    boolean canAdd(long start, long count) {
        Map.Entry<Long, Long> before = ranges.floorEntry(start + count);
        return ranges.size() < MOST || (before != null && before.getValue() >= start);
    }

    /** Whether there is room for the ranges if blocks are removed, which may make two of one. */
    boolean canRemove(long start, long count) {
        Map.Entry<Long, Long> before = ranges.lowerEntry(start);
        return ranges.size() < MOST || before == null || before.getValue() <= start + count;
    }

    void add(long start, long count) {
        long first = start;
        long end = start + count;
        Map.Entry<Long, Long> before = ranges.floorEntry(end);
        while (before != null && before.getValue() >= first) {
            first = Math.min(first, before.getKey());
            end = Math.max(end, before.getValue());
            ranges.remove(before.getKey());
            before = ranges.floorEntry(end);
        }
        ranges.put(first, end);
    }

    void remove(long start, long count) {
        long end = start + count;
        Map.Entry<Long, Long> before = ranges.lowerEntry(end);
        while (before != null && before.getValue() > start) {
            ranges.remove(before.getKey());
            if (before.getKey() < start) {
                ranges.put(before.getKey(), start);
            }
            if (before.getValue() > end) {
                ranges.put(end, before.getValue());
            }
            before = ranges.lowerEntry(end);
        }
    }
}
