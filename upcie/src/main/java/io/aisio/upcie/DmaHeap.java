package io.aisio.upcie;

import io.aisio.linux.Mapping;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Memory that a function reaches, handed out in aligned pieces of regions that are mapped for it whole: a mapping takes
 * the kernel long, and it allows only so many.
 *
 * <p>A piece of at most {@link #contiguousBytes()} is contiguous for the function. What is larger gets regions of its own.
 * A region without pieces is given up, but for one that is kept. Any thread may call it; none of it is for the path of a
 * command.
 */
final class DmaHeap implements AutoCloseable {
    /** How long {@link Piece#close} waits between tries while a system call uses the memory: chosen short. */
    private static final long WAIT_NANOS = 50_000;

    private final String name;
    private final DmaSpace space;
    private final List<Slab> regions = new ArrayList<>();
    private boolean closed;

    DmaHeap(String name, DmaSpace space) {
        this.name = name;
        this.space = space;
    }

    /** The largest piece that is contiguous for the function, in bytes. */
    long contiguousBytes() {
        return space.regionBytes();
    }

    /** Bytes that are mapped for the function, whether handed out or not. */
    synchronized long mappedBytes() {
        return regions.stream().mapToLong(region -> region.memory.bytes()).sum();
    }

    /**
     * Hands out zeroed memory, page-aligned.
     *
     * @param bytes at least 1; rounded up to whole pages
     * @throws IOException if there is no memory, or the function cannot be let to it; the message says the next step
     */
    synchronized DmaMemory allocate(long bytes) throws IOException {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
        if (bytes < 1) {
            throw new IllegalArgumentException(bytes + " bytes of memory");
        }
        long whole = Math.addExact(bytes, Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE;
        for (Slab region : regions) {
            Long at = region.fit(whole);
            if (at != null) {
                return region.take(at, whole);
            }
        }
        long size = Math.ceilDiv(whole, space.regionBytes()) * space.regionBytes();
        Slab region = new Slab(space.map(size));
        regions.add(region);
        return region.take(0, whole);
    }

    /** Takes every piece back, also those that were not closed: an access to them fails from now on. */
    @Override
    public synchronized void close() {
        closed = true;
        for (Slab region : List.copyOf(regions)) {
            for (Piece piece : List.copyOf(region.pieces)) {
                piece.close();
            }
        }
        IllegalStateException first = null;
        for (Slab region : regions) {
            try {
                space.unmap(region.memory);
            } catch (IllegalStateException e) {
                first = first == null ? e : first;
            }
        }
        regions.clear();
        if (first != null) {
            throw first;
        }
    }

    /** A region and what is free of it. */
    private final class Slab {
        final DmaSpace.Region memory;
        /** By offset: lengths in bytes. Neighbours are joined. */
        private final TreeMap<Long, Long> free = new TreeMap<>();

        final List<Piece> pieces = new ArrayList<>();

        Slab(DmaSpace.Region memory) {
            this.memory = memory;
            free.put(0L, memory.bytes());
        }

        /** Where a piece fits, or null; one that could be contiguous must be. */
        @Nullable
        Long fit(long bytes) {
            for (Map.Entry<Long, Long> range : free.entrySet()) {
                long at = range.getKey();
                long piece = memory.pieceBytes();
                if (at % piece + bytes > piece) {
                    at = Math.ceilDiv(at, piece) * piece;
                }
                if (at + bytes <= range.getKey() + range.getValue()) {
                    return at;
                }
            }
            return null;
        }

        Piece take(long at, long bytes) {
            Map.Entry<Long, Long> from = free.floorEntry(at);
            long start = from.getKey();
            long end = start + from.getValue();
            free.remove(start);
            if (at > start) {
                free.put(start, at - start);
            }
            if (end > at + bytes) {
                free.put(at + bytes, end - at - bytes);
            }
            Piece piece = new Piece(this, at, bytes);
            pieces.add(piece);
            return piece;
        }

        void giveBack(Piece piece) {
            pieces.remove(piece);
            long at = piece.offset;
            long bytes = piece.bytes;
            Map.Entry<Long, Long> before = free.floorEntry(at);
            if (before != null && before.getKey() + before.getValue() == at) {
                free.remove(before.getKey());
                bytes += at - before.getKey();
                at = before.getKey();
            }
            Long after = free.remove(at + bytes);
            free.put(at, after == null ? bytes : bytes + after);
        }
    }

    /** What was handed out. */
    private final class Piece implements DmaMemory {
        private final Slab region;
        final long offset;
        final long bytes;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment segment;

        Piece(Slab region, long offset, long bytes) {
            this.region = region;
            this.offset = offset;
            this.bytes = bytes;
            segment = region.memory.mapping().lend(arena, offset, bytes);
            segment.fill((byte) 0);
        }

        @Override
        public MemorySegment segment() {
            return segment;
        }

        @Override
        public long iova(long at) {
            if (at < 0 || at >= bytes) {
                throw new IndexOutOfBoundsException("byte " + at + " of DMA memory of " + bytes + " bytes");
            }
            return region.memory.iova(offset + at);
        }

        @Override
        public void close() {
            synchronized (DmaHeap.this) {
                if (!segment.scope().isAlive()) {
                    return;
                }
                end();
                region.giveBack(this);
                if (region.pieces.isEmpty() && regions.size() > 1 && regions.remove(region)) {
                    space.unmap(region.memory);
                }
            }
        }

        /** Ends access to it, once a system call on it has returned. */
        private void end() {
            while (true) {
                try {
                    arena.close();
                    return;
                } catch (IllegalStateException e) {
                    LockSupport.parkNanos(WAIT_NANOS);
                }
            }
        }
    }
}
