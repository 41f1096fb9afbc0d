package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.EventFd;
import io.aisio.linux.IoAddressSpace;
import io.aisio.linux.Iommufd;
import io.aisio.linux.IovaRange;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Sysfs;
import io.aisio.linux.VfioDevice;
import io.aisio.linux.VfioGroup;
import io.aisio.linux.block.OpenNodes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A function that is bound to {@code vfio-pci}. However this process ends, the kernel then clears its bus mastering and
 * resets it.
 */
final class VfioFunction implements PciFunction {
    /** What type 1 translates where the kernel does not say: 39 bits, the least that IOMMUs have, without x86's interrupts. */
    private static final List<IovaRange> USUAL =
            List.of(new IovaRange(0, 0xFEDF_FFFFL), new IovaRange(0xFEF0_0000L, (1L << 39) - 1));

    private static final int BARS = 6;

    /** What it means that a device that may be opened may not be used. */
    private static final String NOT_PERMITTED = "; next: without an IOMMU it takes root; with one that does not keep"
            + " interrupts apart, as root, echo 1 > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";

    private final String name;
    private final Access access;
    /** Null where another process has claimed it, and lends it. */
    private final @Nullable FunctionClaim claim;

    private final VfioDevice device;
    /** The container or the address space: closed last. */
    private final IoAddressSpace space;

    private final ConfigSpace config;
    private final DmaHeap heap;
    private final Arena mapped = Arena.ofShared();
    private final @Nullable Bar[] bars = new Bar[BARS];
    private final int vectors;

    private final List<EventFd> events = new ArrayList<>();
    private volatile Runnable removal = () -> {};
    /** Whom to tell that it has been closed. */
    private volatile Runnable end = () -> {};

    private @Nullable EventFd request;
    private @Nullable Thread requestWatch;
    private volatile boolean closed;

    /** What the two ways to a device have in common once they have led there. */
    private record Opened(VfioDevice device, IoAddressSpace space, DmaSpace memory) {}

    private VfioFunction(String name, Access access, @Nullable FunctionClaim claim, Opened opened) throws IOException {
        this.name = name;
        this.access = access;
        this.claim = claim;
        this.device = opened.device;
        this.space = opened.space;
        heap = new DmaHeap(name, opened.memory);
        VfioDevice.Region configuration = device.region(VfioDevice.CONFIG_REGION);
        config = new ConfigSpace(
                (bytes, offset) -> device.read(configuration, offset, bytes),
                (bytes, offset) -> device.write(configuration, offset, bytes));
        vectors = device.interrupts(VfioDevice.MSIX);
    }

    /** Makes the function forget its last driver, and maps its registers. */
    private void start() throws IOException {
        if (device.canReset()) {
            device.reset();
        }
        config.command(ConfigSpace.MEMORY_SPACE, ConfigSpace.BUS_MASTER);
        for (int i = 0; i < BARS; i++) {
            VfioDevice.Region region = device.region(i);
            if (region.size() > 0 && region.mappable()) {
                bars[i] = new MappedBar(device.map(region, mapped));
            }
        }
    }

    /**
     * Opens a function that is bound to {@code vfio-pci}.
     *
     * @param access any of VFIO's
     */
    static VfioFunction open(PciBus bus, PciDevice pci, Access access, long hugePageBytes) throws IOException {
        String name = pci.address().toString();
        FunctionClaim claim = FunctionClaim.of(pci.address(), bus.folder(pci.address()));
        try {
            Opened opened = access == Access.IOMMUFD
                    ? openByIommufd(bus, pci, hugePageBytes)
                    : openByGroup(pci, access, hugePageBytes);
            return started(name, access, claim, opened);
        } catch (IOException | RuntimeException e) {
            claim.close();
            throw e;
        }
    }

    private static VfioFunction started(String name, Access access, @Nullable FunctionClaim claim, Opened opened)
            throws IOException {
        VfioFunction function;
        try {
            function = new VfioFunction(name, access, claim, opened);
        } catch (IOException | RuntimeException e) {
            opened.device.close();
            opened.space.close();
            throw e;
        }
        try {
            function.start();
            return function;
        } catch (IOException | RuntimeException e) {
            function.close();
            throw e;
        }
    }

    /** Opens a function that another process lends. */
    static VfioFunction passed(String name, VfioDevice device, Iommufd space, long hugePageBytes, Runnable atEnd)
            throws IOException {
        try {
            VfioFunction function = started(
                    name,
                    Access.IOMMUFD,
                    null,
                    new Opened(device, space, new TranslatedSpace(name, space, space.iovaRanges(), hugePageBytes)));
            function.end = atEnd;
            return function;
        } catch (IOException | RuntimeException e) {
            device.close();
            space.close();
            throw e;
        }
    }

