package io.aisio.nvme;

import io.aisio.nvme.spec.Protection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * The formats of protection information (NVM Command Set 1.0, section 5.2.1): how a block's guard is computed, and how much
 * room there is for the tags.
 *
 * <pre>
 *   16 bits   guard 2   application tag 2   storage and reference tag  4     8 bytes
 *   32 bits   guard 4   application tag 2   storage and reference tag 10    16 bytes
 *   64 bits   guard 8   application tag 2   storage and reference tag  6    16 bytes
 * </pre>
 *
 * All fields are big-endian.
 */
public enum Guard {
    /** CRC-16 with the polynomial of T10 DIF. */
    CRC16(0, 2, 4),
    /** CRC-32C. */
    CRC32C(1, 4, 10),
    /** CRC-64 with the polynomial that NVMe chose. */
    CRC64(2, 8, 6);

    /** The polynomial of the 64-bit guard, reflected. */
    private static final long POLYNOMIAL_64 = 0x9A6C_9329_AC4B_C9B5L;

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** By byte, and by its distance from the end of the eight bytes that are taken at once. */
    private static final long[][] TABLE_64 = new long[8][256];

    static {
        for (int i = 0; i < 256; i++) {
            long crc = i;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 1) != 0 ? crc >>> 1 ^ POLYNOMIAL_64 : crc >>> 1;
            }
            TABLE_64[0][i] = crc;
        }
        for (int i = 0; i < 256; i++) {
            for (int k = 1; k < 8; k++) {
                long before = TABLE_64[k - 1][i];
                TABLE_64[k][i] = before >>> 8 ^ TABLE_64[0][(int) before & 0xFF];
            }
        }
    }

    private final int pif;
    private final int guardBytes;
    private final int spaceBytes;

    Guard(int pif, int guardBytes, int spaceBytes) {
        this.pif = pif;
        this.guardBytes = guardBytes;
        this.spaceBytes = spaceBytes;
    }

    /**
     * The format of a number.
     *
     * @param pif protection information format, as an extended LBA format has it
     * @throws IllegalArgumentException if there is none
     */
    public static Guard of(int pif) {
        for (Guard guard : values()) {
            if (guard.pif == pif) {
                return guard;
            }
        }
        throw new IllegalArgumentException("protection information format " + pif + "; there is 0 to 2");
    }

    /** Its number in an extended LBA format. */
    public int pif() {
        return pif;
    }

    /** Bits of the guard: 16, 32 or 64. */
    public int bits() {
        return guardBytes * 8;
    }

    /** Bytes of protection information. */
    public int bytes() {
        return guardBytes + 2 + spaceBytes;
    }

    /** Bits that storage tag and reference tag share: 32, 80 or 48. */
    public int spaceBits() {
        return spaceBytes * 8;
    }

    /** Bits of that space which are the storage tag here: 16 of 80, none of the others. */
    public int storageTagBits() {
        return Math.max(0, spaceBits() - Long.SIZE);
    }

    /** A reference tag cut to the bits that the space has for it. */
    public long cut(long tag) {
        return spaceBits() < Long.SIZE ? tag & (1L << spaceBits()) - 1 : tag;
    }

    /**
     * The guard of a block.
     *
     * @param data the block's data
     * @param before what of its metadata comes before the protection information; empty for none
     */
    public long compute(MemorySegment data, MemorySegment before) {
        return switch (this) {
            case CRC16 -> Protection.guard(Protection.guard(data), before);
            case CRC32C -> {
                CRC32C crc = new CRC32C();
                crc.update(buffer(data));
                crc.update(buffer(before));
                yield crc.getValue();
            }
            case CRC64 -> ~crc64(crc64(-1, data), before);
        };
    }

    /** Memory as a buffer; of the heap's arrays only those of bytes can be one, others are copied. */
    private static ByteBuffer buffer(MemorySegment data) {
        boolean direct = data.isNative() || data.heapBase().orElse(null) instanceof byte[];
        return direct ? data.asByteBuffer() : ByteBuffer.wrap(data.toArray(ValueLayout.JAVA_BYTE));
    }

    private static long crc64(long start, MemorySegment data) {
        long crc = start;
        long at = 0;
        for (; at + 8 <= data.byteSize(); at += 8) {
            long x = crc ^ data.get(WORD, at);
            crc = TABLE_64[7][(int) x & 0xFF]
                    ^ TABLE_64[6][(int) (x >>> 8) & 0xFF]
                    ^ TABLE_64[5][(int) (x >>> 16) & 0xFF]
                    ^ TABLE_64[4][(int) (x >>> 24) & 0xFF]
                    ^ TABLE_64[3][(int) (x >>> 32) & 0xFF]
                    ^ TABLE_64[2][(int) (x >>> 40) & 0xFF]
                    ^ TABLE_64[1][(int) (x >>> 48) & 0xFF]
                    ^ TABLE_64[0][(int) (x >>> 56)];
        }
        for (; at < data.byteSize(); at++) {
            crc = crc >>> 8 ^ TABLE_64[0][(int) (crc ^ data.get(ValueLayout.JAVA_BYTE, at)) & 0xFF];
        }
        return crc;
    }

    long guardAt(MemorySegment s, long offset) {
        return switch (this) {
            case CRC16 -> s.get(SHORT, offset) & 0xFFFFL;
            case CRC32C -> s.get(INT, offset) & 0xFFFF_FFFFL;
            case CRC64 -> s.get(LONG, offset);
        };
    }

    int applicationTagAt(MemorySegment s, long offset) {
        return s.get(SHORT, offset + guardBytes) & 0xFFFF;
    }

    /** The lower 64 bits of the space that storage tag and reference tag share. */
    long spaceAt(MemorySegment s, long offset) {
        long at = offset + guardBytes + 2;
        return switch (this) {
            case CRC16 -> s.get(INT, at) & 0xFFFF_FFFFL;
            case CRC32C -> s.get(LONG, at + 2);
            case CRC64 -> (s.get(SHORT, at) & 0xFFFFL) << 32 | (s.get(INT, at + 2) & 0xFFFF_FFFFL);
        };
    }

    /** The bits of that space above its lower 64: the 32-bit guard has 16 of them, the others none. */
    int storageTagAt(MemorySegment s, long offset) {
        return this == CRC32C ? s.get(SHORT, offset + guardBytes + 2) & 0xFFFF : 0;
    }

    void put(MemorySegment s, long offset, long guard, int applicationTag, long space, int upperSpace) {
        long at = offset + guardBytes + 2;
        s.set(SHORT, offset + guardBytes, (short) applicationTag);
        switch (this) {
            case CRC16 -> {
                s.set(SHORT, offset, (short) guard);
                s.set(INT, at, (int) space);
            }
            case CRC32C -> {
                s.set(INT, offset, (int) guard);
                s.set(SHORT, at, (short) upperSpace);
                s.set(LONG, at + 2, space);
            }
            case CRC64 -> {
                s.set(LONG, offset, guard);
                s.set(SHORT, at, (short) (space >>> 32));
                s.set(INT, at + 2, (int) space);
            }
        }
    }
}
