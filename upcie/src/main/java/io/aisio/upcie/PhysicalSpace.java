package io.aisio.upcie;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.PageMap;
import java.io.IOException;

/**
 * Memory that no IOMMU of ours translates: the function gets physical addresses. It comes from huge pages, which the
 * kernel does not move, and each of which lies in a row.
 */
final class PhysicalSpace implements DmaSpace {
    private final String name;
    private final long hugePageBytes;

    PhysicalSpace(String name, long hugePageBytes) {
        this.name = name;
        this.hugePageBytes = hugePageBytes;
    }

    @Override
    public long regionBytes() {
        return hugePageBytes;
    }

    @Override
    public Region map(long bytes) throws IOException {
        Mapping mapping;
        try {
            mapping = Mapping.hugePages(bytes, hugePageBytes);
        } catch (LinuxException e) {
            throw withoutHugePages(name, e, hugePageBytes);
        }
        try {
            return new Region(mapping, hugePageBytes, PageMap.physicalAddresses(mapping.segment(), hugePageBytes));
        } catch (IOException | RuntimeException e) {
            mapping.close();
            throw e;
        }
    }

    static IOException withoutHugePages(String name, LinuxException e, long hugePageBytes) {
        String size = hugePageBytes == Mapping.HUGE_PAGE_SIZE ? "2MiB" : "1GiB";
        return new IOException(
                "%s: no free huge pages of %s for memory that the device reaches; next: as root, ./aisio hugepages setup"
                                .formatted(name, size)
                        + " --size " + size + " --count 64",
                e);
    }

    @Override
    public void unmap(Region region) {
        region.mapping().close();
    }
}
