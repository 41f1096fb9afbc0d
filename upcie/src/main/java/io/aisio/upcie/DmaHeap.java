package io.aisio.upcie;

import io.aisio.linux.AddressSpace;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
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
    private final List<Domain> domains = new ArrayList<>();
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

    /**
     * Opens a domain of memory that another process has too. Nothing keeps the function's commands within it.
     *
     * @param readOnly what its user is told
     */
    synchronized DmaDomain openDomain(boolean readOnly) {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
        Domain domain = new Domain(readOnly);
        domains.add(domain);
        return domain;
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
        for (Domain domain : domains) {
            try {
                domain.end();
            } catch (IllegalStateException e) {
                first = first == null ? e : first;
            }
        }
        domains.clear();
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

    /** One user's memory. */
    private final class Domain implements DmaDomain {
        private final boolean readOnly;
        private final List<SharedPiece> shared = new ArrayList<>();
        private boolean ended;

        Domain(boolean readOnly) {
            this.readOnly = readOnly;
        }

        @Override
        public boolean isProtected() {
            return false;
        }

        @Override
        public boolean isReadOnly() {
            return readOnly;
        }

        @Override
        public SharedMemory allocate(long bytes) throws IOException {
            if (bytes < 1) {
                throw new IllegalArgumentException(bytes + " bytes of memory");
            }
            if (bytes > Long.MAX_VALUE - space.regionBytes()) {
                throw new IOException(name + ": no memory for " + bytes + " bytes of a domain; next: ask for less");
            }
            OpenFile file = space.shared(bytes);
            try {
                return add(file, Mapping.of(file, 0, file.size(), true));
            } catch (IOException | RuntimeException e) {
                file.close();
                throw e;
            }
        }

        @Override
        public SharedMemory map(OpenFile file, long bytes) throws IOException {
            Mapping mapping = UserFile.map(name, file, bytes, true);
            OpenFile own;
            try {
                own = file.another();
            } catch (IOException | RuntimeException e) {
                mapping.close();
                throw e;
            }
            try {
                return add(own, mapping);
            } catch (IOException | RuntimeException e) {
                own.close();
                throw e;
            }
        }

        private SharedPiece add(OpenFile file, Mapping mapping) throws IOException {
            try {
                requireOpen();
                // Without the lock: the kernel may pin for seconds, and the others' memory is not to wait for that.
                DmaSpace.Region region = space.map(file, mapping);
                synchronized (DmaHeap.this) {
                    if (!ended) {
                        SharedPiece piece = new SharedPiece(this, file, region);
                        shared.add(piece);
                        return piece;
                    }
                }
                space.unmap(region);
                throw closed();
            } catch (IOException | RuntimeException e) {
                mapping.close();
                throw e;
            }
        }

        private void requireOpen() {
            synchronized (DmaHeap.this) {
                if (ended) {
                    throw closed();
                }
            }
        }

        private IllegalStateException closed() {
            return new IllegalStateException(name + ": the domain is closed");
        }

        @Override
        public void close() {
            synchronized (DmaHeap.this) {
                domains.remove(this);
                end();
            }
        }

        /** Takes back all of it, whatever becomes of one piece. */
        void end() {
            ended = true;
            IllegalStateException first = null;
            while (!shared.isEmpty()) {
                try {
                    shared.removeLast().end();
                } catch (IllegalStateException e) {
                    first = first == null ? e : first;
                }
            }
            if (first != null) {
                throw first;
            }
        }
    }

    /** Memory of a domain's, all of its region. */
    private final class SharedPiece implements SharedMemory {
        private final Domain domain;
        private final OpenFile file;
        private final DmaSpace.Region region;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment segment;

        SharedPiece(Domain domain, OpenFile file, DmaSpace.Region region) {
            this.domain = domain;
            this.file = file;
            this.region = region;
            segment = region.mapping().lend(arena, 0, region.bytes());
        }

        @Override
        public OpenFile file() {
            return file;
        }

        @Override
        public MemorySegment segment() {
            return segment;
        }

        @Override
        public long iova(long at) {
            if (at < 0 || at >= segment.byteSize()) {
                throw new IndexOutOfBoundsException(
                        "byte " + at + " of DMA memory of " + segment.byteSize() + " bytes");
            }
            return region.iova(at);
        }

        @Override
        public void close() {
            synchronized (DmaHeap.this) {
                if (domain.shared.remove(this)) {
                    end();
                }
            }
        }

        void end() {
            try {
                endAccess(arena, segment);
                space.unmap(region);
            } finally {
                file.close();
            }
        }
    }

    /** Ends access to memory, once a system call on it has returned. */
    private static void endAccess(Arena arena, MemorySegment segment) {
        while (segment.scope().isAlive()) {
            try {
                arena.close();
            } catch (IllegalStateException e) {
                LockSupport.parkNanos(WAIT_NANOS);
            }
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

        void end() {
            endAccess(arena, segment);
        }
    }
}
