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
import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The files of an XFS on a device that nobody has mounted. */
public final class DeviceSource implements FileSource {
    /** What reads batches of them. */
    @FunctionalInterface
    public interface Reads {
        /** Opens it, as {@link FileSource#openReads}. */
        BatchReads open(
                Device device,
                Settings settings,
                DeviceSource source,
                FileTable files,
                int slots,
                long slotBytes,
                int batchFiles)
                throws IOException;
    }

    /** A page of the devices that there are, in bytes. */
    private static final int PAGE = 4096;

    private final Device device;
    private final Settings settings;
    private final Reads reads;
    /** Where the data goes, behind the device's own path; empty for the host's memory. */
    private final String target;

    private final DeviceBlocks blocks;
    private Xal xal;
    /** What the file system holds now, once somebody wrote to it since it was listed; null before. */
    private @Nullable Index now;

    private long indexNanos;

    private DeviceSource(Device device, Settings settings, Reads reads, String target, DeviceBlocks blocks, Xal xal) {
        this.device = device;
        this.settings = settings;
        this.reads = reads;
        this.target = target;
        this.blocks = blocks;
        this.xal = xal;
    }

    /**
     * Opens the file system of a device, which is closed with this, or at once if this throws.
     *
     * @param target where the data goes, for people; empty for the host's memory
     */
    public static DeviceSource open(Device device, Settings settings, Reads reads, String target) throws IOException {
        DeviceBlocks blocks = null;
        try {
            blocks = DeviceBlocks.open(device);
            return new DeviceSource(device, settings, reads, target, blocks, Xal.open(blocks));
        } catch (IOException | RuntimeException | Error e) {
            if (blocks != null) {
                blocks.close();
            }
            try {
                device.close();
            } catch (IOException | RuntimeException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    @Override
    public String place() {
        return device.name();
    }

    @Override
    public String path() {
        return device.path() + target;
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
        if (index.lookup(folder.root()).type() != FileType.DIRECTORY) {
            throw new NotDirectoryException(device.name() + ": " + folder.root());
        }
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
        try {
            files.add(entry.path(), file.inode().size(), stamp(file), file.pieces());
        } catch (IOException e) {
            throw new IOException(device.name() + ": " + e.getMessage(), e);
        }
    }

    private static int stamp(FileExtents file) {
        return Objects.hash(file.inode().number(), file.inode().generation(), file.stamp());
    }

    /**
     * Whether the file system may have been written to since it was listed, as far as {@link Xal#isStale} knows. If so, all of it
     * is read anew for {@link #requireSame}.
     *
     * @throws IOException if it cannot be read, or is in use now
     */
    public synchronized boolean touched() throws IOException {
        if (xal.isStale()) {
            Xal fresh = Xal.open(blocks);
            Index index;
            try {
                index = fresh.index();
            } catch (IOException | RuntimeException e) {
                fresh.close();
                throw e;
            }
            xal.close();
            xal = fresh;
            if (now != null) {
                now.close();
            }
            now = index;
        }
        return now != null;
    }

    /** Whether somebody wrote to the file system since it was listed, as far as anybody has noticed. */
    public synchronized boolean isTouched() {
        return now != null;
    }

    /** Blocks that change whenever somebody writes to the file system, as they were when it was read last. */
    public synchronized List<Xal.Sign> signs() {
        return xal.signs();
    }

    /**
     * Makes sure that a file is what it was when it was listed.
     *
     * @throws NoSuchFileException if there is none of its name any more
     * @throws IOException if it is another one, was written to, or lies elsewhere
     */
    public synchronized void requireSame(FileTable files, int row) throws IOException {
        Index index = Objects.requireNonNull(now, "only once it was touched");
        String path = files.path(row);
        Entry entry = index.lookup(path);
        FileTable one = new FileTable();
        if (entry.type() == FileType.REGULAR) {
            add(index, entry, one);
        }
        if (one.files() == 0 || !files.isSame(row, one, 0)) {
            throw new IOException(
                    "%s: %s has changed since the data set was opened; open it again".formatted(device.name(), path));
        }
    }

    @Override
    public BatchReads openReads(FileTable files, int slots, long slotBytes, int batchFiles) throws IOException {
        return reads.open(device, settings, this, files, slots, slotBytes, batchFiles);
    }

    @Override
    public synchronized void close() throws IOException {
        try {
            if (now != null) {
                now.close();
            }
            xal.close();
        } finally {
            try {
                blocks.close();
            } finally {
                device.close();
            }
        }
    }
}
