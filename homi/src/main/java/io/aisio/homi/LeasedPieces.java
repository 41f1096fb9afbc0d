package io.aisio.homi;

import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * Small pieces of memory, cut from larger ones, as each of those costs the daemon a file and a mapping. Any thread may call
 * it.
 */
final class LeasedPieces {
    private static final int PAGE = 4096;
    /** Bytes that are asked for at once. */
    private static final int CHUNK = 2 << 20;
    /** The largest piece that is cut from such. */
    static final int LARGEST = CHUNK / 8;

    private final Source source;
    private final List<Chunk> chunks = new ArrayList<>();

    /** Where larger pieces come from. */
    interface Source {
        DmaMemory allocate(long bytes) throws IOException;
    }

    LeasedPieces(Source source) {
        this.source = source;
    }

    private static final class Chunk {
        final DmaMemory memory;
        final BitSet taken = new BitSet(CHUNK / PAGE);

        Chunk(DmaMemory memory) {
            this.memory = memory;
        }

        /** The first of so many free pages in a row; −1 if there are none. */
        int find(int pages) {
            int at = taken.nextClearBit(0);
            while (at + pages <= CHUNK / PAGE) {
                int next = taken.nextSetBit(at);
                if (next < 0 || next >= at + pages) {
                    return at;
                }
                at = taken.nextClearBit(next);
            }
            return -1;
        }
    }

    private final class Piece implements DmaMemory {
        private final Chunk chunk;
        private final int first;
        private final int pages;
        private final MemorySegment segment;
        private boolean closed;

        Piece(Chunk chunk, int first, int pages) {
            this.chunk = chunk;
            this.first = first;
            this.pages = pages;
            segment = chunk.memory.segment().asSlice((long) first * PAGE, (long) pages * PAGE);
        }

        @Override
        public MemorySegment segment() {
            return segment;
        }

        @Override
        public long iova(long offset) {
            java.util.Objects.checkIndex(offset, segment.byteSize());
            return chunk.memory.iova((long) first * PAGE + offset);
        }

        @Override
        public void close() {
            boolean empty;
            synchronized (chunks) {
                if (closed) {
                    return;
                }
                closed = true;
                chunk.taken.clear(first, first + pages);
                empty = chunk.taken.isEmpty() && chunks.remove(chunk);
            }
            if (empty) {
                chunk.memory.close();
            }
        }
    }

    /** A zeroed piece, of whole pages. */
    DmaMemory allocate(int bytes) throws IOException {
        int pages = Math.ceilDiv(bytes, PAGE);
        Piece piece = null;
        synchronized (chunks) {
            for (Chunk chunk : chunks) {
                int first = chunk.find(pages);
                if (first >= 0) {
                    piece = take(chunk, first, pages);
                    break;
                }
            }
        }
        if (piece == null) {
            Chunk chunk = new Chunk(source.allocate(CHUNK));
            synchronized (chunks) {
                chunks.add(chunk);
                piece = take(chunk, 0, pages);
            }
        }
        piece.segment().fill((byte) 0);
        return piece;
    }

    private Piece take(Chunk chunk, int first, int pages) {
        chunk.taken.set(first, first + pages);
        return new Piece(chunk, first, pages);
    }
}
