package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.Udmabuf;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Memory behind an IOMMU that is the kernel's: UIO has no way to it, but the kernel modules {@code udmabuf} and
 * {@code udmabuf-import} have. Memory is a file, of which the one makes a dma-buf and the other maps that for the function, as
 * it does another device's. Nothing else is within the function's reach.
 *
 * <p>An import may end under its owner's hands, and its addresses be given to the next one. So none is made while there is one
 * whose addresses are no longer its own. Any thread may call it.
 */
final class ImportedSpace implements DmaSpace {
    private final PciAddress function;
    private final Map<Region, ImportedMemory> imports = new ConcurrentHashMap<>();
    private final Set<ImportedMemory> peers = ConcurrentHashMap.newKeySet();

    ImportedSpace(PciAddress function) {
        this.function = function;
    }

    @Override
    public long regionBytes() {
        return Mapping.HUGE_PAGE_SIZE;
    }

    @Override
    public Region map(long bytes) throws IOException {
        // The mapping keeps it.
        try (OpenFile file = OpenFile.inMemory("aisio-dma", bytes)) {
            Mapping mapping = Mapping.of(file, bytes);
            try {
                return map(file, mapping);
            } catch (IOException | RuntimeException e) {
                mapping.close();
                throw e;
            }
        }
    }

    @Override
    public OpenFile shared(long bytes) throws IOException {
        return OpenFile.inMemory("aisio-domain", Math.addExact(bytes, Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE);
    }

    @Override
    public Region map(OpenFile file, Mapping mapping) throws IOException {
        long bytes = mapping.segment().byteSize();
        ImportedMemory imported = requireOthersCurrent(imported(file, bytes));
        if (!imported.isInARow()) {
            imported.release();
            throw new IOException(function + ": the IOMMU lays " + bytes + " bytes of memory in several places");
        }
        Region region = new Region(mapping, bytes, imported.iova(0));
        imports.put(region, imported);
        return region;
    }

    private ImportedMemory imported(OpenFile file, long bytes) throws IOException {
        try (OpenFile dmaBuf = Udmabuf.of(file, bytes)) {
            return ImportedMemory.of(function, dmaBuf);
        } catch (LinuxException e) {
            String what = function + ": " + bytes + " bytes of memory for the device: ";
            throw switch (e.errno()) {
                case Errno.ENOENT, Errno.ENODEV ->
                    new IOException(what + "the kernel has no driver udmabuf; next: bind it to vfio-pci", e);
                case Errno.EINVAL ->
                    new IOException(
                            what
                                    + "more than the kernel's driver takes, or not of a file in memory; next: ask for less, or"
                                    + " as root raise /sys/module/udmabuf/parameters/size_limit_mb",
                            e);
                default -> e;
            };
        }
    }

    @Override
    public PeerRegion map(PeerMemory memory) throws IOException {
        ImportedMemory imported = requireOthersCurrent(ImportedMemory.of(function, memory));
        peers.add(imported);
        return new PeerRegion() {
            @Override
            public long iova(long offset) {
                return imported.iova(offset);
            }

            @Override
            public void release() {
                peers.remove(imported);
                imported.release();
            }
        };
    }

    /** Once the new one is there: whatever ended before could have left it its addresses. */
    private ImportedMemory requireOthersCurrent(ImportedMemory imported) throws IOException {
        try {
            for (ImportedMemory other : imports.values()) {
                other.requireCurrent(function);
            }
            for (ImportedMemory other : peers) {
                other.requireCurrent(function);
            }
            return imported;
        } catch (IOException | RuntimeException e) {
            imported.release();
            throw e;
        }
    }

    @Override
    public void unmap(Region region) {
        ImportedMemory imported = imports.remove(region);
        if (imported == null) {
            throw new IllegalStateException(function + ": memory that is not the function's");
        }
        imported.release();
        region.mapping().close();
    }
}
