package io.aisio.xal.xfs;

import io.aisio.xal.BlockSource;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.Xal;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;

/**
 * A small file system in memory, made by {@code src/test/fuzz/make-seeds}. It knows its own structures, so that they can
 * be changed, sealed with the right checksum, and set back. One thread changes it, while nobody reads.
 */
final class SeedImage implements BlockSource {
    private static final int SECTOR = 512;
    /** Owner of what belongs to no inode. */
    static final long NOBODY = -1;

    /** What a structure is, and where it keeps its checksum. */
    enum Kind {
        SUPERBLOCK(Superblock.CRC),
        AGF(AgFreeHeader.CRC),
        AGI(AgInodeHeader.CRC),
        AGFL(AgFreeList.CRC),
        INODE_TREE(AgBtree.CRC),
        REFCOUNT_TREE(AgBtree.CRC),
        INODE(InodeCore.CRC),
        BLOCK_MAP(BmapBlock.CRC),
        DIRECTORY(DirectoryBlock.CRC),
        SYMLINK(SymlinkTarget.CRC),
        /** The last record of the log, and some sectors around it: without a checksum that matters. */
        LOG(-1);

        private final long crc;

        Kind(long crc) {
            this.crc = crc;
        }
    }

    /**
     * A structure.
     *
     * @param owner the inode that it is, or that it belongs to; or {@link #NOBODY}
     * @param pieces where it lies: it is cut into pieces of one length, of which each may lie elsewhere
     * @param pieceBytes of one piece
     */
    record Structure(Kind kind, long owner, int[] pieces, int pieceBytes) {
        int length() {
            return pieces.length * pieceBytes;
        }

        private int position(int offset) {
            return pieces[offset / pieceBytes] + offset % pieceBytes;
        }
    }

    /** What a sound file is like: its inode, and where its bytes lie. */
    record Row(Entry entry, List<Extent> extents, String target) {}

    private final String name;
    private final byte[] bytes;
    private final Geometry geometry;
    private final List<Structure> structures = new ArrayList<>();
    private final Map<String, Row> files = new TreeMap<>();
    /** Sectors as they were, by their positions, of those that were changed. */
    private final Map<Integer, byte[]> before = new HashMap<>();

    private final Set<Integer> unreadable = new HashSet<>();
    private int size;

    /** Reads one from the resources of the tests. */
    static SeedImage load(String name) {
        try (InputStream packed = SeedImage.class.getResourceAsStream(name + ".img.gz")) {
            return new SeedImage(name, new GZIPInputStream(packed).readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private SeedImage(String name, byte[] bytes) throws IOException {
        this.name = name;
        this.bytes = bytes;
        size = bytes.length;
        try (MetadataReader reader = new MetadataReader(this);
                Xal xal = Xal.open(this)) {
            geometry = Superblock.read(name, reader, size);
            heads(reader);
            Map<Long, InodeCore> inodes = new LinkedHashMap<>();
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) throws IOException {
                    String target = entry.type() == FileType.SYMLINK
                            ? xal.attributes(entry).target()
                            : "";
                    files.put(entry.path(), new Row(entry, xal.extents(entry), target));
                    long number = entry.inode().number();
                    long at = geometry.inodePosition(number);
                    MemorySegment s = reader.read(at, geometry.inodeSize());
                    inodes.putIfAbsent(
                            number, InodeCore.parse(geometry, number, s, geometry.where("inode", number, at)));
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    throw problem;
                }
            });
            for (InodeCore inode : inodes.values()) {
                inode(reader, inode);
            }
        }
    }

    // What there is.

    private void heads(MetadataReader reader) throws IOException {
        int sector = 1 << geometry.sectorLog();
        add(Kind.SUPERBLOCK, NOBODY, 0, sector);
        for (long ag = 0; ag < geometry.agCount(); ag++) {
            long head = geometry.agPosition(ag);
            add(Kind.AGF, NOBODY, head + (long) AgFreeHeader.SECTOR * sector, sector);
            add(Kind.AGI, NOBODY, head + (long) AgInodeHeader.SECTOR * sector, sector);
            add(Kind.AGFL, NOBODY, head + (long) AgFreeList.SECTOR * sector, sector);
            MemorySegment agi = reader.read(head + (long) AgInodeHeader.SECTOR * sector, sector);
            tree(Kind.INODE_TREE, ag, OnDisk.u32(agi, AgInodeHeader.ROOT), 4, reader);
            MemorySegment agf = reader.read(head + (long) AgFreeHeader.SECTOR * sector, sector);
            tree(Kind.REFCOUNT_TREE, ag, OnDisk.u32(agf, AgFreeHeader.REFCOUNT_ROOT), 4, reader);
        }
        log(Superblock.identity(geometry, reader), reader);
    }

    private void tree(Kind kind, long ag, long block, int keyBytes, MetadataReader reader) throws IOException {
        long position = geometry.position(ag << geometry.agBlockLog() | block);
        add(kind, NOBODY, position, geometry.blockSize());
        MemorySegment s = reader.read(position, geometry.blockSize());
        int room = (geometry.blockSize() - AgBtree.HEADER_BYTES) / (keyBytes + Integer.BYTES);
        for (int i = 0; OnDisk.u16(s, AgBtree.LEVEL) > 0 && i < OnDisk.u16(s, AgBtree.NUMRECS); i++) {
            long pointer = AgBtree.HEADER_BYTES + (long) room * keyBytes + (long) i * Integer.BYTES;
            tree(kind, ag, OnDisk.u32(s, pointer), keyBytes, reader);
        }
    }

