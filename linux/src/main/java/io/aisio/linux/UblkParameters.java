package io.aisio.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What a block device that is served in user space looks like ({@code struct ublk_params}). Sectors are of 512 bytes,
 * whatever a block has.
 *
 * @param attributes {@link #READ_ONLY} and others
 * @param blockBytes of a logical block: a power of two, 512 to a page
 * @param maxSectors of one request at most
 * @param sectors in all
 * @param maxDiscardSectors that one request discards at most; 0 if none can be discarded
 * @param maxZeroesSectors that one request makes zero at most; 0 if the kernel is to write zeroes itself
 */
public record UblkParameters(
        int attributes, int blockBytes, int maxSectors, long sectors, int maxDiscardSectors, int maxZeroesSectors) {
    /** UBLK_ATTR_READ_ONLY. */
    public static final int READ_ONLY = 1;
    /** UBLK_ATTR_VOLATILE_CACHE: flushes are asked for. */
    public static final int VOLATILE_CACHE = 1 << 2;
    /** UBLK_ATTR_FUA: writes may be asked to be durable at once. */
    public static final int FUA = 1 << 3;

    /** Checks the size of a block, which becomes a power of two. */
    public UblkParameters {
        if (Integer.bitCount(blockBytes) != 1 || blockBytes < 512 || blockBytes > Mapping.PAGE_SIZE) {
            throw new IllegalArgumentException(
                    "blocks of " + blockBytes + " bytes; a power of two from 512 to 4096 is possible");
        }
    }

    void write(MemorySegment params) {
        byte shift = (byte) Integer.numberOfTrailingZeros(blockBytes);
        params.fill((byte) 0);
        params.set(ValueLayout.JAVA_INT, Ublk.PARAMS_LEN, Ublk.PARAMS_BYTES);
        MemorySegment basic = params.asSlice(Ublk.PARAMS_BASIC);
        basic.set(ValueLayout.JAVA_INT, Ublk.BASIC_ATTRS, attributes);
        basic.set(ValueLayout.JAVA_BYTE, Ublk.BASIC_LOGICAL_SHIFT, shift);
        basic.set(ValueLayout.JAVA_BYTE, Ublk.BASIC_PHYSICAL_SHIFT, shift);
        // A page is what file systems make of no better knowledge anyway.
        basic.set(ValueLayout.JAVA_BYTE, Ublk.BASIC_IO_OPT_SHIFT, (byte) 12);
        basic.set(ValueLayout.JAVA_BYTE, Ublk.BASIC_IO_MIN_SHIFT, shift);
        basic.set(ValueLayout.JAVA_INT, Ublk.BASIC_MAX_SECTORS, maxSectors);
        basic.set(ValueLayout.JAVA_LONG, Ublk.BASIC_DEV_SECTORS, sectors);
        int types = Ublk.TYPE_BASIC;
        if (maxDiscardSectors != 0 || maxZeroesSectors != 0) {
            types |= Ublk.TYPE_DISCARD;
            MemorySegment discard = params.asSlice(Ublk.PARAMS_DISCARD);
            discard.set(ValueLayout.JAVA_INT, Ublk.DISCARD_ALIGNMENT, blockBytes);
            discard.set(ValueLayout.JAVA_INT, Ublk.DISCARD_GRANULARITY, blockBytes);
            discard.set(ValueLayout.JAVA_INT, Ublk.DISCARD_MAX_SECTORS, maxDiscardSectors);
            discard.set(ValueLayout.JAVA_INT, Ublk.DISCARD_MAX_ZEROES_SECTORS, maxZeroesSectors);
            discard.set(ValueLayout.JAVA_SHORT, Ublk.DISCARD_MAX_SEGMENTS, (short) (maxDiscardSectors == 0 ? 0 : 1));
        }
        params.set(ValueLayout.JAVA_INT, Ublk.PARAMS_TYPES, types);
    }

    static UblkParameters read(MemorySegment params) {
        boolean discards = (params.get(ValueLayout.JAVA_INT, Ublk.PARAMS_TYPES) & Ublk.TYPE_DISCARD) != 0;
        MemorySegment basic = params.asSlice(Ublk.PARAMS_BASIC);
        MemorySegment discard = params.asSlice(Ublk.PARAMS_DISCARD);
        return new UblkParameters(
                basic.get(ValueLayout.JAVA_INT, Ublk.BASIC_ATTRS),
                1 << basic.get(ValueLayout.JAVA_BYTE, Ublk.BASIC_LOGICAL_SHIFT),
                basic.get(ValueLayout.JAVA_INT, Ublk.BASIC_MAX_SECTORS),
                basic.get(ValueLayout.JAVA_LONG, Ublk.BASIC_DEV_SECTORS),
                discards ? discard.get(ValueLayout.JAVA_INT, Ublk.DISCARD_MAX_SECTORS) : 0,
                discards ? discard.get(ValueLayout.JAVA_INT, Ublk.DISCARD_MAX_ZEROES_SECTORS) : 0);
    }
}
