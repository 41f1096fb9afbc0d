package io.aisio.fil.device;

import io.aisio.fil.DeviceBlocks;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileSource;
import io.aisio.fil.spi.FileTable;
import io.aisio.fil.spi.Selection;
import io.aisio.xal.Entry;
import io.aisio.xal.FileExtents;
import io.aisio.xal.FileType;
import io.aisio.xal.Index;
import io.aisio.xal.Inode;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.Objects;

/** The files of an XFS on a device that nobody has mounted. */
final class DeviceSource implements FileSource {
    /** A page of the devices that there are, in bytes. */
    private static final int PAGE = 4096;

    private final Device device;
    private final Settings settings;
    private final DeviceBlocks blocks;
    private Xal xal;
    /** Whether somebody wrote to the file system since it was opened first. */
    private boolean touched;

    private long indexNanos;

    private DeviceSource(Device device, Settings settings, DeviceBlocks blocks, Xal xal) {
        this.device = device;
        this.settings = settings;
        this.blocks = blocks;
        this.xal = xal;
    }

    /** Opens the file system of a device, which is closed with this unless this throws. */
    static DeviceSource open(Device device, Settings settings) throws IOException {
        DeviceBlocks blocks = DeviceBlocks.open(device);
        try {
            return new DeviceSource(device, settings, blocks, Xal.open(blocks));
        } catch (IOException | RuntimeException e) {
            blocks.close();
            throw e;
        }
    }

    @Override
    public String place() {
        return device.name();
    }

    @Override
    public String path() {
        return device.path();
    }

    @Override
    public int unit() {
        return Math.max(PAGE, device.geometry().lbaBytes());
    }

    @Override
    public long indexNanos() {
        return indexNanos;
    }

    @Override
    public void list(Selection selection, FileTable files) throws IOException {
        long begun = System.nanoTime();
        try (Index index = xal.index()) {
            indexNanos += System.nanoTime() - begun;
            List<String> problems = index.problems();
            if (!problems.isEmpty()) {
                throw new IOException(
                        "%s: %d parts of its file system cannot be read, the first: %s; xfs_repair may mend it"
                                .formatted(device.name(), problems.size(), problems.getFirst()));
            }
            switch (selection) {
                case Selection.Folder folder -> walk(index, folder, files);
                case Selection.Paths list -> {
                    for (String path : list.paths()) {
                        add(index, index.lookup(path), files);
                    }
                }
            }
        } catch (NoSuchFileException e) {
            throw (NoSuchFileException)
                    new NoSuchFileException(e.getFile(), null, device.name() + " holds no such file").initCause(e);
        }
    }

    private void walk(Index index, Selection.Folder folder, FileTable files) throws IOException {
        index.walk(folder.root(), new Xal.Visitor() {
            @Override
            public void visit(Entry entry) throws IOException {
                if (entry.type() == FileType.REGULAR && folder.wanted().test(entry.path())) {
                    add(index, entry, files);
                }
            }

            @Override
            public void damaged(String path, IOException problem) throws IOException {
                throw new IOException(
                        "%s: %s cannot be read: %s".formatted(device.name(), path, problem.getMessage()), problem);
            }
        });
    }

    private void add(Index index, Entry entry, FileTable files) throws IOException {
        if (entry.type() != FileType.REGULAR) {
            throw new IOException(
                    "%s: %s is no regular file but of type %s".formatted(device.name(), entry.path(), entry.type()));
        }
        FileExtents file = index.extents(entry.inode().number());
        add(entry.path(), file.inode(), file.pieces(), files);
    }

    private void add(String path, Inode inode, List<Piece> pieces, FileTable files) throws IOException {
        try {
            files.add(path, inode.size(), stamp(inode), pieces);
        } catch (IOException e) {
            throw new IOException(device.name() + ": " + e.getMessage(), e);
        }
    }

    private static int stamp(Inode inode) {
        return Objects.hash(inode.number(), inode.generation());
    }

    /** What {@link #touched} has told last. */
    boolean wasTouched() {
        return touched;
    }

    /**
     * Whether the file system may have been written to since it was listed, as far as {@link Xal#isStale} knows. If so, it is
     * opened anew for {@link #requireSame}.
     *
     * @throws IOException if it cannot be read, or is in use now
     */
    boolean touched() throws IOException {
        if (xal.isStale()) {
            touched = true;
            Xal fresh = Xal.open(blocks);
            xal.close();
            xal = fresh;
        }
        return touched;
    }

    /**
     * Makes sure that a file is what it was when it was listed.
     *
     * @throws NoSuchFileException if there is none of its name any more
     * @throws IOException if it is another one, or lies elsewhere
     */
    void requireSame(FileTable files, int row) throws IOException {
        String path = files.path(row);
        Entry now = xal.lookup(path);
        FileTable one = new FileTable();
        if (now.type() == FileType.REGULAR) {
            add(path, now.inode(), xal.pieces(now), one);
        }
        if (one.files() == 0 || !files.isSame(row, one, 0)) {
            throw new IOException(
                    "%s: %s has changed since the data set was opened; open it again".formatted(device.name(), path));
        }
    }

    @Override
    public BatchReads openReads(FileTable files, int slots, long slotBytes, int batchFiles) throws IOException {
        return QueueReads.open(device, settings, this, files, slots, slotBytes);
    }

    @Override
    public void close() throws IOException {
        xal.close();
        blocks.close();
        device.close();
    }
}
