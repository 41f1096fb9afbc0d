package io.aisio.nvme.spec;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** How the fields of NVMe's structures are laid down: little-endian integers, and ASCII padded with spaces. */
public final class Wire {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Wire() {}

    /** An unsigned byte. */
    public static int u8(MemorySegment s, long offset) {
        return s.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
    }

    /** An unsigned 16-bit integer. */
    public static int u16(MemorySegment s, long offset) {
        return s.get(SHORT, offset) & 0xFFFF;
    }

    /** A 32-bit integer; NSIDs and counts may have the top bit set. */
    public static int i32(MemorySegment s, long offset) {
        return s.get(INT, offset);
    }

    /** A 64-bit integer. */
    public static long i64(MemorySegment s, long offset) {
        return s.get(LONG, offset);
    }

    /** Stores a byte. */
    public static void u8(MemorySegment s, long offset, int value) {
        s.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    }

    /** Stores a 16-bit integer. */
    public static void u16(MemorySegment s, long offset, int value) {
        s.set(SHORT, offset, (short) value);
    }

    /** Stores a 32-bit integer. */
    public static void i32(MemorySegment s, long offset, int value) {
        s.set(INT, offset, value);
    }

    /** Stores a 64-bit integer. */
    public static void i64(MemorySegment s, long offset, long value) {
        s.set(LONG, offset, value);
    }

    /** ASCII without the spaces around it; anything unprintable, which a device may send, becomes {@code ?}. */
    public static String ascii(MemorySegment s, long offset, int length) {
        byte[] bytes = s.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
        for (int i = 0; i < length; i++) {
            if (bytes[i] == 0) {
                bytes[i] = ' ';
            } else if (bytes[i] < ' ' || bytes[i] == 127) {
                bytes[i] = '?';
            }
        }
        return new String(bytes, US_ASCII).strip();
    }

    /** Stores ASCII, cut or padded with spaces to {@code length}. */
    public static void ascii(MemorySegment s, long offset, int length, String value) {
        s.asSlice(offset, length).fill((byte) ' ');
        byte[] bytes = value.getBytes(US_ASCII);
        MemorySegment.copy(bytes, 0, s, ValueLayout.JAVA_BYTE, offset, Math.min(bytes.length, length));
    }
}
