package io.aisio.bench;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Writes a data set into a folder, of a mounted file system for example. */
public final class DatasetFolder {
    private final DatasetShape shape;
    private final Path folder;
    private final boolean replace;
    private final DatasetTally tally;

    /** Folders that were not there before, the outermost first. */
    private final Deque<Path> created = new ArrayDeque<>();

    /** Which files are this run's, by their places in the order of the shape: others may write there as well. */
    private final BitSet written;

    private final Iterator<DatasetFile> files;
    private String className = "";
    /** Files that were handed out. */
    private int handedOut;

    /**
     * A file of the set.
     *
     * @param number its place in the order of the shape, from 0 on
     */
    private record Numbered(int number, DatasetFile file) {}

    private DatasetFolder(DatasetShape shape, Path folder, boolean replace) {
        this.replace = replace;
        this.shape = shape;
        this.folder = folder;
        tally = new DatasetTally("writing", shape);
        written = new BitSet(Math.toIntExact(shape.files()));
        files = shape.iterator();
    }

    /**
     * Writes all files of a shape. What was written is removed if it fails or this thread is interrupted; files that
     * others put there stay.
     *
     * @param folder is made if it is not there
     * @param replace whether the folder may hold something: files of the same names are then replaced, and are gone if this
     *     fails
     * @param progress is told now and then how far it is, in a few words
     * @throws InterruptedIOException if this thread is interrupted
     * @throws IOException if the folder is not empty, or the disk too small or full, or it cannot be written
     */
    public static DatasetReport make(DatasetShape shape, Path folder, boolean replace, Consumer<String> progress)
            throws IOException {
        return new DatasetFolder(shape, folder, replace).make(progress);
    }

    private DatasetReport make(Consumer<String> progress) throws IOException {
        if (Files.exists(folder)) {
            requireUsable();
        }
        DatasetRoom room = DatasetRoom.at(folder);
        long blockBytes = shape.blockBytes();
        room.require(blockBytes);
        try {
            create(folder);
            DatasetThreads.run(this::next, this::write, tally, progress);
        } catch (IOException e) {
            throw removed(room.explain(e), progress);
        } catch (RuntimeException e) {
            throw removed(e, progress);
        } catch (Error e) {
            throw removed(e, progress);
        }
        return new DatasetReport(shape, folder, tally.files(), tally.bytes(), blockBytes, tally.seconds());
    }

    private void requireUsable() throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new NotDirectoryException(folder.toString());
        }
        try (Stream<Path> held = Files.list(folder)) {
            if (!replace && held.findAny().isPresent()) {
                throw new IOException(
                        folder + " is not empty: name another folder, or write into it all the same with --force");
            }
        }
    }

    private void create(Path wanted) throws IOException {
        Deque<Path> missing = new ArrayDeque<>();
        for (Path path = wanted.toAbsolutePath(); path != null && Files.notExists(path); path = path.getParent()) {
            missing.push(path);
        }
        for (Path path : missing) {
            Files.createDirectory(path);
            created.add(path);
        }
    }

    private @Nullable Numbered next() throws IOException {
        if (!files.hasNext()) {
            return null;
        }
        DatasetFile file = files.next();
        if (!file.className().equals(className)) {
            className = file.className();
            create(folder.resolve(className));
        }
        return new Numbered(handedOut++, file);
    }

    private void write(Numbered numbered, DatasetContent content) throws IOException {
        DatasetFile file = numbered.file();
        Path path = folder.resolve(file.path());
        if (replace) {
            if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                throw new IOException(path + " is a folder, where a file is to be: name another folder for the set");
            }
            // A name that is a link leads elsewhere: it is the name that is replaced.
            Files.deleteIfExists(path);
        }
        content.begin(file);
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            synchronized (written) {
                written.set(numbered.number());
            }
            for (long at = 0; at < file.size(); at += DatasetContent.CHUNK) {
                int count = (int) Math.min(DatasetContent.CHUNK, file.size() - at);
                ByteBuffer chunk = ByteBuffer.wrap(content.next(count), 0, count);
                while (chunk.hasRemaining()) {
                    channel.write(chunk);
                }
                tally.passed(count);
            }
        }
    }

    /** Why it failed, once what was written is removed. */
    private <T extends Throwable> T removed(T why, Consumer<String> progress) {
        try {
            try {
                progress.accept("removing what was written");
            } finally {
                remove();
            }
        } catch (IOException | RuntimeException | Error e) {
            if (!e.equals(why)) {
                why.addSuppressed(e);
            }
        }
        return why;
    }

    /** On all processors, as it has to be done soon after Ctrl-C. */
    private void remove() throws IOException {
        List<DatasetClass> classes = shape.classes();
        int[] before = new int[classes.size()];
        for (int i = 1; i < before.length; i++) {
            before[i] = before[i - 1] + classes.get(i - 1).files();
        }
        List<IOException> failures = IntStream.range(0, before.length)
                .filter(i -> before[i] < handedOut)
                .parallel()
                .mapToObj(i -> remove(classes.get(i), before[i]))
                .flatMap(List::stream)
                .collect(Collectors.toCollection(ArrayList::new));
        for (Path path : created.reversed()) {
            try {
                Files.deleteIfExists(path);
            } catch (DirectoryNotEmptyException e) {
                failures.add(new IOException(path + " stays, as it holds what is not of this run", e));
            } catch (IOException e) {
                failures.add(e);
            }
        }
        if (!failures.isEmpty()) {
            throw failures.getFirst();
        }
    }

    /** @param before files of the classes before it */
    private List<IOException> remove(DatasetClass one, int before) {
        List<IOException> failures = new ArrayList<>();
        Iterator<DatasetFile> all = shape.filesOf(one);
        for (int number = before; all.hasNext(); number++) {
            DatasetFile file = all.next();
            if (written.get(number)) {
                try {
                    Files.deleteIfExists(folder.resolve(file.path()));
                } catch (IOException e) {
                    failures.add(e);
                }
            }
        }
        return failures;
    }
}
