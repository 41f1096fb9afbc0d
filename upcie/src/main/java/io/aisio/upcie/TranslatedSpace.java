package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.IoAddressSpace;
import io.aisio.linux.IovaRange;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
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
            long iova = addresses.allocate(bytes, Mapping.HUGE_PAGE_SIZE);
            try {
                iommu.map(mapping.segment(), iova);
            } catch (IOException | RuntimeException e) {
                addresses.free(iova, bytes);
                throw e;
            }
            return new Region(mapping, bytes, iova);
        } catch (LinuxException e) {
            mapping.close();
            throw explained(e, bytes);
        } catch (IOException | RuntimeException e) {
            mapping.close();
            throw e;
        }
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

    @Override
    public void unmap(Region region) {
        try {
            iommu.unmap(region.iova(0), region.bytes());
        } catch (LinuxException e) {
            // The function may still reach it: it is kept for good.
            throw new IllegalStateException(name + ": memory cannot be taken away from the device", e);
        }
        addresses.free(region.iova(0), region.bytes());
        region.mapping().close();
    }
}
