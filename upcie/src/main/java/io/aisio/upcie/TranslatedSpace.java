package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.IoAddressSpace;
import io.aisio.linux.IovaRange;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.ResourceLimits;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Memory behind an IOMMU: at addresses of our choice, and nothing else is within the function's reach. It comes from huge
 * pages where there are some, which saves the IOMMU translations, and from ordinary ones otherwise; the kernel pins both.
 */
final class TranslatedSpace implements DmaSpace {
    private final String name;
    private final IoAddressSpace iommu;
    private final IovaAllocator addresses;
    private final long hugePageBytes;

    TranslatedSpace(String name, IoAddressSpace iommu, List<IovaRange> ranges, long hugePageBytes) {
        this.name = name;
        this.iommu = iommu;
        this.addresses = new IovaAllocator(ranges);
        this.hugePageBytes = hugePageBytes;
    }

    @Override
    public long regionBytes() {
        return hugePageBytes;
    }

    @Override
    public Region map(long bytes) throws IOException {
        Mapping mapping = memory(bytes);
        try {
            return reached(mapping);
        } catch (IOException | RuntimeException e) {
            mapping.close();
            throw e;
        }
    }

    private Region reached(Mapping mapping) throws IOException {
        long bytes = mapping.segment().byteSize();
        long iova = addresses.allocate(bytes, Mapping.HUGE_PAGE_SIZE);
        try {
            iommu.map(mapping.segment(), iova);
        } catch (LinuxException e) {
            addresses.free(iova, bytes);
            throw explained(e, bytes);
        } catch (RuntimeException e) {
            addresses.free(iova, bytes);
            throw e;
        }
        return new Region(mapping, bytes, iova);
    }

    /** Of ordinary pages, which the kernel pins while the function may reach them. */
    @Override
    public OpenFile shared(long bytes) throws IOException {
        return OpenFile.inMemory("aisio-domain", Math.addExact(bytes, Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE);
    }

    @Override
    public Region map(OpenFile file, Mapping mapping) throws IOException {
        boolean _ = mapping.preferHugePages();
        return reached(mapping);
    }

    private Mapping memory(long bytes) throws IOException {
        try {
            return Mapping.hugePages(bytes, hugePageBytes);
        } catch (LinuxException e) {
            if (hugePageBytes != Mapping.HUGE_PAGE_SIZE) {
                // They were asked for by size.
                throw PhysicalSpace.withoutHugePages(name, e, hugePageBytes);
            }
            Mapping mapping = Mapping.anonymous(bytes);
            mapping.preferHugePages();
            return mapping;
        }
    }

    private IOException explained(LinuxException e, long bytes) throws IOException {
        if (e.errno() == Errno.ENOMEM) {
            String limit = ResourceLimits.lockedMemory(Path.of("/proc"));
            return new IOException(
                    name + ": " + bytes
                            + " bytes of memory for the device cannot be pinned: more than this process may lock"
                            + " (RLIMIT_MEMLOCK, " + limit
                            + " bytes); next: raise the limit (ulimit -l, or LimitMEMLOCK= of"
                            + " a service), or run as root",
                    e);
        }
        if (e.errno() == Errno.ENOSPC) {
            return new IOException(
                    name + ": the kernel maps no more regions for one device; next: raise"
                            + " /sys/module/vfio_iommu_type1/parameters/dma_entry_limit, or take larger huge pages",
                    e);
        }
        return e;
    }

    /** The kernel maps a dma-buf by its descriptor, where it does: it knows more exporters from one version to the next. */
    @Override
    public PeerRegion map(PeerMemory memory) throws IOException {
        try (OpenFile dmaBuf = memory.exportDmaBuf()) {
            long bytes = dmaBuf.size();
            if (bytes < memory.size() || bytes % Mapping.PAGE_SIZE != 0) {
                throw new IOException(
                        "%s: a dma-buf of %d bytes for memory of %d".formatted(name, bytes, memory.size()));
            }
            long iova = addresses.allocate(bytes, Mapping.HUGE_PAGE_SIZE);
            try {
                iommu.map(dmaBuf, bytes, iova);
            } catch (LinuxException e) {
                addresses.free(iova, bytes);
                throw notMapped(e);
            } catch (RuntimeException e) {
                addresses.free(iova, bytes);
                throw e;
            }
            return peer(iova, bytes);
        }
    }

    private PeerRegion peer(long iova, long bytes) {
        return new PeerRegion() {
            @Override
            public long iova(long offset) {
                return iova + offset;
            }

            @Override
            public void release() {
                give(iova, bytes);
            }
        };
    }

    private IOException notMapped(LinuxException e) {
        return new IOException(
                name
                        + ": the IOMMU translates for this device, and the kernel does not let it to another device's memory ("
                        + e.getMessage()
                        + "); next: bind it to uio_pci_generic and load the kernel module udmabuf-import",
                e);
    }

    @Override
    public void unmap(Region region) {
        give(region.iova(0), region.bytes());
        region.mapping().close();
    }

    private void give(long iova, long bytes) {
        try {
            iommu.unmap(iova, bytes);
        } catch (LinuxException e) {
            // The function may still reach it: it is kept for good.
            throw new IllegalStateException(name + ": memory cannot be taken away from the device", e);
        }
        addresses.free(iova, bytes);
    }
}
