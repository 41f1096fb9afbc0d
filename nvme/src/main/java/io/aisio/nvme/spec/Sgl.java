package io.aisio.nvme.spec;

import java.lang.foreign.MemorySegment;

/**
 * A scatter gather list (section 4.4): descriptors of 16 bytes. A command holds one, of its data or of the first segment of
 * a list of them.
 *
 * <pre>
 *   word 0   address
 *   word 1   length in bytes (31:0), reserved (55:32), subtype (59:56), type (63:60)
 * </pre>
 */
public final class Sgl {
    /** Size of a descriptor in bytes. */
    public static final int BYTES = 16;

    /** PSDT of a command whose data an SGL describes, its metadata being contiguous. */
    public static final int PSDT = 1;

    /** Type: data lies at the address. */
    public static final int DATA_BLOCK = 0;
    /** Type: the next segment of the list is at the address, and another comes after it. */
    public static final int SEGMENT = 2;
    /** Type: the last segment of the list is at the address. */
    public static final int LAST_SEGMENT = 3;

    /** Offset of the address. */
    public static final long ADDRESS = 0;
    /** Offset of length and identifier. */
    public static final long WORD1 = 8;

    private static final int TYPE_SHIFT = 60;
    private static final int SUBTYPE_SHIFT = 56;

    private Sgl() {}

    /** Word 1: {@code length} is unsigned, the subtype 0, which makes the address an address. */
    public static long word1(int type, int length) {
        return ((long) type << TYPE_SHIFT) | (length & 0xFFFF_FFFFL);
    }

    /** Length in bytes. */
    public static long length(long word1) {
        return word1 & 0xFFFF_FFFFL;
    }

    /** What the descriptor is of. */
    public static int type(long word1) {
        return (int) (word1 >>> TYPE_SHIFT);
    }

    /** What the address is, 0 for an address. */
    public static int subtype(long word1) {
        return (int) (word1 >>> SUBTYPE_SHIFT) & 0xF;
    }

    /** Writes a descriptor. */
    public static void put(MemorySegment list, long offset, long address, long word1) {
        Wire.i64(list, offset + ADDRESS, address);
        Wire.i64(list, offset + WORD1, word1);
    }
}
