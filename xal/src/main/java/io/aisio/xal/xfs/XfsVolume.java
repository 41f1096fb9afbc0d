package io.aisio.xal.xfs;

import io.aisio.xal.Attributes;
import io.aisio.xal.BlockSource;
import io.aisio.xal.Child;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.Volume;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsException;
import io.aisio.xal.backend.Backend;
import io.aisio.xal.backend.Catalog;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** An XFS file system, open to read: its inodes by number, their names and extents. Any thread may call it. */
public final class XfsVolume implements Backend {
    private final BlockSource source;
    private final Geometry geometry;
    private final Superblock.Identity identity;
    /** Blocks that were free and inodes that were in use when it was opened. */
    private final Counts counts;

    private final MetadataReader reader;
    private final SharedBlocks shared;
    private final Witness witness;

    /**
     * What the heads of allocation groups count.
     *
     * @param freeBlocks blocks that nothing takes
     * @param inodes in use
     */
    private record Counts(long freeBlocks, long inodes) {
        Counts plus(Counts other) {
            return new Counts(freeBlocks + other.freeBlocks, inodes + other.inodes);
        }
    }

    private XfsVolume(
            BlockSource source,
            Geometry geometry,
            Superblock.Identity identity,
            Counts counts,
            MetadataReader reader,
            Witness witness) {
        this.source = source;
        this.geometry = geometry;
        this.identity = identity;
        this.counts = counts;
        this.reader = reader;
        this.witness = witness;
        shared = new SharedBlocks(geometry, reader);
    }

    /**
     * Reads and checks the superblock and the heads of all allocation groups, and that the log has nothing that they
     * lack.
     *
     * @throws XfsException if one is damaged or not known here, or the file system was not unmounted
     * @throws IOException if the source cannot be read
     */
    public static XfsVolume open(BlockSource source) throws IOException {
        return open(source, false);
    }

    /**
     * The same without a look at the log: what was written last may be missing, and what is read may not fit together.
     *
     * @throws XfsException if a head is damaged or not known here
     * @throws IOException if the source cannot be read
     */
    public static XfsVolume openUnrecovered(BlockSource source) throws IOException {
        return open(source, true);
    }

    private static XfsVolume open(BlockSource source, boolean unrecovered) throws IOException {
        MetadataReader reader = new MetadataReader(source);
        try {
            Geometry geometry = Superblock.read(source.name(), reader, reader.size());
            Superblock.Identity identity = Superblock.identity(geometry, reader);
            // Before anything that it is to vouch for is read.
            Witness witness = unrecovered
                    ? Witness.of(source, 0)
                    : Witness.of(source, 0, LogHead.check(geometry, reader, identity));
            Counts counts = new Counts(0, 0);
            for (long ag = 0; ag < geometry.agCount(); ag++) {
                counts = counts.plus(checkHeaders(geometry, reader, ag));
            }
            return new XfsVolume(source, geometry, identity, counts, reader, witness);
        } catch (IOException | RuntimeException e) {
            reader.close();
            throw e;
        }
    }

    /** Checks the heads of an allocation group. */
    private static Counts checkHeaders(Geometry geometry, MetadataReader reader, long ag) throws IOException {
        int sector = 1 << geometry.sectorLog();
        long free = geometry.agPosition(ag) + (long) AgFreeHeader.SECTOR * sector;
        Where where = geometry.where("AGF", ag, free);
        MemorySegment agf = reader.read(free, sector);
        AgFreeHeader.check(geometry, ag, agf, where);
        long freeBlocks = AgFreeHeader.free(geometry, ag, agf, where);
        long inodes = geometry.agPosition(ag) + (long) AgInodeHeader.SECTOR * sector;
        where = geometry.where("AGI", ag, inodes);
        MemorySegment agi = reader.read(inodes, sector);
        AgInodeHeader.check(geometry, ag, agi, where);
        long list = geometry.agPosition(ag) + (long) AgFreeList.SECTOR * sector;
        AgFreeList.check(geometry, ag, reader.read(list, sector), geometry.where("AGFL", ag, list));
        long count = OnDisk.u32(agi, AgInodeHeader.COUNT);
        long unused = OnDisk.u32(agi, AgInodeHeader.FREECOUNT);
        where.check(unused <= count, "freecount", unused, "at most " + count + ", the inodes that there are");
        return new Counts(freeBlocks, count - unused);
    }

