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
    private final MemorySegment buffer;
    private final ByteBuffer bytes;
    private final CRC32C crc = new CRC32C();

    /** @param buffer holds the inodes; it is written, and as it was when {@link #add} returns */
    PlainFiles(Geometry geometry, MemorySegment buffer) {
        this.geometry = geometry;
        this.buffer = buffer;
        bytes = buffer.asByteBuffer();
    }

    /**
     * Adds an inode with its extents to a batch.
     *
     * @param at where it begins in the buffer
     * @return false if it is none of those that are read here; then the batch is as before
     */
    boolean add(int at, long number, InodeBatch batch) {
        int mode = OnDisk.u16(buffer, at + InodeCore.MODE);
        int flags = OnDisk.u16(buffer, at + InodeCore.FLAGS);
        long flags2 = OnDisk.i64(buffer, at + InodeCore.FLAGS2);
        boolean large = (flags2 & InodeCore.NREXT64) != 0;
        boolean plain = mode >>> TYPE_SHIFT == REGULAR
                && OnDisk.u8(buffer, at + InodeCore.FORMAT) == EXTENTS
                && (flags & InodeCore.REALTIME) == 0
                && (flags2 & InodeCore.REFLINK) == 0
                && (!large || geometry.largeExtentCounts());
        long size = OnDisk.i64(buffer, at + InodeCore.SIZE);
        long links = OnDisk.u32(buffer, at + InodeCore.NLINK);
        if (!plain || size < 0 || links == 0 || !sound(at, number)) {
            return false;
        }
        int generation = (int) OnDisk.u32(buffer, at + InodeCore.GEN);
        batch.addInode(number, generation, mode, links, size, OnDisk.i64(buffer, at + InodeCore.CHANGECOUNT));
        long count =
                large ? OnDisk.i64(buffer, at + InodeCore.BIG_NEXTENTS) : OnDisk.u32(buffer, at + InodeCore.NEXTENTS);
        if (!addExtents(at, count, batch)) {
            batch.dropInode();
            return false;
        }
        return true;
    }

    private boolean sound(int at, long number) {
        return OnDisk.u16(buffer, at + InodeCore.MAGIC_FIELD) == InodeCore.MAGIC
                && OnDisk.u8(buffer, at + InodeCore.VERSION_FIELD) == InodeCore.VERSION
                && OnDisk.i64(buffer, at + InodeCore.INO) == number
                && OnDisk.i64(buffer, at + InodeCore.UUID) == geometry.uuid().high()
                && OnDisk.i64(buffer, at + InodeCore.UUID + Long.BYTES)
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
        int forkoff = OnDisk.u8(buffer, at + InodeCore.FORKOFF) << InodeCore.FORKOFF_SHIFT;
        int fork = forkoff == 0 ? room : forkoff;
        if (fork > room || count < 0 || count > fork / ExtentRecord.BYTES) {
            return false;
        }
        int log = geometry.blockLog();
        long end = 0;
        long deviceEnd = 0;
        for (int i = 0; i < (int) count; i++) {
            long record = at + InodeCore.CORE_BYTES + (long) i * ExtentRecord.BYTES;
            long offset = ExtentRecord.startOffset(buffer, record);
            long block = ExtentRecord.startBlock(buffer, record);
            long blocks = ExtentRecord.blockCount(buffer, record);
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
            int flags = ExtentRecord.unwritten(buffer, record) ? Extent.UNWRITTEN : 0;
            batch.addExtent(offset << log, position, blocks << log, flags);
        }
        return true;
    }
}
