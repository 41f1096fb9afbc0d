package io.aisio.bench;

import io.aisio.xal.Entry;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.ByteSize;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.CopyOption;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Makes an XFS image that holds a data set, without root and without a mount.
 *
 * <pre>
 *   a source for each size, all zero ── mkfs.xfs -p ──▶ image, its files zero ── xal: where they lie ──▶ content there
 * </pre>
 *
 * The sources are sparse, and files of one size share one, so that beside the image nothing of its size is on the disk.
 * All happens in a folder beside the image, which gets its name once it is whole.
 */
public final class DatasetImage {
    /** Below 300 MiB mkfs.xfs makes none; with a log of 64 MiB and some to spare. */
    private static final long LEAST_BYTES = 320L << 20;

    /** Logs: mkfs.xfs makes the least one, 64 MiB, until a 2,048th of the image is more. */
    private static final long LEAST_LOG_BYTES = 64L << 20;

    private static final int LOG_PART = 2048;
    /** For each file: its inode of 512 bytes and its name in a directory, with what half-filled blocks waste. */
    private static final long BYTES_A_FILE = 1024;
    /** For each directory: one that does not share blocks. */
    private static final long BYTES_A_CLASS = 64 << 10;
    /** Of all that, as many parts once more: heads of the allocation groups, their trees, what does not fit at their ends. */
    private static final int SPARE_PART = 32;

    /**
     * What one read(2) gives at most, in bytes: mkfs.xfs up to 6.12 reads each source by one, and knows its size as 31
     * bits.
     */
    private static final long MOST_FILE_BYTES = 0x7fff_f000;

    private static final String PACKAGE = "apt-get install xfsprogs";

    private final DatasetShape shape;
    private final Program mkfs;
    /** Where it is made. */
    private final Path work;

    private final Path image;
    private final long imageBytes;
    private final DatasetTally tally;

    private DatasetImage(DatasetShape shape, Program mkfs, Path work) {
        this.shape = shape;
        this.mkfs = mkfs;
        this.work = work;
        image = work.resolve("image");
        imageBytes = imageBytes(shape);
        tally = new DatasetTally("writing", shape);
    }

    /**
     * How large an image of a shape is: its files in whole blocks, their inodes, directories, a log.
     *
     * @return bytes, a multiple of 1 MiB
     */
    public static long imageBytes(DatasetShape shape) {
        long held = shape.blockBytes()
                + shape.files() * BYTES_A_FILE
                + shape.classes().size() * BYTES_A_CLASS;
        long bytes = held + held / SPARE_PART + Math.max(LEAST_LOG_BYTES, held / LOG_PART);
        long mebibyte = 1L << 20;
        return Math.max(LEAST_BYTES, (bytes + mebibyte - 1) & -mebibyte);
    }

    /**
     * Makes the image. Its root holds the folders of the classes. Nothing is left of it if it fails or this thread is
     * interrupted.
     *
     * @param image which is made, in a folder that is there
     * @param replace whether a file of that name may be there; it stays until the new one is whole
     * @param progress is told now and then how far it is, in a few words
     * @throws IllegalArgumentException if a file of the shape is larger than mkfs.xfs can make, 2 GiB
     * @throws InterruptedIOException if this thread is interrupted
     * @throws IOException if there is such a file, mkfs.xfs is missing or fails, or the disk is too small or full
     */
    public static DatasetReport make(DatasetShape shape, Path image, boolean replace, Consumer<String> progress)
            throws IOException {
        return make(shape, image, replace, true, progress);
    }

    /** The same; sources that are not sparse are for a mkfs.xfs that makes holes of theirs. */
    static DatasetReport make(
            DatasetShape shape, Path image, boolean replace, boolean sparse, Consumer<String> progress)
            throws IOException {
        if (shape.mostBytes() > MOST_FILE_BYTES) {
            throw new IllegalArgumentException(
                    "%s has files of %s, and mkfs.xfs -p makes none of 2 GiB or more: give --scale %.2f or less, or name a"
                                    .formatted(
                                            shape.name(),
                                            ByteSize.format(shape.mostBytes()),
                                            Math.floor(100.0 * MOST_FILE_BYTES / shape.mostWholeBytes()) / 100)
                            + " folder");
        }
        Path target = image.toAbsolutePath();
        if (Files.exists(target) && !(replace && Files.isRegularFile(target))) {
            if (Files.isRegularFile(target)) {
                throw new FileAlreadyExistsException(
                        image.toString(), null, "already exists: name another file, or replace it with --force");
            }
            throw new IOException(image + " is no file: name one to be made");
        }
        Program mkfs = Program.require("mkfs.xfs", PACKAGE);
        Path folder = Objects.requireNonNull(target.getParent(), "a file is in a folder");
        if (!Files.isDirectory(folder)) {
            throw new IOException(folder + " is no folder: make it first, or name another place");
        }
        DatasetRoom room = DatasetRoom.at(folder);
        room.require(imageBytes(shape));
        try (Workshop workshop = new Workshop(Files.createTempDirectory(folder, ".aisio-dataset-"))) {
            return new DatasetImage(shape, mkfs, workshop.folder()).make(target, replace, sparse, progress);
        } catch (IOException e) {
            throw room.explain(e);
        }
    }

