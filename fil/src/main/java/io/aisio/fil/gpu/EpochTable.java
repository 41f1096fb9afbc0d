package io.aisio.fil.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.fil.spi.FileTable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * The files of a place as a GPU has them: where each lies, and into how many commands it is cut, made once. A part that is read
 * as zeros counts like commands of the same size: together they are a file's items.
 */
final class EpochTable {
    private final FileTable files;
    private final int lbaBytes;
    private final int ioBytes;
    /** By row: items, and those of them that are commands. A file that cannot be read so has none. */
    private final int[] items;

    private final int[] commands;
    private final int runs;

    /**
     * Counts the items of all files.
     *
     * @param lbaBytes of a logical block
     * @param ioBytes of a command at most, a multiple of {@code lbaBytes}
     * @throws IOException if a file has more items, or all have more parts, than can be counted
     */
    EpochTable(FileTable files, int lbaBytes, int ioBytes) throws IOException {
        this.files = files;
        this.lbaBytes = lbaBytes;
        this.ioBytes = ioBytes;
        items = new int[files.files()];
        commands = new int[items.length];
        long all = 0;
        for (int row = 0; row < items.length; row++) {
            long itsItems = 0;
            long itsCommands = 0;
            int itsRuns = files.runs(row);
            all += itsRuns;
            for (int run = 0; run < itsRuns && isWhole(row); run++) {
                long n = items(files.runLength(row, run));
                itsItems += n;
                itsCommands += files.runPosition(row, run) == FileTable.ZEROS ? 0 : n;
            }
            if (itsItems > Integer.MAX_VALUE) {
                throw new IOException("%s: %d commands of %d bytes are more than one file may have"
                        .formatted(files.path(row), itsItems, ioBytes));
            }
            items[row] = (int) itsItems;
            commands[row] = (int) itsCommands;
        }
        if (all > Integer.MAX_VALUE) {
            throw new IOException(all + " extents are more than a table of them can hold");
        }
        runs = (int) all;
    }

    private long items(long bytes) {
        return Math.ceilDiv(bytes, (long) ioBytes);
    }

    /**
     * Whether all parts of a file lie on whole blocks. The last block of a file is read whole; any other part must end where a
     * block does, as what is read beyond it would overwrite the next one.
     */
    boolean isWhole(int row) {
        long mask = lbaBytes - 1L;
        for (int run = 0; run < files.runs(row); run++) {
            long position = files.runPosition(row, run);
            long offset = files.runOffset(row, run);
            long length = files.runLength(row, run);
            boolean last = offset + length == files.size(row);
            if (position != FileTable.ZEROS && (((position | offset) & mask) != 0 || (!last && (length & mask) != 0))) {
                return false;
            }
        }
        return true;
    }

    /** Commands of a file, and parts of it that are zeros. */
    int items(int row) {
        return items[row];
    }

    /** Commands of a file. */
    int commands(int row) {
        return commands[row];
    }

    /** Bytes that {@link #writeFiles} writes. */
    long filesBytes() {
        return items.length * EpochLayout.FILE_BYTES;
    }

    /** Bytes that {@link #writeRuns} writes. */
    long runsBytes() {
        return runs * EpochLayout.RUN_BYTES;
    }

    /** Writes the table of files. */
    void writeFiles(MemorySegment to) {
        int first = 0;
        for (int row = 0; row < items.length; row++) {
            long at = row * EpochLayout.FILE_BYTES;
            to.set(JAVA_LONG, at + EpochLayout.FILE_SIZE, files.size(row));
            to.set(JAVA_INT, at + EpochLayout.FILE_FIRST_RUN, first);
            to.set(JAVA_INT, at + EpochLayout.FILE_RUNS, files.runs(row));
            first += files.runs(row);
        }
    }

    /** Writes the table of their runs. */
    void writeRuns(MemorySegment to) {
        long at = 0;
        for (int row = 0; row < items.length; row++) {
            int item = 0;
            for (int run = 0; run < files.runs(row); run++) {
                long position = files.runPosition(row, run);
                long length = files.runLength(row, run);
                to.set(
                        JAVA_LONG,
                        at + EpochLayout.RUN_LBA,
                        position == FileTable.ZEROS ? EpochLayout.ZEROS : position / lbaBytes);
                to.set(JAVA_LONG, at + EpochLayout.RUN_OFFSET, files.runOffset(row, run));
                to.set(JAVA_LONG, at + EpochLayout.RUN_LENGTH, length);
                to.set(JAVA_INT, at + EpochLayout.RUN_FIRST_ITEM, item);
                item += (int) items(length);
                at += EpochLayout.RUN_BYTES;
            }
        }
    }
}
