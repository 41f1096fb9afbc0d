package io.aisio.upcie;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;

/**
 * Where the user of one queue pair, mostly another process, maps that pair's doorbells: {@code bytes} of {@code file} from
 * {@code offset} on, shared and to be written.
 *
 * @param file what to map, to be passed on. It stays the function's: it is not closed by whoever gets this
 * @param offset of the first page in the file, a multiple of the page size
 * @param bytes how much, whole pages
 * @param tail where the submission queue's tail doorbell is, in bytes from {@code offset} on
 * @param head where the completion queue's head doorbell is, in bytes from {@code offset} on
 * @param alone whether the file has nothing but this pair's doorbells. If not, as where it is the device's own, who gets it
 *     can ring for others and write registers too, and has to be trusted not to
 */
public record DoorbellPages(OpenFile file, long offset, int bytes, long tail, long head, boolean alone) {
    /** Checks that both doorbells are in the pages. */
    public DoorbellPages {
        if (offset < 0 || bytes < 1 || outside(tail, bytes) || outside(head, bytes)) {
            throw new IllegalArgumentException(
                    "doorbells at %d and %d of %d bytes at offset %d".formatted(tail, head, bytes, offset));
        }
    }

    /** The pages of a device's own file that a pair's doorbells are in. */
    static DoorbellPages ofDevice(OpenFile file, long barOffset, long barBytes, long tail, long head) {
        long first = tail & -Mapping.PAGE_SIZE;
        long end = (head + Integer.BYTES + Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE;
        if (tail < 0 || head <= tail || head > barBytes - Integer.BYTES || end - first > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("no doorbells at %d and %d of %d bytes".formatted(tail, head, barBytes));
        }
        return new DoorbellPages(file, barOffset + first, (int) (end - first), tail - first, head - first, false);
    }

    private static boolean outside(long doorbell, int bytes) {
        return doorbell < 0 || doorbell > bytes - Integer.BYTES || doorbell % Integer.BYTES != 0;
    }
}
