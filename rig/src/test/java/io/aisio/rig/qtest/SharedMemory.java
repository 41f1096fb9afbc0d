package io.aisio.rig.qtest;

import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;

/**
 * What QEMU calls RAM, given out in pieces: the I/O virtual address is the offset in the file. What was given back, and at
 * least a page on either side of each piece, is filled with a pattern; a device that writes where it must not is found by
 * it when the page is given out, when its neighbour is given back, and at the end. What was never given out is zero, and
 * must be so then.
 */
final class SharedMemory implements AutoCloseable {
    private static final int PAGE = 4096;
    /** Below lie the ROMs and the video memory of a PC. */
    private static final int FIRST_PAGE = (1 << 20) / PAGE;

    /** Pages never given out that are looked at in the end. */
    private static final int MARGIN_PAGES = 256;

    private static final byte POISON = (byte) 0xDB;
    private static final MemorySegment POISONED =
            Arena.global().allocate(PAGE).fill(POISON).asReadOnly();
    private static final MemorySegment ZEROES = Arena.global().allocate(PAGE).asReadOnly();

    private final FileChannel file;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment all;
    private final int pages;
    /** Pages from here on were never given out, and are zero. */
    private int untouched = FIRST_PAGE;
    /** Pages that are given out. */
    private final BitSet used = new BitSet();
    /** Where the search for a free piece begins: not where one was just given back. */
    private int next = FIRST_PAGE;

    private int live;

    SharedMemory(Path path, long bytes) throws IOException {
        file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        all = file.map(MapMode.READ_WRITE, 0, bytes, arena);
        pages = (int) (bytes / PAGE);
    }

    /** How many pieces were not given back yet. */
    synchronized int live() {
        return live;
    }

    synchronized DmaMemory allocate(long bytes) throws IOException {
        int count = Math.toIntExact(Math.ceilDiv(bytes, PAGE));
        int first = find(count);
        // The page behind it becomes a guard.
        poisonTo(first + count + 1);
        requireUntouched(first, count);
        used.set(first, first + count);
        next = first + count;
        live++;
        return new Piece(first, count);
    }

    private void poisonTo(int end) {
        for (; untouched < end; untouched++) {
            MemorySegment page = page(untouched);
            if (page.mismatch(ZEROES) >= 0) {
                throw stray(untouched, page.mismatch(ZEROES));
            }
            page.fill(POISON);
        }
    }

    private MemorySegment page(int index) {
        return all.asSlice((long) index * PAGE, PAGE);
    }

    private static AssertionError stray(int page, long offset) {
        return new AssertionError("stray DMA: byte at IOVA 0x%x, which was not given out, was written"
                .formatted((long) page * PAGE + offset));
    }

    private int find(int count) throws IOException {
        for (int from : new int[] {next, FIRST_PAGE}) {
            int at = from;
            while (at + count + 2 <= pages) {
                int taken = used.nextSetBit(at);
                if (taken < 0 || taken >= at + count + 2) {
                    return at + 1;
                }
                at = used.nextClearBit(taken);
            }
        }
        throw new IOException("no %d bytes of DMA memory in one piece left of %d"
                .formatted((long) count * PAGE, (long) pages * PAGE));
    }

    /** Fails if anybody wrote to memory that is not given out. */
    synchronized void requireNoStrayWrites() {
        poisonTo(Math.min(pages, untouched + MARGIN_PAGES));
        for (int page = used.nextClearBit(FIRST_PAGE); page < untouched; page = used.nextClearBit(page + 1)) {
            requireUntouched(page, 1);
        }
    }

    private void requireUntouched(int first, int count) {
        for (int page = first; page < first + count; page++) {
            long at = page(page).mismatch(POISONED);
            if (at >= 0) {
                throw stray(page, at);
            }
        }
    }

    private synchronized void giveBack(int first, int count) {
        requireUntouched(first - 1, 1);
        requireUntouched(first + count, 1);
        all.asSlice((long) first * PAGE, (long) count * PAGE).fill(POISON);
        used.clear(first, first + count);
        live--;
    }

    @Override
    public void close() throws IOException {
        arena.close();
        file.close();
    }

    /** One allocation: a mapping of its own, so that an access after it was closed is an exception. */
    private final class Piece implements DmaMemory {
        private final int first;
        private final int count;
        private final Arena mapping = Arena.ofShared();
        private final MemorySegment segment;
        private boolean closed;

        Piece(int first, int count) throws IOException {
            this.first = first;
            this.count = count;
            segment = file.map(MapMode.READ_WRITE, (long) first * PAGE, (long) count * PAGE, mapping);
            segment.fill((byte) 0);
        }

        @Override
        public MemorySegment segment() {
            return segment;
        }

        @Override
        public long iova(long offset) {
            if (offset < 0 || offset >= segment.byteSize()) {
                throw new IndexOutOfBoundsException(
                        "byte " + offset + " of DMA memory of " + segment.byteSize() + " bytes");
            }
            return (long) first * PAGE + offset;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                mapping.close();
                giveBack(first, count);
            }
        }
    }
}
