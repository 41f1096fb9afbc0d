package io.aisio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Page-aligned memory from the kernel: zeroed memory of this process alone, or a file that several share. Pages cost
 * nothing until they are first touched.
 *
 * <p>The segment may be used by any thread, unless it was mapped for {@linkplain #ofThread one}. After {@link #close()} every access to it throws
 * {@link IllegalStateException}; the pages are given back only when no access is under way.
 */
public final class Mapping implements AutoCloseable {
    /** The page size of every machine that AiSIO supports, in bytes. */
    public static final int PAGE_SIZE = 4096;

    /** Bytes of a huge page, on x86-64 and on most aarch64. */
    public static final long HUGE_PAGE_SIZE = 2L << 20;

    private final Arena arena;
    private final MemorySegment segment;

    private Mapping(String subject, long size, int protection, int flags, int fd) throws LinuxException {
        this(false, subject, 0, size, protection, flags, fd);
    }

    // Closed by close().
    @SuppressWarnings("MustBeClosedChecker")
    private Mapping(boolean confined, String subject, long offset, long size, int protection, int flags, int fd)
            throws LinuxException {
        arena = confined ? Arena.ofConfined() : Arena.ofShared();
        long address = Libc.mmap(size, protection, flags, fd, offset);
        if (address == Libc.MAP_FAILED) {
            throw new LinuxException("mmap", subject, Libc.errno());
        }
        MemorySegment mapped = MemorySegment.ofAddress(address).reinterpret(size, arena, Mapping::unmap);
        segment = (protection & Libc.PROT_WRITE) == 0 ? mapped.asReadOnly() : mapped;
    }

    /**
     * Maps private memory.
     *
     * @param bytes how much, at least 1; rounded up to whole pages
     * @throws LinuxException if the kernel has not that much ({@code ENOMEM})
     */
    public static Mapping anonymous(long bytes) throws LinuxException {
        return anonymous(bytes, 0);
    }

    /**
     * Maps private memory, much more perhaps than will be used: the kernel does not ask whether it has so much.
     *
     * @param bytes how much, at least 1; rounded up to whole pages
     * @throws LinuxException if the address space has no such room ({@code ENOMEM})
     */
    public static Mapping reserve(long bytes) throws LinuxException {
        return anonymous(bytes, Libc.MAP_NORESERVE);
    }

    private static Mapping anonymous(long bytes, int flags) throws LinuxException {
        checkSize(bytes);
        return new Mapping(
                bytes + " bytes of memory",
                Math.addExact(bytes, PAGE_SIZE - 1) & -PAGE_SIZE,
                Libc.PROT_READ | Libc.PROT_WRITE,
                Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | flags,
                -1);
    }

    /**
     * Maps huge pages that the kernel has set aside, all of them at once: they stay where they are in memory. A child
     * process shares them.
     *
     * @param bytes how much, at least 1; rounded up to whole huge pages
     * @param pageBytes bytes of a huge page, a power of two: {@link #HUGE_PAGE_SIZE}, or 1 GiB
     * @throws LinuxException {@code ENOMEM} if not so many are free, {@code EINVAL} if the kernel has none of this size
     */
    public static Mapping hugePages(long bytes, long pageBytes) throws LinuxException {
        checkSize(bytes);
        int order = Long.numberOfTrailingZeros(pageBytes);
        if (Long.bitCount(pageBytes) != 1 || order <= 12) {
            throw new IllegalArgumentException("huge pages of " + pageBytes + " bytes");
        }
        return new Mapping(
                bytes + " bytes of memory in huge pages of " + (pageBytes >> 10) + " KiB",
                Math.addExact(bytes, pageBytes - 1) & -pageBytes,
                Libc.PROT_READ | Libc.PROT_WRITE,
                Libc.MAP_SHARED
                        | Libc.MAP_ANONYMOUS
                        | Libc.MAP_HUGETLB
                        | Libc.MAP_POPULATE
                        | order << Libc.MAP_HUGE_SHIFT,
                -1);
    }

    /**
     * Maps the first bytes of a file, shared with all who map it; writable if the file is open to be written. The file
     * may be closed afterwards.
     *
     * <p>An access behind the end of the file, or where the file system has no space left for a page, is an
     * {@link InternalError}: who maps checks the size first, who writes {@linkplain OpenFile#allocate allocates} first.
     *
     * @param bytes how much, at least 1; a multiple of {@link #PAGE_SIZE}
     * @throws LinuxException if the kernel refuses
     */
    public static Mapping of(OpenFile file, long bytes) throws LinuxException {
        checkSize(bytes);
        if (bytes % PAGE_SIZE != 0) {
            throw new IllegalArgumentException("a mapping of " + bytes + " bytes, which are not whole pages");
        }
        int protection =
                file.access() == OpenFile.Access.READ_WRITE ? Libc.PROT_READ | Libc.PROT_WRITE : Libc.PROT_READ;
        file.enter();
        try {
            return new Mapping(file.path().toString(), bytes, protection, Libc.MAP_SHARED, file.descriptor());
        } finally {
            file.leave();
        }
    }

    /**
     * Maps a part of a file, shared with all who map it, as {@link #of(OpenFile, long)} does.
     *
     * @param offset of its first byte, a multiple of {@link #PAGE_SIZE}, or of the file system's huge pages
     * @param bytes how much, at least 1, a multiple of the same
     * @throws LinuxException if the kernel refuses ({@code EACCES} if the file is not open so, {@code EPERM} if a seal
     *     forbids it)
     */
    public static Mapping of(OpenFile file, long offset, long bytes, boolean writable) throws LinuxException {
        return of(false, file, offset, bytes, writable);
    }

    /**
     * Maps a part of a file as {@link #of(OpenFile, long, long, boolean)} does, for the thread that calls this: no other
     * accesses the memory or closes it. So closing holds up no other thread, which it does, all of them for a moment, with
     * memory that any may use.
     *
     * @throws LinuxException if the kernel refuses, as there
     */
    public static Mapping ofThread(OpenFile file, long offset, long bytes, boolean writable) throws LinuxException {
        return of(true, file, offset, bytes, writable);
    }

    private static Mapping of(boolean confined, OpenFile file, long offset, long bytes, boolean writable)
            throws LinuxException {
        checkSize(bytes);
        if (bytes % PAGE_SIZE != 0 || offset % PAGE_SIZE != 0) {
            throw new IllegalArgumentException(
                    "a mapping of " + bytes + " bytes at " + offset + ", which are not whole pages");
        }
        int protection = writable ? Libc.PROT_READ | Libc.PROT_WRITE : Libc.PROT_READ;
        file.enter();
        try {
            return new Mapping(
                    confined, file.path().toString(), offset, bytes, protection, Libc.MAP_SHARED, file.descriptor());
        } finally {
            file.leave();
        }
    }

    /**
     * Maps what a descriptor stands for into an arena, shared with all who map it.
     *
     * @throws LinuxException if the kernel refuses
     */
    static MemorySegment ofDescriptor(Arena arena, int fd, String subject, long offset, long bytes, boolean writable)
            throws LinuxException {
        int protection = writable ? Libc.PROT_READ | Libc.PROT_WRITE : Libc.PROT_READ;
        long address = Libc.mmap(bytes, protection, Libc.MAP_SHARED, fd, offset);
        if (address == Libc.MAP_FAILED) {
            throw new LinuxException("mmap", subject, Libc.errno());
        }
        MemorySegment mapped = MemorySegment.ofAddress(address).reinterpret(bytes, arena, Mapping::unmap);
        return writable ? mapped : mapped.asReadOnly();
    }

    private static void checkSize(long bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("a mapping of " + bytes + " bytes");
        }
    }

    /** All of the memory. Its size is a multiple of {@link #PAGE_SIZE}; it is read-only as the file is that it maps. */
    public MemorySegment segment() {
        return segment;
    }

    /**
     * Puts a file's pages in the place of a part of this memory, shared with all who map them, or fresh zeroed ones of this
     * process's own. An access meanwhile meets the old pages or the new ones, never none; the rest stays as it is.
     *
     * @param offset of the part, a multiple of {@link #PAGE_SIZE}
     * @param bytes of it, the same
     * @param file open to be read and written, from its start on; it may be closed afterwards. Null for fresh pages
     * @throws LinuxException if the kernel refuses
     */
    public void replace(long offset, long bytes, @Nullable OpenFile file) throws LinuxException {
        Objects.checkFromIndexSize(offset, bytes, segment.byteSize());
        if (bytes < 1 || bytes % PAGE_SIZE != 0 || offset % PAGE_SIZE != 0) {
            throw new IllegalArgumentException(bytes + " bytes at " + offset + ", which are not whole pages");
        }
        MemorySegment part = segment.asSlice(offset, bytes);
        int protection = Libc.PROT_READ | Libc.PROT_WRITE;
        if (file == null) {
            fix(
                    part,
                    Libc.mmapAt(
                            part, bytes, protection, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_FIXED, -1, 0));
            return;
        }
        file.enter();
        try {
            fix(part, Libc.mmapAt(part, bytes, protection, Libc.MAP_SHARED | Libc.MAP_FIXED, file.descriptor(), 0));
        } finally {
            file.leave();
        }
    }

    private static void fix(MemorySegment part, long address) throws LinuxException {
        if (address != part.address()) {
            throw new LinuxException("mmap", part.byteSize() + " bytes of memory in place of others", Libc.errno());
        }
    }

    /**
     * Asks the kernel to back the memory with huge pages as it is touched, so that random access to much of it does not
     * pay for address translation each time. Memory that is touched here and there then takes 2 MiB a place.
     *
     * @return whether the kernel will; one that is built or set otherwise does not, and nothing else changes
     */
    public boolean preferHugePages() {
        return preferHugePages(0, segment.byteSize());
    }

    /**
     * The same for those huge pages that lie within a range of it.
     *
     * @return whether the kernel will; false also if the range holds none
     */
    public boolean preferHugePages(long offset, long bytes) {
        Objects.checkFromIndexSize(offset, bytes, segment.byteSize());
        long address = segment.address();
        long first = (Math.ceilDiv(address + offset, HUGE_PAGE_SIZE) * HUGE_PAGE_SIZE) - address;
        long end = ((address + offset + bytes) & -HUGE_PAGE_SIZE) - address;
        return first < end && Libc.madvise(segment.asSlice(first, end - first), Libc.MADV_HUGEPAGE) == 0;
    }

    /**
     * A part of the memory with a life of its own: an access to it fails once {@code arena} is closed, whatever becomes of
     * the rest. Who lends it closes the arena before this mapping.
     */
    public MemorySegment lend(Arena arena, long offset, long bytes) {
        Objects.checkFromIndexSize(offset, bytes, segment.byteSize());
        return MemorySegment.ofAddress(segment.address() + offset).reinterpret(bytes, arena, null);
    }

    /**
     * Makes a range of private memory zero again. Whole pages go back to the kernel, and cost nothing until they are touched next.
     *
     * @throws LinuxException if the kernel refuses
     */
    public void zero(long offset, long bytes) throws LinuxException {
        Objects.checkFromIndexSize(offset, bytes, segment.byteSize());
        long first = Math.ceilDiv(offset, PAGE_SIZE) * PAGE_SIZE;
        long end = (offset + bytes) & -PAGE_SIZE;
        if (end <= first) {
            segment.asSlice(offset, bytes).fill((byte) 0);
            return;
        }
        segment.asSlice(offset, first - offset).fill((byte) 0);
        segment.asSlice(end, offset + bytes - end).fill((byte) 0);
        if (Libc.madvise(segment.asSlice(first, end - first), Libc.MADV_DONTNEED) != 0) {
            throw new LinuxException("madvise", (end - first) + " bytes of memory", Libc.errno());
        }
    }

    /** Gives the pages back. Closing again does nothing. */
    @Override
    public void close() {
        if (segment.scope().isAlive()) {
            arena.close();
        }
    }

    private static void unmap(MemorySegment mapping) {
        if (Libc.munmap(mapping, mapping.byteSize()) != 0) {
            throw new AssertionError("munmap of " + mapping + ": " + Errno.name(Libc.errno()));
        }
    }
}