    private void log(Superblock.Identity identity, MetadataReader reader) throws IOException {
        long begin = geometry.position(identity.logStart());
        long last = begin;
        long highest = 0;
        for (long at = begin; at < begin + (identity.logBlocks() << geometry.blockLog()); at += SECTOR) {
            MemorySegment s = reader.read(at, SECTOR);
            if (OnDisk.u32(s, LogHead.MAGICNO) == LogHead.MAGIC && OnDisk.i64(s, LogHead.LSN) > highest) {
                highest = OnDisk.i64(s, LogHead.LSN);
                last = at;
            }
        }
        add(Kind.LOG, NOBODY, last, 4 * SECTOR);
    }

    private void inode(MetadataReader reader, InodeCore inode) throws IOException {
        long number = inode.inode().number();
        add(Kind.INODE, number, inode.where().position(), geometry.inodeSize());
        if (inode.format() == InodeCore.Format.BTREE) {
            blockMap(reader, number, BmapBlock.root(inode.fork(), inode.where()));
        }
        List<Extent> extents = BlockMap.read(geometry, reader, inode);
        if (inode.inode().type() == FileType.DIRECTORY) {
            directory(number, extents);
        } else if (inode.inode().type() == FileType.SYMLINK) {
            extents.forEach(e -> add(Kind.SYMLINK, number, e.position(), (int) e.length()));
        }
    }

    private void blockMap(MetadataReader reader, long number, BmapBlock node) throws IOException {
        for (int i = 0; node.level() > 0 && i < node.records(); i++) {
            long at = geometry.position(node.child(i));
            add(Kind.BLOCK_MAP, number, at, geometry.blockSize());
            Where where = geometry.where("block map", number, at);
            MemorySegment s = reader.read(at, geometry.blockSize());
            blockMap(reader, number, BmapBlock.parse(geometry, number, node.level() - 1, s, where));
        }
    }

    private void directory(long number, List<Extent> extents) {
        Map<Long, Integer> blocks = new TreeMap<>();
        for (Extent extent : extents) {
            for (long at = 0; at < extent.length(); at += geometry.blockSize()) {
                blocks.put(extent.offset() + at, (int) (extent.position() + at));
            }
        }
        int size = geometry.directoryBlockSize();
        for (long at : blocks.keySet()) {
            if (at % size == 0 && at < DirectoryReader.LEAF_OFFSET) {
                int[] pieces = new int[size / geometry.blockSize()];
                for (int i = 0; i < pieces.length; i++) {
                    pieces[i] = blocks.get(at + (long) i * geometry.blockSize());
                }
                structures.add(new Structure(Kind.DIRECTORY, number, pieces, geometry.blockSize()));
            }
        }
    }

    private void add(Kind kind, long owner, long position, int length) {
        structures.add(new Structure(kind, owner, new int[] {(int) position}, length));
    }

    List<Structure> structures() {
        return structures;
    }

    /** Files by their paths, as they are while nothing is changed. */
    Map<String, Row> files() {
        return files;
    }

    int inodeSize() {
        return geometry.inodeSize();
    }

    // Changing it.

    byte get(Structure structure, int offset) {
        return bytes[structure.position(offset)];
    }

    void put(Structure structure, int offset, byte value) {
        int at = structure.position(offset);
        int sector = at / SECTOR * SECTOR;
        before.computeIfAbsent(sector, start -> java.util.Arrays.copyOfRange(bytes, start, start + SECTOR));
        bytes[at] = value;
    }

    /** Makes a structure's checksum right again. */
    void seal(Structure structure) {
        if (structure.kind().crc < 0) {
            return;
        }
        byte[] whole = new byte[structure.length()];
        for (int i = 0; i < whole.length; i++) {
            whole[i] = get(structure, i);
        }
        int crc = Integer.reverseBytes(OnDisk.computedCrc(MemorySegment.ofArray(whole), structure.kind().crc));
        byte[] laid = ByteBuffer.allocate(Integer.BYTES).putInt(crc).array();
        for (int i = 0; i < laid.length; i++) {
            put(structure, (int) structure.kind().crc + i, laid[i]);
        }
    }

    void truncate(int bytes) {
        size = Math.min(bytes, this.bytes.length);
    }

    /** Lets reads of a structure fail. */
    void fail(Structure structure) {
        unreadable.add(structure.pieces()[0] / SECTOR * SECTOR);
    }

    /** Sets back all that was changed. */
    void restore() {
        before.forEach((at, sector) -> System.arraycopy(sector, 0, bytes, at, SECTOR));
        before.clear();
        unreadable.clear();
        size = bytes.length;
    }

    // Reading it.

    @Override
    public String name() {
        return name;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int alignment() {
        return SECTOR;
    }

    @Override
    public void read(long position, MemorySegment target) throws IOException {
        if (position < 0 || position + target.byteSize() > size) {
            throw new EOFException("read at " + position + " of " + target.byteSize() + " bytes, of " + size);
        }
        for (int sector : unreadable) {
            if (sector >= position && sector < position + target.byteSize()) {
                throw new Unreadable("sector at byte " + sector + " cannot be read");
            }
        }
        MemorySegment.copy(MemorySegment.ofArray(bytes), position, target, 0, target.byteSize());
    }

    /** A sector that the device does not give. */
    static final class Unreadable extends IOException {
        private static final long serialVersionUID = 1L;

        Unreadable(String message) {
            super(message);
        }
    }
}
