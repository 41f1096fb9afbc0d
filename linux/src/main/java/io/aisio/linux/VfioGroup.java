package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * An IOMMU group that VFIO lends to this process, in a container of its own: requests and structures of
 * {@code linux/vfio.h}. What concerns a single device is in
 * {@link VfioDevice}.
 *
 * <pre>
 *   container /dev/vfio/vfio ── an I/O address space          (type 1, or none at all: no-IOMMU)
 *        └── group /dev/vfio/N ── what the IOMMU cannot tell apart
 *                 └── device
 * </pre>
 */
public final class VfioGroup implements IoAddressSpace {
    /** Translation by an IOMMU, second version: VFIO_TYPE1v2_IOMMU. */
    public static final int TYPE1V2_IOMMU = 3;
    /** No translation and no protection: VFIO_NOIOMMU_IOMMU. */
    public static final int NOIOMMU_IOMMU = 8;

    static final long VFIO_GET_API_VERSION = 0x3B64;
    static final long VFIO_CHECK_EXTENSION = 0x3B65;
    static final long VFIO_SET_IOMMU = 0x3B66;
    static final long VFIO_GROUP_GET_STATUS = 0x3B67;
    static final long VFIO_GROUP_SET_CONTAINER = 0x3B68;
    static final long VFIO_GROUP_GET_DEVICE_FD = 0x3B6A;
    static final long VFIO_IOMMU_GET_INFO = 0x3B70;
    static final long VFIO_IOMMU_MAP_DMA = 0x3B71;
    static final long VFIO_IOMMU_UNMAP_DMA = 0x3B72;

    /** {@code struct vfio_group_status}: argsz, flags. */
    static final int GROUP_STATUS = 8;

    static final int GROUP_FLAGS_VIABLE = 1;

    /** {@code struct vfio_iommu_type1_dma_map}: argsz, flags, vaddr, iova, size. */
    static final int DMA_MAP = 32;

    static final int DMA_MAP_VADDR = 8;
    static final int DMA_MAP_IOVA = 16;
    static final int DMA_MAP_SIZE = 24;
    /** VFIO_DMA_MAP_FLAG_READ and _WRITE: by the device. */
    static final int DMA_MAP_READ_WRITE = 1 | 2;

    /** {@code struct vfio_iommu_type1_dma_unmap}: argsz, flags, iova, size. */
    static final int DMA_UNMAP = 24;

    static final int DMA_UNMAP_IOVA = 8;
    static final int DMA_UNMAP_SIZE = 16;

    /** {@code struct vfio_iommu_type1_info}: argsz, flags, iova_pgsizes, cap_offset. */
    static final int IOMMU_INFO = 24;

    static final int IOMMU_INFO_CAP_OFFSET = 16;
    static final int IOMMU_INFO_CAPS = 2;

    /** {@code struct vfio_info_cap_header}: id, version, next. */
    static final int CAP_VERSION = 2;

    static final int CAP_NEXT = 4;
    static final int CAP_HEADER = 8;
    /** VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE: a count, four bytes unused, then pairs of first and last. */
    static final int CAP_IOVA_RANGE = 1;

    static final int CAP_IOVA_RANGES = CAP_HEADER + 8;

    /** The longest answer that is asked for: chosen for some thousand ranges. */
    private static final int LONGEST_INFO = 64 << 10;

    private static final Path CONTAINER = Path.of("/dev/vfio/vfio");

    private final OpenFile container;
    private final OpenFile group;

    private VfioGroup(OpenFile container, OpenFile group) {
        this.container = container;
        this.group = group;
    }

