package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
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
 * Where a PCI function finds memory that a driver exports as a dma-buf, as this project's kernel module {@code udmabuf-import}
 * tells ({@code kmod/udmabuf-import/udmabuf_import.h}). The addresses are those of the kernel's DMA API for that function:
 * translated where an IOMMU translates for it, physical elsewhere.
 *
 * <p>The memory is pinned as long as this is open, and the function reaches it. Both end with the process, however that ends.
 */
public final class UdmabufImport implements AutoCloseable {
    /** Where the module offers it. */
    public static final Path PATH = Path.of("/dev/udmabuf-import");

    /** {@code _IOWR('u', 0x47, struct udmabuf_import_attach)}. */
    static final long UDMABUF_IMPORT_ATTACH = 0xC020_7547L;
    /** {@code _IOW('u', 0x48, __u32)}. */
    static final long UDMABUF_IMPORT_DETACH = 0x4004_7548L;
    /** {@code _IOWR('u', 0x49, struct udmabuf_import_get_map)}. */
    static final long UDMABUF_IMPORT_GET_MAP = 0xC018_7549L;

    /** {@code struct udmabuf_import_attach}. */
    static final int ATTACH_BYTES = 32;

    static final int ATTACH_FD = 0;
    static final int ATTACH_DOMAIN = 8;
    static final int ATTACH_BUS = 12;
    static final int ATTACH_DEVICE = 13;
    static final int ATTACH_FUNCTION = 14;
    static final int ATTACH_DMA_BITS = 15;
    static final int ATTACH_HANDLE = 16;
    static final int ATTACH_COUNT = 20;
    static final int ATTACH_SIZE = 24;

    /** {@code struct udmabuf_import_get_map}. */
    static final int GET_MAP_BYTES = 24;

    static final int GET_MAP_HANDLE = 0;
    static final int GET_MAP_FIRST = 4;
    static final int GET_MAP_COUNT = 8;
    static final int GET_MAP_SEGMENTS = 16;

    /** Bytes of a {@code struct udmabuf_import_segment}: address and length. */
    static final int PAIR = 16;

    /** {@code UDMABUF_IMPORT_MAX_SEGMENTS}: 64 GiB in pages of 64 KiB, which lie scattered. */
    static final int MOST_RUNS = 1 << 20;

    private final OpenFile node;
    private final int handle;
    private final List<Run> runs;
    private boolean closed;

    /**
     * Memory that lies in a row for the function.
     *
     * @param address of its first byte, a multiple of {@link Mapping#PAGE_SIZE}
     * @param bytes a multiple of the same, at least one
     */
    public record Run(long address, long bytes) {}

    private UdmabufImport(OpenFile node, int handle, List<Run> runs) {
        this.node = node;
        this.handle = handle;
        this.runs = runs;
    }

    /**
     * Maps a dma-buf for a PCI function that a driver gives to user space.
     *
     * @param dmaBuf which may be closed once this has returned
     * @param domain of the function's address, of 32 bits
     * @param bus 0 to 255
     * @param device 0 to 31
     * @param function 0 to 7
     * @param addressBits how many bits of an address the function drives, 32 to 64
     * @throws LinuxException if the kernel refuses: {@code ENOENT} where the module is not loaded, {@code EACCES} or
     *     {@code EPERM} for others than root, {@code ENODEV} if there is no such function, {@code ENXIO} if it is bound to
     *     neither {@code uio_pci_generic} nor {@code vfio-pci}, {@code EBUSY} if VFIO makes its addresses,
     *     {@code EOPNOTSUPP} where the exporter does not let other devices reach its memory or cannot pin it,
     *     {@code ETIMEDOUT} where it has not done in time what it does to the memory first
     * @throws IOException if what it tells cannot be
     */
    public static UdmabufImport of(OpenFile dmaBuf, int domain, int bus, int device, int function, int addressBits)
            throws IOException {
        OpenFile node = OpenFile.open(PATH, OpenFile.Access.READ_WRITE);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attach = arena.allocate(ATTACH_BYTES, Long.BYTES);
            attach.set(JAVA_INT, ATTACH_DOMAIN, domain);
            attach.set(JAVA_BYTE, ATTACH_BUS, (byte) bus);
            attach.set(JAVA_BYTE, ATTACH_DEVICE, (byte) device);
            attach.set(JAVA_BYTE, ATTACH_FUNCTION, (byte) function);
            attach.set(JAVA_BYTE, ATTACH_DMA_BITS, (byte) addressBits);
            dmaBuf.with(fd -> {
                attach.set(JAVA_INT, ATTACH_FD, fd);
                return node.control("UDMABUF_IMPORT_ATTACH", UDMABUF_IMPORT_ATTACH, attach);
            });
            int handle = attach.get(JAVA_INT, ATTACH_HANDLE);
            int count = attach.get(JAVA_INT, ATTACH_COUNT);
            if (count < 1 || count > MOST_RUNS) {
                throw new IOException(
                        PATH + ": tells of " + Integer.toUnsignedString(count) + " places of one dma-buf");
            }
            MemorySegment pairs = arena.allocate((long) count * PAIR, Long.BYTES);
            getMap(node, handle, pairs);
            return new UdmabufImport(node, handle, runs(pairs, attach.get(JAVA_LONG, ATTACH_SIZE)));
        } catch (IOException | RuntimeException e) {
            // Which ends what was attached.
            node.close();
            throw e;
        }
    }

    private static void getMap(OpenFile node, int handle, MemorySegment pairs) throws IOException {
        int count = (int) (pairs.byteSize() / PAIR);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment map = arena.allocate(GET_MAP_BYTES, Long.BYTES);
            map.set(JAVA_INT, GET_MAP_HANDLE, handle);
            map.set(JAVA_INT, GET_MAP_FIRST, 0);
            map.set(JAVA_INT, GET_MAP_COUNT, count);
            map.set(JAVA_LONG, GET_MAP_SEGMENTS, pairs.address());
            node.control("UDMABUF_IMPORT_GET_MAP", UDMABUF_IMPORT_GET_MAP, map);
            int got = map.get(JAVA_INT, GET_MAP_COUNT);
            if (got != count) {
                throw new IOException("%s: tells %d of %d places".formatted(PATH, got, count));
            }
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

    /**
     * Makes sure that the addresses still mean this memory: they end early when the function loses its driver or the exporter
     * takes the memory back, and may then be given to other memory. Does nothing once this is closed.
     *
     * @throws LinuxException {@code ESTALE} if they do not
     * @throws IOException if what the kernel tells cannot be
     */
    public synchronized void requireCurrent() throws IOException {
        if (!closed) {
            getMap(node, handle, MemorySegment.NULL);
        }
    }

    /** Lets the memory go: its addresses mean nothing from here on. Closing again does nothing. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try (Arena arena = Arena.ofConfined()) {
            // At once, whoever else may have the file open: a child that was just forked.
            node.control("UDMABUF_IMPORT_DETACH", UDMABUF_IMPORT_DETACH, arena.allocateFrom(JAVA_INT, handle));
        } catch (LinuxException e) {
            throw new IllegalStateException(PATH + ": what was attached is not any more", e);
        } finally {
            node.close();
        }
    }
}
