package io.aisio.bench;

import io.aisio.xal.Child;
import io.aisio.xal.Entry;
import io.aisio.xal.FileType;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The files of a data set, in its order, each found in a file system. Of one class at a time all names are known. */
final class DatasetPlaces implements DatasetThreads.Source<DatasetPlaces.Place> {
    private final Xal xal;
    private final Iterator<DatasetFile> files;
    private final Map<String, Child> names = new HashMap<>();
    private String className = "";
    private @Nullable Entry directory;

    /**
     * A file, and the name that stands for it.
     *
     * @param directory of its class; null if there is none
     * @param child null if the directory has no such name
     */
    record Place(
            DatasetFile file,
            @Nullable Entry directory,
            @Nullable Child child) {
        /**
         * What is there.
         *
         * @return null if it is no regular file
         * @throws IOException if its inode is damaged
         */
        @Nullable
        Entry entry(Xal xal) throws IOException {
            if (directory == null || child == null) {
                return null;
            }
            Entry entry = xal.child(directory, child);
            return entry.type() == FileType.REGULAR ? entry : null;
        }
    }

    DatasetPlaces(DatasetShape shape, Xal xal) {
        this.xal = xal;
        files = shape.iterator();
    }

    @Override
    public @Nullable Place next() throws IOException {
        if (!files.hasNext()) {
            return null;
        }
        DatasetFile file = files.next();
        if (!className.equals(file.className())) {
            className = file.className();
            enter();
        }
        return new Place(file, directory, names.get(file.name()));
    }

    private void enter() throws IOException {
        names.clear();
        directory = null;
        Entry found;
        try {
            found = xal.lookup("/" + className);
        } catch (NoSuchFileException e) {
            return;
        }
        if (found.type() != FileType.DIRECTORY) {
            throw new NotDirectoryException(found.path());
        }
        IOException[] problem = new IOException[1];
        xal.children(found, e -> problem[0] = e).forEach(child -> names.put(child.name(), child));
        if (problem[0] != null) {
            throw problem[0];
        }
        directory = found;
    }
}
