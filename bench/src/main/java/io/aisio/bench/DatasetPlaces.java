package io.aisio.bench;

import io.aisio.xal.Child;
import io.aisio.xal.Entry;
import io.aisio.xal.FileType;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
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
    private @Nullable IOException problem;

    /**
     * A file, and the name that stands for it.
     *
     * @param directory of its class; null if there is none
     * @param child null if the directory has no such name
     * @param problem why the directory's names are not known; null if they are
     */
    record Place(
            DatasetFile file,
            @Nullable Entry directory,
            @Nullable Child child,
            @Nullable IOException problem) {
        /**
         * What is there.
         *
         * @return null if it is no regular file
         * @throws IOException if its inode or its directory is damaged
         */
        @Nullable
        Entry entry(Xal xal) throws IOException {
            if (problem != null) {
                throw problem;
            }
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
    public @Nullable Place next() {
        if (!files.hasNext()) {
            return null;
        }
        DatasetFile file = files.next();
        if (!className.equals(file.className())) {
            className = file.className();
            enter();
        }
        return new Place(file, directory, names.get(file.name()), problem);
    }

    private void enter() {
        names.clear();
        directory = null;
        problem = null;
        try {
            Entry found = xal.lookup("/" + className);
            if (found.type() == FileType.DIRECTORY) {
                xal.children(found, e -> problem = e).forEach(child -> names.put(child.name(), child));
                directory = found;
            } else {
                problem = new IOException(found.path() + " is no folder");
            }
        } catch (NoSuchFileException e) {
            // None of its files is there.
        } catch (IOException e) {
            problem = e;
        }
    }
}
