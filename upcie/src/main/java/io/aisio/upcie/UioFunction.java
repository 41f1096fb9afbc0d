package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A function that is bound to {@code uio_pci_generic}: registers and configuration by its files in sysfs, memory by
 * physical address, or through the module {@code udmabuf-import} where an IOMMU translates. Its device file is kept open,
 * for then the kernel clears bus mastering when this process ends.
 */
final class UioFunction implements PciFunction {
    private static final int BARS = 6;

    private final String name;
    private final FunctionClaim claim;
    private final OpenFile device;
    private final OpenFile configFile;
    private final ConfigSpace config;
    private final DmaHeap heap;
    private final @Nullable Mapping[] mappings = new Mapping[BARS];
    private final Path folder;
    /** The file of BAR 0, once somebody else was to map it. */
    private @Nullable OpenFile registers;

    private boolean closed;

    private UioFunction(
            String name, Path folder, FunctionClaim claim, OpenFile device, OpenFile configFile, DmaSpace space) {
        this.name = name;
        this.folder = folder;
        this.claim = claim;
        this.device = device;
        this.configFile = configFile;
        config = new ConfigSpace(
                (bytes, offset) -> requireWhole(configFile.read(bytes, offset), bytes.byteSize()),
                (bytes, offset) -> configFile.write(bytes, offset));
        heap = new DmaHeap(name, space);
    }

    private void requireWhole(long read, long wanted) throws LinuxException {
        if (read != wanted) {
            throw new LinuxException("pread", configFile.path().toString(), Errno.EIO);
        }
    }

    static UioFunction open(PciBus bus, PciDevice pci, long hugePageBytes) throws IOException {
        Path folder = bus.folder(pci.address());
        DmaSpace space = Access.translates(bus, pci)
                ? new ImportedSpace(pci.address())
                : new PhysicalSpace(pci.address(), hugePageBytes);
        FunctionClaim claim = FunctionClaim.of(pci.address(), folder);
        try {
            OpenFile device = OpenFile.open(deviceFile(pci, folder), OpenFile.Access.READ_WRITE);
            try {
                OpenFile configFile = OpenFile.open(folder.resolve("config"), OpenFile.Access.READ_WRITE);
                UioFunction function =
                        new UioFunction(pci.address().toString(), folder, claim, device, configFile, space);
                try {
                    function.start(pci, folder);
                    return function;
                } catch (IOException | RuntimeException e) {
                    function.unmapBars();
                    configFile.close();
                    throw e;
                }
            } catch (IOException | RuntimeException e) {
                device.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            claim.close();
            throw e;
        }
    }

    private static Path deviceFile(PciDevice pci, Path folder) throws IOException {
        for (Path entry : Sysfs.list(folder.resolve("uio"))) {
            return Path.of("/dev/" + entry.getFileName());
        }
        throw new IOException(pci.address() + ": bound to uio_pci_generic, but without a device file");
    }

    private void start(PciDevice pci, Path folder) throws IOException {
        config.command(ConfigSpace.MEMORY_SPACE, ConfigSpace.BUS_MASTER);
        Path reset = folder.resolve("reset");
        if (Files.exists(reset)) {
            // Whatever it was left doing by its last driver.
            Sysfs.write(reset, "1");
            config.command(ConfigSpace.MEMORY_SPACE | ConfigSpace.INTX_DISABLE, ConfigSpace.BUS_MASTER);
        }
        for (PciDevice.Region region : pci.regions()) {
            if (region.memory() && region.assigned()) {
                try (OpenFile file =
                        OpenFile.open(folder.resolve("resource" + region.index()), OpenFile.Access.READ_WRITE)) {
                    mappings[region.index()] = Mapping.of(file, pageBytes(region));
                }
            }
        }
    }

    /** A small BAR has its page to itself in sysfs. */
    private static long pageBytes(PciDevice.Region region) {
        return (region.size() + Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String description() {
        return Access.UIO.description();
    }

    @Override
    public Bar bar(int index) {
        Mapping mapping = index < 0 || index >= BARS ? null : mappings[index];
        if (mapping == null) {
            throw new IllegalArgumentException(name + " has no memory BAR " + index);
        }
        return new MappedBar(mapping.segment());
    }

    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        return heap.allocate(bytes);
    }

    @Override
    public DmaMemory map(PeerMemory memory) throws IOException {
        return heap.map(memory);
    }

    /** Nothing keeps users to their memory. */
    @Override
    public DmaDomain openDomain(boolean readOnly, int nsid) {
        return heap.openDomain(readOnly);
    }

    /** Of the BAR's file in sysfs, which stays open from the first call on. */
    @Override
    public synchronized DoorbellPages doorbellPages(long tail, long head) throws IOException {
        Mapping mapping = mappings[0];
        if (closed || mapping == null) {
            throw new IllegalStateException(name + (closed ? " is closed" : " has no memory BAR 0"));
        }
        OpenFile file = registers;
        if (file == null) {
            file = OpenFile.open(folder.resolve("resource0"), OpenFile.Access.READ_WRITE);
            registers = file;
        }
        return DoorbellPages.ofDevice(file, 0, mapping.segment().byteSize(), tail, head);
    }

    @Override
    public void startDma() throws IOException {
        config.command(ConfigSpace.BUS_MASTER, 0);
    }

    @Override
    public void stopDma() throws IOException {
        config.command(0, ConfigSpace.BUS_MASTER);
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            stopDma();
        } catch (IOException e) {
            // The kernel does it, too, as the device is closed.
        }
        unmapBars();
        OpenFile file = registers;
        if (file != null) {
            file.close();
        }
        configFile.close();
        // Before memory is given back: nothing but the end of its bus mastering keeps the function from that.
        device.close();
        heap.close();
        claim.close();
    }

    private void unmapBars() {
        for (Mapping mapping : mappings) {
            if (mapping != null) {
                mapping.close();
            }
        }
    }
}
