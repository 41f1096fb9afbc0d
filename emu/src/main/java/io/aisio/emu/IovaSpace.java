package io.aisio.emu;

import io.aisio.linux.AddressSpace;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PeerMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * The memory that the function can reach, by I/O virtual address.
 *
 * <p>Addresses come from a range in which no pointer of this process lies and that does not fit 32 bits, so that a
 * driver that mixes up its addresses or cuts them fails at once. Regions are apart by at least a page: what runs over
 * the end of one hits nothing.
 *
 * <p>Any thread allocates and frees. The controller looks addresses up in a table that is replaced, never changed.
 */
final class IovaSpace {
    /** The first address handed out: beyond what fits 32 bits. */
    static final long FIRST = 1L << 36;
    /** The end of the range: below where Linux maps memory. */
    static final long END = 1L << 46;

    private static final Region[] NONE = {};

    private final long end;
    private volatile Region[] table = NONE;
    private long next = FIRST;
    private boolean closed;
    /** The table as it was when this was closed. */
    private volatile Region[] last = NONE;

    /** Addresses from {@link #FIRST} to {@link #END}. */
    IovaSpace() {
        this(END);
    }

    /** @param end where the range ends, for a test: to reach the last address takes a while */
    IovaSpace(long end) {
        this.end = end;
    }

    /** One allocation, or another device's memory. */
    final class Region implements DmaMemory {
        /** Its bytes; none of them if they are another device's. */
        final MemorySegment memory;
        /** Whose bytes it has, if they are another device's: only it copies them. */
        final @Nullable PeerMemory peer;

        final long iova;
        final long bytes;
        /** Whether the controller may only read it. */
        final boolean readOnly;
        /** Whose memory it is, null for the function's own: commands of other domains' queues do not reach it. */
        final @Nullable ProtectionDomain domain;
        /** Rings of queues in it; counted where it is a domain's. Written by whoever runs the controller. */
        private volatile int rings;
        /** Whether it is being taken back, so that no queue is created in it. */
        private volatile boolean ending;

        private final Holding holding;

        private Region(Mapping mapping, MemorySegment memory, long iova) {
            this.holding = mapping::close;
            this.memory = memory;
            this.iova = iova;
            this.bytes = memory.byteSize();
            this.readOnly = memory.isReadOnly();
            peer = null;
            domain = null;
        }

        private Region(ProtectionDomain domain, Mapping mapping, OpenFile file, long iova) {
            this.holding = () -> {
                mapping.close();
                file.close();
            };
            this.memory = mapping.segment();
            this.iova = iova;
            this.bytes = memory.byteSize();
            this.readOnly = false;
            this.domain = domain;
            peer = null;
        }

        private Region(PeerMemory peer, Arena arena, long iova) {
            this.holding = arena::close;
            this.memory = AddressSpace.elsewhere(peer.address(), arena);
            this.peer = peer;
            this.iova = iova;
            this.bytes = peer.size();
            this.readOnly = false;
            domain = null;
        }

        /** Whether all of {@code length} bytes at {@code address} lie in here; {@code length} is not negative. */
        boolean contains(long address, long length) {
            long offset = address - iova;
            return offset >= 0 && offset <= bytes - length;
        }

        /** Whether the memory is still there. */
        boolean alive() {
            return memory.scope().isAlive() && (peer == null || peer.scope().isAlive());
        }

        @Override
        public MemorySegment segment() {
            return memory;
        }

        @Override
        public long size() {
            return bytes;
        }

        @Override
        public long iova(long offset) {
            if (offset < 0 || offset >= bytes) {
                throw new IndexOutOfBoundsException("byte " + offset + " of DMA memory of " + bytes + " bytes");
            }
            if (peer != null && !alive()) {
                throw new IllegalStateException("the other device's memory has been freed");
            }
            return iova + offset;
        }

        /**
         * A ring of a queue that is created lies in it.
         *
         * @return false if it is being taken back; there is no ring then
         */
        boolean ringBegins() {
            int before = rings;
            // Counted first, and looked after: who takes it back does it the other way round, so that one sees the
            // other.
            rings = before + 1;
            if (ending) {
                rings = before;
                return false;
            }
            return true;
        }

        /** From now on no ring begins: the first step of taking it back, before {@link #hasRings} is asked. */
        void refuseRings() {
            ending = true;
        }

        /** It is not taken back after all. */
        void takeRings() {
            ending = false;
        }

        /** A queue is deleted, or gone with a reset. */
        void ringEnds() {
            int before = rings;
            rings = before - 1;
        }

        /** Whether a queue that exists has a ring in it. */
        boolean hasRings() {
            return rings > 0;
        }

        /** Takes it out of the table, then unmaps it, which waits for the kernel to finish a call on it. */
        @Override
        public void close() {
            remove(this);
            while (true) {
                try {
                    holding.close();
                    return;
                } catch (IllegalStateException e) {
                    if (!memory.scope().isAlive()) {
                        return;
                    }
                    LockSupport.parkNanos(WAIT_NANOS);
                }
            }
        }
    }

    /** What keeps a region's memory. */
    private interface Holding {
        /** @throws IllegalStateException if a system call uses it, or it is closed already */
        void close();
    }

