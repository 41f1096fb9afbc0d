package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Objects;

/**
 * Numbers of 64 bits that programs in the kernel count in and that are read here as memory: a
 * {@code BPF_MAP_TYPE_ARRAY} with {@code BPF_F_MMAPABLE}. One thread uses and closes it.
 */
public final class BpfCounters implements AutoCloseable {
    private static final int ARRAY = 2;
    private static final int MMAPABLE = 1 << 10;
    private static final VarHandle VALUE = JAVA_LONG.varHandle();

    private final Arena arena = Arena.ofShared();
    private final MemorySegment values;
    private final int count;
    private final int fd;
    private boolean closed;

    /**
     * Makes them, all zero.
     *
     * @param name at most 15 letters, digits and underscores, by which tools show the map
     * @param count at least 1, at most 512, so that they fit into one page
     * @throws LinuxException if the kernel refuses ({@code EPERM}: root, or CAP_BPF, is needed)
     */
    public BpfCounters(String name, int count) throws LinuxException {
        Objects.checkIndex(count - 1, Mapping.PAGE_SIZE / Long.BYTES);
        this.count = count;
        fd = Bpf.createMap(name, ARRAY, Integer.BYTES, Long.BYTES, count, MMAPABLE);
        try {
            values = Mapping.ofDescriptor(arena, fd, "the map " + name, 0, Mapping.PAGE_SIZE, false);
        } catch (LinuxException e) {
            int _ = Libc.close(fd);
            arena.close();
            throw e;
        }
    }

    /** The number at an index from 0. */
    public long get(int index) {
        Objects.checkIndex(index, count);
        return (long) VALUE.getAcquire(values, (long) index * Long.BYTES);
    }

    int descriptor() {
        return fd;
    }

    /** Gives it back; the kernel keeps it as long as a program uses it. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            int _ = Libc.close(fd);
            arena.close();
        }
    }
}
