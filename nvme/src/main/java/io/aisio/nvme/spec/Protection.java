package io.aisio.nvme.spec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * End-to-end data protection (section 8.3): {@value #BYTES} bytes of protection information in each block's metadata, and
 * what a command says of them.
 *
 * <pre>
 *   offset 0   guard             CRC-16 of the block's data, and of metadata before this
 *          2   application tag   the application's own; FFFFh turns the checks off for the block
 *          4   reference tag     types 1 and 2: counts up from the command's initial one with each block
 * </pre>
 *
 * All three are big-endian, unlike the rest of NVMe.
 */
public final class Protection {
    /** Size of protection information in bytes. */
    public static final int BYTES = 8;

    /** Offset of the guard, 16 bits. */
    public static final long GUARD = 0;
    /** Offset of the application tag, 16 bits. */
    public static final long APPLICATION_TAG = 2;
    /** Offset of the reference tag, 32 bits. */
    public static final long REFERENCE_TAG = 4;

    /** Application tag that turns the checks of a block off. */
    public static final int NO_CHECK = 0xFFFF;

    /** DPS and DPC: type, as a mask over DPS. */
    public static final int DPS_TYPE_MASK = 7;
    /** DPS: protection information is the first bytes of the metadata, not the last. */
    public static final int DPS_FIRST = 1 << 3;

    /** Command dword 12: the controller checks the storage tag (STC). */
    public static final int CHECK_STORAGE_TAG = 1 << 24;
    /** Command dword 12 of Copy: the controller checks the storage tag of what it reads (STCR). */
    public static final int CHECK_STORAGE_TAG_READ = 1 << 25;
    /** Command dword 12: the controller checks the reference tag (PRCHK). */
    public static final int CHECK_REFERENCE_TAG = 1 << 26;
    /** Command dword 12: the controller checks the application tag (PRCHK). */
    public static final int CHECK_APPLICATION_TAG = 1 << 27;
    /** Command dword 12: the controller checks the guard (PRCHK). */
    public static final int CHECK_GUARD = 1 << 28;
    /**
     * Command dword 12: the controller makes protection information on a write and takes it off on a read (PRACT), so that
     * none is transferred, unless metadata holds more than it.
     */
    public static final int ACTION = 1 << 29;

    /** The polynomial of the guard: that of T10 DIF. */
    private static final int POLYNOMIAL = 0x8BB7;

    private static final char[] TABLE = new char[256];

    static {
        for (int i = 0; i < TABLE.length; i++) {
            int crc = i << 8;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 0x8000) != 0 ? crc << 1 ^ POLYNOMIAL : crc << 1;
            }
            TABLE[i] = (char) crc;
        }
    }

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private Protection() {}

    /** The guard of data: CRC-16 with the polynomial of T10 DIF, from 0, not reflected. */
    public static int guard(MemorySegment data) {
        return guard(0, data);
    }

    /**
     * The guard of data that follows other data.
     *
     * @param before the guard of what comes before
     */
    public static int guard(int before, MemorySegment data) {
        int crc = before;
        for (long i = 0; i < data.byteSize(); i++) {
            crc = (crc << 8 ^ TABLE[(crc >>> 8 & 0xFF) ^ (data.get(ValueLayout.JAVA_BYTE, i) & 0xFF)]) & 0xFFFF;
        }
        return crc;
    }

    /** Stores protection information at an offset. */
    public static void put(MemorySegment s, long offset, int guard, int applicationTag, int referenceTag) {
        s.set(SHORT, offset + GUARD, (short) guard);
        s.set(SHORT, offset + APPLICATION_TAG, (short) applicationTag);
        s.set(INT, offset + REFERENCE_TAG, referenceTag);
    }

    /** The guard at an offset. */
    public static int guardAt(MemorySegment s, long offset) {
        return s.get(SHORT, offset + GUARD) & 0xFFFF;
    }

    /** The application tag at an offset. */
    public static int applicationTagAt(MemorySegment s, long offset) {
        return s.get(SHORT, offset + APPLICATION_TAG) & 0xFFFF;
    }

    /** The reference tag at an offset. */
    public static int referenceTagAt(MemorySegment s, long offset) {
        return s.get(INT, offset + REFERENCE_TAG);
    }
}
