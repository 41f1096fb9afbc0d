package io.aisio.xal.xfs;

import io.aisio.xal.FileName;
import io.aisio.xal.XfsException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The superblock, {@code struct xfs_dsb}: the first sector of the device, checksummed as a whole sector. */
final class Superblock {
    static final long MAGICNUM = 0;
    static final long BLOCKSIZE = 4;
    static final long DBLOCKS = 8;
    static final long RBLOCKS = 16;
    static final long UUID = 32;
    static final long LOGSTART = 48;
    static final long ROOTINO = 56;
    static final long RBMINO = 64;
    static final long RSUMINO = 72;
    static final long AGBLOCKS = 84;
    static final long AGCOUNT = 88;
    static final long LOGBLOCKS = 96;
    static final long VERSIONNUM = 100;
    static final long SECTSIZE = 102;
    static final long INODESIZE = 104;
    static final long INOPBLOCK = 106;
    /** The label: {@value #FNAME_BYTES} bytes, or fewer and a NUL. */
    static final long FNAME = 108;

    static final int FNAME_BYTES = 12;
    static final long BLOCKLOG = 120;
    static final long SECTLOG = 121;
    static final long INODELOG = 122;
    static final long INOPBLOG = 123;
    static final long AGBLKLOG = 124;
    static final long INPROGRESS = 126;
    static final long UQUOTINO = 160;
    static final long GQUOTINO = 168;
    static final long DIRBLKLOG = 192;
    static final long FEATURES_RO_COMPAT = 212;
    static final long FEATURES_INCOMPAT = 216;
    static final long CRC = 224;
    static final long PQUOTINO = 232;
    static final long META_UUID = 248;

    /** Bytes up to the end of the last field that version 5 began with; later ones follow, within the sector. */
    static final int BYTES = 264;

    /** {@code XFSB}. */
    static final long MAGIC = 0x58465342;
    /** The version's number: bits 3:0 of {@code versionnum}. */
    static final int VERSION_MASK = 0xF;

    /** FEATURES_RO_COMPAT: files may share blocks. */
    static final long REFLINK = 1 << 2;

    /** FEATURES_INCOMPAT: file types in directory entries. */
    static final long FTYPE = 1 << 0;
    /** Chunks of inodes may lack some. */
    static final long SPARSE_INODES = 1 << 1;
    /** Metadata carries {@code meta_uuid}, not {@code uuid}. */
    static final long HAS_META_UUID = 1 << 2;
    /** xfs_repair must run first. */
    static final long NEEDSREPAIR = 1 << 4;
    /** Inodes may count extents in 64 bits. */
    static final long NREXT64 = 1 << 5;

    /** VERSIONNUM: case does not matter in names, {@code XFS_SB_VERSION_BORGBIT}. */
    static final long ASCII_CI = 1 << 14;

    /** The features that forbid only writing to those who do not know them, by their bits. */
    private static final List<String> RO_COMPAT = List.of("finobt", "rmapbt", "reflink", "inobtcount");
    /** The incompatible features, by their bits. */
    private static final List<String> INCOMPAT = List.of(
            "ftype",
            "sparse inodes",
            "meta_uuid",
            "bigtime",
            "needsrepair",
            "nrext64",
            "exchange-range",
            "parent pointers",
            "metadata directory",
            "zoned",
            "zone gaps");
    /**
     * Those that this reader knows, or that change nothing of what it reads: exchange-range ({@code
     * XFS_SB_FEAT_INCOMPAT_EXCHRANGE}) adds items to the log, which must be clean, and parent pointers ({@code
     * XFS_SB_FEAT_INCOMPAT_PARENT}) are attributes, of which only the size of their fork matters here. A metadata directory
     * and zones move what belongs to the real-time device, so that its files could not be told from others.
     */
    private static final long KNOWN = 0b0000_1110_1111;

    private static final int MIN_SECTOR_LOG = 9;
    private static final int MAX_SECTOR_LOG = 15;
    private static final int MIN_BLOCK_LOG = 10;
    private static final int MAX_BLOCK_LOG = 16;
    private static final int MIN_INODE_LOG = 8;
    private static final int MAX_INODE_LOG = 11;
    /** The least blocks of an allocation group, the last one too. */
    private static final int MIN_AG_BLOCKS = 64;
    /** An allocation group has at most 1 TiB. */
    private static final int MAX_AG_LOG = 40;

