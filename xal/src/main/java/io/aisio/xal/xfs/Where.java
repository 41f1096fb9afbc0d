package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A structure being read: what it is and where it lies. It makes the exceptions, and the checks that most structures
 * share.
 *
 * @param source what is read, as messages name it
 * @param structure such as {@code inode} or {@code AGF}
 * @param number which of them, or -1 if the place says it
 * @param position where it begins on the device, in bytes; negative if the device has no place for it
 * @param geometry to tell its allocation group and block; null for the superblock, which says what the geometry is
 */
record Where(
        String source,
        String structure,
        long number,
        long position,
        @Nullable Geometry geometry) {

    /** A field whose value cannot be. */
    XfsException bad(String field, long value, String expected) {
        return bad(field + " is " + value + ", expected " + expected);
    }

    /** A field whose value is better read in hexadecimal. */
    XfsException badHex(String field, long value, String expected) {
        return bad(field + " is 0x" + Long.toHexString(value) + ", expected " + expected);
    }

    /** Anything else that is wrong with the structure. */
    XfsException bad(String problem) {
        return new XfsException(source, number < 0 ? structure : structure + " " + number, place(), problem);
    }

    private String place() {
        if (position < 0) {
            return "nowhere on the device";
        }
        return geometry == null ? "byte " + position : geometry.place(position) + ", byte " + position;
    }

    void check(boolean sound, String field, long value, String expected) throws XfsException {
        if (!sound) {
            throw bad(field, value, expected);
        }
    }

    void magic(long seen, long expected) throws XfsException {
        if (seen != expected) {
            throw badHex("magic", seen, "0x" + Long.toHexString(expected));
        }
    }

    void crc(MemorySegment s, long crcOffset) throws XfsException {
        int stored = OnDisk.storedCrc(s, crcOffset);
        int computed = OnDisk.computedCrc(s, crcOffset);
        if (stored != computed) {
            throw badHex(
                    "crc",
                    stored & 0xFFFF_FFFFL,
                    "0x" + Integer.toHexString(computed) + "; xfs_repair -n tells all that is damaged");
        }
    }

    /** Compares a UUID with that of the file system: a stale structure of an older one has another. */
    void uuid(MemorySegment s, long offset, Uuid expected) throws XfsException {
        Uuid seen = Uuid.read(s, offset);
        if (!seen.equals(expected)) {
            throw bad("uuid is " + seen + ", expected " + expected + ", that of the file system");
        }
    }

    /** Compares the address that a block carries of itself, in sectors of 512 bytes. */
    void self(long blkno) throws XfsException {
        long expected = position >>> Geometry.BASIC_SHIFT;
        if (blkno != expected) {
            throw bad("blkno", blkno, "" + expected);
        }
    }
}
