package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class DmaHeapTest {
    private static final long REGION = 2L << 20;
    private static final long PEER_IOVA = 5L << 40;

    private final Regions space = new Regions();
    private final DmaHeap heap = new DmaHeap("heap", space);

    /** Ordinary memory whose pieces of 2 MiB lie scattered for the device, as huge pages do without an IOMMU. */
    private static final class Regions implements DmaSpace {
        final Set<Region> mapped = new HashSet<>();
        int peers;
        private long next = 1L << 40;

        @Override
        public long regionBytes() {
            return REGION;
        }

        @Override
        public Region map(long bytes) throws IOException {
            long[] iovas = new long[(int) (bytes / REGION)];
            for (int i = 0; i < iovas.length; i++) {
                iovas[i] = next;
                next -= 3 * REGION;
            }
            Region region = new Region(Mapping.anonymous(bytes), REGION, iovas);
            mapped.add(region);
            return region;
        }

        @Override
        public PeerRegion map(PeerMemory memory) {
            peers++;
            return new PeerRegion() {
                @Override
                public long iova(long offset) {
                    return PEER_IOVA + offset;
                }

                @Override
                public void release() {
                    peers--;
                }
            };
        }

        @Override
        public OpenFile shared(long bytes) throws IOException {
            return OpenFile.inMemory("heap", Math.ceilDiv(bytes, 4096) * 4096L);
        }

        @Override
        public Region map(OpenFile file, Mapping mapping) {
            Region region = new Region(mapping, mapping.segment().byteSize(), next);
            next -= 3 * REGION;
            mapped.add(region);
            return region;
        }

        @Override
        public void unmap(Region region) {
            assertThat(mapped.remove(region)).isTrue();
            region.mapping().close();
        }
    }

    @Test
    void memoryOfADomainIsAFileThatOthersMap() throws Exception {
        DmaDomain domain = heap.openDomain(true);
        assertThat(domain.isReadOnly()).isTrue();
        assertThat(domain.isProtected()).isFalse();
        SharedMemory memory = domain.allocate(5000);
        assertThat(memory.size()).isEqualTo(8192);
        assertThat(memory.file().size()).isEqualTo(8192);
        assertThat(memory.iova(4096)).isEqualTo(memory.iova(0) + 4096);
        assertThatThrownBy(() -> memory.iova(8192)).isInstanceOf(IndexOutOfBoundsException.class);
        try (Mapping theirs = Mapping.of(memory.file(), 8192);
                OpenFile own = OpenFile.inMemory("own", 8192);
                OpenFile file = own.another()) {
            theirs.segment().set(ValueLayout.JAVA_INT, 4, 77);
            assertThat(memory.segment().get(ValueLayout.JAVA_INT, 4)).isEqualTo(77);
            assertThatThrownBy(() -> domain.map(own, 12288)).isInstanceOf(IOException.class);
            SharedMemory given = domain.map(own, 4096);
            own.close();
            assertThat(file.isSealedAgainstShrinking()).isTrue();
            assertThat(space.mapped).hasSize(2);
            memory.close();
            memory.close();
            assertThat(space.mapped).hasSize(1);
            assertThatThrownBy(() -> memory.segment().get(ValueLayout.JAVA_INT, 4))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(theirs.segment().get(ValueLayout.JAVA_INT, 4))
                    .as("their own mapping stays")
                    .isEqualTo(77);
            domain.close();
            domain.close();
            given.close();
            assertThat(space.mapped).isEmpty();
            assertThatThrownBy(() -> domain.allocate(1)).isInstanceOf(IllegalStateException.class);
        }
        SharedMemory left = heap.openDomain(false).allocate(1);
        heap.close();
        assertThat(space.mapped)
                .as("what was left is taken back with the function")
                .isEmpty();
        left.close();
        assertThatThrownBy(() -> heap.openDomain(false)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void handsOutZeroedPagesThatNobodyElseHas() throws Exception {
        Random random = new Random(3);
        List<DmaMemory> live = new ArrayList<>();
        for (int step = 0; step < 2000; step++) {
            if (!live.isEmpty() && random.nextInt(5) < 2) {
                live.remove(random.nextInt(live.size())).close();
                continue;
            }
            DmaMemory memory = heap.allocate(1 + random.nextInt(random.nextInt(8) == 0 ? 5 << 20 : 64 << 10));
            assertThat(memory.segment().address() % 4096).isZero();
            assertThat(memory.size() % 4096).isZero();
            assertThat(memory.segment()
                            .mismatch(java.lang.foreign.MemorySegment.ofArray(new byte[(int) memory.size()])))
                    .as("memory of %d bytes is zero", memory.size())
                    .isEqualTo(-1);
            memory.segment().fill((byte) step);
            if (memory.size() <= REGION) {
                assertThat(memory.iova(memory.size() - 1)).isEqualTo(memory.iova(0) + memory.size() - 1);
            }
            live.add(memory);
            requireApart(live);
        }
        live.forEach(DmaMemory::close);
        assertThat(space.mapped).hasSize(1);
        heap.close();
        assertThat(space.mapped).isEmpty();
    }

    private static void requireApart(List<DmaMemory> live) {
        DmaMemory last = live.getLast();
        long from = last.segment().address();
        for (DmaMemory other : live.subList(0, live.size() - 1)) {
            long start = other.segment().address();
            assertThat(from >= start + other.size() || from + last.size() <= start)
                    .isTrue();
        }
    }

    @Test
    void whatIsLargerThanARegionIsScatteredForTheDevice() throws Exception {
        try (DmaMemory memory = heap.allocate(2 * REGION)) {
            assertThat(memory.iova(REGION - 1)).isEqualTo(memory.iova(0) + REGION - 1);
            assertThat(memory.iova(REGION)).isNotEqualTo(memory.iova(0) + REGION);
            assertThatThrownBy(() -> memory.iova(2 * REGION)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void anAccessAfterClosingFails() throws Exception {
        DmaMemory first = heap.allocate(4096);
        DmaMemory second = heap.allocate(4096);
        first.close();
        first.close();
        assertThatThrownBy(() -> first.segment().get(ValueLayout.JAVA_INT, 0))
                .isInstanceOf(IllegalStateException.class);
        heap.close();
        heap.close();
        assertThatThrownBy(() -> second.segment().get(ValueLayout.JAVA_INT, 0))
                .isInstanceOf(IllegalStateException.class);
        second.close();
        assertThatThrownBy(() -> heap.allocate(1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void givesUpARegionThatIsEmptyButForOne() throws Exception {
        DmaMemory small = heap.allocate(4096);
        DmaMemory large = heap.allocate(REGION);
        assertThat(space.mapped).hasSize(2);
        large.close();
        assertThat(space.mapped).hasSize(1);
        small.close();
        assertThat(space.mapped).hasSize(1);
        heap.close();
        assertThat(space.mapped).isEmpty();
    }

    @Test
    void whatIsLargerThanARegionBeginsWhereAPieceOfItDoes() throws Exception {
        // Of a region of three pieces the first page is taken: two and a half pieces more fit, but from the second on.
        DmaMemory all = heap.allocate(3 * REGION);
        all.close();
        DmaMemory page = heap.allocate(4096);
        DmaMemory rings = heap.allocate(REGION + 4096);
        assertThat(space.mapped).hasSize(1);
        assertThat(rings.iova(REGION - 1)).isEqualTo(rings.iova(0) + REGION - 1);
        page.close();
        rings.close();
    }

    /** Memory at an address that is not this process's, which nothing is copied to or from. */
    private record Elsewhere(long address, long size, Arena arena) implements PeerMemory {
        @Override
        public MemorySegment.Scope scope() {
            return arena.scope();
        }

        @Override
        public void read(long offset, MemorySegment into) {
            throw new AssertionError("read");
        }

        @Override
        public void write(long offset, MemorySegment from) {
            throw new AssertionError("written");
        }

        @Override
        public OpenFile exportDmaBuf() {
            throw new UnsupportedOperationException("it cannot be exported");
        }
    }

    @Test
    void letsTheFunctionToMemoryThatNoProcessorReaches() throws Exception {
        try (Arena arena = Arena.ofShared()) {
            DmaMemory mapped = heap.map(new Elsewhere(0x7f00_0001_0000L, 3 << 16, arena));
            assertThat(mapped.segment().address()).isEqualTo(0x7f00_0001_0000L);
            assertThat(mapped.segment().byteSize()).isZero();
            assertThat(mapped.size()).isEqualTo(3 << 16);
            assertThat(mapped.iova(4096)).isEqualTo(PEER_IOVA + 4096);
            assertThatThrownBy(() -> mapped.iova(3 << 16)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> mapped.segment().get(ValueLayout.JAVA_BYTE, 0))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(space.peers).isEqualTo(1);
            mapped.close();
            mapped.close();
            assertThat(space.peers).isZero();
            assertThat(mapped.segment().scope().isAlive()).isFalse();
            assertThatThrownBy(() -> mapped.iova(0)).isInstanceOf(IllegalStateException.class);
        }
        heap.close();
    }

    @Test
    void tellsNoAddressOfMemoryOfAnotherDeviceThatIsFreed() throws Exception {
        Arena arena = Arena.ofShared();
        PeerMemory memory = new Elsewhere(1 << 16, 1 << 16, arena);
        DmaMemory mapped = heap.map(memory);
        arena.close();
        assertThatThrownBy(() -> mapped.iova(0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> heap.map(memory)).isInstanceOf(IllegalStateException.class);
        heap.close();
        assertThat(space.peers).as("what was not closed").isZero();
        mapped.close();
        assertThatThrownBy(() -> heap.map(memory)).isInstanceOf(IllegalStateException.class);
    }
}
