package io.aisio.upcie;

import io.aisio.linux.AddressSpace;
import io.aisio.linux.Mapping;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * Memory that a function reaches, handed out in aligned pieces of regions that are mapped for it whole: a mapping takes
 * the kernel long, and it allows only so many.
 *
 * <p>A piece no larger than a usual region ({@link DmaSpace#regionBytes}) is contiguous for the function. What does not fit
 * any region gets one of its own. A region without pieces is given up, but for one that is kept. Any thread may call it;
 * none of it is for the path of a command.
 */
final class DmaHeap implements AutoCloseable {
    /** How long {@link Piece#close} waits between tries while a system call uses the memory: chosen short. */
    private static final long WAIT_NANOS = 50_000;

    private final String name;
    private final DmaSpace space;
    private final List<Slab> slabs = new ArrayList<>();
    private final List<PeerPiece> peers = new ArrayList<>();
    private boolean closed;

    DmaHeap(String name, DmaSpace space) {
        this.name = name;
        this.space = space;
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
        for (Slab slab : slabs) {
            Long at = slab.free.fit(whole, Mapping.PAGE_SIZE, slab.region.pieceBytes());
            if (at != null) {
                return slab.take(at, whole);
            }
        }
        Slab slab = new Slab(space.map(Math.ceilDiv(whole, space.regionBytes()) * space.regionBytes()));
        slabs.add(slab);
        return slab.take(0, whole);
    }

    /**
     * Lets the function reach another device's memory, until the result is closed, or this.
     *
     * @throws UnsupportedOperationException if there is no way to that; the message is one sentence
     * @throws IOException if the system refuses; the message says the next step
     */
    synchronized DmaMemory map(PeerMemory memory) throws IOException {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException(name + ": the other device's memory has been freed");
        }
        PeerPiece piece = new PeerPiece(memory, space.map(memory));
        peers.add(piece);
        return piece;
    }

    /** Takes every piece back, also those that were not closed: an access to them fails from now on. */
    @Override
    public synchronized void close() {
        closed = true;
        for (Slab slab : slabs) {
            slab.pieces.forEach(Piece::end);
        }
        IllegalStateException first = null;
        for (PeerPiece peer : peers) {
            try {
                peer.end();
            } catch (IllegalStateException e) {
                first = first == null ? e : first;
            }
        }
        peers.clear();
        for (Slab slab : slabs) {
            try {
                space.unmap(slab.region);
            } catch (IllegalStateException e) {
                first = first == null ? e : first;
            }
        }
        slabs.clear();
        if (first != null) {
            throw first;
        }
    }

    /** Another device's memory. */
    private final class PeerPiece implements DmaMemory {
        private final PeerMemory memory;
        private final DmaSpace.PeerRegion region;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment segment;

        PeerPiece(PeerMemory memory, DmaSpace.PeerRegion region) {
            this.memory = memory;
            this.region = region;
            segment = AddressSpace.elsewhere(memory.address(), arena);
        }

        @Override
        public MemorySegment segment() {
            return segment;
        }

        @Override
        public long size() {
            return memory.size();
        }

        @Override
        public long iova(long at) {
            if (at < 0 || at >= memory.size()) {
                throw new IndexOutOfBoundsException("byte " + at + " of memory of " + memory.size() + " bytes");
            }
            if (!segment.scope().isAlive() || !memory.scope().isAlive()) {
                throw new IllegalStateException(name + ": the other device's memory has been freed");
            }
            return region.iova(at);
        }

        @Override
        public void close() {
            synchronized (DmaHeap.this) {
                if (peers.remove(this)) {
                    end();
                }
            }
        }

        void end() {
            arena.close();
            region.release();
        }
    }

    /** A region, and what is handed out of it. */
    private final class Slab {
        final DmaSpace.Region region;
        final FreeRanges free = new FreeRanges();
        final List<Piece> pieces = new ArrayList<>();

        Slab(DmaSpace.Region region) {
            this.region = region;
            free.add(0, region.bytes());
        }

        Piece take(long at, long bytes) {
            free.take(at, bytes);
            Piece piece = new Piece(this, at, bytes);
            pieces.add(piece);
            return piece;
        }

        void giveBack(Piece piece) {
            pieces.remove(piece);
            free.add(piece.offset, piece.bytes);
            if (pieces.isEmpty() && slabs.size() > 1) {
                slabs.remove(this);
                space.unmap(region);
            }
        }
    }

    /** What was handed out. */
    private final class Piece implements DmaMemory {
        private final Slab slab;
        final long offset;
        final long bytes;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment segment;

        Piece(Slab slab, long offset, long bytes) {
            this.slab = slab;
            this.offset = offset;
            this.bytes = bytes;
            segment = slab.region.mapping().lend(arena, offset, bytes);
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
            return slab.region.iova(offset + at);
        }

        @Override
        public void close() {
            synchronized (DmaHeap.this) {
                if (segment.scope().isAlive()) {
                    end();
                    slab.giveBack(this);
                }
            }
        }

        /** Ends access to it, once a system call on it has returned. */
        void end() {
            while (segment.scope().isAlive()) {
                try {
                    arena.close();
                } catch (IllegalStateException e) {
                    LockSupport.parkNanos(WAIT_NANOS);
                }
            }
        }
    }
}
