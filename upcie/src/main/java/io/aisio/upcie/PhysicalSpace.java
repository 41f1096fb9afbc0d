package io.aisio.upcie;

import io.aisio.linux.FileSystemKind;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.PageMap;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Memory that no IOMMU of ours translates: the function gets physical addresses. It comes from huge pages, which the
 * kernel does not move, and each of which lies in a row.
 */
final class PhysicalSpace implements DmaSpace {
    private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();

    private final PciAddress function;
    private final String name;
    private final long hugePageBytes;

    PhysicalSpace(PciAddress function, long hugePageBytes) {
        this.function = function;
        this.name = function.toString();
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

    /** Of huge pages, which the kernel does not move. */
    @Override
    public OpenFile shared(long bytes) throws IOException {
        long whole = Math.addExact(bytes, hugePageBytes - 1) & -hugePageBytes;
        OpenFile file = null;
        try {
            file = OpenFile.inHugePages("aisio-domain", whole, hugePageBytes);
            // Here, where what is missing can be told, rather than when it is mapped.
            file.allocate(0, whole);
            return file;
        } catch (LinuxException e) {
            if (file != null) {
                file.close();
            }
            throw withoutHugePages(name, e, hugePageBytes);
        }
    }

    @Override
    public Region map(OpenFile file, Mapping mapping) throws IOException {
        FileSystemKind kind = file.fileSystem();
        if (!kind.hasHugePages() || kind.blockBytes() != hugePageBytes) {
            throw new IOException(
                    "%s: no IOMMU translates for this device, so that memory for it comes in a file of huge pages of %d KiB;"
                                    .formatted(name, hugePageBytes >> 10)
                            + " next: make it by memfd_create with MFD_HUGETLB, or have it allocated");
        }
        try {
            // So that each page is there.
            for (long at = 0; at < mapping.segment().byteSize(); at += hugePageBytes) {
                // By an addition of nothing: its user may store there at the same time.
                int _ = (int) INT.getAndAdd(mapping.segment(), at, 0);
            }
        } catch (InternalError e) {
            throw new IOException(name + ": the file has no huge page at some place, and none is free", e);
        }
        return new Region(mapping, hugePageBytes, PageMap.physicalAddresses(mapping.segment(), hugePageBytes));
    }

    static IOException withoutHugePages(String name, LinuxException e, long hugePageBytes) {
        String size = hugePageBytes == Mapping.HUGE_PAGE_SIZE ? "2MiB" : "1GiB";
        return new IOException(
                "%s: no free huge pages of %s for memory that the device reaches; next: as root, ./aisio hugepages setup"
                                .formatted(name, size)
                        + " --size " + size + " --count 64",
                e);
    }

    /** The addresses are the bus's, as there is no IOMMU that the kernel could have them translated by. */
    @Override
    public PeerRegion map(PeerMemory memory) throws IOException {
        return ImportedMemory.of(function, memory);
    }

    @Override
    public void unmap(Region region) {
        region.mapping().close();
    }
}
