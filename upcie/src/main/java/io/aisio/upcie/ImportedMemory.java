package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UdmabufImport;
import java.io.IOException;

/** A dma-buf that the kernel module {@code udmabuf-import} mapped for a function, at the addresses that it told. */
final class ImportedMemory implements DmaSpace.PeerRegion {
    /** An NVMe controller drives all of an address (NVM Express Base Specification 2.0, 4.1.1). */
    private static final int ADDRESS_BITS = 64;

    private final UdmabufImport imported;
    private final PeerRuns runs;

    private ImportedMemory(UdmabufImport imported) {
        this.imported = imported;
        runs = new PeerRuns(imported.runs());
    }

    /**
     * Maps memory of another device.
     *
     * @throws UnsupportedOperationException if it cannot be shared; the message is one sentence
     * @throws IOException if the system refuses; the message says the next step
     */
    static ImportedMemory of(PciAddress function, PeerMemory memory) throws IOException {
        try (OpenFile dmaBuf = memory.exportDmaBuf()) {
            ImportedMemory imported = of(function, dmaBuf);
            if (imported.runs.bytes() < memory.size()) {
                imported.release();
                throw new IOException("%s: a dma-buf of %d bytes for memory of %d"
                        .formatted(function, imported.runs.bytes(), memory.size()));
            }
            return imported;
        }
    }

    /**
     * Maps a dma-buf, which may be closed then.
     *
     * @throws IOException if the system refuses; the message says the next step
     */
    static ImportedMemory of(PciAddress function, OpenFile dmaBuf) throws IOException {
        try {
            return new ImportedMemory(UdmabufImport.of(
                    dmaBuf, function.domain(), function.bus(), function.device(), function.function(), ADDRESS_BITS));
        } catch (LinuxException e) {
            throw explained(function, e);
        }
    }

    private static IOException explained(PciAddress function, LinuxException e) {
        String what = function + ": where it finds the memory of a dma-buf is not known: ";
        return switch (e.errno()) {
            case Errno.ENOENT ->
                new IOException(
                        what + "the kernel module udmabuf-import is not loaded; next: build it for this kernel"
                                + " (kmod/udmabuf-import), and as root, modprobe udmabuf-import",
                        e);
            case Errno.EACCES, Errno.EPERM ->
                new IOException(
                        what + UdmabufImport.PATH + " is for who has CAP_SYS_RAWIO alone; next: run as root", e);
            case Errno.EBUSY ->
                new IOException(
                        what + "it is bound to vfio-pci behind an IOMMU, and its addresses are VFIO's; next: as root,"
                                + " ./aisio devbind bind --driver uio_pci_generic " + function,
                        e);
            case Errno.ENXIO ->
                new IOException(
                        what + "it is bound to no driver for user space any more; next: close it, and as root,"
                                + " ./aisio devbind bind --driver uio_pci_generic " + function,
                        e);
            case Errno.EOPNOTSUPP ->
                new IOException(
                        what + "its exporter does not let other devices reach it, or does not keep it in its place ("
                                + e.getMessage() + ")",
                        e);
            default -> new IOException(what + e.getMessage(), e);
        };
    }

    /** Whether the function finds it in a row. */
    boolean isInARow() {
        return imported.runs().size() == 1;
    }

    /**
     * Makes sure that its addresses are not other memory's by now.
     *
     * @throws IOException if they may be; the message says the next step
     */
    void requireCurrent(PciAddress function) throws IOException {
        try {
            imported.requireCurrent();
        } catch (LinuxException e) {
            if (e.errno() != Errno.ESTALE) {
                throw e;
            }
            throw new IOException(
                    function
                            + ": memory that was mapped for it is no longer: its driver was unbound, or another device took"
                            + " the memory back. What is mapped next may get the same addresses; next: close it first",
                    e);
        }
    }

    @Override
    public long iova(long offset) {
        return runs.address(offset);
    }

    @Override
    public void release() {
        imported.close();
    }
}
