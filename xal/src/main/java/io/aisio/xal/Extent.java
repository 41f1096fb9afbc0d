package io.aisio.xal;

import java.util.ArrayList;
import java.util.List;

/**
 * A run of a file's blocks that lie one after another on the device, as the file system tells it: whole blocks, which
 * may reach beyond the end of the file.
 *
 * @param offset in the file, in bytes
 * @param position on the device that holds the file system, in bytes; without meaning unless {@link #located}
 * @param length in bytes, at least one block
 * @param flags what is to be known of it, {@code FIEMAP_EXTENT_*} of {@code linux/fiemap.h}, whoever told it; the flag
 *     of the last extent is left out
 */
public record Extent(long offset, long position, long length, int flags) {
    /** Nobody knows yet where it will lie: {@code FIEMAP_EXTENT_UNKNOWN}. */
    public static final int UNKNOWN = 0x2;
    /** It is in memory only, no block is chosen: {@code FIEMAP_EXTENT_DELALLOC}. */
    public static final int DELAYED = 0x4;
    /** The device holds it in another form, compressed perhaps: {@code FIEMAP_EXTENT_ENCODED}. */
    public static final int ENCODED = 0x8;
    /** The device holds it encrypted: {@code FIEMAP_EXTENT_DATA_ENCRYPTED}. */
    public static final int ENCRYPTED = 0x80;
    /** It does not begin or end on a block: {@code FIEMAP_EXTENT_NOT_ALIGNED}. */
    public static final int NOT_ALIGNED = 0x100;
    /** It lies among metadata: {@code FIEMAP_EXTENT_DATA_INLINE}. */
    public static final int INLINE = 0x200;
    /** It shares a block with other files' ends: {@code FIEMAP_EXTENT_DATA_TAIL}. */
    public static final int TAIL = 0x400;
    /** Blocks are allocated, but reading the file there gives zeros: {@code FIEMAP_EXTENT_UNWRITTEN}. */
    public static final int UNWRITTEN = 0x800;
    /** The file system has no extents and put blocks together: {@code FIEMAP_EXTENT_MERGED}. */
    public static final int MERGED = 0x1000;
    /** Other files have blocks of it too: {@code FIEMAP_EXTENT_SHARED}. */
    public static final int SHARED = 0x2000;

    /** The flags with which the bytes at the position are not those of the file. */
    private static final int UNREADABLE = UNKNOWN | DELAYED | ENCODED | ENCRYPTED | NOT_ALIGNED | INLINE | TAIL;

    /** The unit of {@link Sectors}, in bytes, on devices with larger logical blocks too. */
    public static final int SECTOR_BYTES = 512;

    /** The names of the flags that are set, as filefrag(8) prints them, in the order of their bits. */
    public List<String> flagNames() {
        List<String> names = new ArrayList<>();
        for (int rest = flags; rest != 0; rest &= rest - 1) {
            names.add(name(Integer.lowestOneBit(rest)));
        }
        return names;
    }

    private static String name(int flag) {
        return switch (flag) {
            case UNKNOWN -> "unknown_loc";
            case DELAYED -> "delalloc";
            case ENCODED -> "encoded";
            case ENCRYPTED -> "data-encrypted";
            case NOT_ALIGNED -> "not_aligned";
            case INLINE -> "inline";
            case TAIL -> "tail_packed";
            case UNWRITTEN -> "unwritten";
            case MERGED -> "merged";
            case SHARED -> "shared";
            default -> "0x" + Integer.toHexString(flag);
        };
    }

    /** Whether reading the file there gives zeros, whatever the device holds. */
    public boolean unwritten() {
        return (flags & UNWRITTEN) != 0;
    }

    /** Whether other files have blocks of it too, so that whoever writes to it in place harms them. */
    public boolean shared() {
        return (flags & SHARED) != 0;
    }

    /** Whether the device holds exactly the file's bytes at the position (or would, were it written). */
    public boolean located() {
        return (flags & UNREADABLE) == 0;
    }

    /** Where the extent ends in the file: the offset of the first byte behind it. */
    public long end() {
        return offset + length;
    }

    /**
     * The first logical block of the device that holds the extent.
     *
     * @param lbaBytes the device's logical block size in bytes, a power of two that divides {@link #position}
     * @throws IllegalArgumentException if the extent does not begin on such a block
     */
    public long lba(int lbaBytes) {
        if (lbaBytes < 1 || position % lbaBytes != 0) {
            throw new IllegalArgumentException(
                    "an extent at byte " + position + " does not begin on a logical block of " + lbaBytes + " bytes");
        }
        return position / lbaBytes;
    }

    /** The same in sectors, as block-map listings print it. */
    public Sectors sectors() {
        return new Sectors(
                offset / SECTOR_BYTES,
                end() / SECTOR_BYTES - 1,
                position / SECTOR_BYTES,
                (position + length) / SECTOR_BYTES - 1);
    }

    /**
     * An extent in sectors of {@value #SECTOR_BYTES} bytes; both ends are inclusive.
     *
     * @param fileFirst first sector in the file
     * @param fileLast last sector in the file
     * @param deviceFirst first sector on the device
     * @param deviceLast last sector on the device
     */
    public record Sectors(long fileFirst, long fileLast, long deviceFirst, long deviceLast) {}
}
