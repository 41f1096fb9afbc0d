package io.aisio.xal.xfs;

import io.aisio.xal.BlockSource;
import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.XfsException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** An XFS file system, open to read: its inodes by number, their names and extents. Any thread may call it. */
public final class XfsVolume implements AutoCloseable {
    private final Geometry geometry;
    private final MetadataReader reader;

    private XfsVolume(Geometry geometry, MetadataReader reader) {
        this.geometry = geometry;
        this.reader = reader;
    }

    /**
     * Reads and checks the superblock and the heads of all allocation groups.
     *
     * @throws XfsException if one is damaged or not known here
     * @throws IOException if the source cannot be read
     */
    public static XfsVolume open(BlockSource source) throws IOException {
        MetadataReader reader = new MetadataReader(source);
        try {
            Geometry geometry = Superblock.read(source.name(), reader, reader.size());
            for (long ag = 0; ag < geometry.agCount(); ag++) {
                checkHeaders(geometry, reader, ag);
            }
            return new XfsVolume(geometry, reader);
        } catch (IOException | RuntimeException e) {
            reader.close();
            throw e;
        }
    }

    private static void checkHeaders(Geometry geometry, MetadataReader reader, long ag) throws IOException {
        int sector = 1 << geometry.sectorLog();
        long free = geometry.agPosition(ag) + (long) AgFreeHeader.SECTOR * sector;
        Where where = geometry.where("AGF", ag, free);
        AgFreeHeader.check(geometry, ag, reader.read(free, sector), where);
        long inodes = geometry.agPosition(ag) + (long) AgInodeHeader.SECTOR * sector;
        where = geometry.where("AGI", ag, inodes);
        AgInodeHeader.check(geometry, ag, reader.read(inodes, sector), where);
    }

    /** Size of a block in bytes. */
    public int blockSize() {
        return geometry.blockSize();
    }

    /**
     * The root directory.
     *
     * @throws XfsException if it is damaged
     */
    public Inode root() throws IOException {
        InodeCore core = core(geometry.rootInode());
        if (core.inode().type() != FileType.DIRECTORY) {
            throw core.where()
                    .bad("the root is no directory but of type " + core.inode().type());
        }
        return core.inode();
    }

    /**
     * The inode of a number.
     *
     * @throws XfsException if it is free or damaged
     */
    public Inode inode(long number) throws IOException {
        return core(number).inode();
    }

    /**
     * The inode that a directory entry names.
     *
     * @throws XfsException if it is free or damaged, or of another type than the entry says
     */
    public Inode inode(DirectoryEntry entry) throws IOException {
        InodeCore core = core(entry.inode());
        if (entry.type() != null && entry.type() != core.inode().type()) {
            throw core.where()
                    .bad("mode says that it is of type " + core.inode().type() + ", its directory entry says "
                            + entry.type());
        }
        return core.inode();
    }

    /**
     * Lists a directory. A part that is damaged hides no other.
     *
     * @param names takes each name, in the order on disk; {@code .} and {@code ..} are left out
     * @param problems takes what kept names from being read; without any, the listing is complete
     */
    public void list(Inode directory, Consumer<DirectoryEntry> names, Consumer<IOException> problems) {
        try {
            DirectoryReader.list(geometry, reader, core(directory), names, problems);
        } catch (IOException e) {
            problems.accept(e);
        }
    }

    /**
     * The entry of a name in a directory.
     *
     * @return null if it has none
     * @throws IOException if none was found, and a part of the directory could not be read
     */
    public @Nullable DirectoryEntry find(Inode directory, String name) throws IOException {
        List<DirectoryEntry> found = new ArrayList<>();
        List<IOException> problems = new ArrayList<>();
        list(
                directory,
                entry -> {
                    if (entry.name().equals(name)) {
                        found.add(entry);
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
     * The extents of an inode.
     *
     * @throws XfsException if the block map is damaged or on a real-time device, or the inode is not the same any more
     */
    public List<Extent> extents(Inode inode) throws IOException {
        InodeCore core = core(inode);
        if (core.realtime()) {
            throw core.where()
                    .bad("flags has realtime (bit 0): the file lies on a real-time device, which is not read");
        }
        return BlockMap.read(geometry, reader, core);
    }

    /** What to tell of an inode that is sound in itself but does not fit into the tree. */
    public XfsException damaged(Inode inode, String problem) throws XfsException {
        return where(inode.number()).bad(problem);
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

    /** Frees the memory for reading. Closing again does nothing. */
    @Override
    public void close() {
        reader.close();
    }
}
