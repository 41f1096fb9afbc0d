package io.aisio.xal.backend;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The names in one directory and the inode numbers that they name, as one thread found them: made once, filled and
 * emptied many times. One thread at a time uses it. {@code .} and {@code ..} are left out.
 */
public final class NameBatch {
    private int names;
    private long[] inode = new long[64];
    private int[] end = new int[65];
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
     */
    public void add(MemorySegment source, long offset, int length, long inode) {
        int begin = end[names];
        if (names == this.inode.length) {
            this.inode = Arrays.copyOf(this.inode, 2 * names);
            end = Arrays.copyOf(end, 2 * names + 1);
        }
        if (length > bytes.length - begin) {
            bytes = Arrays.copyOf(bytes, 2 * bytes.length);
        }
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, offset, bytes, begin, length);
        this.inode[names] = inode;
        end[++names] = begin + length;
    }

    /** Empties it. */
    public void clear() {
        names = 0;
    }

    /** The number that a name stands for. */
    public long inode(int name) {
        return inode[name];
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