    private Superblock() {}

    /**
     * What matters of a superblock beside the geometry.
     *
     * @param uuid that the owner sees; that of the metadata may be another
     * @param label given by its owner; empty if none
     * @param logStart the first block of the log; 0 if it is on another device
     * @param features by their names
     */
    record Identity(Uuid uuid, String label, long logStart, long logBlocks, List<String> features) {}

    /** Reads the rest of a superblock that was {@linkplain #read checked}. */
    static Identity identity(Geometry geometry, MetadataReader reader) throws IOException {
        MemorySegment s = reader.read(0, 1 << geometry.sectorLog());
        byte[] label = OnDisk.bytes(s, FNAME, FNAME_BYTES);
        int length = 0;
        while (length < label.length && label[length] != 0) {
            length++;
        }
        long logStart = OnDisk.i64(s, LOGSTART);
        List<String> features = new ArrayList<>(names(OnDisk.u32(s, FEATURES_INCOMPAT), INCOMPAT));
        features.addAll(names(OnDisk.u32(s, FEATURES_RO_COMPAT), RO_COMPAT));
        if ((OnDisk.u16(s, VERSIONNUM) & ASCII_CI) != 0) {
            features.add("ascii-ci");
        }
        if (OnDisk.i64(s, RBLOCKS) != 0) {
            features.add("real-time device");
        }
        if (logStart == 0) {
            features.add("external log");
        }
        return new Identity(
                Uuid.read(s, UUID),
                FileName.decode(Arrays.copyOf(label, length)),
                logStart,
                OnDisk.u32(s, LOGBLOCKS),
                List.copyOf(features));
    }

    private static List<String> names(long bits, List<String> names) {
        List<String> found = new ArrayList<>();
        for (long rest = bits; rest != 0; rest &= rest - 1) {
            int bit = Long.numberOfTrailingZeros(rest);
            found.add(bit < names.size() ? names.get(bit) : "bit " + bit);
        }
        return found;
    }

    /**
     * Reads and checks the superblock.
     *
     * @param size of the device in bytes
     */
    static Geometry read(String source, MetadataReader reader, long size) throws IOException {
        Where where = new Where(source, "superblock", -1, 0, null);
        if (size < 1 << MIN_SECTOR_LOG) {
            throw where.bad("the device holds " + size
                    + " bytes, too few for a file system; name an image or a device that mkfs.xfs made");
        }
        MemorySegment s = reader.read(0, 1 << MIN_SECTOR_LOG);
        long magic = OnDisk.u32(s, MAGICNUM);
        if (magic != MAGIC) {
            throw where.bad(String.format(
                    "this is no XFS file system: the magic is 0x%08x, expected 0x%08x (XFSB); name an image or a device"
                            + " that mkfs.xfs made, a partition rather than its disk",
                    magic, MAGIC));
        }
        int version = OnDisk.u16(s, VERSIONNUM) & VERSION_MASK;
        if (version != 5) {
            throw where.bad("this is XFS version " + version + "; only version 5 is read, which mkfs.xfs makes unless"
                    + " it is told -m crc=0");
        }
        int sectorLog = OnDisk.u8(s, SECTLOG);
        log(where, "sectlog", sectorLog, MIN_SECTOR_LOG, MAX_SECTOR_LOG);
        power(where, "sectsize", OnDisk.u16(s, SECTSIZE), sectorLog);
        if (size < 1L << sectorLog) {
            throw where.bad("the device holds " + size + " bytes, less than the sector of " + (1 << sectorLog));
        }
        MemorySegment sector = reader.read(0, 1 << sectorLog);
        where.crc(sector, CRC);
        features(where, OnDisk.u32(sector, FEATURES_INCOMPAT));
        return geometry(where, sector, sectorLog, size);
    }

    private static void features(Where where, long incompat) throws XfsException {
        if ((incompat & NEEDSREPAIR) != 0) {
            throw where.bad("the file system is marked as needing repair: run xfs_repair on it first");
        }
        if ((incompat & FTYPE) == 0) {
            throw where.badHex("features_incompat", incompat, "file types in directory entries (ftype, bit 0)");
        }
        List<String> unknown = names(incompat & ~KNOWN, INCOMPAT);
        if (!unknown.isEmpty()) {
            throw where.bad("it uses features that are not known here: " + String.join(", ", unknown));
        }
    }

