package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Where memory that a driver exports as a dma-buf lies on the bus, as the kernel module {@code dmabuf_import} tells
 * ({@code linux/dmabuf_import.h}). The addresses are not translated: they are what a device needs that no IOMMU translates for.
 *
 * <p>The memory stays where it is as long as this is open. The module knows a dma-buf by the number of its descriptor, which
 * is why this keeps it.
 */
public final class UdmabufImport implements AutoCloseable {
    /** Where the module offers it. */
    public static final Path PATH = Path.of("/dev/dmabuf_import");

    /** {@code _IOWR('u', 0x47, struct dmabuf_import_attach)}: fd, count. */
    private static final long DMABUF_IMPORT_ATTACH = 0xC008_7547L;
    /** {@code _IOW('u', 0x48, int)}. */
    private static final long DMABUF_IMPORT_DETACH = 0x4004_7548L;
    /** {@code _IOWR('u', 0x49, struct dmabuf_import_get_map)}: fd, count, then pairs of address and length. */
    private static final long DMABUF_IMPORT_GET_MAP = 0xC008_7549L;

    private static final int COUNT = 4;
    /** Bytes before the pairs, and of one of them. */
    static final int GET_MAP = 8;

    static final int PAIR = 16;

    /** The most pairs that are asked for: 64 GiB in pages of 64 KiB, which lie scattered. */
    private static final int MOST_RUNS = 1 << 20;

    private final OpenFile node;
    private final OpenFile dmaBuf;
    private final List<Run> runs;
    private boolean closed;

    /**
     * Memory that lies in a row on the bus.
     *
     * @param address of its first byte, a multiple of {@link Mapping#PAGE_SIZE}
     * @param bytes a multiple of the same, at least one
     */
    public record Run(long address, long bytes) {}

    private UdmabufImport(OpenFile node, OpenFile dmaBuf, List<Run> runs) {
        this.node = node;
        this.dmaBuf = dmaBuf;
        this.runs = runs;
    }

    /**
     * Asks where a dma-buf lies.
     *
     * @param dmaBuf which is closed with this, and if this fails
     * @throws LinuxException if the kernel refuses: {@code ENOENT} where the module is not loaded, {@code EACCES} for others
     *     than root, {@code EOPNOTSUPP} where the exporter does not let other devices reach its memory
     * @throws IOException if what it tells cannot be
     */
    public static UdmabufImport of(OpenFile dmaBuf) throws IOException {
        try {
            OpenFile node = OpenFile.open(PATH, OpenFile.Access.READ_WRITE);
            try {
                return of(node, dmaBuf);
            } catch (IOException | RuntimeException e) {
                node.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            dmaBuf.close();
            throw e;
        }
    }

    private static UdmabufImport of(OpenFile node, OpenFile dmaBuf) throws IOException {
        long bytes = dmaBuf.size();
        int count = dmaBuf.with(fd -> attach(node, fd));
        try (Arena arena = Arena.ofConfined()) {
            if (count < 1 || count > MOST_RUNS) {
                throw new IOException(
                        PATH + ": tells of " + Integer.toUnsignedString(count) + " places of one dma-buf");
            }
            MemorySegment map = arena.allocate(GET_MAP + (long) count * PAIR, Long.BYTES);
            map.set(JAVA_INT, COUNT, count);
            dmaBuf.with(fd -> {
                map.set(JAVA_INT, 0, fd);
                return node.control("DMABUF_IMPORT_GET_MAP", DMABUF_IMPORT_GET_MAP, map);
            });
            return new UdmabufImport(node, dmaBuf, runs(map.asSlice(GET_MAP), bytes));
        } catch (IOException | RuntimeException e) {
            detach(node, dmaBuf);
            throw e;
        }
    }

    private static int attach(OpenFile node, int fd) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attach = arena.allocate(GET_MAP, Long.BYTES);
            attach.set(JAVA_INT, 0, fd);
            node.control("DMABUF_IMPORT_ATTACH", DMABUF_IMPORT_ATTACH, attach);
            return attach.get(JAVA_INT, COUNT);
        }
    }

    private static void detach(OpenFile node, OpenFile dmaBuf) {
        try (Arena arena = Arena.ofConfined()) {
            dmaBuf.with(
                    fd -> node.control("DMABUF_IMPORT_DETACH", DMABUF_IMPORT_DETACH, arena.allocateFrom(JAVA_INT, fd)));
        } catch (LinuxException e) {
            // There is nothing attached then; closing the node, which follows, ends what there may be.
        }
    }

    /**
     * Takes the kernel's answer in: what follows one another becomes one.
     *
     * @param pairs of address and length
     * @param bytes of the dma-buf
     * @throws IOException if these are not the addresses of so many bytes, each once
     */
    static List<Run> runs(MemorySegment pairs, long bytes) throws IOException {
        List<Run> runs = new ArrayList<>();
        long total = 0;
        for (long at = 0; at < pairs.byteSize(); at += PAIR) {
            long address = pairs.get(JAVA_LONG, at);
            long length = pairs.get(JAVA_LONG, at + 8);
            // Nothing lies in the first page, and no bus has addresses with the top bit.
            if (address < Mapping.PAGE_SIZE
                    || length <= 0
                    || ((address | length) & Mapping.PAGE_SIZE - 1) != 0
                    || length > bytes - total
                    || address > Long.MAX_VALUE - length) {
                throw new IOException("%s: tells of %d bytes at 0x%x, in a dma-buf of %d bytes of which %d are told"
                        .formatted(PATH, length, address, bytes, total));
            }
            total += length;
            Run before = runs.isEmpty() ? null : runs.getLast();
            if (before != null && before.address + before.bytes == address) {
                runs.set(runs.size() - 1, new Run(before.address, before.bytes + length));
            } else {
                runs.add(new Run(address, length));
            }
        }
        if (total != bytes) {
            throw new IOException(PATH + ": tells of " + total + " bytes, in a dma-buf of " + bytes);
        }
        requireApart(runs);
        return List.copyOf(runs);
    }

    private static void requireApart(List<Run> runs) throws IOException {
        List<Run> sorted = new ArrayList<>(runs);
        sorted.sort(Comparator.comparingLong(Run::address));
        for (int i = 1; i < sorted.size(); i++) {
            Run before = sorted.get(i - 1);
            if (sorted.get(i).address < before.address + before.bytes) {
                throw new IOException("%s: tells of the memory at 0x%x twice".formatted(PATH, sorted.get(i).address));
            }
        }
    }

    /** Where the memory lies, from its first byte on. */
    public List<Run> runs() {
        return runs;
    }

    /** Lets the memory go: its addresses mean nothing from here on. Closing again does nothing. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        detach(node, dmaBuf);
        node.close();
        dmaBuf.close();
    }
}
