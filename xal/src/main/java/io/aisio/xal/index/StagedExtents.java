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
    private long[] length = new long[64];
    private int[] flags = new int[64];
    private long[] marks = new long[64];

    StagedExtents(int blockBytes) {
        this.blockBytes = blockBytes;
    }

    void clear() {
        rows = 0;
    }

    int rows() {
        return rows;
    }

    /**
     * Adds an extent, in bytes.
     *
     * @return what is wrong with it, or null
     */
    @Nullable
    String add(long from, long at, long bytes, int what) {
        boolean inBlocks = from % blockBytes == 0 && at % blockBytes == 0 && bytes % blockBytes == 0;
        long unit = inBlocks ? blockBytes : 1;
        boolean overlaps = rows > 0 && from < end();
        if (bytes < 1 || from + bytes < from || overlaps || !Tables.fits(from / unit, at / unit)) {
            return "an extent of " + bytes + " bytes at " + from + " in the file and " + at + " on the device"
                    + (overlaps ? " begins before the one ahead of it ends" : " cannot be");
        }
        long mark = inBlocks ? 0 : Tables.IN_BYTES;
        for (long done = 0; done < bytes / unit; done += ROW_BLOCKS) {
            if (rows == offset.length) {
                offset = Arrays.copyOf(offset, 2 * rows);
                position = Arrays.copyOf(position, 2 * rows);
                length = Arrays.copyOf(length, 2 * rows);
                flags = Arrays.copyOf(flags, 2 * rows);
                marks = Arrays.copyOf(marks, 2 * rows);
            }
            offset[rows] = from / unit + done;
            position[rows] = at / unit + done;
            length[rows] = Math.min(ROW_BLOCKS, bytes / unit - done);
            flags[rows] = what;
            marks[rows] = mark | (done > 0 ? Tables.CONTINUED : 0);
            rows++;
        }
        return null;
    }

    private long end() {
        long unit = (marks[rows - 1] & Tables.IN_BYTES) != 0 ? 1 : blockBytes;
        return (offset[rows - 1] + length[rows - 1]) * unit;
    }

    /** Whether an inode has exactly these. */
    boolean areThoseOf(Tables tables, int inode) {
        int first = tables.firstExtent(inode);
        if (first == Tables.NONE || rows == 0) {
            return first == Tables.NONE && rows == 0;
        }
        for (int i = 0; i < rows; i++) {
            if (!tables.isExtent(first + i, offset[i], position[i], length[i], flags[i], marks(i))) {
                return false;
            }
        }
        return true;
    }

    /** Writes them into a run of rows. */
    void write(Tables tables, int first) {
        for (int i = 0; i < rows; i++) {
            tables.extent(first + i, offset[i], position[i], length[i], flags[i], marks(i));
        }
    }

    private long marks(int i) {
        return marks[i] | (i == rows - 1 ? Tables.LAST : 0);
    }
}
