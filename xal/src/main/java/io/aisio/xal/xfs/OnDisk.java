package io.aisio.xal.xfs;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/** How the fields of XFS's structures are laid down: big-endian integers, UUIDs, and the checksum of each block. */
final class OnDisk {
    /** Bytes of a UUID. */
    static final int UUID_BYTES = 16;
    /** Bytes of a checksum. */
    private static final int CRC_BYTES = 4;

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt CRC = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private OnDisk() {}

    static int u8(MemorySegment s, long offset) {
        return s.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
    }

    static int u16(MemorySegment s, long offset) {
        return s.get(SHORT, offset) & 0xFFFF;
    }

    static long u32(MemorySegment s, long offset) {
        return s.get(INT, offset) & 0xFFFF_FFFFL;
    }

    /** All 64 bits; what is no count or address of XFS has the top bit set and so is negative. */
    static long i64(MemorySegment s, long offset) {
        return s.get(LONG, offset);
    }

    static byte[] bytes(MemorySegment s, long offset, int length) {
        return s.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
    }

    /** The checksum that a structure carries. */
    static int storedCrc(MemorySegment s, long crcOffset) {
        return s.get(CRC, crcOffset);
    }

    /** The checksum that a structure should carry: CRC32C of all of it, its own field taken as zero. */
    static int computedCrc(MemorySegment s, long crcOffset) {
        ByteBuffer bytes = s.asByteBuffer();
        CRC32C crc = new CRC32C();
        crc.update(bytes.limit((int) crcOffset));
        for (int i = 0; i < CRC_BYTES; i++) {
            crc.update(0);
        }
        crc.update(bytes.limit(bytes.capacity()).position((int) crcOffset + CRC_BYTES));
        return (int) crc.getValue();
    }
}
