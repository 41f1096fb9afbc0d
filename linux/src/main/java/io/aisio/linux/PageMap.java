package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** Where memory of this process lies physically: {@code /proc/self/pagemap} ({@code admin-guide/mm/pagemap}). */
public final class PageMap {
    private static final Path PATH = Path.of("/proc/self/pagemap");

    /** Bits 0 to 54 of an entry: the page frame number. */
    private static final long FRAME = (1L << 55) - 1;

    private static final long PRESENT = 1L << 63;

    private PageMap() {}

    /**
     * The physical address of the first byte of each of a segment's pieces, which the kernel tells only with
     * CAP_SYS_ADMIN.
     *
     * @param memory that was touched, and that the kernel does not move: in huge pages, so large pieces are contiguous
     * @param pieceBytes of a piece, at least {@link Mapping#PAGE_SIZE}
     * @throws IOException if the kernel does not tell, or a page is not present
     */
    public static long[] physicalAddresses(MemorySegment memory, long pieceBytes) throws IOException {
        long[] addresses = new long[Math.toIntExact(Math.ceilDiv(memory.byteSize(), pieceBytes))];
        try (OpenFile map = OpenFile.open(PATH, OpenFile.Access.READ_ONLY);
                Arena arena = Arena.ofConfined()) {
            MemorySegment entry = arena.allocate(JAVA_LONG);
            for (int i = 0; i < addresses.length; i++) {
                long virtual = memory.address() + i * pieceBytes;
                if (map.read(entry, virtual / Mapping.PAGE_SIZE * Long.BYTES) != Long.BYTES) {
                    throw new IOException(PATH + " ends before address 0x" + Long.toHexString(virtual));
                }
                long said = entry.get(JAVA_LONG, 0);
                if ((said & PRESENT) == 0) {
                    throw new IOException(PATH + ": no page at address 0x" + Long.toHexString(virtual));
                }
                if ((said & FRAME) == 0) {
                    throw new IOException(PATH + " hides physical addresses, without which a device that no IOMMU"
                            + " translates for finds no memory; next: run as root, or bind the device to vfio-pci");
                }
                addresses[i] = (said & FRAME) * Mapping.PAGE_SIZE + virtual % Mapping.PAGE_SIZE;
            }
        }
        return addresses;
    }
}