    private static Opened openByIommufd(PciBus bus, PciDevice pci, long hugePageBytes) throws IOException {
        String name = pci.address().toString();
        OpenedByIommufd opened = openByIommufd(bus, pci);
        try {
            return new Opened(
                    opened.device,
                    opened.space,
                    new TranslatedSpace(name, opened.space, opened.space.iovaRanges(), hugePageBytes));
        } catch (IOException | RuntimeException e) {
            opened.device.close();
            opened.space.close();
            throw e;
        }
    }

    /** A device in an address space of its own. */
    record OpenedByIommufd(VfioDevice device, Iommufd space) {}

    /** Opens a device's own file, and puts it into an empty address space. */
    static OpenedByIommufd openByIommufd(PciBus bus, PciDevice pci) throws IOException {
        Path path = deviceFile(bus, pci);
        Iommufd space = explaining(Iommufd.PATH, Iommufd::open);
        try {
            return new OpenedByIommufd(explaining(path, () -> VfioDevice.open(path, space)), space);
        } catch (IOException | RuntimeException e) {
            space.close();
            throw e;
        }
    }

    /** {@code /dev/vfio/devices/vfioN}. */
    private static Path deviceFile(PciBus bus, PciDevice pci) throws IOException {
        for (Path entry : Sysfs.list(bus.folder(pci.address()).resolve("vfio-dev"))) {
            return Path.of("/dev/vfio/devices/" + entry.getFileName());
        }
        throw new IOException(pci.address() + ": this kernel gives devices no files of their own (VFIO_DEVICE_CDEV);"
                + " next: leave out access=iommufd");
    }

    /** Whether this user can go by the device's own file. */
    static boolean hasDeviceFile(PciBus bus, PciDevice pci) {
        try {
            return isUsable(Iommufd.PATH) && isUsable(deviceFile(bus, pci));
        } catch (IOException e) {
            return false;
        }
    }

    private static boolean isUsable(Path file) {
        return Files.isReadable(file) && Files.isWritable(file);
    }

