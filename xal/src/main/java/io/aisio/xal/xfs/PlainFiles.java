package io.aisio.xal.xfs;

import io.aisio.xal.Extent;
import io.aisio.xal.backend.InodeBatch;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * Reads the inodes that most are, regular files whose extents lie in the inode, without an object for any. What is not
 * plainly sound is left to {@link InodeCore}, which knows all forms and says what is wrong. One thread owns it.
 */
final class PlainFiles {
    /** The type of a regular file, in bits 15:12 of a mode. */
    private static final int REGULAR = 8;

    private static final int TYPE_SHIFT = 12;
    /** The format of a fork of extent records: {@code XFS_DINODE_FMT_EXTENTS}. */
    private static final int EXTENTS = 2;

    private final Geometry geometry;
    private final ByteBuffer bytes;
    private final CRC32C crc = new CRC32C();

    /** @param buffer holds the inodes; it is written, and as it was when {@link #add} returns */
    PlainFiles(Geometry geometry, MemorySegment buffer) {
        this.geometry = geometry;
        bytes = buffer.asByteBuffer();
    }

    /**
     * Adds an inode with its extents to a batch.
     *
     * @param at where it begins in the buffer
     * @return false if it is none of those that are read here; then the batch is as before
     */
    boolean add(int at, long number, InodeBatch batch) {
        int mode = (bytes.getShort(at + (int) InodeCore.MODE) & 0xFFFF);
        int flags = (bytes.getShort(at + (int) InodeCore.FLAGS) & 0xFFFF);
        long flags2 = bytes.getLong(at + (int) InodeCore.FLAGS2);
        boolean large = (flags2 & InodeCore.NREXT64) != 0;
        boolean plain = mode >>> TYPE_SHIFT == REGULAR
                && (bytes.get(at + (int) InodeCore.FORMAT) & 0xFF) == EXTENTS
                && (flags & InodeCore.REALTIME) == 0
                && (flags2 & InodeCore.REFLINK) == 0
                && (!large || geometry.largeExtentCounts());
        long size = bytes.getLong(at + (int) InodeCore.SIZE);
        long links = (bytes.getInt(at + (int) InodeCore.NLINK) & 0xFFFF_FFFFL);
        if (!plain || size < 0 || links == 0 || !sound(at, number)) {
            return false;
        }
        int generation = (int) (bytes.getInt(at + (int) InodeCore.GEN) & 0xFFFF_FFFFL);
        batch.addInode(number, generation, mode, links, size, bytes.getLong(at + (int) InodeCore.CHANGECOUNT));
        long count = large
                ? bytes.getLong(at + (int) InodeCore.BIG_NEXTENTS)
                : (bytes.getInt(at + (int) InodeCore.NEXTENTS) & 0xFFFF_FFFFL);
        if (!addExtents(at, count, batch)) {
            batch.dropInode();
            return false;
        }
        return true;
    }

    private boolean sound(int at, long number) {
        return (bytes.getShort(at + (int) InodeCore.MAGIC_FIELD) & 0xFFFF) == InodeCore.MAGIC
                && (bytes.get(at + (int) InodeCore.VERSION_FIELD) & 0xFF) == InodeCore.VERSION
                && bytes.getLong(at + (int) InodeCore.INO) == number
                && bytes.getLong(at + (int) InodeCore.UUID) == geometry.uuid().high()
                && bytes.getLong(at + (int) InodeCore.UUID + Long.BYTES)
                        == geometry.uuid().low()
                && crc(at);
    }

    private boolean crc(int at) {
        int stored = bytes.getInt(at + (int) InodeCore.CRC);
        bytes.putInt(at + (int) InodeCore.CRC, 0);
        crc.reset();
        crc.update(bytes.limit(at + geometry.inodeSize()).position(at));
        bytes.clear().putInt(at + (int) InodeCore.CRC, stored);
        return (int) crc.getValue() == Integer.reverseBytes(stored);
    }

    private boolean addExtents(int at, long count, InodeBatch batch) {
        int room = geometry.inodeSize() - InodeCore.CORE_BYTES;
        int forkoff = (bytes.get(at + (int) InodeCore.FORKOFF) & 0xFF) << InodeCore.FORKOFF_SHIFT;
        int fork = forkoff == 0 ? room : forkoff;
        if (fork > room || count < 0 || count > fork / ExtentRecord.BYTES) {
            return false;
        }
        int log = geometry.blockLog();
        long end = 0;
        long deviceEnd = 0;
        for (int i = 0; i < (int) count; i++) {
            int record = at + InodeCore.CORE_BYTES + i * ExtentRecord.BYTES;
            long high = bytes.getLong(record + (int) ExtentRecord.L0);
            long low = bytes.getLong(record + (int) ExtentRecord.L1);
            long offset = ExtentRecord.startOffset(high);
            long block = ExtentRecord.startBlock(high, low);
            long blocks = ExtentRecord.blockCount(low);
            if (offset < end || offset + blocks > Long.MAX_VALUE >> log || !geometry.holds(block, blocks)) {
                return false;
            }
            end = offset + blocks;
            long position = geometry.position(block);
            if (position < deviceEnd) {
                // Out of order on the device: whether they overlap, others find out.
                return false;
            }
            deviceEnd = position + (blocks << log);
            int flags = ExtentRecord.unwritten(high) ? Extent.UNWRITTEN : 0;
            batch.addExtent(offset << log, position, blocks << log, flags);
        }
        return true;
    }
}
