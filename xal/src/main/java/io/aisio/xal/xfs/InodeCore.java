package io.aisio.xal.xfs;

import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.XfsException;
import java.lang.foreign.MemorySegment;

/**
 * An inode, {@code struct xfs_dinode} of version 3: {@value #CORE_BYTES} bytes, then its data fork, then its attribute
 * fork.
 *
 * @param inode what callers see of it
 * @param format how the data fork is laid out
 * @param extents how many extent records the data fork has
 * @param fork the bytes of the data fork
 * @param realtime its blocks lie on the real-time device
 * @param reflink other files may have blocks of it too
 * @param where it lies
 */
record InodeCore(
        Inode inode, Format format, long extents, MemorySegment fork, boolean realtime, boolean reflink, Where where) {
    static final long MAGIC_FIELD = 0;
    static final long MODE = 2;
    static final long VERSION_FIELD = 4;
    static final long FORMAT = 5;
    static final long NLINK = 16;
    /** 64-bit count of extents, if {@link #NREXT64} is set in flags2. */
    static final long BIG_NEXTENTS = 24;

    static final long SIZE = 56;
    /** 32-bit count of extents, if {@link #NREXT64} is clear; else that of the attribute fork. */
    static final long NEXTENTS = 76;
    /** Size of the data fork in units of 8 bytes; 0 if there is no attribute fork. */
    static final long FORKOFF = 82;

    static final long FLAGS = 90;
    static final long GEN = 92;
    static final long CRC = 100;
    static final long CHANGECOUNT = 104;
    static final long FLAGS2 = 120;
    static final long INO = 152;
    static final long UUID = 160;

    /** Where the data fork begins. */
    static final int CORE_BYTES = 176;
    /** {@code IN}. */
    static final long MAGIC = 0x494E;

    static final int VERSION = 3;
    /** FLAGS: the data lies on the real-time device. */
    static final int REALTIME = 1;
    /** FLAGS2: blocks may be shared with other files. */
    static final long REFLINK = 1 << 1;
    /** FLAGS2: extents are counted in 64 bits. */
    static final long NREXT64 = 1 << 4;

    /** Of {@link #FORKOFF}, to bytes. */
    static final int FORKOFF_SHIFT = 3;

    private static final int MODE_PERMISSIONS = 0xFFF;

    /** How a data fork is laid out, in the order of the numbers on disk. */
    enum Format {
        /** The number of a device. */
        DEVICE,
        /** The data itself. */
        LOCAL,
        /** Extent records. */
        EXTENTS,
        /** The root of a B-tree of extent records. */
        BTREE
    }

    /**
     * Reads and checks an inode.
     *
     * @param s its bytes, as many as the geometry's inode size
     */
    static InodeCore parse(Geometry geometry, long number, MemorySegment s, Where where) throws XfsException {
        where.magic(OnDisk.u16(s, MAGIC_FIELD), MAGIC);
        where.check(OnDisk.u8(s, VERSION_FIELD) == VERSION, "version", OnDisk.u8(s, VERSION_FIELD), "" + VERSION);
        where.crc(s, CRC);
        where.check(OnDisk.i64(s, INO) == number, "ino", OnDisk.i64(s, INO), "" + number);
        where.uuid(s, UUID, geometry.uuid());
        FileType type = type(s, where);
        long size = OnDisk.i64(s, SIZE);
        where.check(size >= 0, "size", size, "0 or more");

        Format format = format(s, type, where);
        MemorySegment fork = fork(s, where);
        int flags = OnDisk.u16(s, FLAGS);
        return new InodeCore(
                new Inode(
                        number,
                        (int) OnDisk.u32(s, GEN),
                        type,
                        OnDisk.u16(s, MODE) & MODE_PERMISSIONS,
                        OnDisk.u32(s, NLINK),
                        size),
                format,
                extents(geometry, s, where),
                fork,
                type == FileType.REGULAR && (flags & REALTIME) != 0,
                (OnDisk.i64(s, FLAGS2) & REFLINK) != 0,
                where);
    }

    private static FileType type(MemorySegment s, Where where) throws XfsException {
        int mode = OnDisk.u16(s, MODE);
        if (mode == 0) {
            throw where.bad("mode is 0: the inode is free");
        }
        try {
            return FileType.ofMode(mode);
        } catch (IllegalArgumentException e) {
            throw where.badHex("mode", mode, "a file type in bits 15:12");
        }
    }

    private static Format format(MemorySegment s, FileType type, Where where) throws XfsException {
        int number = OnDisk.u8(s, FORMAT);
        if (number < Format.values().length) {
            Format format = Format.values()[number];
            boolean fits = switch (type) {
                case REGULAR -> format == Format.EXTENTS || format == Format.BTREE;
                case DIRECTORY, SYMLINK -> format != Format.DEVICE;
                case CHARACTER_DEVICE, BLOCK_DEVICE, FIFO, SOCKET -> format == Format.DEVICE;
            };
            if (fits) {
                return format;
            }
        }
        throw where.bad("format", number, "one that an inode of type " + type + " can have");
    }

    private static MemorySegment fork(MemorySegment s, Where where) throws XfsException {
        int room = (int) s.byteSize() - CORE_BYTES;
        int forkoff = OnDisk.u8(s, FORKOFF);
        int bytes = forkoff == 0 ? room : forkoff << FORKOFF_SHIFT;
        where.check(bytes <= room, "forkoff", forkoff, "at most " + (room >> FORKOFF_SHIFT));
        return s.asSlice(CORE_BYTES, bytes);
    }

    private static long extents(Geometry geometry, MemorySegment s, Where where) throws XfsException {
        long flags2 = OnDisk.i64(s, FLAGS2);
        if ((flags2 & NREXT64) == 0) {
            return OnDisk.u32(s, NEXTENTS);
        }
        if (!geometry.largeExtentCounts()) {
            throw where.badHex("flags2", flags2, "no nrext64 (bit 4), which the superblock does not have either");
        }
        return OnDisk.i64(s, BIG_NEXTENTS);
    }
}
