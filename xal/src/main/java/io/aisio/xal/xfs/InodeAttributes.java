package io.aisio.xal.xfs;

import io.aisio.xal.Attributes;
import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The fields of an inode that do not matter for where its data lies: owners, times and flags. */
final class InodeAttributes {
    static final long UID = 8;
    static final long GID = 12;
    static final long ATIME = 32;
    static final long MTIME = 40;
    static final long CTIME = 48;
    static final long NBLOCKS = 64;
    static final long CRTIME = 144;

    /** FLAGS2: times are nanoseconds in 64 bits, {@code XFS_DIFLAG2_BIGTIME}. */
    static final long BIGTIME = 1 << 3;
    /** When the count of a {@link #BIGTIME} begins, in seconds from 1970: {@code -XFS_BIGTIME_EPOCH_OFFSET}. */
    private static final long BIGTIME_EPOCH = Integer.MIN_VALUE;

    private static final long NANOS = 1_000_000_000;

    /** The device of a device file, at the beginning of its fork: 14 bits of major above 18 of minor. */
    private static final int MINOR_BITS = 18;

    private static final int MAJOR_MASK = (1 << 14) - 1;

    /** FLAGS, by their bits: {@code XFS_DIFLAG_*}. */
    private static final List<String> FLAGS = List.of(
            "realtime",
            "prealloc",
            "newrtbm",
            "immutable",
            "append-only",
            "sync",
            "no-atime",
            "no-dump",
            "rt-inherit",
            "proj-inherit",
            "nosymlinks",
            "extsize",
            "extsz-inherit",
            "nodefrag",
            "filestream");
    /** FLAGS2, by their bits: {@code XFS_DIFLAG2_*}. */
    private static final List<String> FLAGS2 =
            List.of("dax", "reflink", "cowextsize", "bigtime", "nrext64", "metadata");

    private InodeAttributes() {}

    /**
     * Reads them.
     *
     * @param s the inode's bytes
     * @param core what was read of it and checked before
     * @param target of a symbolic link
     */
    static Attributes parse(Geometry geometry, MemorySegment s, InodeCore core, @Nullable String target)
            throws XfsException {
        Where where = core.where();
        long blocks = OnDisk.i64(s, NBLOCKS);
        // Blocks that a file shares with itself count each time, and those of a real-time device are no blocks of this
        // one.
        long most = core.reflink() || core.realtime() ? Long.MAX_VALUE >> geometry.blockLog() : geometry.blocks();
        where.check(blocks >= 0 && blocks <= most, "nblocks", blocks, "at most " + most);
        boolean bigtime = (OnDisk.i64(s, InodeCore.FLAGS2) & BIGTIME) != 0;
        return new Attributes(
                core.inode(),
                OnDisk.u32(s, UID),
                OnDisk.u32(s, GID),
                blocks << geometry.blockLog(),
                time(s, ATIME, bigtime, "atime", where),
                time(s, MTIME, bigtime, "mtime", where),
                time(s, CTIME, bigtime, "ctime", where),
                time(s, CRTIME, bigtime, "crtime", where),
                device(core),
                target,
                flags(s));
    }

    private static Instant time(MemorySegment s, long offset, boolean bigtime, String field, Where where)
            throws XfsException {
        long raw = OnDisk.i64(s, offset);
        if (bigtime) {
            return Instant.ofEpochSecond(
                    BIGTIME_EPOCH + Long.divideUnsigned(raw, NANOS), Long.remainderUnsigned(raw, NANOS));
        }
        long nanos = raw & 0xFFFF_FFFFL;
        where.check(nanos < NANOS, field + ".nsec", nanos, "less than " + NANOS);
        return Instant.ofEpochSecond(raw >> Integer.SIZE, nanos);
    }

    private static Attributes.@Nullable DeviceNumber device(InodeCore core) {
        return switch (core.inode().type()) {
            case CHARACTER_DEVICE, BLOCK_DEVICE -> {
                int device = (int) OnDisk.u32(core.fork(), 0);
                yield new Attributes.DeviceNumber(device >>> MINOR_BITS & MAJOR_MASK, device & ((1 << MINOR_BITS) - 1));
            }
            default -> null;
        };
    }

    private static List<String> flags(MemorySegment s) {
        List<String> names = new ArrayList<>();
        add(names, OnDisk.u16(s, InodeCore.FLAGS), FLAGS);
        add(names, OnDisk.i64(s, InodeCore.FLAGS2), FLAGS2);
        return names;
    }

    private static void add(List<String> names, long bits, List<String> known) {
        for (long rest = bits; rest != 0; rest &= rest - 1) {
            int bit = Long.numberOfTrailingZeros(rest);
            names.add(bit < known.size() ? known.get(bit) : "bit " + bit);
        }
    }
}
