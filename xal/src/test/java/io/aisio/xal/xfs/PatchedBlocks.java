package io.aisio.xal.xfs;

import io.aisio.xal.BlockSource;
import io.aisio.xal.Extent;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An image with bytes changed in memory, to make what mkfs.xfs does not make and what nobody should. */
final class PatchedBlocks implements BlockSource {
    private static final int SECTOR = 512;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt CRC = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final BlockSource base;
    private final Map<Long, byte[]> sectors = new HashMap<>();
    private long size;
    private long reads;

    PatchedBlocks(BlockSource base) {
        this.base = base;
        this.size = base.size();
    }

    PatchedBlocks(PatchedBlocks other) {
        this(other.base);
        other.sectors.forEach((at, bytes) -> sectors.put(at, bytes.clone()));
    }

    @Override
    public String name() {
        return base.name();
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int alignment() {
        return SECTOR;
    }

    long bytesRead() {
        return reads;
    }

    void truncate(long bytes) {
        size = bytes;
    }

    @Override
    public void read(long position, MemorySegment target) throws IOException {
        if (position < 0 || position + target.byteSize() > size) {
            throw new EOFException("read at " + position + " of " + target.byteSize() + " bytes, of " + size);
        }
        base.read(position, target);
        reads += target.byteSize();
        for (long at = 0; at < target.byteSize(); at += SECTOR) {
            byte[] patched = sectors.get(position + at);
            if (patched != null) {
                MemorySegment.copy(patched, 0, target, ValueLayout.JAVA_BYTE, at, SECTOR);
            }
        }
    }

    byte[] get(long position, int length) throws IOException {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            long at = position + i;
            bytes[i] = sector(at)[(int) (at % SECTOR)];
        }
        return bytes;
    }

    long get(long position, long offset, int bytes) throws IOException {
        long value = 0;
        for (byte b : get(position + offset, bytes)) {
            value = value << 8 | b & 0xFF;
        }
        return value;
    }

    void put(long position, byte... bytes) throws IOException {
        for (int i = 0; i < bytes.length; i++) {
            long at = position + i;
            byte[] sector = sector(at);
            sector[(int) (at % SECTOR)] = bytes[i];
            sectors.put(at - at % SECTOR, sector);
        }
    }

    /** Writes the low {@code bytes} bytes of a value, big-endian. */
    void put(long position, long offset, int bytes, long value) throws IOException {
        byte[] all = new byte[Long.BYTES];
        MemorySegment.ofArray(all).set(LONG, 0, value);
        put(position + offset, Arrays.copyOfRange(all, Long.BYTES - bytes, Long.BYTES));
    }

    /** Makes a structure's checksum right again. */
    void seal(long position, int length, long crcOffset) throws IOException {
        MemorySegment s = MemorySegment.ofArray(get(position, length));
        byte[] crc = new byte[Integer.BYTES];
        MemorySegment.ofArray(crc).set(CRC, 0, OnDisk.computedCrc(s, crcOffset));
        put(position + crcOffset, crc);
    }

