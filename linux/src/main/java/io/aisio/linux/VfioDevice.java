package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/**
 * A PCI function that VFIO lends to this process: its regions, its interrupts, its reset ({@code linux/vfio.h}). It came
 * from a group ({@link VfioGroup#device}) or from its own device file ({@link #open}).
 */
public final class VfioDevice implements AutoCloseable {
    /** Regions: 0 to 5 are the BARs, and this is the configuration space (VFIO_PCI_CONFIG_REGION_INDEX). */
    public static final int CONFIG_REGION = 7;

    /** Interrupts: VFIO_PCI_MSIX_IRQ_INDEX. */
    public static final int MSIX = 2;
    /** Interrupts: VFIO_PCI_REQ_IRQ_INDEX, by which the kernel asks for the device back. */
    public static final int REQUEST = 4;

    static final long VFIO_DEVICE_GET_INFO = 0x3B6B;
    static final long VFIO_DEVICE_GET_REGION_INFO = 0x3B6C;
    static final long VFIO_DEVICE_GET_IRQ_INFO = 0x3B6D;
    static final long VFIO_DEVICE_SET_IRQS = 0x3B6E;
    static final long VFIO_DEVICE_RESET = 0x3B6F;
    /** Since Linux 6.6. */
    static final long VFIO_DEVICE_BIND_IOMMUFD = 0x3B76;

    static final long VFIO_DEVICE_ATTACH_IOMMUFD_PT = 0x3B77;

    /** {@code struct vfio_device_info}: argsz, flags, num_regions, num_irqs; later kernels have more. */
    static final int DEVICE_INFO = 16;

    static final int DEVICE_FLAGS_RESET = 1;
    static final int DEVICE_FLAGS_PCI = 2;

    /** {@code struct vfio_region_info}: argsz, flags, index, cap_offset, size, offset. */
    static final int REGION_INFO = 32;

    static final int REGION_INFO_INDEX = 8;
    static final int REGION_INFO_CAP_OFFSET = 12;
    static final int REGION_INFO_SIZE = 16;
    static final int REGION_INFO_OFFSET = 24;
    static final int REGION_FLAG_MMAP = 4;
    static final int REGION_FLAG_CAPS = 8;
    /** VFIO_REGION_INFO_CAP_SPARSE_MMAP: only parts of the region can be mapped. */
    static final int CAP_SPARSE_MMAP = 1;

    /** {@code struct vfio_irq_info}: argsz, flags, index, count. */
    static final int IRQ_INFO = 16;

    static final int IRQ_INFO_INDEX = 8;
    static final int IRQ_INFO_COUNT = 12;
    static final int IRQ_INFO_EVENTFD = 1;

    /** {@code struct vfio_irq_set}: argsz, flags, index, start, count, then data. */
    static final int IRQ_SET = 20;

    static final int IRQ_SET_INDEX = 8;
    static final int IRQ_SET_COUNT = 16;
    static final int IRQ_SET_DATA_NONE = 1;
    static final int IRQ_SET_DATA_EVENTFD = 4;
    static final int IRQ_SET_ACTION_TRIGGER = 32;

    /** {@code struct vfio_device_bind_iommufd}: argsz, flags, iommufd, out_devid. */
    private static final int BIND_IOMMUFD = 16;

    private static final int BIND_IOMMUFD_FD = 8;
    /** {@code struct vfio_device_attach_iommufd_pt}: argsz, flags, pt_id. */
    private static final int ATTACH_IOMMUFD = 12;

    private static final int ATTACH_IOMMUFD_ID = 8;

    /** The longest description of a region that is asked for: chosen for a hundred of capabilities. */
    private static final int LONGEST_INFO = 4096;

    private final OpenFile file;

    VfioDevice(OpenFile file) {
        this.file = file;
    }

    /**
     * A region.
     *
     * @param index 0 to 5 for BARs, or {@link #CONFIG_REGION}
     * @param size in bytes; 0 if the function has none of that index
     * @param offset of its first byte in the device file
     * @param mappable whether all of it can be mapped
     */
    public record Region(int index, long size, long offset, boolean mappable) {}

