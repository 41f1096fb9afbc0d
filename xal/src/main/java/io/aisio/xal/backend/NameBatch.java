package io.aisio.xal.backend;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The names in one directory and the inode numbers that they name, as one thread found them: made once, filled and
 * emptied many times. One thread at a time uses it. {@code .} and {@code ..} are left out.
 */
public final class NameBatch {
    /** The longest array that every JVM makes. */
    private static final int MOST_BYTES = Integer.MAX_VALUE - 8;

    private int names;
    private boolean incomplete;
    private long[] inode = new long[64];
    private int[] end = new int[65];
    private byte[] type = new byte[64];
    private byte[] bytes = new byte[1024];

    /** How many names are in it. */
    public int names() {
        return names;
    }

    /**
     * Adds a name.
     *
     * @param source where its bytes lie, {@code length} of them (1 to 255) at {@code offset}
     * @param inode the number that it names
     * @param type what the directory says that it is: the file type of an {@code st_mode}, bits 15:12, or 0 if it does not
     *     say
     */
    public void add(MemorySegment source, long offset, int length, long inode, int type) {
        int begin = end[names];
        if (length > MOST_BYTES - begin) {
            incomplete = true;
            return;
        }
        if (names == this.inode.length) {
            this.inode = Arrays.copyOf(this.inode, 2 * names);
            end = Arrays.copyOf(end, 2 * names + 1);
            this.type = Arrays.copyOf(this.type, 2 * names);
        }
        if (length > bytes.length - begin) {
            bytes = Arrays.copyOf(bytes, (int) Math.min(2L * bytes.length, MOST_BYTES));
        }
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, offset, bytes, begin, length);
        this.inode[names] = inode;
        this.type[names] = (byte) type;
        end[++names] = begin + length;
    }

    /** Empties it. */
    public void clear() {
        names = 0;
        incomplete = false;
    }

    /** The number that a name stands for. */
    public long inode(int name) {
        return inode[name];
    }

    /** Says that names are missing, because they could not be read. */
    public void setIncomplete() {
        incomplete = true;
    }

    /** Whether names are missing: they could not be read, or are more than 2 GiB. */
    public boolean isIncomplete() {
        return incomplete;
    }

    /** What the directory says that a name stands for, as {@link #add} has it. */
    public int type(int name) {
        return type[name];
    }

    /** The bytes of all names, one after another: name {@code i} from {@code begin(i)} to {@code begin(i + 1)}. */
    public byte[] bytes() {
        return bytes;
    }

    /** Where a name begins in {@link #bytes}. */
    public int begin(int name) {
        return end[name];
    }
}
