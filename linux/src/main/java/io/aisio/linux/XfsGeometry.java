package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/**
 * How a mounted XFS is laid out, as its kernel tells it: {@code struct xfs_fsop_geom_v1} of {@code xfs_fs.h}, which
 * every kernel with XFS knows.
 *
 * @param blockBytes size of a block in bytes
 * @param groupBlocks blocks of an allocation group; the last one may have fewer
 * @param groups how many allocation groups there are
 * @param flags {@code XFS_FSOP_GEOM_FLAGS_*}
 */
public record XfsGeometry(int blockBytes, int groupBlocks, int groups, int flags) {
    /** {@code sizeof(struct xfs_fsop_geom_v1)}. */
    static final int BYTES = 112;

    /** XFS_IOC_FSGEOMETRY_V1, {@code _IOR('X', 100, struct xfs_fsop_geom_v1)}. */
    static final long REQUEST = 0x8070_5864L;

    private static final int RMAPBT = 1 << 19;

    /** Whether it keeps who owns each block (rmapbt). */
    public boolean mapsOwners() {
        return (flags & RMAPBT) != 0;
    }

    static XfsGeometry of(MemorySegment geometry) {
        return new XfsGeometry(
                geometry.get(JAVA_INT, 0),
                geometry.get(JAVA_INT, 8),
                geometry.get(JAVA_INT, 12),
                geometry.get(JAVA_INT, 92));
    }
}
