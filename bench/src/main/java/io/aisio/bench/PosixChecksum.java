package io.aisio.bench;

/**
 * The checksum that cksum(1) prints: a CRC of 32 bits over the bytes and then their number, as POSIX.1-2017 defines it
 * (Shell and Utilities, {@code cksum}).
 */
final class PosixChecksum {
    /** The generating polynomial, without its highest term. */
    private static final int POLYNOMIAL = 0x04C1_1DB7;

    private static final int[] TABLE = table();

    private PosixChecksum() {}

    private static int[] table() {
        int[] table = new int[256];
        for (int i = 0; i < table.length; i++) {
            int crc = i << 24;
            for (int bit = 0; bit < Byte.SIZE; bit++) {
                crc = crc < 0 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
            }
            table[i] = crc;
        }
        return table;
    }

    /** The checksum of bytes, of which the 32 bits are an unsigned number. */
    static int of(byte[] bytes) {
        int crc = 0;
        for (byte b : bytes) {
            crc = add(crc, b);
        }
        // The length follows, least significant byte first, without leading zeros.
        for (int length = bytes.length; length != 0; length >>>= Byte.SIZE) {
            crc = add(crc, length);
        }
        return ~crc;
    }

    private static int add(int crc, int b) {
        return (crc << 8) ^ TABLE[(crc >>> 24) ^ (b & 0xFF)];
    }
}
