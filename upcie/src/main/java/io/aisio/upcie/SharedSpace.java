package io.aisio.upcie;

import io.aisio.linux.IovaRange;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.vfiouser.VfioUser;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Memory that a vfio-user server maps too: a sealed file in memory for each region, at addresses of our choice. Servers
 * take few regions (SPDK's 64), so that a usual one is large; what is not touched costs nothing.
 */
final class SharedSpace implements DmaSpace, VfioUserLink.MemoryAccess {
    private static final long REGION = 64L << 20;
    /** Addresses are handed out below: what every IOMMU's width allows, in case the server stands for a real device. */
    private static final long END = 1L << 39;

    private final VfioUserLink link;
    private final String name;
    private final IovaAllocator addresses = new IovaAllocator(List.of(new IovaRange(0, END - 1)));
    /** By address: what the server has. */
    private final TreeMap<Long, Region> mapped = new TreeMap<>();

    SharedSpace(String name, VfioUserLink link) {
        this.name = name;
        this.link = link;
    }

    @Override
    public long regionBytes() {
        return REGION;
    }

    @Override
    public PeerRegion map(PeerMemory memory) {
        throw new UnsupportedOperationException(name
                + ": a controller in another process reaches memory that both can map, which another device's is not;"
                + " next: use emu: in this process, or a controller on the bus");
    }

    @Override
    public Region map(long bytes) throws IOException {
        synchronized (mapped) {
            if (mapped.size() >= link.server().maxMaps()) {
                throw new IOException(name + ": the server takes no more than "
                        + link.server().maxMaps() + " regions of memory; next: allocate fewer and larger buffers");
            }
        }
        try (OpenFile file = OpenFile.inMemory("aisio-dma", bytes)) {
            Mapping mapping = Mapping.of(file, bytes);
            try {
                long iova = addresses.allocate(bytes, Mapping.HUGE_PAGE_SIZE);
                try {
                    MemorySegment _ = link.request(VfioUser.DMA_MAP, mapMessage(iova, bytes), List.of(file));
                } catch (IOException | RuntimeException e) {
                    addresses.free(iova, bytes);
                    throw e;
                }
                Region region = new Region(mapping, bytes, iova);
                synchronized (mapped) {
                    mapped.put(iova, region);
                }
                return region;
            } catch (IOException e) {
                mapping.close();
                throw new IOException(
                        name + ": the server does not take " + bytes + " bytes of memory: " + e.getMessage(), e);
            } catch (RuntimeException e) {
                mapping.close();
                throw e;
            }
        }
    }

    @Override
    public OpenFile shared(long bytes) {
        throw notShared();
    }

    @Override
    public Region map(OpenFile file, Mapping mapping) {
        throw notShared();
    }

    private UnsupportedOperationException notShared() {
        return new UnsupportedOperationException(
                name + ": a controller in another process is this process's alone; next: use"
                        + " emu:…?shared in the process that lends, or a controller on the bus");
    }

    private static MemorySegment mapMessage(long iova, long bytes) {
        MemorySegment message = MemorySegment.ofArray(new byte[VfioUser.DMA_MAP_BYTES]);
        VfioUser.u32(message, VfioUser.ARGSZ, VfioUser.DMA_MAP_BYTES);
        VfioUser.u32(message, VfioUser.ARG_FLAGS, VfioUser.DMA_FLAG_READ | VfioUser.DMA_FLAG_WRITE);
        VfioUser.u64(message, VfioUser.DMA_MAP_IOVA, iova);
        VfioUser.u64(message, VfioUser.DMA_MAP_SIZE, bytes);
        return message;
    }

    @Override
    public void unmap(Region region) {
        long iova = region.iova(0);
        boolean theirs;
        synchronized (mapped) {
            theirs = mapped.remove(iova) != null;
        }
        // Without the lock, which an answer to DMA_READ needs.
        if (theirs) {
            takeAway(iova, region.bytes());
        }
        addresses.free(iova, region.bytes());
        region.mapping().close();
    }

    /** Takes all memory away from the server; it stays this process's. */
    void takeAllAway() {
        Map<Long, Region> theirs;
        synchronized (mapped) {
            theirs = new TreeMap<>(mapped);
            mapped.clear();
        }
        theirs.forEach((iova, region) -> takeAway(iova, region.bytes()));
    }

    /** A server that does not give memory back loses the connection, and with it all memory. */
    private void takeAway(long iova, long bytes) {
        if (link.isGone()) {
            return;
        }
        MemorySegment message = MemorySegment.ofArray(new byte[VfioUser.DMA_UNMAP_BYTES]);
        VfioUser.u32(message, VfioUser.ARGSZ, VfioUser.DMA_UNMAP_BYTES);
        VfioUser.u64(message, VfioUser.DMA_UNMAP_IOVA, iova);
        VfioUser.u64(message, VfioUser.DMA_UNMAP_SIZE, bytes);
        try {
            MemorySegment _ = link.request(VfioUser.DMA_UNMAP, message, List.of());
        } catch (IOException e) {
            link.lost(e.getMessage());
        }
    }

    @Override
    public boolean transfer(long iova, MemorySegment data, boolean write) {
        synchronized (mapped) {
            Map.Entry<Long, Region> entry = mapped.floorEntry(iova);
            if (entry == null) {
                return false;
            }
            MemorySegment memory = entry.getValue().mapping().segment();
            long offset = iova - entry.getKey();
            if (offset > memory.byteSize() - data.byteSize()) {
                return false;
            }
            MemorySegment part = memory.asSlice(offset, data.byteSize());
            if (write) {
                part.copyFrom(data);
            } else {
                data.copyFrom(part);
            }
            return true;
        }
    }
}
