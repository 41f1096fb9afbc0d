package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;

/** The head of an allocation group's inodes, {@code struct xfs_agi}: the third sector of each group. */
final class AgInodeHeader {
    static final long MAGICNUM = 0;
    static final long VERSIONNUM = 4;
    static final long SEQNO = 8;
    static final long LENGTH = 12;
    static final long COUNT = 16;
    static final long ROOT = 20;
    static final long LEVEL = 24;
    static final long FREECOUNT = 28;
    static final long UUID = 296;
    static final long CRC = 312;

    /** Which sector of the allocation group it is. */
    static final int SECTOR = 2;
    /** {@code XAGI}. */
    static final long MAGIC = 0x58414749;

    static final long VERSION = 1;

    private AgInodeHeader() {}

    static void check(Geometry geometry, long ag, MemorySegment s, Where where) throws XfsException {
        where.magic(OnDisk.u32(s, MAGICNUM), MAGIC);
        where.crc(s, CRC);
        where.uuid(s, UUID, geometry.uuid());
        where.check(OnDisk.u32(s, VERSIONNUM) == VERSION, "versionnum", OnDisk.u32(s, VERSIONNUM), "" + VERSION);
        where.check(OnDisk.u32(s, SEQNO) == ag, "seqno", OnDisk.u32(s, SEQNO), "" + ag);
        long length = geometry.agLength(ag);
        where.check(OnDisk.u32(s, LENGTH) == length, "length", OnDisk.u32(s, LENGTH), "" + length);
    }
}
