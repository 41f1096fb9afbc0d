package io.aisio.nvme.spec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A source range of Copy (NVM Command Set 1.0, section 3.2.2): format 0, of {@value #BYTES} bytes, and format 1, of
 * {@value #WIDE_BYTES} bytes, for guards of 32 and 64 bits.
 */
public final class CopyRange {
    /** Size in bytes of format 0. */
    public static final int BYTES = 32;
    /** Size in bytes of format 1. */
    public static final int WIDE_BYTES = 40;
    /** First LBA, 64 bits. */
    public static final long SLBA = 8;
    /** Number of logical blocks, 16 bits, 0's based. */
    public static final long NLB = 16;
    /** Format 0: expected initial reference tag, 32 bits. */
    public static final long EILBRT = 24;
    /** Format 0: expected application tag, 16 bits. */
    public static final long ELBAT = 28;
    /** Format 0: expected application tag mask, 16 bits. */
    public static final long ELBATM = 30;
    /** Format 1: expected storage and reference tag, 80 bits, big-endian. */
    public static final long WIDE_ELBT = 26;
    /** Format 1: expected application tag, 16 bits. */
    public static final long WIDE_ELBAT = 36;
    /** Format 1: expected application tag mask, 16 bits. */
    public static final long WIDE_ELBATM = 38;

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private CopyRange() {}

    /** Stores the tags of format 1 of the range at an offset. */
    public static void putWideTag(MemorySegment s, long offset, int storageTag, long referenceTag) {
        s.set(SHORT, offset + WIDE_ELBT, (short) storageTag);
        s.set(LONG, offset + WIDE_ELBT + 2, referenceTag);
    }

    /** The storage tag of format 1 of the range at an offset. */
    public static int wideStorageTag(MemorySegment s, long offset) {
        return s.get(SHORT, offset + WIDE_ELBT) & 0xFFFF;
    }

    /** The reference tag of format 1 of the range at an offset. */
    public static long wideReferenceTag(MemorySegment s, long offset) {
        return s.get(LONG, offset + WIDE_ELBT + 2);
    }
}
