package io.aisio.upcie;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What is free of a range of numbers, such as offsets or addresses. Neighbours are one. Who has it keeps others out. */
final class FreeRanges {
    /** By their first number: lengths. */
    private final TreeMap<Long, Long> free = new TreeMap<>();

    /**
     * The first place that a piece fits at.
     *
     * @param length of the piece
     * @param alignment of its first number, a power of two
     * @param window the piece lies within one of these, counted from 0, or begins one if it is longer
     * @return its first number, or null if it fits nowhere
     */
    @Nullable
    Long fit(long length, long alignment, long window) {
        for (Map.Entry<Long, Long> range : free.entrySet()) {
            long at = Math.ceilDiv(range.getKey(), alignment) * alignment;
            if (at % window + length > window) {
                at = Math.ceilDiv(at, window) * window;
            }
            if (range.getValue() - (at - range.getKey()) >= length) {
                return at;
            }
        }
        return null;
    }

    /** Takes a piece, all of which is free. */
    void take(long at, long length) {
        Map.Entry<Long, Long> from = free.floorEntry(at);
        long start = from.getKey();
        long end = start + from.getValue();
        free.remove(start);
        if (at > start) {
            free.put(start, at - start);
        }
        if (end > at + length) {
            free.put(at + length, end - at - length);
        }
    }

    /** Makes numbers free, none of which is. */
    void add(long at, long length) {
        long start = at;
        long end = at + length;
        Map.Entry<Long, Long> before = free.floorEntry(at);
        if (before != null && before.getKey() + before.getValue() == at) {
            start = before.getKey();
        }
        Long after = free.remove(end);
        if (after != null) {
            end += after;
        }
        free.put(start, end - start);
    }
}