    /**
     * Opens a group, in a container of its own.
     *
     * @param groupPath such as {@code /dev/vfio/12}
     * @param iommu {@link #TYPE1V2_IOMMU} or {@link #NOIOMMU_IOMMU}
     * @throws LinuxException if the kernel refuses: {@code EBUSY} if another process has the group open, {@code EPERM} for
     *     no-IOMMU without CAP_SYS_RAWIO
     * @throws IOException if the group is not viable (some device of it still belongs to a driver of the kernel), or the
     *     kernel has no such container
     */
    public static VfioGroup open(Path groupPath, int iommu) throws IOException {
        OpenFile container = OpenFile.open(CONTAINER, OpenFile.Access.READ_WRITE);
        try {
            OpenFile group = OpenFile.open(groupPath, OpenFile.Access.READ_WRITE);
            try {
                VfioGroup vfio = new VfioGroup(container, group);
                vfio.attach(iommu);
                return vfio;
            } catch (IOException | RuntimeException e) {
                group.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            container.close();
            throw e;
        }
    }

    private void attach(int iommu) throws IOException {
        int version = container.control("VFIO_GET_API_VERSION", VFIO_GET_API_VERSION, 0);
        if (version != 0) {
            throw new IOException(CONTAINER + ": VFIO of version " + version + ", where 0 is known");
        }
        if (container.control("VFIO_CHECK_EXTENSION", VFIO_CHECK_EXTENSION, iommu) == 0) {
            throw new IOException(CONTAINER
                    + (iommu == NOIOMMU_IOMMU
                            ? ": this kernel allows no device without an IOMMU; next: as root, echo 1 >"
                                    + " /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
                            : ": no type 1 IOMMU; next: as root, modprobe vfio_iommu_type1"));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment status = sized(arena, GROUP_STATUS);
            group.control("VFIO_GROUP_GET_STATUS", VFIO_GROUP_GET_STATUS, status);
            if ((status.get(JAVA_INT, 4) & GROUP_FLAGS_VIABLE) == 0) {
                throw new IOException(group.path() + ": the IOMMU group is not viable: not all of its devices are bound"
                        + " to VFIO or to no driver; next: ./aisio devbind list --all");
            }
            MemorySegment descriptor = arena.allocate(JAVA_INT);
            container.with(fd -> {
                descriptor.set(JAVA_INT, 0, fd);
                return group.control("VFIO_GROUP_SET_CONTAINER", VFIO_GROUP_SET_CONTAINER, descriptor);
            });
        }
        container.control("VFIO_SET_IOMMU", VFIO_SET_IOMMU, iommu);
    }

    /**
     * Opens a device of the group.
     *
     * @param name its bus address, such as {@code 0000:82:00.0}
     */
    public VfioDevice device(String name) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            int fd = group.control("VFIO_GROUP_GET_DEVICE_FD", VFIO_GROUP_GET_DEVICE_FD, arena.allocateFrom(name));
            return new VfioDevice(OpenFile.ofDescriptor(fd, Path.of(name)));
        }
    }

    /** Empty also if the kernel does not tell. */
    @Override
    public List<IovaRange> iovaRanges() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(LONGEST_INFO, 8);
            info.set(JAVA_INT, 0, LONGEST_INFO);
            container.control("VFIO_IOMMU_GET_INFO", VFIO_IOMMU_GET_INFO, info);
            return (info.get(JAVA_INT, 4) & IOMMU_INFO_CAPS) == 0
                    ? List.of()
                    : ranges(info, info.get(JAVA_INT, IOMMU_INFO_CAP_OFFSET));
        }
    }

    /** @param at where the first capability is; 0 ends the chain */
    private static List<IovaRange> ranges(MemorySegment info, int at) {
        // Each further on than the one before, so that there is an end.
        for (int last = 0; at > last && at <= info.byteSize() - CAP_IOVA_RANGES && at % 8 == 0; ) {
            if (info.get(JAVA_SHORT, at) == CAP_IOVA_RANGE) {
                long many = Math.min(
                        Integer.toUnsignedLong(info.get(JAVA_INT, at + CAP_HEADER)),
                        (info.byteSize() - at - CAP_IOVA_RANGES) / 16);
                List<IovaRange> ranges = new ArrayList<>();
                for (long i = 0, from = (long) at + CAP_IOVA_RANGES; i < many; i++, from += 16) {
                    ranges.add(new IovaRange(info.get(JAVA_LONG, from), info.get(JAVA_LONG, from + 8)));
                }
                return ranges;
            }
            last = at;
            at = info.get(JAVA_INT, at + CAP_NEXT);
        }
        return List.of();
    }

    /** Also {@code ENOSPC} if there are too many mappings. */
    @Override
    public void map(MemorySegment memory, long iova) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment map = sized(arena, DMA_MAP);
            map.set(JAVA_INT, 4, DMA_MAP_READ_WRITE);
            map.set(JAVA_LONG, DMA_MAP_VADDR, memory.address());
            map.set(JAVA_LONG, DMA_MAP_IOVA, iova);
            map.set(JAVA_LONG, DMA_MAP_SIZE, memory.byteSize());
            container.control("VFIO_IOMMU_MAP_DMA", VFIO_IOMMU_MAP_DMA, map);
        }
    }

    @Override
    public void unmap(long iova, long bytes) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment unmap = sized(arena, DMA_UNMAP);
            unmap.set(JAVA_LONG, DMA_UNMAP_IOVA, iova);
            unmap.set(JAVA_LONG, DMA_UNMAP_SIZE, bytes);
            container.control("VFIO_IOMMU_UNMAP_DMA", VFIO_IOMMU_UNMAP_DMA, unmap);
        }
    }

    /** Gives the group back, once its devices are closed, and unmaps everything. Closing again does nothing. */
    @Override
    public void close() {
        group.close();
        container.close();
    }

    /** A structure of VFIO's, whose first word is its size. */
    static MemorySegment sized(Arena arena, int bytes) {
        MemorySegment structure = arena.allocate(bytes, 8);
        structure.set(JAVA_INT, 0, bytes);
        return structure;
    }
}
