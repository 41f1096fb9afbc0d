package io.aisio.emu;

import io.aisio.upcie.vfiouser.VfioUser;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A controller's PCI configuration space (PCI Local Bus 3.0, chapter 6; NVMe 1.4, section 2): what tells that it is an NVMe
 * controller, and the few bits that a driver sets.
 */
final class ConfigurationSpace {
    /** Bytes of it; a conventional one is followed by the extended one, which holds nothing. */
    static final int BYTES = 4096;

    /** Identifiers that no vendor has: drivers go by the class. */
    private static final int VENDOR = 0x4E58;

    private static final int DEVICE = 0x0001;

    private static final int COMMAND = 0x04;
    /** I/O and memory space, bus master, parity error response, SERR, INTx off. */
    private static final int COMMAND_WRITABLE = 0x0547;

    private static final int CLASS = 0x08;
    /** Mass storage, NVM, NVM Express I/O controller; revision 1. */
    private static final int NVME_CLASS = 0x0108_0201;

    private static final int BAR0 = 0x10;
    private static final int BAR1 = 0x14;
    /** A 64-bit memory BAR. */
    private static final int BAR_64 = 4;

    private static final int BAR4 = BAR0 + InterruptVectors.BAR * Integer.BYTES;

    private static final int STATUS = 0x06;
    private static final int STATUS_CAPABILITIES = 1 << 4;
    private static final int CAPABILITIES = 0x34;
    /** MSI-X: identifier and the end of the list, message control, table, pending bits. */
    private static final int MSIX = 0x40;

    private static final int MSIX_ID = 0x11;
    private static final int MSIX_CONTROL = MSIX + 2;
    /** Enable, and mask of the whole function. */
    private static final int MSIX_CONTROL_WRITABLE = 0xC000;

    private static final int MSIX_TABLE = MSIX + 4;
    private static final int MSIX_PENDING = MSIX + 8;

    private static final int CACHE_LINE = 0x0C;
    private static final int SUBSYSTEM = 0x2C;
    private static final int INTERRUPT_LINE = 0x3C;

    private final int vectors;
    private final MemorySegment bytes = MemorySegment.ofArray(new long[BYTES / Long.BYTES]);
    /** Bits that a store changes. */
    private final MemorySegment writable = MemorySegment.ofArray(new long[BYTES / Long.BYTES]);

    /**
     * @param barBytes of BAR 0; rounded up to a power of two, as a BAR is
     * @param vectors of MSI-X
     */
    ConfigurationSpace(long barBytes, int vectors) {
        this.vectors = vectors;
        VfioUser.u32(bytes, 0, DEVICE << 16 | VENDOR);
        VfioUser.u32(bytes, CLASS, NVME_CLASS);
        VfioUser.u32(bytes, BAR0, BAR_64);
        VfioUser.u32(bytes, SUBSYSTEM, DEVICE << 16 | VENDOR);
        VfioUser.u32(writable, COMMAND, COMMAND_WRITABLE);
        long size = Long.highestOneBit(barBytes * 2 - 1);
        VfioUser.u32(writable, BAR0, (int) -size);
        VfioUser.u32(writable, BAR1, (int) (-size >>> 32));
        VfioUser.u32(writable, BAR4, (int) -InterruptVectors.barBytes(vectors));
        VfioUser.u16(bytes, STATUS, STATUS_CAPABILITIES);
        VfioUser.u16(bytes, CAPABILITIES, MSIX);
        VfioUser.u16(bytes, MSIX, MSIX_ID);
        VfioUser.u16(bytes, MSIX_CONTROL, vectors - 1);
        VfioUser.u16(writable, MSIX_CONTROL, MSIX_CONTROL_WRITABLE);
        VfioUser.u32(bytes, MSIX_TABLE, InterruptVectors.BAR);
        VfioUser.u32(bytes, MSIX_PENDING, (int) InterruptVectors.pendingOffset(vectors) | InterruptVectors.BAR);
        VfioUser.u16(writable, CACHE_LINE, 0xFFFF);
        VfioUser.u16(writable, INTERRUPT_LINE, 0xFF);
    }

    /** Copies out; the range lies within {@link #BYTES}. */
    void read(long offset, MemorySegment target) {
        target.copyFrom(bytes.asSlice(offset, target.byteSize()));
    }

    /** Takes in those bits that can be changed. */
    void write(long offset, MemorySegment source) {
        for (long i = 0; i < source.byteSize(); i++) {
            byte mask = writable.get(ValueLayout.JAVA_BYTE, offset + i);
            byte old = bytes.get(ValueLayout.JAVA_BYTE, offset + i);
            byte value = source.get(ValueLayout.JAVA_BYTE, i);
            bytes.set(ValueLayout.JAVA_BYTE, offset + i, (byte) ((old & ~mask) | (value & mask)));
        }
    }

    /** As after a reset of the function: nothing is enabled. */
    void reset() {
        VfioUser.u16(bytes, COMMAND, 0);
        VfioUser.u32(bytes, BAR0, BAR_64);
        VfioUser.u32(bytes, BAR1, 0);
        VfioUser.u32(bytes, BAR4, 0);
        VfioUser.u16(bytes, MSIX_CONTROL, vectors - 1);
    }
}