    /** How long {@link Region#close} waits between tries while a system call uses the memory: chosen short. */
    private static final long WAIT_NANOS = 50_000;

    /** The table as it is now; the controller drops what it remembers when this changes. */
    Region[] table() {
        return table;
    }

    /** The region that holds all of {@code length} bytes at {@code address}, or null. */
    @Nullable
    Region find(long address, long length) {
        Region[] regions = table;
        int low = 0;
        int high = regions.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            Region region = regions[middle];
            if (address < region.iova) {
                high = middle - 1;
            } else if (address - region.iova >= region.bytes) {
                low = middle + 1;
            } else {
                return region.contains(address, length) ? region : null;
            }
        }
        return null;
    }

    /**
     * Allocates zeroed memory.
     *
     * @throws IOException if there is no memory or no range of addresses for it
     * @throws IllegalStateException if the function is closed
     */
    Region allocate(long bytes) throws IOException {
        Mapping mapping = Mapping.anonymous(bytes);
        // As memory for a device on the bus is: whoever copies to and from much of it pays less for addresses.
        boolean _ = mapping.preferHugePages();
        try {
            return place(mapping.segment().byteSize(), iova -> new Region(mapping, mapping.segment(), iova));
        } catch (IOException | IllegalStateException e) {
            mapping.close();
            throw e;
        }
    }

    /**
     * Takes in memory of a domain's, which another process has too.
     *
     * @param mapping of the file; both become the region's, and are closed with it
     * @throws IOException if there is no range of addresses for it
     * @throws IllegalStateException if the function is closed
     */
    Region map(ProtectionDomain domain, Mapping mapping, OpenFile file) throws IOException {
        return place(mapping.segment().byteSize(), iova -> new Region(domain, mapping, file, iova));
    }

    /** Whether nothing can be allocated any more. */
    synchronized boolean isClosed() {
        return closed;
    }

    /** Frees everything, what an earlier call did not come to among it; from now on nothing can be allocated. */
    void close() {
        synchronized (this) {
            if (!closed) {
                closed = true;
                last = table;
            }
        }
        for (Region region : last) {
            region.close();
        }
    }

    /**
     * Takes in another device's memory, at addresses like any other's.
     *
     * @throws IOException if there is no range of addresses for it
     * @throws IllegalStateException if the function is closed, or the memory has been freed
     */
    Region map(PeerMemory peer) throws IOException {
        if (peer.size() < 1) {
            throw new IllegalArgumentException("another device's memory of " + peer.size() + " bytes");
        }
        if (!peer.scope().isAlive()) {
            throw new IllegalStateException("the other device's memory has been freed");
        }
        return place(Math.ceilDiv(peer.size(), Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE, iova -> peer(peer, iova));
    }

    // Closed with the region.
    @SuppressWarnings("MustBeClosedChecker")
    private Region peer(PeerMemory peer, long iova) {
        return new Region(peer, Arena.ofShared(), iova);
    }

    private synchronized Region place(long bytes, LongFunction<Region> at) throws IOException {
        if (closed) {
            throw new IllegalStateException("the function is closed");
        }
        Region region = at.apply(range(bytes));
        // Never back into a gap: what lies behind the gap is in use.
        next = Math.max(next, region.iova + bytes + Mapping.PAGE_SIZE);
        insert(region);
        return region;
    }

    /**
     * Takes in memory that somebody else has chosen an address for, which may lie anywhere.
     *
     * @param mapping becomes the region's: it is closed with it
     * @param memory the part of it that is meant
     * @param iova not negative, and nor is what follows the last byte
     * @return null if some of the addresses are taken
     * @throws IllegalStateException if the function is closed
     */
    @Nullable
    synchronized Region map(Mapping mapping, MemorySegment memory, long iova) {
        if (closed) {
            throw new IllegalStateException("the function is closed");
        }
        Region region = new Region(mapping, memory, iova);
        for (Region other : table) {
            if (other.iova < iova + region.bytes && iova < other.iova + other.bytes) {
                return null;
            }
        }
        insert(region);
        return region;
    }

    private void insert(Region region) {
        List<Region> regions = new ArrayList<>(List.of(table));
        int at = 0;
        while (at < regions.size() && regions.get(at).iova < region.iova) {
            at++;
        }
        regions.add(at, region);
        table = regions.toArray(NONE);
    }

    private synchronized void remove(Region region) {
        List<Region> regions = new ArrayList<>(List.of(table));
        if (regions.remove(region)) {
            table = regions.toArray(NONE);
        }
    }

    /** A free range: the next one that was never used, or once all were, the first gap. */
    private long range(long bytes) throws IOException {
        if (bytes <= end - next) {
            return next;
        }
        long start = FIRST;
        for (Region region : table) {
            if (region.iova - Mapping.PAGE_SIZE - start >= bytes) {
                return start;
            }
            // Another device's memory may be less than whole pages.
            start = (region.iova + region.bytes + 2L * Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE;
        }
        if (end - start >= bytes) {
            return start;
        }
        throw new IOException("no I/O virtual addresses left for " + bytes + " bytes of DMA memory");
    }
}
