package io.aisio.xal.xfs;

import io.aisio.xal.Extent;
import io.aisio.xal.FileName;
import io.aisio.xal.XfsException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Where a symbolic link leads: in the inode, or in extents of its own, each with a header ({@code
 * struct xfs_dsymlink_hdr}) and a part of the path.
 */
final class SymlinkTarget {
    static final long MAGIC_FIELD = 0;
    static final long OFFSET = 4;
    static final long BYTES = 8;
    static final long CRC = 12;
    static final long UUID = 16;
    static final long OWNER = 32;
    static final long BLKNO = 40;
    static final int HEADER_BYTES = 56;

    /** {@code XSLM}. */
    static final long MAGIC = 0x58534C4D;
    /** The longest path that a link can hold: {@code XFS_SYMLINK_MAXLEN}. */
    static final int MAX_BYTES = 1024;

    /** Of an extent, in bytes: the largest block. */
    private static final long MAX_LENGTH = 1 << 16;

    private SymlinkTarget() {}

    /** Reads it. */
    static String read(Geometry geometry, MetadataReader reader, InodeCore link) throws IOException {
        long size = link.inode().size();
        link.where().check(size >= 1 && size <= MAX_BYTES, "size", size, "a path of 1 to " + MAX_BYTES + " bytes");
        byte[] path = link.format() == InodeCore.Format.LOCAL
                ? local(link, (int) size)
                : remote(geometry, reader, link, (int) size);
        for (byte b : path) {
            if (b == 0) {
                throw link.where().bad("the path that it holds has a NUL in it: " + FileName.decode(path));
            }
        }
        return FileName.decode(path);
    }

    private static byte[] local(InodeCore link, int size) throws XfsException {
        long room = link.fork().byteSize();
        link.where().check(size <= room, "size", size, "at most " + room + ", as much as fits into the inode");
        return OnDisk.bytes(link.fork(), 0, size);
    }

    private static byte[] remote(Geometry geometry, MetadataReader reader, InodeCore link, int size)
            throws IOException {
        byte[] path = new byte[size];
        int done = 0;
        List<Extent> extents = BlockMap.read(geometry, reader, link);
        for (Extent extent : extents) {
            // Else blocks mapped again and again would be read as often.
            link.where()
                    .check(done < size, "nextents", extents.size(), "no blocks behind the " + size + " bytes of path");
            link.where().check(!extent.unwritten(), "extentflag", 1, "0: a link's blocks are written");
            link.where()
                    .check(
                            extent.length() <= MAX_LENGTH,
                            "blockcount",
                            extent.length() >> geometry.blockLog(),
                            "what a path of " + MAX_BYTES + " bytes needs");
            Where where = geometry.where("path of symbolic link", link.inode().number(), extent.position());
            MemorySegment s = reader.read(extent.position(), (int) extent.length());
            done += part(link.inode().number(), geometry.uuid(), s, path, done, where);
        }
        link.where().check(done == size, "size", size, done + ", as much as its blocks hold");
        return path;
    }

    private static int part(long owner, Uuid uuid, MemorySegment s, byte[] path, int done, Where where)
            throws XfsException {
        where.magic(OnDisk.u32(s, MAGIC_FIELD), MAGIC);
        where.crc(s, CRC);
        where.uuid(s, UUID, uuid);
        where.self(OnDisk.i64(s, BLKNO));
        where.check(OnDisk.i64(s, OWNER) == owner, "owner", OnDisk.i64(s, OWNER), "inode " + owner);
        where.check(OnDisk.u32(s, OFFSET) == done, "offset", OnDisk.u32(s, OFFSET), "" + done);
        long expected = Math.min(path.length - done, s.byteSize() - HEADER_BYTES);
        where.check(OnDisk.u32(s, BYTES) == expected, "bytes", OnDisk.u32(s, BYTES), "" + expected);
        byte[] part = OnDisk.bytes(s, HEADER_BYTES, (int) expected);
        System.arraycopy(part, 0, path, done, part.length);
        return part.length;
    }
}