    private static Geometry geometry(Where where, MemorySegment s, int sectorLog, long size) throws XfsException {
        int blockLog = OnDisk.u8(s, BLOCKLOG);
        log(where, "blocklog", blockLog, Math.max(MIN_BLOCK_LOG, sectorLog), MAX_BLOCK_LOG);
        power(where, "blocksize", OnDisk.u32(s, BLOCKSIZE), blockLog);

        int inodeLog = OnDisk.u8(s, INODELOG);
        log(where, "inodelog", inodeLog, MIN_INODE_LOG, MAX_INODE_LOG);
        power(where, "inodesize", OnDisk.u16(s, INODESIZE), inodeLog);
        int inodesPerBlockLog = OnDisk.u8(s, INOPBLOG);
        log(where, "inopblog", inodesPerBlockLog, blockLog - inodeLog, blockLog - inodeLog);
        power(where, "inopblock", OnDisk.u16(s, INOPBLOCK), inodesPerBlockLog);

        int directoryBlockLog = blockLog + OnDisk.u8(s, DIRBLKLOG);
        where.check(
                directoryBlockLog <= MAX_BLOCK_LOG,
                "dirblklog",
                OnDisk.u8(s, DIRBLKLOG),
                "at most " + (MAX_BLOCK_LOG - blockLog));

        long agBlocks = OnDisk.u32(s, AGBLOCKS);
        where.check(
                agBlocks >= MIN_AG_BLOCKS && agBlocks <= 1L << (MAX_AG_LOG - blockLog),
                "agblocks",
                agBlocks,
                MIN_AG_BLOCKS + " to " + (1L << (MAX_AG_LOG - blockLog)));
        int agBlockLog = OnDisk.u8(s, AGBLKLOG);
        int fittingLog = Long.SIZE - Long.numberOfLeadingZeros(agBlocks - 1);
        log(where, "agblklog", agBlockLog, fittingLog, fittingLog);

        long agCount = OnDisk.u32(s, AGCOUNT);
        long blocks = OnDisk.i64(s, DBLOCKS);
        where.check(agCount > 0, "agcount", agCount, "at least 1");
        where.check(
                blocks >= (agCount - 1) * agBlocks + MIN_AG_BLOCKS && blocks <= agCount * agBlocks,
                "dblocks",
                blocks,
                "what " + agCount + " allocation groups of " + agBlocks + " blocks hold");
        if (blocks > size >> blockLog) {
            throw where.bad("dblocks is " + blocks + " blocks of " + (1 << blockLog) + " bytes, but the device holds "
                    + size + " bytes: it is cut short");
        }
        where.check(OnDisk.u8(s, INPROGRESS) == 0, "inprogress", OnDisk.u8(s, INPROGRESS), "0: mkfs has not ended");

        long incompat = OnDisk.u32(s, FEATURES_INCOMPAT);
        return new Geometry(
                where.source(),
                sectorLog,
                blockLog,
                inodeLog,
                inodesPerBlockLog,
                directoryBlockLog,
                agBlocks,
                agBlockLog,
                agCount,
                blocks,
                OnDisk.i64(s, ROOTINO),
                Uuid.read(s, (incompat & HAS_META_UUID) != 0 ? META_UUID : UUID),
                (incompat & NREXT64) != 0,
                (OnDisk.u32(s, FEATURES_RO_COMPAT) & REFLINK) != 0,
                (incompat & SPARSE_INODES) != 0,
                List.of(
                        OnDisk.i64(s, RBMINO),
                        OnDisk.i64(s, RSUMINO),
                        OnDisk.i64(s, UQUOTINO),
                        OnDisk.i64(s, GQUOTINO),
                        OnDisk.i64(s, PQUOTINO)));
    }

    private static void log(Where where, String field, int value, int least, int most) throws XfsException {
        where.check(value >= least && value <= most, field, value, least == most ? "" + least : least + " to " + most);
    }

    private static void power(Where where, String field, long value, int log) throws XfsException {
        where.check(value == 1L << log, field, value, "2 to the power of " + log);
    }
}
