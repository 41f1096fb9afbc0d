package io.aisio.xal;

/**
 * A run of a file's blocks that lie one after another on the device, as the file system records it: whole blocks, which
 * may reach beyond the end of the file.
 *
 * @param offset in the file, in bytes
 * @param position on the device, in bytes
 * @param length in bytes, at least one block
 * @param unwritten the blocks are allocated but reading the file there gives zeros, whatever the device holds
 */
public record Extent(long offset, long position, long length, boolean unwritten) {
    /** The unit of {@link Sectors}, in bytes, on devices with larger logical blocks too. */
    public static final int SECTOR_BYTES = 512;

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
