package io.aisio.xal.index;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The extents that an inode is to get, as rows of the index: checked before anything is changed. One thread at a time
 * uses it; it is filled and emptied many times.
 */
final class StagedExtents {
    /** One row holds so many blocks at most, a power of two below 2^32. */
    private static final long ROW_BLOCKS = 1L << 31;

    private final int blockBytes;
    private int rows;
    private long[] offset = new long[64];
    private long[] position = new long[64];
    private int[] length = new int[64];
    /** Where the extents of the inode begin that is being staged. */
    private int begin;
    /** Where the last of them ends in the file, in bytes. */
    private long end;
    /** Those that are selected: of one inode. */
    private int from;

    private int to;

    StagedExtents(int blockBytes) {
        this.blockBytes = blockBytes;
    }

    /** Empties it. */
    void clear() {
        rows = 0;
        begin();
    }

    /** Begins with the next inode. */
    void begin() {
        begin = rows;
        end = 0;
        select(rows, rows);
    }

    /** How many rows there are of all inodes. */
    int rows() {
        return rows;
    }

    /** Selects those of one inode, of which the rest tells: without it, of the one that was begun last. */
    void select(int first, int behind) {
        from = first;
        to = behind;
    }

    /** How many rows are selected. */
    int selected() {
        return to - from;
    }

    /**
     * Adds an extent, in bytes.
     *
     * @return what is wrong with it, or null
     */
    @Nullable
    String add(long offsetBytes, long at, long bytes, int flags) {
        boolean inBlocks = offsetBytes % blockBytes == 0 && at % blockBytes == 0 && bytes % blockBytes == 0;
        long unit = inBlocks ? blockBytes : 1;
        boolean overlaps = rows > begin && offsetBytes < end;
        if (bytes < 1 || offsetBytes + bytes < offsetBytes || overlaps || !Tables.fits(offsetBytes / unit, at / unit)) {
            return "an extent of " + bytes + " bytes at " + offsetBytes + " in the file and " + at + " on the device"
                    + (overlaps ? " begins before the one ahead of it ends" : " cannot be");
        }
        long mark = inBlocks ? 0 : Tables.IN_BYTES;
        if (rows > begin) {
            position[rows - 1] &= ~Tables.LAST;
        }
        for (long done = 0; done < bytes / unit; done += ROW_BLOCKS) {
            if (rows == offset.length) {
                offset = Arrays.copyOf(offset, 2 * rows);
                position = Arrays.copyOf(position, 2 * rows);
                length = Arrays.copyOf(length, 2 * rows);
            }
            offset[rows] = Tables.offsetWord(offsetBytes / unit + done, flags);
            position[rows] = (at / unit + done) | mark | (done > 0 ? Tables.CONTINUED : 0);
            length[rows] = (int) Math.min(ROW_BLOCKS, bytes / unit - done);
            rows++;
        }
        position[rows - 1] |= Tables.LAST;
        end = offsetBytes + bytes;
        to = rows;
        return null;
    }

    /** Whether an inode has exactly these. */
    boolean areThoseOf(Tables tables, int inode) {
        int first = tables.firstExtent(inode);
        if (first == Tables.NONE || from == to) {
            return first == Tables.NONE && from == to;
        }
        for (int i = from; i < to; i++) {
            if (!tables.isExtent(first + i - from, offset[i], position[i], length[i])) {
                return false;
            }
        }
        return true;
    }

    /** Writes them into a run of rows. */
    void write(Tables tables, int first) {
        for (int i = from; i < to; i++) {
            tables.extent(first + i - from, offset[i], position[i], length[i]);
        }
    }

    /** Writes those of all inodes, each into its row; where that is NONE, it is left out. */
    void writeAll(Tables tables, int[] target) {
        tables.extents(target, offset, position, length, rows);
    }
}
