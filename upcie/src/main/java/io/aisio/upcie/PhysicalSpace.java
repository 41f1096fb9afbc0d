package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.PageMap;
import io.aisio.linux.UdmabufImport;
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

    /** The addresses are the bus's, as the kernel module {@code dmabuf_import} tells them. */
    @Override
    public PeerRegion map(PeerMemory memory) throws IOException {
        UdmabufImport dmaBuf;
        try {
            dmaBuf = UdmabufImport.of(memory.exportDmaBuf());
        } catch (LinuxException e) {
            throw explained(e);
        }
        PeerRuns runs = new PeerRuns(dmaBuf.runs());
        if (runs.bytes() < memory.size()) {
            dmaBuf.close();
            throw new IOException(
                    "%s: a dma-buf of %d bytes for memory of %d".formatted(name, runs.bytes(), memory.size()));
        }
        return new PeerRegion() {
            @Override
            public long iova(long offset) {
                return runs.address(offset);
            }

            @Override
            public void release() {
                dmaBuf.close();
            }
        };
    }

    private IOException explained(LinuxException e) {
        String what = name + ": where another device's memory lies on the bus is not known: ";
        return switch (e.errno()) {
            case Errno.ENOENT, Errno.ENODEV ->
                new IOException(
                        what + "the kernel module dmabuf_import is not loaded; next: as root, modprobe dmabuf_import,"
                                + " after it was built for this kernel",
                        e);
            case Errno.EACCES, Errno.EPERM ->
                new IOException(what + UdmabufImport.PATH + " is root's alone; next: run as root", e);
            default -> new IOException(what + e.getMessage(), e);
        };
    }

    @Override
    public void unmap(Region region) {
        region.mapping().close();
    }
}
