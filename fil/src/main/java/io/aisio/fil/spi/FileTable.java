package io.aisio.fil.spi;

import io.aisio.xal.FileName;
import io.aisio.xal.Piece;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The files of one place and where they lie, as columns of numbers: a million of them take some 50 MB and no objects.
 *
 * <p>Where a file lies are its runs: parts that lie one after another on the device, or are read as zeros, in the order of
 * their offsets and without a gap. Pieces that are adjacent in the file and on the device are one run. Once it is filled,
 * any thread may read it.
 */
public final class FileTable {
    /** The position of a run that is read as zeros. */
    public static final long ZEROS = -1;

    // What the column of places tells, if not the position of a file's only run.
    private static final long ALL_ZEROS = -1;
    private static final long NO_RUNS = -2;
    /** {@code FIRST_ROW - row} stands for the row where a file's runs are listed. */
    private static final long FIRST_ROW = -3;

    /** Numbers of one run in a row: offset, position, length. */
    private static final int RUN = 3;

    private final List<String> folders = new ArrayList<>();
    private final Map<String, Integer> folderNumbers = new HashMap<>();

    private int files;
    private long bytes;
    private byte[] names = new byte[1024];
    private int[] nameEnd = new int[64];
    private int[] folder = new int[64];
    private long[] size = new long[64];
    private long[] place = new long[64];
    private int[] stamp = new int[64];

    /** Rows of runs: how many, then three numbers each. */
    private long[] runs = new long[0];

    private int runsEnd;

    /** Begins with no files. */
    public FileTable() {}

    /**
     * Adds a file that the kernel finds by its path.
     *
     * @param path from the root of the place, beginning with {@code /}
     * @param size in bytes
     * @param stamp differs, most likely, when the file is another one or has changed
     */
    public void add(String path, long size, int stamp) {
        addRow(path, size, stamp, NO_RUNS);
    }

    /**
     * Adds a file with where it lies.
     *
     * @param pieces all of its bytes, in order
     * @throws IOException if the device does not hold a part of it as it is
     */
    public void add(String path, long size, int stamp, List<Piece> pieces) throws IOException {
        int row = runsEnd;
        int at = row + 1;
        for (Piece piece : pieces) {
            long position = switch (piece.kind()) {
                case DATA -> piece.position();
                case HOLE, UNWRITTEN -> ZEROS;
                case ELSEWHERE ->
                    throw new IOException(
                            "the device does not hold %s as it is, from byte %d on".formatted(path, piece.offset()));
            };
            if (at > row + 1 && continues(at - RUN, position)) {
                runs[at - 1] += piece.length();
                continue;
            }
            reserveRuns(at + RUN);
            runs[at] = piece.offset();
            runs[at + 1] = position;
            runs[at + 2] = piece.length();
            at += RUN;
        }
        int count = (at - row - 1) / RUN;
        switch (count) {
            case 0 -> addRow(path, size, stamp, NO_RUNS);
            case 1 -> addRow(path, size, stamp, runs[row + 2] == ZEROS ? ALL_ZEROS : runs[row + 2]);
            default -> {
                runs[row] = count;
                runsEnd = at;
                addRow(path, size, stamp, FIRST_ROW - row);
            }
        }
    }

    private boolean continues(int run, long position) {
        return position == ZEROS
                ? runs[run + 1] == ZEROS
                : runs[run + 1] != ZEROS && runs[run + 1] + runs[run + 2] == position;
    }

    private void reserveRuns(int end) {
        if (end > runs.length) {
            runs = Arrays.copyOf(runs, Math.max(64, room(runs.length, end)));
        }
    }

    private static int room(int now, int wanted) {
        if (wanted < 0) {
            throw new OutOfMemoryError("a data set's place has more names or extents than a table of them can hold");
        }
        return (int) Math.max(wanted, Math.min(now + (now >>> 1) + 64L, Integer.MAX_VALUE - 8));
    }

