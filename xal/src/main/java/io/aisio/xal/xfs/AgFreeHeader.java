package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;

/** The head of an allocation group's free space, {@code struct xfs_agf}: the second sector of each group. */
final class AgFreeHeader {
    static final long MAGICNUM = 0;
    static final long VERSIONNUM = 4;
    static final long SEQNO = 8;
    static final long LENGTH = 12;
    static final long FLCOUNT = 48;
    static final long FREEBLKS = 52;
    static final long BTREEBLKS = 60;
    static final long UUID = 64;
    static final long REFCOUNT_ROOT = 88;
    static final long REFCOUNT_LEVEL = 92;
    static final long CRC = 216;

    /** Which sector of the allocation group it is. */
    static final int SECTOR = 1;
    /** {@code XAGF}. */
    static final long MAGIC = 0x58414746;

    static final long VERSION = 1;

    private AgFreeHeader() {}

    static void check(Geometry geometry, long ag, MemorySegment s, Where where) throws XfsException {
        where.magic(OnDisk.u32(s, MAGICNUM), MAGIC);
        where.crc(s, CRC);
        where.uuid(s, UUID, geometry.uuid());
        where.check(OnDisk.u32(s, VERSIONNUM) == VERSION, "versionnum", OnDisk.u32(s, VERSIONNUM), "" + VERSION);
        where.check(OnDisk.u32(s, SEQNO) == ag, "seqno", OnDisk.u32(s, SEQNO), "" + ag);
        long length = geometry.agLength(ag);
        where.check(OnDisk.u32(s, LENGTH) == length, "length", OnDisk.u32(s, LENGTH), "" + length);
    }

    /** The group's blocks that no file takes: those in its trees of free space, in its list, and of the trees themselves. */
    static long free(Geometry geometry, long ag, MemorySegment s, Where where) throws XfsException {
        long free = OnDisk.u32(s, FREEBLKS) + OnDisk.u32(s, FLCOUNT) + OnDisk.u32(s, BTREEBLKS);
        long length = geometry.agLength(ag);
        where.check(free <= length, "freeblks", free, "at most " + length + ", with flcount and btreeblks");
        return free;
    }
}