    private static Opened openByGroup(PciDevice pci, Access access, long hugePageBytes) throws IOException {
        String name = pci.address().toString();
        boolean translated = access == Access.TYPE1;
        if (pci.iommuGroup() < 0) {
            throw new IOException(name + ": in no IOMMU group; next: turn the IOMMU on (intel_iommu=on on the kernel's"
                    + " command line, or in the firmware), or as root allow devices without one: echo 1 >"
                    + " /sys/module/vfio/parameters/enable_unsafe_noiommu_mode, then bind it again");
        }
        Path group = Path.of("/dev/vfio/" + (translated ? "" : "noiommu-") + pci.iommuGroup());
        VfioGroup vfio = explaining(
                group, () -> VfioGroup.open(group, translated ? VfioGroup.TYPE1V2_IOMMU : VfioGroup.NOIOMMU_IOMMU));
        try {
            VfioDevice device = vfio.device(name);
            try {
                List<IovaRange> ranges = translated ? vfio.iovaRanges() : List.of();
                return new Opened(
                        device,
                        vfio,
                        translated
                                ? new TranslatedSpace(name, vfio, ranges.isEmpty() ? USUAL : ranges, hugePageBytes)
                                : new PhysicalSpace(pci.address(), hugePageBytes));
            } catch (IOException | RuntimeException e) {
                device.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            vfio.close();
            throw e;
        }
    }

    private interface Opening<T> {
        T open() throws IOException;
    }

    /** What a refusal means to the person who wants the device. */
    private static <T> T explaining(Path file, Opening<T> opening) throws IOException {
        try {
            return opening.open();
        } catch (LinuxException e) {
            String why = switch (e.errno()) {
                case Errno.ENOENT -> "; next: as root, modprobe vfio-pci, or ./aisio doctor";
                case Errno.EACCES, Errno.EPERM ->
                    e.call().equals("open")
                            ? "; next: as root, chown " + System.getProperty("user.name") + " " + file
                                    + ", or run as root"
                            : NOT_PERMITTED;
                case Errno.EBUSY -> {
                    Set<String> holders = OpenNodes.read().of(file.toString());
                    yield holders.isEmpty()
                            ? "; this process has another device of the group open, or a process that may not be seen has"
                            : ": open in process " + String.join(", ", holders);
                }
                default -> "";
            };
            throw why.isEmpty() ? e : new IOException(e.getMessage() + why, e);
        }
    }

    @Override
    public String description() {
        return access.description();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Bar bar(int index) {
        Bar bar = index < 0 || index >= BARS ? null : bars[index];
        if (bar == null) {
            throw new IllegalArgumentException(name + " has no memory BAR " + index + " that can be mapped");
        }
        return bar;
    }

    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        return heap.allocate(bytes);
    }

    @Override
    public DmaMemory map(PeerMemory memory) throws IOException {
        return heap.map(memory);
    }

    /** The IOMMU, where there is one, keeps all users together to their memory; nothing keeps them apart. */
    @Override
    public DmaDomain openDomain(boolean readOnly, int nsid) {
        return heap.openDomain(readOnly);
    }

    /** Of the device's own file. */
    @Override
    public DoorbellPages doorbellPages(long tail, long head) throws IOException {
        Bar _ = bar(0);
        VfioDevice.Region region = device.region(0);
        return DoorbellPages.ofDevice(device.file(), region.offset(), region.size(), tail, head);
    }

    @Override
    public int interruptVectors() {
        return vectors;
    }

    @Override
    public synchronized List<? extends Interrupt> enableInterrupts(int count) throws IOException {
        if (count < 1 || count > vectors) {
            throw new IllegalArgumentException(
                    name + ": " + count + " interrupt vectors; 1 to " + vectors + " are possible");
        }
        if (closed || !events.isEmpty()) {
            throw new IllegalStateException(name + (closed ? " is closed" : ": its interrupts are enabled already"));
        }
        List<EventFd> made = new ArrayList<>();
        try {
            while (made.size() < count) {
                made.add(new EventFd());
            }
            int left = device.setInterrupts(VfioDevice.MSIX, made);
            if (left > 0) {
                while (made.size() > left) {
                    made.removeLast().close();
                }
                left = device.setInterrupts(VfioDevice.MSIX, made);
            }
            if (left != 0) {
                throw new IOException(name + ": the system has no interrupt vectors left for it");
            }
        } catch (IOException | RuntimeException e) {
            made.forEach(EventFd::close);
            throw e;
        }
        events.addAll(made);
        List<Interrupt> interrupts = new ArrayList<>();
        for (int i = 0; i < made.size(); i++) {
            interrupts.add(new MsixVector(i, made.get(i)));
        }
        return interrupts;
    }

    private record MsixVector(int vector, EventFd event) implements Interrupt {
        @Override
        public boolean await(Duration limit) throws IOException {
            return event.await(limit);
        }
    }

    @Override
    public void startDma() throws IOException {
        config.command(ConfigSpace.BUS_MASTER, 0);
    }

    @Override
    public void stopDma() throws IOException {
        config.command(0, ConfigSpace.BUS_MASTER);
    }

    /** The kernel asks when a driver is unbound or a card pulled, and waits until the device is closed. */
    @Override
    public synchronized void onRemoval(Runnable listener) throws IOException {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
        removal = listener;
        if (requestWatch != null || device.interrupts(VfioDevice.REQUEST) == 0) {
            return;
        }
        EventFd event = new EventFd();
        try {
            if (device.setInterrupts(VfioDevice.REQUEST, List.of(event)) != 0) {
                throw new IOException(name + ": the kernel does not tell when it wants the device back");
            }
        } catch (IOException | RuntimeException e) {
            event.close();
            throw e;
        }
        request = event;
        requestWatch = Thread.ofPlatform().daemon().name("removal of " + name).start(() -> watch(event));
    }

    private void watch(EventFd event) {
        try {
            while (!event.await(Duration.ofMinutes(1))) {
                // The kernel asks again and again, and close() signals too: no wait is without end.
            }
            if (!closed) {
                removal.run();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        endWatch();
        mapped.close();
        try {
            stopDma();
        } catch (IOException e) {
            // The kernel does it, too, as the device is closed.
        }
        try {
            if (access == Access.NOIOMMU) {
                // Nothing but the end of its bus mastering keeps the function from memory, which this makes sure of.
                device.close();
            }
            // With an IOMMU before the device is closed: type 1 forgets mappings with its last device.
            heap.close();
        } finally {
            device.close();
            space.close();
            events.forEach(EventFd::close);
            if (claim != null) {
                claim.close();
            }
            end.run();
        }
    }

    private void endWatch() {
        EventFd event = request;
        Thread thread = requestWatch;
        if (event != null && thread != null) {
            event.signal();
            if (thread != Thread.currentThread()) {
                boolean interrupted = false;
                while (thread.isAlive()) {
                    try {
                        thread.join();
                    } catch (InterruptedException e) {
                        interrupted = true;
                    }
                }
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
            event.close();
        }
    }
}
