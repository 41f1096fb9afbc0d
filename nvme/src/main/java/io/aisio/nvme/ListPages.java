package io.aisio.nvme;

import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Pages in the device's memory for what does not fit a command: PRP lists and SGL segments. Each slot of a queue keeps those
 * that it once needed. Most commands need none, so they are taken from memory a few at a time, when one does. Belongs to the
 * queue pair's owner.
 */
final class ListPages {
    /** Pages that are allocated at once: 64 KiB, as each allocation may be a system call. */
    private static final int CHUNK = 16;

    private static final Page[] NONE = {};

    /** A page, as the processor and as the device finds it. */
    record Page(MemorySegment memory, long iova) {}

    private final QueueHost host;
    private final Page[][] ofSlot;
    private final List<DmaMemory> chunks = new ArrayList<>();
    private int usedOfLast = CHUNK;

    ListPages(QueueHost host, int slots) {
        this.host = host;
        ofSlot = new Page[slots][];
        Arrays.fill(ofSlot, NONE);
    }

    /**
     * At least so many pages for a slot's list.
     *
     * @throws UncheckedIOException if there is no memory for them
     */
    Page[] of(int slot, int count) {
        Page[] had = ofSlot[slot];
        if (had.length >= count) {
            return had;
        }
        Page[] pages = Arrays.copyOf(had, count);
        for (int i = had.length; i < count; i++) {
            pages[i] = take();
        }
        ofSlot[slot] = pages;
        return pages;
    }

    private Page take() {
        if (usedOfLast == CHUNK) {
            try {
                chunks.add(host.allocate((long) CHUNK * Prp.PAGE));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            usedOfLast = 0;
        }
        DmaMemory chunk = chunks.getLast();
        long at = (long) usedOfLast++ * Prp.PAGE;
        return new Page(chunk.segment().asSlice(at, Prp.PAGE), chunk.iova(at));
    }

    void free() {
        chunks.forEach(DmaMemory::close);
    }
}
