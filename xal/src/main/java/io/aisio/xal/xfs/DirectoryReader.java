package io.aisio.xal.xfs;

import io.aisio.xal.Extent;
import io.aisio.xal.XfsException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;

/**
 * Reads the names in one directory, whatever its form. A directory's offsets are divided: entries lie below {@link
 * #LEAF_OFFSET}, hash tables and free indexes above it. A directory is listed from its entries alone, so leaf, node and
 * B-tree directories do not differ here.
 */
final class DirectoryReader {
    /** Where entries end, in bytes: {@code XFS_DIR2_LEAF_OFFSET}. */
    static final long LEAF_OFFSET = 1L << 35;
    /** Problems told of one directory, so that a hostile one with millions of bad blocks ends soon. */
    private static final int MAX_PROBLEMS = 64;

    private final Geometry geometry;
    private final MetadataReader reader;
    private final Blocks blocks;
    private final InodeCore directory;
    private final DirectoryEntry.Names names;
    private final Consumer<IOException> problems;

    private DirectoryReader(
            Geometry geometry,
            MetadataReader reader,
            Blocks blocks,
            InodeCore directory,
            DirectoryEntry.Names names,
            Consumer<IOException> problems) {
        this.geometry = geometry;
        this.reader = reader;
        this.blocks = blocks;
        this.directory = directory;
        this.names = names;
        this.problems = problems;
    }

    /**
     * Lists a directory, which the inode is. A block that is damaged hides no other.
     *
     * @param reader reads the block map
     * @param blocks reads the directory's blocks, in the order of the map
     * @param names takes each name, in the order on disk; {@code .} and {@code ..} are left out
     * @param problems takes what kept names from being read; without any, the listing is complete
     * @throws IOException if no more can be read, for a reason that concerns all of it
     */
    static void list(
            Geometry geometry,
            MetadataReader reader,
            Blocks blocks,
            InodeCore directory,
            DirectoryEntry.Names names,
            Consumer<IOException> problems)
            throws IOException {
        if (directory.format() == InodeCore.Format.LOCAL) {
            ShortDirectory.parse(directory, names);
        } else {
            new DirectoryReader(geometry, reader, blocks, directory, names, problems).blocks();
        }
    }

    private void blocks() throws IOException {
        long size = directory.inode().size();
        long blockSize = geometry.directoryBlockSize();
        where().check(
                        size > 0 && size % blockSize == 0 && size <= LEAF_OFFSET,
                        "size",
                        size,
                        "a multiple of the directory block, " + blockSize);
        List<Extent> extents = BlockMap.read(geometry, reader, directory);
        checkOwnBlocks(extents);
        long next = 0;
        int bad = 0;
        for (int i = 0; i < extents.size() && extents.get(i).offset() < LEAF_OFFSET; i++) {
            Extent extent = extents.get(i);
            long begin = Math.max(next, extent.offset() & -blockSize);
            for (long at = begin; at < Math.min(extent.end(), LEAF_OFFSET); at += blockSize) {
                next = at + blockSize;
                try {
                    block(extents, i, at);
                } catch (InterruptedIOException e) {
                    throw e;
                } catch (IOException e) {
                    problems.accept(e);
                    if (++bad == MAX_PROBLEMS) {
                        throw where().bad(MAX_PROBLEMS + " of its blocks are damaged: the rest was not read");
                    }
                }
            }
        }
        where().check(next == size, "size", size, next + ", where its last block of entries ends");
        where().check(
                        extents.getFirst().offset() == 0,
                        "startoff",
                        extents.getFirst().offset(),
                        "0: its first block");
    }

    /** A directory's blocks are its own, and each has one place in it: so there is an end to them. */
    private void checkOwnBlocks(List<Extent> extents) throws XfsException {
        for (Extent extent : extents) {
            if (extent.unwritten()) {
                throw where().bad("its extent at offset " + extent.offset() + " is unwritten");
            }
        }
        BlockMap.checkDisjoint(extents, where());
    }

    private void block(List<Extent> extents, int index, long at) throws IOException {
        int size = geometry.directoryBlockSize();
        Extent extent = extents.get(index);
        if (at < extent.offset()) {
            throw where().bad("its block at offset " + at + " has no beginning: the first extent there is at "
                    + extent.offset());
        }
        long position = extent.position() + (at - extent.offset());
        MemorySegment s = at + size <= extent.end() ? blocks.read(position, size) : gather(extents, index, at);
        Where place =
                geometry.where("directory block of inode", directory.inode().number(), position);
        DirectoryBlock.parse(geometry, directory, at == 0, s, place, names);
    }

    /** Puts a directory block together that lies in several extents. */
    private MemorySegment gather(List<Extent> extents, int index, long at) throws IOException {
        int size = geometry.directoryBlockSize();
        MemorySegment whole = MemorySegment.ofArray(new byte[size]);
        int done = 0;
        for (int i = index; done < size; i++) {
            long offset = at + done;
            if (i == extents.size() || offset < extents.get(i).offset()) {
                throw where().bad("its block at offset " + at + " lacks the part from offset " + offset);
            }
            Extent extent = extents.get(i);
            int n = (int) Math.min(size - done, extent.end() - offset);
            MemorySegment part = blocks.read(extent.position() + (offset - extent.offset()), n);
            MemorySegment.copy(part, 0, whole, done, n);
            done += n;
        }
        return whole;
    }

    private Where where() {
        return directory.where();
    }
}
