package io.aisio.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** An I/O address space of {@code /dev/iommu} ({@code linux/iommufd.h}, since Linux 6.2). */
public final class Iommufd implements IoAddressSpace {
    /** Where the kernel offers it. */
    public static final Path PATH = Path.of("/dev/iommu");

    private static final long IOMMU_IOAS_ALLOC = 0x3B81;
    private static final long IOMMU_IOAS_IOVA_RANGES = 0x3B84;
    private static final long IOMMU_IOAS_MAP = 0x3B85;
    private static final long IOMMU_IOAS_UNMAP = 0x3B86;
    private static final long IOMMU_IOAS_MAP_FILE = 0x3B8F;

    /** {@code struct iommu_ioas_alloc}: size, flags, out_ioas_id. */
    private static final int ALLOC = 12;

    private static final int ALLOC_ID = 8;

    /** {@code struct iommu_ioas_iova_ranges}: size, ioas_id, num_iovas, reserved, allowed_iovas, out_iova_alignment. */
    private static final int RANGES = 32;

    private static final int RANGES_ID = 4;
    private static final int RANGES_COUNT = 8;
    private static final int RANGES_ALLOWED = 16;

    /** {@code struct iommu_ioas_map}: size, flags, ioas_id, reserved, user_va, length, iova. */
    private static final int MAP = 40;

    private static final int MAP_ID = 8;
    private static final int MAP_USER_VA = 16;
    private static final int MAP_LENGTH = 24;
    private static final int MAP_IOVA = 32;
    /** IOMMU_IOAS_MAP_FIXED_IOVA, _WRITEABLE, _READABLE. */
    private static final int MAP_FLAGS = 1 | 2 | 4;

    /** {@code struct iommu_ioas_map_file}: size, flags, ioas_id, fd, start, length, iova. Since Linux 6.14. */
    private static final int MAP_FILE = 40;

    private static final int MAP_FILE_FD = 12;

    /** {@code struct iommu_ioas_unmap}: size, ioas_id, iova, length. */
    private static final int UNMAP = 24;

    private static final int UNMAP_ID = 4;
    private static final int UNMAP_IOVA = 8;
    private static final int UNMAP_LENGTH = 16;

    /** The most ranges that are asked for: reserved windows are a handful. */
    private static final int MOST_RANGES = 1024;

    private final OpenFile file;
    private final int id;

    private Iommufd(OpenFile file, int id) {
        this.file = file;
        this.id = id;
    }

    /**
     * Makes an empty address space.
     *
     * @throws LinuxException if the kernel refuses
     */
    public static Iommufd open() throws LinuxException {
        OpenFile file = OpenFile.open(PATH, OpenFile.Access.READ_WRITE);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment alloc = VfioGroup.sized(arena, ALLOC);
            file.control("IOMMU_IOAS_ALLOC", IOMMU_IOAS_ALLOC, alloc);
            return new Iommufd(file, alloc.get(JAVA_INT, ALLOC_ID));
        } catch (LinuxException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /**
     * Takes over an address space that another process has made, and whose descriptor it passed: what is mapped from here on is
     * this process's memory.
     *
     * @param file its descriptor; it becomes this object's
     * @param id the number of the address space in it
     */
    public static Iommufd passed(OpenFile file, int id) {
        return new Iommufd(file, id);
    }

    /** The number of the address space. */
    public int id() {
        return id;
    }

    /** The file that the address space is in, to be passed on with {@link #id()}; it is this object's. */
    public OpenFile file() {
        return file;
    }

    <T> T withDescriptor(OpenFile.Use<T> use) throws LinuxException {
        return file.with(use);
    }

    @Override
    public List<IovaRange> iovaRanges() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment allowed = arena.allocate(MOST_RANGES * 16L, 8);
            MemorySegment ranges = VfioGroup.sized(arena, RANGES);
            ranges.set(JAVA_INT, RANGES_ID, id);
            ranges.set(JAVA_INT, RANGES_COUNT, MOST_RANGES);
            ranges.set(ADDRESS, RANGES_ALLOWED, allowed);
            file.control("IOMMU_IOAS_IOVA_RANGES", IOMMU_IOAS_IOVA_RANGES, ranges);
            int count = Math.clamp(ranges.get(JAVA_INT, RANGES_COUNT), 0, MOST_RANGES);
            List<IovaRange> found = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                found.add(new IovaRange(allowed.get(JAVA_LONG, 16L * i), allowed.get(JAVA_LONG, 16L * i + 8)));
            }
            return found;
        }
    }

    @Override
    public void map(MemorySegment memory, long iova) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment map = VfioGroup.sized(arena, MAP);
            map.set(JAVA_INT, 4, MAP_FLAGS);
            map.set(JAVA_INT, MAP_ID, id);
            map.set(JAVA_LONG, MAP_USER_VA, memory.address());
            map.set(JAVA_LONG, MAP_LENGTH, memory.byteSize());
            map.set(JAVA_LONG, MAP_IOVA, iova);
            file.control("IOMMU_IOAS_MAP", IOMMU_IOAS_MAP, map);
        }
    }

    @Override
    public void map(OpenFile mapped, long bytes, long iova) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment map = VfioGroup.sized(arena, MAP_FILE);
            map.set(JAVA_INT, 4, MAP_FLAGS);
            map.set(JAVA_INT, MAP_ID, id);
            map.set(JAVA_LONG, MAP_LENGTH, bytes);
            map.set(JAVA_LONG, MAP_IOVA, iova);
            mapped.with(fd -> {
                map.set(JAVA_INT, MAP_FILE_FD, fd);
                return file.control("IOMMU_IOAS_MAP_FILE", IOMMU_IOAS_MAP_FILE, map);
            });
        }
    }

    @Override
    public void unmap(long iova, long bytes) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment unmap = VfioGroup.sized(arena, UNMAP);
            unmap.set(JAVA_INT, UNMAP_ID, id);
            unmap.set(JAVA_LONG, UNMAP_IOVA, iova);
            unmap.set(JAVA_LONG, UNMAP_LENGTH, bytes);
            file.control("IOMMU_IOAS_UNMAP", IOMMU_IOAS_UNMAP, unmap);
        }
    }

    /** Unmaps everything. Closing again does nothing. */
    @Override
    public void close() {
        file.close();
    }
}
