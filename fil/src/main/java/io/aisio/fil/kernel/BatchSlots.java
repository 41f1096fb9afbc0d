package io.aisio.fil.kernel;

import io.aisio.cuda.GpuMemory;
import io.aisio.fil.spi.FileTable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The batches of a reader: what is to be read, in the order in which it was asked for, and what became of it. */
final class BatchSlots implements AutoCloseable {
    private final Folder folder;
    private final FileTable table;
    private final SlotMemory memory;
    private final long slotBytes;

    private final int[][] rows;
    private final long[][] at;
    private final int[] files;
    /** Files that are not settled yet. */
    private final int[] left;

    private final long[][] lengths;
    private final @Nullable IOException[][] failures;

    /** Slots of which files are still to be handed out: a ring, as many as there are slots. */
    private final int[] begun;

    private int begunFirst;
    private int begunCount;
    /** The next file of the first of them. */
    private int nextIndex;

    private final int[] ended;
    private int endedCount;

    private int slot;
    private int index;
    private int open;
    private long changed;

    BatchSlots(Folder folder, FileTable table, SlotMemory memory, int slots, long slotBytes, int batchFiles) {
        this.folder = folder;
        this.table = table;
        this.memory = memory;
        this.slotBytes = slotBytes;
        rows = new int[slots][];
        at = new long[slots][];
        files = new int[slots];
        left = new int[slots];
        lengths = new long[slots][batchFiles];
        failures = new IOException[slots][batchFiles];
        begun = new int[slots];
        ended = new int[slots];
    }

    MemorySegment memory() {
        return memory.segment();
    }

    /** The GPU's memory that it is; null if it is the host's. */
    @Nullable
    GpuMemory gpuMemory() {
        return memory.gpu();
    }

    /**
     * Writes zeros.
     *
     * @throws IOException if the GPU does not
     */
    void zero(long offset, long bytes) throws IOException {
        if (bytes > 0) {
            memory.zero(offset, bytes);
        }
    }

    void begin(int which, int[] itsRows, long[] itsPlaces, int n) {
        rows[which] = itsRows;
        at[which] = itsPlaces;
        files[which] = n;
        left[which] = n;
        if (n == 0) {
            ended[endedCount++] = which;
            return;
        }
        begun[(begunFirst + begunCount++) % begun.length] = which;
    }

    /** Goes on to the next file that is to be read: {@link #slot()} and {@link #index()} tell which. False if there is none. */
    boolean next() {
        if (begunCount == 0) {
            return false;
        }
        slot = begun[begunFirst];
        index = nextIndex++;
        if (nextIndex == files[slot]) {
            nextIndex = 0;
            begunFirst = (begunFirst + 1) % begun.length;
            begunCount--;
        }
        return true;
    }

    /** The batch of the next file. */
    int slot() {
        return slot;
    }

    /** Which of the batch the next file is. */
    int index() {
        return index;
    }

    String path(int which, int i) {
        return table.path(rows[which][i]);
    }

    /** Where in the memory a file goes, in bytes. */
    long offset(int which, int i) {
        return which * slotBytes + at[which][i];
    }

    /** Bytes of memory that a file has. */
    long room(int which, int i) {
        return folder.room(table.size(rows[which][i]));
    }

    /** A file's size when it was listed. */
    long listedSize(int which, int i) {
        return table.size(rows[which][i]);
    }

    /** What a file was told by when it was listed: {@link Stamp}. */
    int listedStamp(int which, int i) {
        return table.stamp(rows[which][i]);
    }

    /** Takes note that a file is read which is not as it was listed. */
    void readChanged() {
        changed++;
    }

    /** How often that was. */
    long changed() {
        return changed;
    }

    /** Files that are open just now. */
    int open() {
        return open;
    }

    void opened() {
        open++;
    }

    void closed() {
        open--;
    }

    /** Takes what became of a file. */
    void settle(int which, int i, long length, @Nullable IOException failure) {
        lengths[which][i] = length;
        failures[which][i] = failure;
        if (--left[which] == 0) {
            ended[endedCount++] = which;
        }
    }

    /** Takes it that a file cannot be read, as what was to read it has failed. */
    void fail(int which, int i, IOException why) {
        String path = folder.shown(path(which, i));
        settle(which, i, 0, new IOException("%s: the io_uring failed: %s".formatted(path, why.getMessage()), why));
    }

    boolean anyEnded() {
        return endedCount > 0;
    }

    /** Hands over the batches that are done; how many. */
    int takeEnded(int[] done) {
        int n = endedCount;
        System.arraycopy(ended, 0, done, 0, n);
        endedCount = 0;
        return n;
    }

    @Nullable
    IOException failure(int which, int i) {
        return failures[which][i];
    }

    long length(int which, int i) {
        return lengths[which][i];
    }

    /** Frees the memory. Closing again does nothing. */
    @Override
    public void close() {
        memory.close();
    }
}