    private void addRow(String path, long bytesOfIt, int itsStamp, long itsPlace) {
        int slash = path.lastIndexOf('/');
        byte[] name = FileName.encode(path.substring(slash + 1));
        if (files == size.length) {
            int room = room(files, files + 1);
            nameEnd = Arrays.copyOf(nameEnd, room);
            folder = Arrays.copyOf(folder, room);
            size = Arrays.copyOf(size, room);
            place = Arrays.copyOf(place, room);
            stamp = Arrays.copyOf(stamp, room);
        }
        int begin = begin(files);
        int end = begin + name.length;
        if (end < 0 || end > names.length) {
            names = Arrays.copyOf(names, room(names.length, end));
        }
        System.arraycopy(name, 0, names, begin, name.length);
        nameEnd[files] = end;
        folder[files] = folderNumbers.computeIfAbsent(path.substring(0, Math.max(slash, 1)), this::newFolder);
        size[files] = bytesOfIt;
        place[files] = itsPlace;
        stamp[files] = itsStamp;
        bytes += bytesOfIt;
        files++;
    }

    private int newFolder(String path) {
        folders.add(path);
        return folders.size() - 1;
    }

    private int begin(int row) {
        return row == 0 ? 0 : nameEnd[row - 1];
    }

    /** Gives back memory that no file takes. To be called once all are in it; nothing is added any more then. */
    public void trim() {
        names = Arrays.copyOf(names, begin(files));
        nameEnd = Arrays.copyOf(nameEnd, files);
        folder = Arrays.copyOf(folder, files);
        size = Arrays.copyOf(size, files);
        place = Arrays.copyOf(place, files);
        stamp = Arrays.copyOf(stamp, files);
        runs = Arrays.copyOf(runs, runsEnd);
        folderNumbers.clear();
    }

    /** How many files are in it: rows are 0 to this, exclusive. */
    public int files() {
        return files;
    }

    /** Bytes of all files. */
    public long bytes() {
        return bytes;
    }

    /** Bytes of memory that its columns and the names of folders take. */
    public long footprint() {
        long texts = 0;
        for (String each : folders) {
            // A string, its array, and the reference to it.
            texts += 24 + 16 + 4 + each.length();
        }
        return texts
                + names.length
                + 4L * (nameEnd.length + folder.length + stamp.length)
                + 8L * (size.length + place.length + runs.length);
    }

    /** The paths of folders that hold files, in the order in which they were met. */
    public List<String> folders() {
        return Collections.unmodifiableList(folders);
    }

    /** The folder of a file, an index of {@link #folders()}. */
    public int folder(int row) {
        return folder[row];
    }

    /** A file's path from the root of the place. */
    public String path(int row) {
        int begin = begin(row);
        String name = FileName.decode(Arrays.copyOfRange(names, begin, nameEnd[row]));
        String above = folders.get(folder[row]);
        return above.equals("/") ? above + name : above + "/" + name;
    }

    /** Bytes of a file. */
    public long size(int row) {
        return size[row];
    }

    /** What differs, most likely, when a file is another one or has changed. */
    public int stamp(int row) {
        return stamp[row];
    }

    /** How many runs a file has; 0 if it is empty, or was added without. */
    public int runs(int row) {
        long at = place[row];
        return at > NO_RUNS ? 1 : at == NO_RUNS ? 0 : (int) runs[(int) (FIRST_ROW - at)];
    }

    /** Where a run begins in the file, in bytes. */
    public long runOffset(int row, int run) {
        return place[row] > NO_RUNS ? 0 : runs[first(row, run)];
    }

    /** Where a run begins on the device, in bytes, or {@link #ZEROS}. */
    public long runPosition(int row, int run) {
        return place[row] > NO_RUNS ? place[row] : runs[first(row, run) + 1];
    }

    /** Bytes of a run: exact at the end of the file, so not a multiple of a block there. */
    public long runLength(int row, int run) {
        return place[row] > NO_RUNS ? size[row] : runs[first(row, run) + 2];
    }

    /** Whether a file is the same as one of another table, and lies at the same places. */
    public boolean isSame(int row, FileTable other, int otherRow) {
        boolean same = stamp(row) == other.stamp(otherRow)
                && size(row) == other.size(otherRow)
                && runs(row) == other.runs(otherRow);
        for (int run = 0; same && run < runs(row); run++) {
            same = runOffset(row, run) == other.runOffset(otherRow, run)
                    && runPosition(row, run) == other.runPosition(otherRow, run)
                    && runLength(row, run) == other.runLength(otherRow, run);
        }
        return same;
    }

    private int first(int row, int run) {
        return (int) (FIRST_ROW - place[row]) + 1 + RUN * run;
    }
}
