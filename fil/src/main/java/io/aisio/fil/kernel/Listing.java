package io.aisio.fil.kernel;

import io.aisio.fil.spi.FileTable;
import io.aisio.linux.Beneath;
import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.ReadableFiles;
import io.aisio.xal.FileName;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.function.Predicate;

/**
 * Finds files of a folder: those beneath a directory in the order of {@link io.aisio.xal.Xal#walk}, or those that are named.
 *
 * <p>A directory's files are looked at in the order in which it has them, which is where they lie together, and only then
 * sorted. Nothing is open but one directory at a time, however deep it is.
 */
final class Listing {
    /** {@code DT_DIR} and {@code DT_REG} of {@code dirent.h}; 0 if the file system does not tell. */
    private static final int DIRECTORY = 4;

    private static final int REGULAR = 8;
    private static final int UNKNOWN = 0;

    /** The longest path that is walked, in characters, as {@link io.aisio.xal.Xal#walk} has it. */
    private static final int MAX_PATH = 1 << 16;

    private final Folder folder;
    private final ReadableFiles looks;
    private final FileTable table;

    Listing(Folder folder, ReadableFiles looks, FileTable table) {
        this.folder = folder;
        this.looks = looks;
        this.table = table;
    }

    /** A name in a directory: another directory, or a file with what was seen of it. */
    private record Found(String name, boolean directory, long size, int stamp) {}

    /** A directory under way, and what of it is still to be visited. */
    private record Open(String path, Iterator<Found> rest) {}

    /**
     * Adds all regular files beneath a directory.
     *
     * @throws NoSuchFileException if there is no such directory
     * @throws IOException if one beneath cannot be read, naming it
     */
    void folder(String root, Predicate<String> wanted) throws IOException {
        requirePlain(root);
        Deque<Open> open = new ArrayDeque<>();
        try {
            open.addLast(new Open(root, read(root, wanted)));
        } catch (LinuxException e) {
            throw switch (e.errno()) {
                case Errno.ENOENT -> new NoSuchFileException(folder.shown(root));
                case Errno.ENOTDIR -> new NotDirectoryException(folder.shown(root));
                default -> e;
            };
        }
        while (!open.isEmpty()) {
            Open directory = open.getLast();
            if (!directory.rest().hasNext()) {
                open.removeLast();
                continue;
            }
            Found found = directory.rest().next();
            String path = path(directory.path(), found.name());
            if (!found.directory()) {
                table.add(path, found.size(), found.stamp());
                continue;
            }
            if (path.length() > MAX_PATH) {
                throw new IOException(
                        "%s: its path is longer than %d characters".formatted(folder.shown(path), MAX_PATH));
            }
            try {
                open.addLast(new Open(path, read(path, wanted)));
            } catch (LinuxException e) {
                // One that was removed since its name was read held nothing.
                if (e.errno() != Errno.ENOENT) {
                    throw explained(e, path);
                }
            }
        }
    }

    private IOException explained(LinuxException e, String path) {
        return e.errno() == Errno.EXDEV
                ? new IOException(
                        "%s: another file system is mounted there; name that as a place of its own"
                                .formatted(folder.shown(path)),
                        e)
                : e;
    }

    /** What a directory holds of directories and of files that are wanted, sorted. */
    private Iterator<Found> read(String path, Predicate<String> wanted) throws LinuxException {
        List<Found> found = new ArrayList<>();
        try (Beneath directory = folder.directory(path)) {
            for (Beneath.Name child : directory.list()) {
                int type = child.type();
                if (child.isDot() || (type != DIRECTORY && type != REGULAR && type != UNKNOWN)) {
                    continue;
                }
                String name = FileName.decode(child.bytes());
                if (type == DIRECTORY) {
                    found.add(new Found(name, true, 0, 0));
                } else if (type == UNKNOWN || wanted.test(path(path, name))) {
                    look(directory, path, child.bytes(), name, type == REGULAR || wanted.test(path(path, name)), found);
                }
            }
        }
        found.sort(Comparator.comparing(Found::name));
        return found.iterator();
    }

    private void look(Beneath directory, String path, byte[] bytes, String name, boolean wanted, List<Found> found)
            throws LinuxException {
        int errno = looks.look(directory, bytes);
        if (errno == Errno.ENOENT) {
            // It was removed meanwhile.
            return;
        }
        if (errno != 0) {
            throw new LinuxException("statx", folder.shown(path(path, name)), errno);
        }
        if (looks.isDirectory()) {
            found.add(new Found(name, true, 0, 0));
        } else if (looks.isRegular() && wanted) {
            found.add(new Found(name, false, looks.size(), Stamp.of(looks)));
        }
    }

    /**
     * Adds files by their paths.
     *
     * @throws NoSuchFileException if one does not exist
     * @throws IOException if one cannot be opened, or is no regular file, naming it
     */
    void paths(List<String> paths) throws IOException {
        for (String path : paths) {
            requirePlain(path);
            int errno = folder.open(looks, 0, path.equals("/") ? "/." : path, false);
            if (errno == Errno.ENOENT || errno == Errno.ENOTDIR) {
                throw new NoSuchFileException(folder.shown(path));
            }
            if (errno != 0) {
                throw explained(new LinuxException("openat2", folder.shown(path), errno), path);
            }
            try {
                if (!looks.isRegular()) {
                    throw new IOException(folder.shown(path) + ": no regular file, and a data set has no others");
                }
                table.add(path, looks.size(), Stamp.of(looks));
            } finally {
                looks.close(0);
            }
        }
    }

    /** {@code .} and {@code ..} have no meaning in the paths of a place, whatever it is. */
    private void requirePlain(String path) throws NoSuchFileException {
        for (String name : path.split("/", -1)) {
            if (name.equals(".") || name.equals("..") || name.indexOf('\0') >= 0) {
                throw new NoSuchFileException(folder.shown(path), null, "a path has no '.' and '..', and no zero byte");
            }
        }
    }

    private static String path(String directory, String name) {
        return directory.equals("/") ? "/" + name : directory + "/" + name;
    }
}
