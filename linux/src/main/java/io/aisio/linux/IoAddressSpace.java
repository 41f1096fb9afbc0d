package io.aisio.linux;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** What some devices reach of this process's memory, by addresses that an IOMMU translates for them. */
public interface IoAddressSpace extends AutoCloseable {
    /** The addresses that can be mapped, ascending: what the IOMMU's width allows less what the platform reserves. */
    List<IovaRange> iovaRanges() throws LinuxException;

    /**
     * Lets the devices reach memory, which is pinned until it is unmapped.
     *
     * @param memory whole pages
     * @param iova where they find it, page-aligned
     * @throws LinuxException {@code ENOMEM} if it would be more than RLIMIT_MEMLOCK, {@code EEXIST} if something is mapped
     *     there
     */
    void map(MemorySegment memory, long iova) throws LinuxException;

    /**
     * Lets the devices reach memory that is known by a file alone, such as a dma-buf.
     *
     * @param file from its start on; it may be closed afterwards
     * @param bytes whole pages
     * @param iova where they find it, page-aligned
     * @throws LinuxException {@code ENOTTY} if this kernel maps no files, else if it does not map this one
     */
    default void map(OpenFile file, long bytes, long iova) throws LinuxException {
        throw new LinuxException("map by file", file.path().toString(), Errno.ENOTTY);
    }

    /** Takes memory away from the devices again: exactly what was mapped at once. */
    void unmap(long iova, long bytes) throws LinuxException;

    /** Unmaps everything; the devices are closed before. Closing again does nothing. */
    @Override
    void close();
}
