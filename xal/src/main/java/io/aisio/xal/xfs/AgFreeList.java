package io.aisio.xal.xfs;

import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;

/**
 * The blocks that an allocation group keeps free for its own B-trees, {@code struct xfs_agfl}: the fourth sector of each
 * group. What it lists does not matter to who only reads; that its head is sound does.
 */
final class AgFreeList {
    static final long MAGICNUM = 0;
    static final long SEQNO = 4;
    static final long UUID = 8;
    static final long CRC = 32;

    /** Which sector of the allocation group it is. */
    static final int SECTOR = 3;
    /** {@code XAFL}. */
    static final long MAGIC = 0x5841464C;

    private AgFreeList() {}

    static void check(Geometry geometry, long ag, MemorySegment s, Where where) throws XfsException {
        where.magic(OnDisk.u32(s, MAGICNUM), MAGIC);
        where.crc(s, CRC);
        where.uuid(s, UUID, geometry.uuid());
        where.check(OnDisk.u32(s, SEQNO) == ag, "seqno", OnDisk.u32(s, SEQNO), "" + ag);
    }
}
