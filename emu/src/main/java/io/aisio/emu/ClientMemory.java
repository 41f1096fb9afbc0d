package io.aisio.emu;

import io.aisio.linux.Errno;
import io.aisio.linux.FileSystemKind;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory that a vfio-user client gives its controller, by DMA_MAP. What a client says is not believed: a file is
 * mapped only as far as it is long, only if the kernel fills its pages by itself, and only so much of it.
 *
 * <p>It may be cut shorter later. An access, a copy or a fill is an {@link InternalError} then, however it is compiled, and
 * ends the session. A checksum ({@code java.util.zip}, over a buffer) would end the JVM, and a comparison ({@code
 * MemorySegment.mismatch}) where the JVM has a routine of its own for it: what is compared or checksummed is copied first.
 *
 * <p>Methods return 0 or the errno that the client is told.
 */
final class ClientMemory {
    /** Regions that a client may have: more than a virtual machine gives, and few of the mappings that a process has. */
    static final int MOST_REGIONS = 512;
    /** Bytes that a client may give: what leaves address space for as many clients as there may be, 2^47 bytes for all. */
    private static final long MOST_BYTES = 1L << 39;

    private final IovaSpace space;
    private final List<Given> given = new ArrayList<>();
    private long bytes;

    /** What was given: addresses, and the memory, if there was a file. */
    private record Given(long iova, long bytes, long fileOffset, int flags, IovaSpace.@Nullable Region region) {}

    ClientMemory(IovaSpace space) {
        this.space = space;
    }

    /** How many regions there are. */
    int regions() {
        return given.size();
    }

    /**
     * Takes memory in.
     *
     * @param file what it lies in; null if the client keeps it to itself, so that no command reaches it
     * @param writable whether the controller may write to it
     */
    int map(long iova, long size, long offset, int flags, boolean writable, @Nullable OpenFile file) {
        if (size <= 0 || iova < 0 || iova + size < 0 || (size | iova | offset) % Mapping.PAGE_SIZE != 0) {
            return Errno.EINVAL;
        }
        for (Given other : given) {
            if (other.iova < iova + size && iova < other.iova + other.bytes) {
                // The same once more is no mistake.
                return other.iova == iova && other.bytes == size && other.fileOffset == offset && other.flags == flags
                        ? 0
                        : Errno.EINVAL;
            }
        }
        if (given.size() >= MOST_REGIONS || size > MOST_BYTES - bytes) {
            return Errno.ENOSPC;
        }
        IovaSpace.Region region = null;
        if (file != null) {
            try {
                Mapping mapping = mapped(file, offset, size, writable);
                if (mapping == null) {
                    return Errno.EINVAL;
                }
                // The mapping begins on a huge page, the memory where it was said to.
                MemorySegment memory = mapping.segment().asSlice(offset % blockBytes(file), size);
                region = space.map(mapping, memory, iova);
                if (region == null) {
                    mapping.close();
                    return Errno.EINVAL;
                }
            } catch (LinuxException e) {
                return e.errno();
            }
        }
        given.add(new Given(iova, size, offset, flags, region));
        bytes += size;
        return 0;
    }

    private static @Nullable Mapping mapped(OpenFile file, long offset, long size, boolean writable)
            throws LinuxException {
        // A file that is shorter would end a program that touches what is not there; here it is an InternalError, if it
        // becomes shorter later.
        var status = file.status();
        if (!status.isRegular()
                || !file.fileSystem().isLocal()
                || offset < 0
                || offset > status.size()
                || size > status.size() - offset) {
            return null;
        }
        long block = blockBytes(file);
        long first = offset - offset % block;
        return Mapping.ofThread(file, first, Math.ceilDiv(offset + size - first, block) * block, writable);
    }

    /** What mappings of the file are made of: pages, or huge pages. */
    private static long blockBytes(OpenFile file) throws LinuxException {
        FileSystemKind kind = file.fileSystem();
        return kind.hasHugePages() ? Math.max(Mapping.PAGE_SIZE, kind.blockBytes()) : Mapping.PAGE_SIZE;
    }

    /** Gives memory back, exactly as it was given. */
    int unmap(long iova, long size) {
        for (Iterator<Given> all = given.iterator(); all.hasNext(); ) {
            Given one = all.next();
            if (one.iova == iova && one.bytes == size) {
                all.remove();
                release(one);
                return 0;
            }
        }
        return Errno.ENOENT;
    }

    /** Gives all memory back. */
    void unmapAll() {
        given.forEach(this::release);
        given.clear();
    }

    private void release(Given one) {
        bytes -= one.bytes;
        if (one.region != null) {
            one.region.close();
        }
    }
}