    /** A folder that is gone afterwards, with what is in it. */
    private record Workshop(Path folder) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            remove(folder);
        }
    }

    private DatasetReport make(Path target, boolean replace, boolean sparse, Consumer<String> progress)
            throws IOException {
        format(sparse, progress);
        if (sparse && !isAllocated()) {
            format(false, progress);
        }
        fill(progress);
        CopyOption[] how = replace ? new CopyOption[] {StandardCopyOption.REPLACE_EXISTING} : new CopyOption[0];
        Files.move(image, target, how);
        return new DatasetReport(shape, target, tally.files(), tally.bytes(), imageBytes, tally.seconds());
    }

    /** Makes the file system, all of whose files are zero. */
    private void format(boolean sparse, Consumer<String> progress) throws IOException {
        progress.accept("naming %,d files to %s".formatted(tally.files(), mkfs.path()));
        Files.deleteIfExists(image);
        Path sources = work.resolve("sources");
        if (Files.exists(sources)) {
            remove(sources);
        }
        Files.createDirectory(sources);
        writePrototype(sources, sparse);
        extend(image, imageBytes);
        progress.accept("making an XFS of %s with %,d files: %s -p"
                .formatted(ByteSize.format(imageBytes), tally.files(), mkfs.path()));
        mkfs.runIn(
                work,
                "-q",
                "-m",
                "reflink=0",
                "-p",
                "prototype",
                image.getFileName().toString());
    }

    /**
     * The prototype of mkfs.xfs(8): a line for each file, directories closed with a dollar sign. Names in it have no way to
     * hold a space: the program runs in the folder, and they are relative.
     */
    private void writePrototype(Path sources, boolean sparse) throws IOException {
        Set<Long> sizes = new HashSet<>();
        try (BufferedWriter out = Files.newBufferedWriter(work.resolve("prototype"))) {
            out.write("/dev/null\n0 0\nd--755 0 0\n");
            String className = "";
            for (Iterator<DatasetFile> files = shape.iterator(); files.hasNext(); ) {
                DatasetFile file = files.next();
                if (!file.className().equals(className)) {
                    checkInterrupt();
                    out.write(className.isEmpty() ? "" : "$\n");
                    className = file.className();
                    out.write(className + " d--755 0 0\n");
                }
                String source = Long.toString(file.size());
                if (sizes.add(file.size())) {
                    makeSource(sources.resolve(source), file.size(), sparse);
                }
                out.write(" " + file.name() + " ---644 0 0 sources/" + source + "\n");
            }
            out.write("$\n$\n");
        }
    }

    private void makeSource(Path source, long size, boolean sparse) throws IOException {
        if (sparse) {
            extend(source, size);
            return;
        }
        try (FileChannel channel = FileChannel.open(source, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long at = 0; at < size; at += DatasetContent.CHUNK) {
                write(channel, new byte[DatasetContent.CHUNK], (int) Math.min(DatasetContent.CHUNK, size - at), at);
            }
        }
    }

    private static void extend(Path file, long size) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), size - 1);
        }
    }

    private static void checkInterrupt() throws InterruptedIOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }

    /** Whether mkfs.xfs gave the files blocks: newer ones make holes where a source has them. */
    private boolean isAllocated() throws IOException {
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks)) {
            return xal.pieces(xal.lookup("/" + shape.iterator().next().path())).stream()
                    .allMatch(piece -> piece.kind() == Piece.Kind.DATA);
        }
    }

    private void fill(Consumer<String> progress) throws IOException {
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks);
                FileChannel channel = FileChannel.open(image, StandardOpenOption.WRITE)) {
            DatasetThreads.run(
                    new DatasetPlaces(shape, xal),
                    (file, content) -> write(file, xal, channel, content),
                    tally,
                    progress);
        }
    }

    private void write(DatasetPlaces.Place place, Xal xal, FileChannel channel, DatasetContent content)
            throws IOException {
        DatasetFile file = place.file();
        Entry entry = place.entry(xal);
        if (entry == null) {
            throw new IOException("mkfs.xfs made no " + file.path());
        }
        if (entry.inode().size() != file.size()) {
            throw new IOException("mkfs.xfs made %s of %d bytes, not of %d"
                    .formatted(file.path(), entry.inode().size(), file.size()));
        }
        content.begin(file);
        for (Piece piece : xal.pieces(entry)) {
            if (piece.kind() != Piece.Kind.DATA) {
                throw new IOException("mkfs.xfs gave %s no blocks at byte %d: it is %s there"
                        .formatted(file.path(), piece.offset(), piece.kind()));
            }
            for (long at = 0; at < piece.length(); at += DatasetContent.CHUNK) {
                int count = (int) Math.min(DatasetContent.CHUNK, piece.length() - at);
                write(channel, content.next(count), count, piece.position() + at);
                tally.passed(count);
            }
        }
    }

    private static void write(FileChannel channel, byte[] bytes, int count, long position) throws IOException {
        ByteBuffer left = ByteBuffer.wrap(bytes, 0, count);
        while (left.hasRemaining()) {
            channel.write(left, position + left.position());
        }
    }

    private static void remove(Path folder) throws IOException {
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException e) throws IOException {
                if (e != null) {
                    throw e;
                }
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
