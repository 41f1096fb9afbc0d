package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Tells whether the log holds nothing that the rest of the file system lacks: whether the last that was written to it is
 * the record of an unmount ({@code struct xlog_rec_header}, {@code struct xlog_op_header} of {@code xfs_log_format.h}).
 *
 * <p>The log is a ring of blocks of 512 bytes. Each has the number of the turn in which it was written, its cycle, in its
 * first four bytes, or behind the magic number if a record begins with it. So its head is where the cycle drops by one:
 *
 * <pre>
 *   7 7 7 7 7 7 7 [H D] 6 6 6 6 6 6 6 6        H header, D data of the last record
 *                       └ head
 * </pre>
 *
 * Whatever does not look like that counts as doubt.
 */
final class LogHead {
    static final long MAGICNO = 0;
    static final long CYCLE = 4;
    static final long VERSION = 8;
    static final long LEN = 12;
    /** Of the record itself: its cycle above the block where it begins. */
    static final long LSN = 16;

    static final long NUM_LOGOPS = 40;
    static final long FS_UUID = 304;
    /** Bytes of the largest record that whoever wrote this one writes: a header has a block for each 32 KiB of it. */
    static final long SIZE = 320;

    /** Of an operation, behind the header: flags. */
    static final long OP_FLAGS = 9;

    /** {@code XLOG_HEADER_MAGIC_NUM}. */
    static final long MAGIC = 0xFEEDBABEL;
    /** {@code XLOG_VERSION_2}. */
    static final long VERSION_2 = 2;
    /** {@link #OP_FLAGS}: {@code XLOG_UNMOUNT_TRANS}. */
    static final int UNMOUNT = 0x20;

    /** {@code BBSIZE}. */
    private static final int BLOCK = 1 << Geometry.BASIC_SHIFT;
    /** What one block of a header stands for: {@code XLOG_HEADER_CYCLE_SIZE}. */
    private static final int HEADER_STANDS_FOR = 32 * 1024;
    /** Bytes of a record's data: {@code XLOG_MIN_RECORD_BSIZE}, {@code XLOG_MAX_RECORD_BSIZE}. */
    private static final int MIN_RECORD = 16 * 1024;

    private static final int MAX_RECORD = 256 * 1024;
    /** Blocks of the largest record, its header included. */
    private static final long MAX_RECORD_BLOCKS = MAX_RECORD / BLOCK + MAX_RECORD / HEADER_STANDS_FOR;
    /** Records that may be under way at once: {@code XLOG_MAX_ICLOGS}, and one for their headers. */
    private static final long RECORDS_UNDER_WAY = 9;

    private final MetadataReader reader;
    private final Uuid uuid;
    private final long begin;
    private final long blocks;
    private final Where where;

    private LogHead(Geometry geometry, MetadataReader reader, Superblock.Identity identity) throws XfsException {
        this.reader = reader;
        uuid = identity.uuid();
        if (!geometry.holds(identity.logStart(), identity.logBlocks())) {
            throw geometry.where("superblock", -1, 0)
                    .bad("logstart is 0x" + Long.toHexString(identity.logStart()) + " and logblocks "
                            + identity.logBlocks() + ", expected blocks inside an allocation group");
        }
        begin = geometry.position(identity.logStart());
        blocks = identity.logBlocks() << (geometry.blockLog() - Geometry.BASIC_SHIFT);
        where = geometry.where("log", -1, begin);
    }

    /**
     * Makes sure that the file system was unmounted.
     *
     * @return where the next that is written to the log will lie, in bytes on the device
     * @throws XfsException if it was not, or that cannot be told
     */
    static long check(Geometry geometry, MetadataReader reader, Superblock.Identity identity) throws IOException {
        if (identity.logStart() == 0) {
            throw geometry.where("superblock", -1, 0)
                    .bad("logstart is 0: the log is on another device, so it cannot be told whether the file system was"
                            + " unmounted; if it was, read it explicitly with its log unrecovered");
        }
        LogHead log = new LogHead(geometry, reader, identity);
        String doubt = log.doubt();
        if (doubt != null) {
            throw log.where.bad(doubt + ": the file system is mounted or was not unmounted, so its blocks may not be"
                    + " what its files are; mount and unmount it once, or read it explicitly with its log unrecovered");
        }
        return log.begin + (log.head(log.cycle(0)) << Geometry.BASIC_SHIFT);
    }

