package io.aisio.bench;

import io.aisio.xal.Entry;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Iterator;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/**
 * Compares what lies in a folder, or in an image, with what a data set must be: every file's size and every byte of it.
 * Files that are not of the set are not looked at.
 */
public final class DatasetCheck {
    private final DatasetTally tally;
    private final Consumer<String> differences;
    private final LongAdder differing = new LongAdder();

    private DatasetCheck(DatasetShape shape, Consumer<String> differences) {
        tally = new DatasetTally("comparing", shape);
        this.differences = differences;
    }

    /**
     * What was found.
     *
     * @param files of the set
     * @param bytes of the set
     * @param differing files that are missing, cannot be read, or are not what they must be
     * @param seconds that it took
     */
    public record Report(long files, long bytes, long differing, double seconds) {}

    /**
     * Compares all files.
     *
     * @param where a folder, or an image of an XFS that holds the classes' folders in its root
     * @param differences is told a line for each file that differs, by any thread
     * @param progress is told now and then how far it is, in a few words
     * @throws InterruptedIOException if this thread is interrupted
     * @throws IOException if there is no such place, or the image holds no XFS that can be opened
     */
    public static Report run(DatasetShape shape, Path where, Consumer<String> differences, Consumer<String> progress)
            throws IOException {
        DatasetCheck check = new DatasetCheck(shape, differences);
        if (Files.isDirectory(where)) {
            Iterator<DatasetFile> files = shape.iterator();
            DatasetThreads.run(
                    () -> files.hasNext() ? files.next() : null,
                    (file, content) -> check.compare(where, file, content),
                    check.tally,
                    progress);
        } else {
            try (FileBlocks blocks = FileBlocks.open(where);
                    Xal xal = Xal.open(blocks);
                    FileChannel channel = FileChannel.open(where, StandardOpenOption.READ)) {
                DatasetThreads.run(
                        new DatasetPlaces(shape, xal),
                        (place, content) -> check.compareIn(place, xal, channel, content),
                        check.tally,
                        progress);
            }
        }
        return new Report(check.tally.files(), check.tally.bytes(), check.differing.sum(), check.tally.seconds());
    }

    private void compare(Path folder, DatasetFile file, DatasetContent content) throws InterruptedIOException {
        Path path = folder.resolve(file.path());
        try {
            // Looked at before: to open a pipe waits for one who writes into it.
            BasicFileAttributes attributes =
                    Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            if (!attributes.isRegularFile()) {
                differs(file, "is no regular file");
                return;
            }
            try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS)) {
                if (hasSize(file, channel.size())) {
                    content.begin(file);
                    compare(file, channel, 0, file.size(), 0, content);
                }
            }
        } catch (InterruptedIOException e) {
            throw e;
        } catch (NoSuchFileException e) {
            differs(file, "is not there");
        } catch (IOException e) {
            differs(file, "cannot be read: " + reason(e));
        }
    }

    private void compareIn(DatasetPlaces.Place place, Xal xal, FileChannel channel, DatasetContent content)
            throws InterruptedIOException {
        try {
            compare(place, xal, channel, content);
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            differs(place.file(), "cannot be read: " + reason(e));
        }
    }

    /** What went wrong, without the path that Java's file exceptions begin with. */
    private static String reason(IOException e) {
        String said =
                e instanceof FileSystemException file && file.getReason() != null ? file.getReason() : e.getMessage();
        return e instanceof AccessDeniedException
                ? "permission denied"
                : Objects.requireNonNullElse(said, e.toString());
    }

    private void compare(DatasetPlaces.Place place, Xal xal, FileChannel channel, DatasetContent content)
            throws IOException {
        DatasetFile file = place.file();
        Entry entry = place.entry(xal);
        if (entry == null) {
            differs(file, "is not there");
        } else if (hasSize(file, entry.inode().size())) {
            content.begin(file);
            for (Piece piece : xal.pieces(entry)) {
                if (piece.kind() != Piece.Kind.DATA) {
                    differs(file, "holds no data from byte " + piece.offset() + " on");
                    return;
                }
                if (!compare(file, channel, piece.position(), piece.length(), piece.offset(), content)) {
                    return;
                }
            }
        }
    }

    private boolean hasSize(DatasetFile file, long size) {
        if (size != file.size()) {
            differs(file, "has %d bytes, not %d".formatted(size, file.size()));
        }
        return size == file.size();
    }

    /** Compares a run of bytes with those that come next. */
    private boolean compare(
            DatasetFile file, FileChannel channel, long position, long length, long offset, DatasetContent content)
            throws IOException {
        ByteBuffer read = ByteBuffer.allocate(DatasetContent.CHUNK);
        for (long at = 0; at < length; at += DatasetContent.CHUNK) {
            int count = (int) Math.min(DatasetContent.CHUNK, length - at);
            read.clear().limit(count);
            while (read.hasRemaining() && channel.read(read, position + at + read.position()) > 0) {
                // What is short is read on; a file that ends meanwhile differs below.
                tally.passed(0);
            }
            long differs = MemorySegment.ofArray(read.array())
                    .asSlice(0, read.position())
                    .mismatch(MemorySegment.ofArray(content.next(count)).asSlice(0, count));
            if (differs >= 0) {
                differs(file, "differs from byte " + (offset + at + differs) + " on");
                return false;
            }
            tally.passed(count);
        }
        return true;
    }

    private void differs(DatasetFile file, String how) {
        differing.increment();
        differences.accept(file.path() + " " + how);
    }
}