    @Override
    public Volume describe() {
        return new Volume(
                "xfs",
                geometry.source(),
                "on disk",
                identity.uuid().toString(),
                identity.label(),
                geometry.blockSize(),
                geometry.blocks(),
                counts.freeBlocks(),
                counts.inodes(),
                identity.features());
    }

    @Override
    public Entry root() throws IOException {
        InodeCore core = core(geometry.rootInode());
        if (core.inode().type() != FileType.DIRECTORY) {
            throw core.where()
                    .bad("the root is no directory but of type " + core.inode().type());
        }
        return new Entry("/", core.inode());
    }

    @Override
    public Entry child(String path, Child child) throws IOException {
        InodeCore core = core(child.inode());
        if (child.type() != null && child.type() != core.inode().type()) {
            throw core.where()
                    .bad("mode says that it is of type " + core.inode().type() + ", its directory entry says "
                            + child.type());
        }
        core.where().check(core.inode().links() > 0, "nlink", 0, "1 or more: " + path + " names it");
        return new Entry(Backend.path(path, child.name()), core.inode());
    }

    @Override
    public void list(Entry directory, Consumer<Child> children, Consumer<IOException> problems) {
        try {
            DirectoryReader.list(
                    geometry,
                    reader,
                    reader,
                    core(directory.inode()),
                    (s, offset, length, inode, ftype) ->
                            children.accept(DirectoryEntry.child(s, offset, length, inode, ftype)),
                    problems);
        } catch (IOException e) {
            problems.accept(e);
        }
    }

    @Override
    public @Nullable Child find(Entry directory, String name) throws IOException {
        List<Child> found = new ArrayList<>();
        List<IOException> problems = new ArrayList<>();
        list(
                directory,
                child -> {
                    if (child.name().equals(name)) {
                        found.add(child);
                    }
                },
                problems::add);
        if (!found.isEmpty()) {
            return found.getFirst();
        }
        if (!problems.isEmpty()) {
            throw problems.getFirst();
        }
        return null;
    }

    /**
     * {@inheritDoc}
     *
     * @throws XfsException if the block map is damaged or on a real-time device, or the inode is not the same any more
     */
    @Override
    public List<Extent> extents(Entry file) throws IOException {
        InodeCore core = core(file.inode());
        return BlockMap.read(geometry, reader, shared, core);
    }

    /**
     * {@inheritDoc}
     *
     * @throws XfsException if the inode or the path that a symbolic link holds is damaged, or the inode is not the same
     *     any more
     */
    @Override
    public Attributes attributes(Entry entry) throws IOException {
        InodeCore core = core(entry.inode());
        String target = core.inode().type() == FileType.SYMLINK ? SymlinkTarget.read(geometry, reader, core) : null;
        MemorySegment s = reader.read(core.where().position(), geometry.inodeSize());
        return InodeAttributes.parse(geometry, s, core, target);
    }

    @Override
    public void readAll(Catalog catalog) throws IOException {
        // What was read of shared blocks before may be out of date by now.
        try (MetadataReader fresh = new MetadataReader(source)) {
            VolumeScan.read(geometry, source, new SharedBlocks(geometry, fresh), catalog);
        }
    }

    @Override
    public boolean isStale() throws IOException {
        return !witness.saysTheSame(source);
    }

    @Override
    public List<Xal.Sign> signs() {
        return witness.signs();
    }

    @Override
    public XfsException damaged(Entry directory, String problem) {
        try {
            return where(directory.inode().number()).bad(problem);
        } catch (XfsException e) {
            return e;
        }
    }

    /** Reads an inode again, which must be as it was. */
    private InodeCore core(Inode inode) throws IOException {
        InodeCore core = core(inode.number());
        if (!core.inode().equals(inode)) {
            throw core.where().bad("it changed since it was read: it was " + inode + ", it is " + core.inode());
        }
        return core;
    }

    private InodeCore core(long number) throws IOException {
        Where where = where(number);
        return InodeCore.parse(geometry, number, reader.read(where.position(), geometry.inodeSize()), where);
    }

    private Where where(long number) throws XfsException {
        return geometry.where("inode", number, geometry.inodePosition(number));
    }

    @Override
    public void close() {
        reader.close();
    }
}