    /**
     * Opens a device by its own file and puts it into an address space of an iommufd.
     *
     * @param path such as {@code /dev/vfio/devices/vfio0}
     * @throws LinuxException if the kernel refuses: {@code EBUSY} if another process has the device
     */
    public static VfioDevice open(Path path, Iommufd space) throws LinuxException {
        OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bind = VfioGroup.sized(arena, BIND_IOMMUFD);
            space.withDescriptor(fd -> {
                bind.set(JAVA_INT, BIND_IOMMUFD_FD, fd);
                return file.control("VFIO_DEVICE_BIND_IOMMUFD", VFIO_DEVICE_BIND_IOMMUFD, bind);
            });
            MemorySegment attach = VfioGroup.sized(arena, ATTACH_IOMMUFD);
            attach.set(JAVA_INT, ATTACH_IOMMUFD_ID, space.id());
            file.control("VFIO_DEVICE_ATTACH_IOMMUFD_PT", VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);
            return new VfioDevice(file);
        } catch (LinuxException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /**
     * Takes over a device that another process has opened and put into an address space, and whose descriptor it passed.
     *
     * @param file its descriptor; it becomes this object's
     */
    public static VfioDevice passed(OpenFile file) {
        return new VfioDevice(file);
    }

    /**
     * The device's own file, by which regions are mapped. Whoever it is passed to has all of the device: it is this object's,
     * and closed with it.
     */
    public OpenFile file() {
        return file;
    }

    /**
     * Whether the function can be reset by itself.
     *
     * @throws IOException if it is no PCI function
     */
    public boolean canReset() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = VfioGroup.sized(arena, DEVICE_INFO);
            file.control("VFIO_DEVICE_GET_INFO", VFIO_DEVICE_GET_INFO, info);
            int flags = info.get(JAVA_INT, 4);
            if ((flags & DEVICE_FLAGS_PCI) == 0) {
                throw new IOException(file.path() + ": not a PCI function to VFIO");
            }
            return (flags & DEVICE_FLAGS_RESET) != 0;
        }
    }

    /** Resets the function; what it held in its registers and queues is gone. */
    public void reset() throws LinuxException {
        file.control("VFIO_DEVICE_RESET", VFIO_DEVICE_RESET, 0);
    }

    /** Describes a region. */
    public Region region(int index) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(LONGEST_INFO, 8);
            info.set(JAVA_INT, 0, LONGEST_INFO);
            info.set(JAVA_INT, REGION_INFO_INDEX, index);
            file.control("VFIO_DEVICE_GET_REGION_INFO", VFIO_DEVICE_GET_REGION_INFO, info);
            int flags = info.get(JAVA_INT, 4);
            boolean sparse =
                    (flags & REGION_FLAG_CAPS) != 0 && isSparse(info, info.get(JAVA_INT, REGION_INFO_CAP_OFFSET));
            return new Region(
                    index,
                    info.get(JAVA_LONG, REGION_INFO_SIZE),
                    info.get(JAVA_LONG, REGION_INFO_OFFSET),
                    (flags & REGION_FLAG_MMAP) != 0 && !sparse);
        }
    }

    private static boolean isSparse(MemorySegment info, int at) {
        // Each further on than the one before, so that there is an end.
        for (int last = 0; at > last && at <= info.byteSize() - VfioGroup.CAP_HEADER && at % 4 == 0; ) {
            if (info.get(JAVA_SHORT, at) == CAP_SPARSE_MMAP) {
                return true;
            }
            last = at;
            at = info.get(JAVA_INT, at + VfioGroup.CAP_NEXT);
        }
        return false;
    }

    /**
     * Maps a region. Once the kernel has taken the device back, an access is an {@link InternalError}.
     *
     * @param arena whose end unmaps it
     */
    public MemorySegment map(Region region, Arena arena) throws LinuxException {
        return file.with(fd -> Mapping.ofDescriptor(
                arena, fd, file.path() + " region " + region.index(), region.offset(), region.size(), true));
    }

    /** Reads some bytes of a region, such as the configuration space. */
    public void read(Region region, long offset, MemorySegment target) throws LinuxException {
        requireWithin(region, offset, target);
        if (file.read(target, region.offset() + offset) != target.byteSize()) {
            throw new LinuxException("pread", file.path() + " region " + region.index(), Errno.EIO);
        }
    }

    /** Writes some bytes of a region. */
    public void write(Region region, long offset, MemorySegment source) throws LinuxException {
        requireWithin(region, offset, source);
        file.write(source, region.offset() + offset);
    }

    private static void requireWithin(Region region, long offset, MemorySegment bytes) {
        if (offset < 0 || offset > region.size() - bytes.byteSize()) {
            throw new IndexOutOfBoundsException("%d bytes at offset %d of region %d, of %d bytes"
                    .formatted(bytes.byteSize(), offset, region.index(), region.size()));
        }
    }

    /**
     * How many interrupts of a kind the function has that an {@link EventFd} can be given for.
     *
     * @param kind {@link #MSIX} or {@link #REQUEST}
     */
    public int interrupts(int kind) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = VfioGroup.sized(arena, IRQ_INFO);
            info.set(JAVA_INT, IRQ_INFO_INDEX, kind);
            file.control("VFIO_DEVICE_GET_IRQ_INFO", VFIO_DEVICE_GET_IRQ_INFO, info);
            return (info.get(JAVA_INT, 4) & IRQ_INFO_EVENTFD) == 0 ? 0 : info.get(JAVA_INT, IRQ_INFO_COUNT);
        }
    }

    /**
     * Has the first interrupts of a kind counted, all at once: what was set before no longer is.
     *
     * @param events one for each interrupt, from the first on; none of them to have none counted
     * @return 0 if it is done; otherwise how many the system has left, and none is counted
     */
    public int setInterrupts(int kind, List<EventFd> events) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment set = VfioGroup.sized(arena, IRQ_SET + 4 * events.size());
            set.set(
                    JAVA_INT,
                    4,
                    IRQ_SET_ACTION_TRIGGER | (events.isEmpty() ? IRQ_SET_DATA_NONE : IRQ_SET_DATA_EVENTFD));
            set.set(JAVA_INT, IRQ_SET_INDEX, kind);
            set.set(JAVA_INT, IRQ_SET_COUNT, events.size());
            for (int i = 0; i < events.size(); i++) {
                set.set(JAVA_INT, IRQ_SET + 4L * i, events.get(i).descriptor());
            }
            return file.control("VFIO_DEVICE_SET_IRQS", VFIO_DEVICE_SET_IRQS, set);
        }
    }

    /** Gives the device back: the kernel stops its access to memory, and resets it if it can. Closing again does nothing. */
    @Override
    public void close() {
        file.close();
    }
}