    private byte[] sector(long at) throws IOException {
        long start = at - at % SECTOR;
        byte[] patched = sectors.get(start);
        if (patched == null) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment whole = arena.allocate(SECTOR);
                base.read(start, whole);
                patched = whole.toArray(ValueLayout.JAVA_BYTE);
            }
        }
        return patched;
    }

    // What follows writes XFS's structures, by the geometry of the file system.

    /** The file system block at a position of the device. */
    static long block(Geometry g, long position) {
        long block = position >> g.blockLog();
        return block / g.agBlocks() << g.agBlockLog() | block % g.agBlocks();
    }

    void extent(Geometry g, long at, Extent e) throws IOException {
        long block = block(g, e.position());
        long l0 = (e.unwritten() ? Long.MIN_VALUE : 0) | e.offset() >> g.blockLog() << 9 | block >>> 43;
        put(at, 0, 8, l0);
        put(at, 8, 8, block << 21 | e.length() >> g.blockLog());
    }

    void sealInode(Geometry g, long number) throws IOException {
        seal(g.inodePosition(number), g.inodeSize(), InodeCore.CRC);
    }

    void inodeField(Geometry g, long number, long offset, int bytes, long value) throws IOException {
        put(g.inodePosition(number), offset, bytes, value);
        sealInode(g, number);
    }

    /** Puts extents into an inode itself. */
    void inline(Geometry g, long number, List<Extent> extents) throws IOException {
        long at = g.inodePosition(number);
        put(at, InodeCore.FORMAT, 1, InodeCore.Format.EXTENTS.ordinal());
        put(at, InodeCore.NEXTENTS, 4, extents.size());
        for (int i = 0; i < extents.size(); i++) {
            extent(g, at + InodeCore.CORE_BYTES + i * 16L, extents.get(i));
        }
        sealInode(g, number);
    }

    /**
     * Puts extents into a B-tree.
     *
     * @param spare where blocks are free to be used for it
     * @param perLeaf extents of a leaf
     * @param fanOut children of a node
     * @param forkoff size of the data fork in 8 bytes, or 0
     * @return the blocks of the tree, as many as there are
     */
    int tree(Geometry g, long number, List<Extent> extents, long spare, int perLeaf, int fanOut, int forkoff)
            throws IOException {
        int used = 0;
        List<long[]> children = new ArrayList<>();
        for (int i = 0; i < extents.size(); i += perLeaf) {
            List<Extent> records = extents.subList(i, Math.min(extents.size(), i + perLeaf));
            long at = spare + (long) used++ * g.blockSize();
            header(g, number, at, 0, records.size());
            for (int k = 0; k < records.size(); k++) {
                extent(g, at + BmapBlock.HEADER_BYTES + k * 16L, records.get(k));
            }
            seal(at, g.blockSize(), BmapBlock.CRC);
            children.add(new long[] {records.getFirst().offset() >> g.blockLog(), block(g, at)});
        }
        int level = 1;
        for (; children.size() > fanOut; level++) {
            List<long[]> parents = new ArrayList<>();
            for (int i = 0; i < children.size(); i += fanOut) {
                List<long[]> below = children.subList(i, Math.min(children.size(), i + fanOut));
                long at = spare + (long) used++ * g.blockSize();
                header(g, number, at, level, below.size());
                pointers(at + BmapBlock.HEADER_BYTES, (g.blockSize() - BmapBlock.HEADER_BYTES) / 16, below);
                seal(at, g.blockSize(), BmapBlock.CRC);
                parents.add(new long[] {below.getFirst()[0], block(g, at)});
            }
            children = parents;
        }
        long inode = g.inodePosition(number);
        int fork = forkoff == 0 ? g.inodeSize() - InodeCore.CORE_BYTES : forkoff * 8;
        put(inode, InodeCore.FORMAT, 1, InodeCore.Format.BTREE.ordinal());
        put(inode, InodeCore.FORKOFF, 1, forkoff);
        put(inode, InodeCore.NEXTENTS, 4, extents.size());
        put(inode, InodeCore.CORE_BYTES + BmapBlock.ROOT_LEVEL, 2, level);
        put(inode, InodeCore.CORE_BYTES + BmapBlock.ROOT_NUMRECS, 2, children.size());
        pointers(inode + InodeCore.CORE_BYTES + BmapBlock.ROOT_BYTES, (fork - BmapBlock.ROOT_BYTES) / 16, children);
        sealInode(g, number);
        return used;
    }

    private void header(Geometry g, long owner, long at, int level, int records) throws IOException {
        put(at, new byte[g.blockSize()]);
        put(at, BmapBlock.MAGIC_FIELD, 4, BmapBlock.MAGIC);
        put(at, BmapBlock.LEVEL, 2, level);
        put(at, BmapBlock.NUMRECS, 2, records);
        put(at, BmapBlock.BLKNO, 8, at / SECTOR);
        put(at, BmapBlock.UUID, 8, g.uuid().high());
        put(at, BmapBlock.UUID + 8, 8, g.uuid().low());
        put(at, BmapBlock.OWNER, 8, owner);
    }

    private void pointers(long keysAt, int room, List<long[]> children) throws IOException {
        for (int i = 0; i < children.size(); i++) {
            put(keysAt, i * 8L, 8, children.get(i)[0]);
            put(keysAt, (room + i) * 8L, 8, children.get(i)[1]);
        }
    }
}
