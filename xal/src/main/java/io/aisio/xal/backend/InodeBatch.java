package io.aisio.xal.backend;

import io.aisio.xal.FileType;
import java.util.Arrays;

/**
 * Inodes and their extents as one thread found them, as columns of numbers: made once, filled and emptied many times, so
 * that a million inodes cost no million objects. One thread at a time uses it.
 *
 * <p>Inode {@code i} has the extents {@code firstExtent[i]} to {@code firstExtent[i + 1] - 1}. The columns may be longer
 * than what is in them.
 */
public final class InodeBatch {
    private int inodes;
    private int extents;

    private long[] number = new long[64];
    private int[] generation = new int[64];
    private short[] mode = new short[64];
    private int[] links = new int[64];
    private long[] size = new long[64];
    private long[] stamp = new long[64];
    private int[] firstExtent = new int[65];

    private long[] offset = new long[64];
    private long[] position = new long[64];
    private long[] length = new long[64];
    private int[] flags = new int[64];

    /** How many inodes are in it. */
    public int inodes() {
        return inodes;
    }

    /** How many extents are in it, of all its inodes. */
    public int extents() {
        return extents;
    }

    /**
     * Adds an inode, as yet without extents.
     *
     * @param mode file type and permissions, as {@code st_mode}
     * @param stamp a number that differs when the inode changed, such as XFS's {@code di_changecount}
     */
    public void addInode(long number, int generation, int mode, long links, long size, long stamp) {
        if (inodes == this.number.length) {
            int room = 2 * inodes;
            this.number = Arrays.copyOf(this.number, room);
            this.generation = Arrays.copyOf(this.generation, room);
            this.mode = Arrays.copyOf(this.mode, room);
            this.links = Arrays.copyOf(this.links, room);
            this.size = Arrays.copyOf(this.size, room);
            this.stamp = Arrays.copyOf(this.stamp, room);
            firstExtent = Arrays.copyOf(firstExtent, room + 1);
        }
        this.number[inodes] = number;
        this.generation[inodes] = generation;
        this.mode[inodes] = (short) mode;
        this.links[inodes] = (int) links;
        this.size[inodes] = size;
        this.stamp[inodes] = stamp;
        firstExtent[++inodes] = extents;
    }

    /**
     * Adds an extent to the inode that was added last.
     *
     * @param offset in the file, in bytes
     * @param position on the device, in bytes
     * @param length in bytes
     * @param flags as {@link io.aisio.xal.Extent#flags}
     */
    public void addExtent(long offset, long position, long length, int flags) {
        if (extents == this.offset.length) {
            int room = 2 * extents;
            this.offset = Arrays.copyOf(this.offset, room);
            this.position = Arrays.copyOf(this.position, room);
            this.length = Arrays.copyOf(this.length, room);
            this.flags = Arrays.copyOf(this.flags, room);
        }
        this.offset[extents] = offset;
        this.position[extents] = position;
        this.length[extents] = length;
        this.flags[extents] = flags;
        firstExtent[inodes] = ++extents;
    }

    /** Takes the inode that was added last away again, with its extents. */
    public void dropInode() {
        extents = firstExtent[--inodes];
    }

    /** Empties it. */
    public void clear() {
        inodes = 0;
        extents = 0;
    }

    /** Inode number. */
    public long number(int inode) {
        return number[inode];
    }

    /** Changes when the number is given to another file. */
    public int generation(int inode) {
        return generation[inode];
    }

    /** File type and permissions, as {@code st_mode}. */
    public int mode(int inode) {
        return mode[inode] & 0xFFFF;
    }

    /** What it is. */
    public FileType type(int inode) {
        return FileType.ofMode(mode(inode));
    }

    /** How many names it has. */
    public long links(int inode) {
        return links[inode] & 0xFFFF_FFFFL;
    }

    /** Bytes of its content. */
    public long size(int inode) {
        return size[inode];
    }

    /** A number that differs when the inode changed. */
    public long stamp(int inode) {
        return stamp[inode];
    }

    /** The first of its extents; the last is before that of the next inode. */
    public int firstExtent(int inode) {
        return firstExtent[inode];
    }

    /** In the file, in bytes. */
    public long offset(int extent) {
        return offset[extent];
    }

    /** On the device, in bytes. */
    public long position(int extent) {
        return position[extent];
    }

    /** In bytes. */
    public long length(int extent) {
        return length[extent];
    }

    /** As {@link io.aisio.xal.Extent#flags}. */
    public int flags(int extent) {
        return flags[extent];
    }
}