    /** What keeps the log from being clean, or null. */
    private @Nullable String doubt() throws IOException {
        long now = cycle(0);
        if (now == 0) {
            return "it was never written";
        }
        long head = head(now);
        for (long back = 1; back <= Math.min(blocks, MAX_RECORD_BLOCKS); back++) {
            long at = Math.floorMod(head - back, blocks);
            MemorySegment block = block(at);
            if (OnDisk.u32(block, MAGICNO) == MAGIC) {
                String doubt = record(block, at, head == 0 || at < head ? now : now - 1, back);
                long size = Math.clamp(OnDisk.u32(block, SIZE), MIN_RECORD, MAX_RECORD);
                return doubt != null
                        ? doubt
                        : disorder(head == 0 ? blocks : head, now, RECORDS_UNDER_WAY * size / BLOCK);
            }
        }
        return "no record ends at its head, block " + head;
    }

    /**
     * What keeps a record from being that of an unmount, with which the log ends; or null.
     *
     * @param length blocks from where it begins to the head
     */
    private @Nullable String record(MemorySegment header, long at, long cycle, long length) throws IOException {
        String record = "its last record, at block " + at + ", ";
        if (OnDisk.u32(header, VERSION) != VERSION_2) {
            return record + "has version " + OnDisk.u32(header, VERSION) + ", expected " + VERSION_2;
        }
        if (OnDisk.u32(header, CYCLE) != cycle || OnDisk.i64(header, LSN) != (cycle << Integer.SIZE | at)) {
            return record + "has the number 0x" + Long.toHexString(OnDisk.i64(header, LSN)) + " and cycle "
                    + OnDisk.u32(header, CYCLE) + ", expected cycle " + cycle;
        }
        if (!Uuid.read(header, FS_UUID).equals(uuid)) {
            return record + "is of the file system " + Uuid.read(header, FS_UUID) + ", expected " + uuid;
        }
        long headerBlocks = Math.ceilDiv(Math.max(OnDisk.u32(header, SIZE), 1), HEADER_STANDS_FOR);
        if (headerBlocks + Math.ceilDiv(OnDisk.u32(header, LEN), BLOCK) != length) {
            return record + "has " + OnDisk.u32(header, LEN) + " bytes, and " + length + " blocks to the head";
        }
        boolean unmount = length > headerBlocks
                && OnDisk.u32(header, NUM_LOGOPS) == 1
                && (OnDisk.u8(block((at + headerBlocks) % blocks), OP_FLAGS) & UNMOUNT) != 0;
        return unmount ? null : record + "is not that of an unmount";
    }

    /** The first block whose cycle is not that of block 0, or 0 if there is none: the turn just ended. */
    private long head(long now) throws IOException {
        long low = 1;
        long high = blocks;
        while (low < high) {
            long middle = (low + high) >>> 1;
            if (cycle(middle) == now) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low == blocks ? 0 : low;
    }

    /**
     * Looks at the blocks around the head that could have been written out of order: all were, or none.
     *
     * @param end of this turn, the last block excluded
     * @param window how many blocks may be under way at once
     */
    private @Nullable String disorder(long end, long now, long window) throws IOException {
        // xfs_repair leaves blocks of zeros behind the head of the log that it makes.
        String first = differs(Math.max(0, end - window), end, now, now);
        String second = first != null ? first : differs(end, Math.min(blocks, end + window), now - 1, 0);
        // What is missing of the window before the head lies at the end of the turn before.
        return second != null ? second : differs(Math.max(end, blocks - Math.max(0, window - end)), blocks, now - 1, 0);
    }

    private @Nullable String differs(long from, long to, long cycle, long other) throws IOException {
        for (long at = from; at < to; at++) {
            if (cycle(at) != cycle && cycle(at) != other) {
                return "its block " + at + " has cycle " + cycle(at) + ", expected " + cycle;
            }
        }
        return null;
    }

    private long cycle(long at) throws IOException {
        MemorySegment block = block(at);
        long first = OnDisk.u32(block, 0);
        return first == MAGIC ? OnDisk.u32(block, CYCLE) : first;
    }

    private MemorySegment block(long at) throws IOException {
        return reader.read(begin + (at << Geometry.BASIC_SHIFT), BLOCK);
    }
}
